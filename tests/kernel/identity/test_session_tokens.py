"""What is no token of a session, whatever it looks like: forged, foreign, of another time, of another kind.

The rows T01–T16, T23 and T24 of the attack table, with a forger who knows the signing key where that makes it harder.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hutong.host.settings import load_settings
from hutong.kernel.http.limits import Limiter
from hutong.kernel.identity.errors import TokenExpired, TokenInvalid, TokenRevoked, TokenWrongKind
from hutong.kernel.identity.sessions import Sessions
from hutong.kernel.settings import SettingsRefused, SigningKey
from hutong.kit.clock import ManualClock
from kernel.identity.signed_in import KEYS, NOON, PHONE, REALM, UNLIMITED, House

NOW = int(NOON.timestamp())
HEADER = {"alg": "HS256", "kid": "2026", "typ": "JWT"}
PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
ALGORITHMS = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}
FORGED = (TokenInvalid, TokenRevoked, TokenExpired)


def _encoded(part: Any) -> str:
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _payload(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def signed(header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes, secret: bytes | None = None) -> str:
    """A token with these parts, rightly signed with the realm's own key unless another is given."""
    head = header if isinstance(header, bytes) else dict(header)
    content = f"{_encoded(head)}.{_encoded(payload if isinstance(payload, bytes) else dict(payload))}"
    key = KEYS["2026"].secret.get_secret_value().encode() if secret is None else secret
    algorithm = hashlib.sha256 if isinstance(head, bytes) else ALGORITHMS.get(str(head.get("alg")), hashlib.sha256)
    return f"{content}.{_encoded(hmac.new(key, content.encode(), algorithm).digest())}"


class Target:
    """A user who is signed in, and a door that a forger tries."""

    def __init__(self, house: House, sessions: Sessions, user: int, access: str, refresh: str) -> None:
        self.house, self.sessions, self.user, self.access, self.refresh = house, sessions, user, access, refresh
        self.claims = _payload(access)

    async def admit(self, token: str) -> None:
        await self.sessions.admit(token, Limiter(self.house.store, self.house.clock), UNLIMITED)

    async def put_into_the_store(self, token: str) -> None:
        """Make the store call the token alive, so that only its own checks are left."""
        digest = hashlib.sha256(token.encode()).digest()
        await self.house.store.call("ZADD", f"access_token:{{{self.user}}}", NOW + 10**9, digest)


@pytest.fixture
async def target(house: House) -> Target:
    sessions, user = house.process("2025", "2026"), await house.user()
    pair = await sessions.open(user, PHONE)
    return Target(house, sessions, user, pair.access_token, pair.refresh_token)


pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_the_forger_of_these_tests_can_write_a_token_that_is_taken(target: Target) -> None:
    """Else what follows would prove nothing."""
    token = signed(HEADER, {**target.claims, "iat": NOW - 5})
    await target.put_into_the_store(token)

    await target.admit(token)


