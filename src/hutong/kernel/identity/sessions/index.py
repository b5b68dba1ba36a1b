"""The store's index of the tokens that are alive: its keys, and its scripts as calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hutong.kernel.http.limits import LIFETIME_MS, Tally
from hutong.kernel.identity.sessions.pairs import Signed, Turn, read_turn
from hutong.kernel.identity.sessions.scripts import ADMIT, DROP, OPEN, ROTATE, SEAL
from hutong.kernel.identity.sessions.settings import SessionPolicy
from hutong.kernel.identity.tokens import CLOCK_SKEW_SECONDS, Claims
from hutong.kernel.store import Store
from hutong.kit.clock import Clock, SystemClock

SEAL_SECONDS = 60
"""How long SQL's word about a session is good, while the store's history goes on."""

Outcome = Literal["rotated", "again", "busy", "expired", "reused", "behind", "gone"]


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of a refresh token that was presented.

    Args:
        outcome: `rotated`: its successor is alive; `again`: it was used a moment ago, and `turn` is what it got then; `busy`:
            too often; `expired`; `reused`: it was used before, and the family is gone; `behind`: the store never saw it, or
            `gone`: its family, so the store lost something, or the session has ended.
        turn: of the successor.
        digest: of the successor's refresh token.
    """

    outcome: Outcome
    turn: Turn
    digest: bytes


@dataclass(frozen=True, slots=True)
class Admission:
    """What the store says to an access token.

    Args:
        verdict: `admitted`, `ended`, or `unsealed`: SQL has to be asked first, and was not for too long.
        counted: this minute's and the last one's hits, if admitted.
        history: of the store, if unsealed.
        copy: what lies at the key that was asked for along with it.
    """

    verdict: Literal["admitted", "ended", "unsealed"]
    counted: tuple[int, int] = (0, 0)
    history: bytes = b""
    copy: bytes | None = None


class TokenIndex:
    """The live tokens of all realms; users' ids are unique over them.

    Args:
        store: one server or a cluster.
        clock: the machine's means that the store's own clock judges, so that machines whose clocks differ agree on what is
            over; any other (a test's) judges itself.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = None if isinstance(clock, SystemClock) else clock

    async def open(self, signed: Signed, policy: SessionPolicy) -> None:
        """Let the first pair of a session live."""
        turn = signed.turn
        words = [self._now(), *_successor(signed, policy)]
        await self._store.run(OPEN, _keys(turn.user_id, turn.session_id), words)

    async def rotate(
        self, claims: Claims, successor: Signed, policy: SessionPolicy, *, newest_in_sql: bool
    ) -> Rotation:
        """Let `successor` take the place of the refresh token with these claims, if it is its turn."""
        grace = policy.grace_seconds
        words = [self._now(), *_successor(successor, policy), claims.digest, claims.counter]
        words += [grace, _ms(grace), policy.most_reuses, int(newest_in_sql)]
        reply = await self._store.run(ROTATE, _keys(claims.user_id, claims.session_id), words)
        outcome: Outcome = reply[0].decode()
        if outcome != "again":
            return Rotation(outcome, successor.turn, successor.refresh_digest)
        return Rotation(outcome, read_turn(reply[1].decode(), claims.user_id, claims.session_id), reply[2])

    async def admit(self, claims: Claims, tally: Tally | None, copy: str | None = None) -> Admission:
        """Whether an access token is alive; counts the hit, and reads the copy at a key of the same user, if it is."""
        keys = [f"access_token:{{{claims.user_id}}}", _family(claims.user_id, claims.session_id)]
        if tally is not None:
            keys += tally.keys
        if copy is not None:
            keys.append(copy)
        wanted = "" if copy is None else "1"
        reply = await self._store.run(ADMIT, keys, [self._now(), claims.digest, SEAL_SECONDS, LIFETIME_MS, wanted])
        if reply[0] == b"admitted":
            return Admission("admitted", (reply[2], reply[3]), copy=reply[1] or None)
        if reply[0] == b"ended":
            return Admission("ended")
        return Admission("unsealed", history=reply[1])

    async def seal(self, claims: Claims, history: bytes, counter: int) -> bool:
        """Note that SQL called a session live with this counter; false when its tokens are not alive after all.

        A store whose history is another by now notes nothing, and says `unsealed` again.
        """
        keys = _keys(claims.user_id, claims.session_id)
        reply: bytes = await self._store.run(SEAL, keys, [self._now(), history, counter])
        return reply != b"ended"

    async def drop(self, user_id: int, session_ids: Sequence[int]) -> None:
        """End all tokens of sessions; those that are gone already are no matter."""
        if session_ids:
            keys = [*_sets(user_id), *(_family(user_id, session_id) for session_id in session_ids)]
            await self._store.run(DROP, keys, [])

    def _now(self) -> str:
        return "" if self._clock is None else f"{self._clock.now().timestamp():.6f}"


def _sets(user_id: int) -> list[str]:
    tag = f"{{{user_id}}}"
    return [f"access_token:{tag}", f"refresh_token:{tag}", f"refresh_token_old:{tag}"]


def _family(user_id: int, session_id: int) -> str:
    return f"session:{{{user_id}}}:{session_id}"


def _keys(user_id: int, session_id: int) -> list[str]:
    return [*_sets(user_id), _family(user_id, session_id)]


def _successor(signed: Signed, policy: SessionPolicy) -> list[str | bytes | int | float]:
    """What `OPEN` and `ROTATE` take. No token of a set lives longer than the set is kept."""
    turn = signed.turn
    kept = (_ms(policy.access_seconds), _ms(max(policy.refresh_seconds, policy.access_seconds)))
    ends = (turn.access_until, turn.refresh_until)
    return [signed.access_digest, signed.refresh_digest, *ends, turn.text, *kept]


def _ms(seconds: float) -> int:
    """Milliseconds for which a key is kept whose members live so long by a clock that may be ahead."""
    return int((seconds + CLOCK_SKEW_SECONDS) * 1000)
