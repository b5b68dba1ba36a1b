"""Promises about the data, each an SQL check that tests run after every fault and a schedule runs in production.

Source: DESIGN §2.15; reference/reliability.md §1.2 (I1–I14). Packages declare theirs in `invariants.py`; the host
collects them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, text

from hutong.kernel.observability import metrics

SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Invariant:
    """One promise.

    Args:
        name: dotted, as in `credits.balance_is_sum`.
        promise: what is true, in one sentence.
        sql: portable SELECT of the rows that break it, as text or built; empty when all is well.
    """

    name: str
    promise: str
    sql: str | Select[Any]


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks a promise."""

    invariant: str
    promise: str
    row: dict[str, Any]


def check(conn: Connection, invariants: Iterable[Invariant]) -> Sequence[Violation]:
    """Up to `SAMPLE` broken rows of each invariant; sets the gauge `hutong_invariants_broken`."""
    found: list[Violation] = []
    for invariant in invariants:
        query = text(invariant.sql) if isinstance(invariant.sql, str) else invariant.sql
        rows = conn.execute(query).mappings().fetchmany(SAMPLE)
        metrics.invariants_broken.labels(invariant.name).set(len(rows))
        found.extend(Violation(invariant.name, invariant.promise, dict(row)) for row in rows)
    return found