HEADERS: Mapping[str, Mapping[str, Any] | bytes] = {
    "T01 none": {**HEADER, "alg": "none"},
    "T01 None": {**HEADER, "alg": "None"},
    "T01 nOnE": {**HEADER, "alg": "nOnE"},
    "T03 HS384": {**HEADER, "alg": "HS384"},
    "T03 HS512": {**HEADER, "alg": "HS512"},
    "T04 RS256": {**HEADER, "alg": "RS256"},
    "T05 jwk": {**HEADER, "jwk": {"kty": "oct", "k": "AAAA"}},
    "T05 jku": {**HEADER, "jku": "http://127.0.0.1:9/keys"},
    "T05 x5u": {**HEADER, "x5u": "http://127.0.0.1:9/cert"},
    "T05 x5c": {**HEADER, "x5c": ["AAAA"]},
    "T06 a path": {**HEADER, "kid": "../../dev/null"},
    "T06 SQL": {**HEADER, "kid": "' OR 1=1 --"},
    "T06 long": {**HEADER, "kid": "k" * 4096},
    "T06 unknown": {**HEADER, "kid": "2099"},
    "T06 a number": {**HEADER, "kid": 2026},
    "T06 missing": {"alg": "HS256"},
    "T07 crit": {**HEADER, "crit": ["exp"]},
    "T07 b64": {**HEADER, "b64": False},
    "typ": {**HEADER, "typ": "refresh+jwt"},
    "no object": b'["HS256"]',
    "nested too deep": b"[" * 1_400,
    "no JSON": b"\xff\xfe",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_a_header_decides_nothing(target: Target, header: Mapping[str, Any] | bytes) -> None:
    """Signed with the right key all the same, and known to the store."""
    token = signed(header, target.claims)
    await target.put_into_the_store(token)

    with pytest.raises(TokenInvalid):
        await target.admit(token)


SIGNATURES: Mapping[str, Callable[[str], str]] = {
    "T01 empty": lambda token: ".".join([_encoded({**HEADER, "alg": "none"}), token.split(".")[1], ""]),
    "T02 removed": lambda token: ".".join([*token.split(".")[:2], ""]),
    "T02 two parts": lambda token: ".".join(token.split(".")[:2]),
    "T02 of another": lambda token: ".".join([*token.split(".")[:2], "A" * 43]),
    "T04 public key": lambda token: signed(HEADER, _payload(token), PUBLIC_KEY),
    "T08 no secret": lambda token: signed(HEADER, _payload(token), b""),
    "T08 secret": lambda token: signed(HEADER, _payload(token), b"secret"),
    "T16 retired key": lambda token: signed({**HEADER, "kid": "2025"}, {**_payload(token), "sub": "7"}),
    "four parts": lambda token: token + ".A",
    "spaces": lambda token: f" {token} ",
    "not ASCII": lambda token: token + "é",
    "half a character": lambda token: token + "\ud800",
    "nothing": lambda token: "",
}


@pytest.mark.parametrize("spoil", SIGNATURES.values(), ids=SIGNATURES)
async def test_a_token_that_the_key_did_not_sign_is_none(target: Target, spoil: Callable[[str], str]) -> None:
    with pytest.raises(TokenInvalid):
        await target.admit(spoil(target.access))
    await target.admit(target.access)


CLAIMS: Mapping[str, tuple[Mapping[str, Any], type[Exception]]] = {
    "T09 over a second ago": ({"iat": NOW - 100, "exp": NOW - 1}, TokenExpired),
    "T09 over now": ({"iat": NOW - 100, "exp": NOW}, TokenExpired),
    "T10 no end": ({"exp": None}, TokenInvalid),
    "T10 text": ({"exp": str(NOW + 60)}, TokenInvalid),
    "T10 negative": ({"exp": -1}, TokenExpired),
    "T10 a fraction": ({"exp": NOW + 60.5}, TokenInvalid),
    "T10 true": ({"exp": True}, TokenInvalid),
    "T10 milliseconds": ({"exp": (NOW + 60) * 1000}, TokenInvalid),
    "T10 four hundred days": ({"exp": NOW + 401 * 86_400}, TokenInvalid),
    "T11 issued tomorrow": ({"iat": NOW + 86_400}, TokenInvalid),
    "T11 issued beyond the skew": ({"iat": NOW + 61}, TokenInvalid),
    "T11 begins tomorrow": ({"nbf": NOW + 86_400}, TokenInvalid),
    "T11 begins some day": ({"nbf": "later"}, TokenInvalid),
    "T12 another audience": ({"aud": "emoji"}, TokenInvalid),
    "T12 a list of them": ({"aud": [REALM]}, TokenInvalid),
    "T12 another issuer": ({"iss": "emoji"}, TokenInvalid),
    "T13 a code's": ({"type": "reset"}, TokenWrongKind),
    "T13 refresh": ({"type": "refresh"}, TokenWrongKind),
    "T16 another user": ({"sub": "7300000000000001"}, TokenRevoked),
    "a user that is none": ({"sub": "me"}, TokenInvalid),
    "a number for a user": ({"sub": 42}, TokenInvalid),
    "a session that is none": ({"sid": "-1"}, TokenInvalid),
    "a number for a session": ({"sid": 42}, TokenInvalid),
    "a counter that is none": ({"n": "0"}, TokenInvalid),
}


@pytest.mark.parametrize(("changed", "answer"), CLAIMS.values(), ids=CLAIMS)
async def test_well_signed_and_known_to_the_store_is_not_enough(
    target: Target, changed: Mapping[str, Any], answer: type[Exception]
) -> None:
    token = signed(HEADER, {**target.claims, **changed})
    await target.put_into_the_store(token)

    with pytest.raises(answer):
        await target.admit(token)


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "n", "iat", "exp", "type"])
async def test_a_token_without_one_of_its_claims_is_refused(target: Target, claim: str) -> None:
    token = signed(HEADER, {name: value for name, value in target.claims.items() if name != claim})
    await target.put_into_the_store(token)

    with pytest.raises(TokenInvalid):
        await target.admit(token)


