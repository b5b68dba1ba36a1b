"""What the account may ask a minute, and the headers that say so. Source: OpenAI's page on rate limits.

A bucket leaks as fast as its limit refills it, so its level is what the last minute used at most.
"""

import sqlite3
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hutong.sandbox.openai.settings import OpenAISandboxSettings
from hutong.sandbox.state import fact, keep_fact

MINUTE_MS = 60_000
Of = Literal["requests", "tokens"]


class Limits(BaseModel):
    """The limits that count: those of the settings, or those of the page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: int = Field(ge=1, le=10**9)
    tokens_per_minute: int = Field(ge=1, le=10**12)


@dataclass(frozen=True, slots=True)
class Level:
    """One limit after a call: how much is left, seconds until nothing is used, seconds until the call would have fitted."""

    of: Of
    limit: int
    remaining: int
    reset: float
    wait: float

    @property
    def headers(self) -> dict[str, str]:
        told = {"limit": str(self.limit), "remaining": str(self.remaining), "reset": span(self.reset)}
        return {f"x-ratelimit-{name}-{self.of}": value for name, value in told.items()}


def limits(conn: sqlite3.Connection, settings: OpenAISandboxSettings) -> Limits:
    """The present ones."""
    kept = fact(conn, "limits")
    if kept is not None:
        return Limits.model_validate_json(kept)
    return Limits(requests_per_minute=settings.requests_per_minute, tokens_per_minute=settings.tokens_per_minute)


def keep(conn: sqlite3.Connection, chosen: Limits | None) -> None:
    """Use these limits from now on; None: those of the settings."""
    conn.execute("DELETE FROM buckets")
    if chosen is None:
        conn.execute("DELETE FROM facts WHERE name = 'limits'")
    else:
        keep_fact(conn, "limits", chosen.model_dump_json())


def spend(conn: sqlite3.Connection, chosen: Limits, model: str, tokens: int, now_ms: int) -> tuple[Level, Level]:
    """Take one request and so many tokens of a model's limits, or nothing if either has no room (`wait` is then above 0)."""
    wanted: tuple[tuple[Of, int, int], ...] = (
        ("requests", chosen.requests_per_minute, 1),
        ("tokens", chosen.tokens_per_minute, tokens),
    )
    used = {of: _leaked(conn, f"{model} {of}", limit, now_ms) for of, limit, _ in wanted}
    fits = all(used[of] + amount <= limit for of, limit, amount in wanted)
    for of, _, amount in wanted:
        used[of] += amount if fits else 0
        row = (f"{model} {of}", used[of], now_ms)
        conn.execute("INSERT OR REPLACE INTO buckets (name, used, at_ms) VALUES (?, ?, ?)", row)
    requests, counted = (_level(of, limit, used[of], 0 if fits else amount) for of, limit, amount in wanted)
    return requests, counted


def _leaked(conn: sqlite3.Connection, name: str, limit: int, now_ms: int) -> float:
    row = conn.execute("SELECT used, at_ms FROM buckets WHERE name = ?", (name,)).fetchone()
    return 0.0 if row is None else max(0.0, row["used"] - (now_ms - row["at_ms"]) * limit / MINUTE_MS)


def _level(of: Of, limit: int, used: float, lacking: int) -> Level:
    over = used + lacking - limit
    return Level(of, limit, max(0, int(limit - used)), used * 60 / limit, max(0.0, over * 60 / limit))


def span(seconds: float) -> str:
    """A duration as the headers write it: `6ms`, `1.5s`, `6m0s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:.0f}s" if minutes else f"{rest:.3g}s"
