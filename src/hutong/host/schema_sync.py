"""`hutong schema sync`: adds to a database what the tables in the code have more, one step at a time, alone.

Never drops, narrows, renames or retypes. Source: contracts/storefront.md "Server"; docs/decisions/0020-schema-sync.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import SQLAlchemyError

from hutong.host import migrations
from hutong.host.schema_plan import REVISIONS, Plan, Step, look, run
from hutong.kernel.db.opening import extend_alone, run_alone
from hutong.kernel.settings import KernelSettings
from hutong.kit.errors import Conflict, HutongError
from hutong.kit.text import shorten


class SchemaMoved(Conflict):
    """The schema changed since the plan was shown; run the command again."""

    code = "db.schema_moved"


class SchemaSyncFailed(HutongError):
    """A step of the schema sync failed."""

    code = "db.schema_sync_failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did.

    Args:
        done: steps of this run; those that another run was faster with are not among them.
        left: all differences afterwards.
        stamped: the revision that was written down, if any.
    """

    done: int
    left: Plan
    stamped: str | None


def plan(settings: KernelSettings, target: MetaData) -> Plan:
    """How the database differs from `target`; changes nothing."""
    return run_alone(settings, lambda conn: look(conn, target))


def stamp_sql(revision: str) -> list[str]:
    """Statements that tell Alembic where a database stands that was made without it."""
    return [
        f"CREATE TABLE {REVISIONS} (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
        f"INSERT INTO {REVISIONS} (version_num) VALUES ('{revision}')",  # noqa: S608 - ours
    ]


def sync(
    settings: KernelSettings, target: MetaData, shown: Plan, tell: Callable[[Step], None], revision: str | None
) -> Outcome:
    """Make the steps of a plan, alone; another run waits, and then finds them made.

    Args:
        settings: name the database.
        target: the tables as they should be.
        shown: the plan that somebody agreed to.
        tell: called before each step.
        revision: written down for Alembic, if the database was empty; None for tables that Alembic does not know.

    Raises:
        SchemaMoved: there is more to do than was shown; nothing was changed.
        SchemaSyncFailed: a step failed; the message says which, and what is left.
        SchemaHalfChanged: a migration waits to be finished first.
    """
    reached: list[Step] = []

    def unit(conn: Connection) -> Outcome:
        now = look(conn, target)
        if [step for step in now.steps if step not in shown.steps]:
            raise SchemaMoved
        for step in now.steps:
            tell(step)
            reached.append(step)
            run(conn, target, step)
        left = look(conn, target)
        if left.steps:
            raise SchemaSyncFailed(f"{left.steps[0]} was made and is not there; this is a defect of hutong")
        return Outcome(len(now.steps), left, _stamp(conn, revision) if now.fresh and not left.drifted else None)

    try:
        return extend_alone(settings, unit)
    except SQLAlchemyError as error:
        if not reached:
            raise
        raise SchemaSyncFailed(_told(settings, target, shown, reached[-1], error)) from None


def _stamp(conn: Connection, revision: str | None) -> str | None:
    for statement in [] if revision is None else stamp_sql(revision):
        conn.exec_driver_sql(statement)
    return revision


def _told(settings: KernelSettings, target: MetaData, shown: Plan, failed: Step, error: SQLAlchemyError) -> str:
    """What stands after a failure: on some databases the earlier steps stay, on others they went with it."""
    left = len(plan(settings, target).steps)
    reason = shorten(str(getattr(error, "orig", None) or error), 500)
    made = len(shown.steps) - left
    return (
        f"{failed}: {reason}. {made} of {len(shown.steps)} steps are made, {left} are left; mend the cause and run the "
        "command again: it goes on there"
    )


def newest_revision() -> str | None:
    """The revision that the tables in the code stand for."""
    return migrations.head()