async def test_an_endless_end_is_refused(target: Target) -> None:
    """T10: JSON's 1e400 is infinity in Python."""
    content = json.dumps({**target.claims, "exp": 0}).replace('"exp": 0', '"exp": 1e400').encode()
    token = signed(HEADER, content)
    await target.put_into_the_store(token)

    with pytest.raises(TokenInvalid):
        await target.admit(token)


async def test_well_signed_but_never_stored_is_revoked(target: Target) -> None:
    """T15."""
    with pytest.raises(TokenRevoked):
        await target.admit(signed(HEADER, {**target.claims, "jti": "another"}))


async def test_a_forged_refresh_token_of_a_live_session_gets_nothing_and_harms_nobody_else(house: House) -> None:
    """With the leaked key and a known session; its stamp cannot be known."""
    sessions, user = house.process(), await house.user()
    pair = await sessions.open(user, PHONE)
    other = await sessions.open(user, PHONE)
    forged = signed(HEADER, {**_payload(pair.refresh_token), "jti": "guessed"})

    with pytest.raises(FORGED):
        await sessions.refresh(forged, PHONE)
    assert await house.is_admitted(sessions, other.access_token)


async def test_a_retired_key_counts_while_it_is_listed(house: House) -> None:
    """T23, T06."""
    user = await house.user()
    pair = await house.process("2025").open(user, PHONE)

    assert await house.is_admitted(house.process("2025", "2026"), pair.access_token)
    assert not await house.is_admitted(house.process("2026"), pair.access_token)


@pytest.mark.parametrize("seconds", [60, -60])
async def test_clocks_a_minute_apart_agree_about_a_token(house: House, seconds: float) -> None:
    """T24."""
    user = await house.user()
    ahead = house.process(clock=ManualClock(NOON))
    ahead_clock = ahead._clock
    assert isinstance(ahead_clock, ManualClock)
    ahead_clock.advance(seconds)
    pair = await ahead.open(user, PHONE)
    here = house.process()

    assert await house.is_admitted(here, pair.access_token)
    renewed = await here.refresh(pair.refresh_token, PHONE)
    assert await house.is_admitted(ahead, renewed.access_token)
    assert await ahead.refresh(renewed.refresh_token, PHONE)


@pytest.mark.parametrize("secret", ["", "secret", "password123", "0" * 64])
def test_a_weak_key_is_refused_at_the_start(secret: str, database_url: str) -> None:
    """T08."""
    with pytest.raises((SettingsRefused, ValueError)):
        SigningKey.model_validate({"kid": "2026", "secret": secret})
    with pytest.raises(SettingsRefused):
        load_settings(env="test", emoji={"tokens": {"keys": [{"kid": "2026", "secret": secret}]}})
