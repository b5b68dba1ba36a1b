"""`hutong schema sync` adds what is missing, in one pass, on every database, and touches nothing else."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    UniqueConstraint,
    false,
    func,
    inspect,
    text,
    true,
)
from typer.testing import CliRunner, Result

from hutong.host import migrations, schema_sync
from hutong.host.cli.main import app
from hutong.host.schema_plan import Plan, Step
from hutong.host.settings import Settings, load_settings
from hutong.kernel.db import UtcTime
from hutong.kernel.db import metadata as ours
from hutong.kernel.db.dialects.half_done import SchemaHalfChanged
from hutong.kernel.db.opening import run_alone

DATABASES = ["sqlite", *(pytest.param(name, marks=pytest.mark.server) for name in ("postgresql", "mariadb"))]
Build = Callable[[MetaData], object]


def target(*builds: Build) -> MetaData:
    """Tables as the code would declare them, under the house's names."""
    made = MetaData(naming_convention=ours.naming_convention)
    for build in builds:
        build(made)
    return made


def people(*more: Column[Any]) -> Build:
    columns = (
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("email", String(255), nullable=False, unique=True),
        Column("hidden", Boolean, nullable=False, server_default=false()),
        Column("facts", JSON),
        Column("amount", Numeric(18, 2)),
        Column("seen_at", UtcTime),
    )
    return lambda meta: Table("people", meta, *columns, *more)


def pets(meta: MetaData) -> None:
    Table(
        "pets",
        meta,
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("owner_id", BigInteger, ForeignKey("people.id"), nullable=False, index=True),
        Column("tag", String(32), nullable=False, unique=True),
        Index("uq_pets_owner_id_tag", "owner_id", "tag", unique=True),
    )


ADDED = (
    lambda: Column("nick", String(64), index=True),
    lambda: Column("failed", Integer, nullable=False, server_default="0"),
    lambda: Column("mood", String(16), nullable=False, server_default="so so, isn't it"),
    lambda: Column("loud", Boolean, nullable=False, server_default=false()),
    lambda: Column("born_at", UtcTime),
)


def grown() -> MetaData:
    """What the code says next: a table, five columns, two indexes more."""
    meta = target(people(*(make() for make in ADDED)), pets)
    Index(None, meta.tables["people"].c.seen_at)
    return meta


class Place:
    """A database with rows in it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; the rows of the last."""

        def unit(conn: Connection) -> list[tuple[Any, ...]]:
            results = [conn.execute(text(statement)) for statement in statements]
            return [tuple(row) for row in results[-1]] if results[-1].returns_rows else []

        return run_alone(self.settings, unit)

    def plan(self, wanted: MetaData) -> Plan:
        return schema_sync.plan(self.settings, wanted)

    def sync(self, wanted: MetaData, shown: Plan | None = None) -> list[str]:
        """The steps that this run made."""
        told: list[Step] = []
        schema_sync.sync(self.settings, wanted, shown or self.plan(wanted), told.append, None)
        return [str(step) for step in told]

    def columns(self, table: str) -> set[str]:
        return run_alone(self.settings, lambda conn: {str(each["name"]) for each in inspect(conn).get_columns(table)})

    @property
    def commits_each_change(self) -> bool:
        return self.settings.database_url.startswith("mysql")


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables; the test runs once for each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'hutong.db'}"
        return
    server = request.getfixturevalue({"postgresql": "postgres_server"}.get(request.param, f"{request.param}_server"))
    name = f"empty_{abs(hash(request.node.nodeid))}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture
def place(empty_url: str) -> Place:
    """Two people, and a table of somebody else."""
    made = Place(load_settings(env="test", database_url=empty_url))
    made.run("CREATE TABLE legacy (x INTEGER)", "INSERT INTO legacy VALUES (7)")
    made.sync(target(people()))
    made.run("INSERT INTO people (id, email) VALUES (1, 'li@example.com'), (2, 'wang@example.com')")
    return made


def held(plan: Plan) -> list[str]:
    return [str(each) for each in plan.held_back]


# What is added


def test_one_pass_adds_everything_that_is_safe(place: Place) -> None:
    """Rows keep their values and get the defaults; a second look finds nothing, defaults and booleans included."""
    assert not place.plan(target(people())).drifted
    made = place.sync(grown())
    after = place.plan(grown())

    assert sorted(made) == [
        "add column people.born_at",
        "add column people.failed",
        "add column people.loud",
        "add column people.mood",
        "add column people.nick",
        "create index people.ix_people_nick",
        "create index people.ix_people_seen_at",
        "create index pets.ix_pets_owner_id",
        "create index pets.uq_pets_owner_id_tag",
        "create table pets",
    ]
    assert (after.steps, held(after), after.drifted) == ([], [], False)
    assert place.sync(grown()) == []
    assert place.run("SELECT id, email, nick, failed, mood FROM people ORDER BY id") == [
        (1, "li@example.com", None, 0, "so so, isn't it"),
        (2, "wang@example.com", None, 0, "so so, isn't it"),
    ]


def test_the_statements_that_are_shown_are_those_that_make_it(place: Place) -> None:
    """Somebody may run them by hand."""
    for step in place.plan(grown()).steps:
        place.run(*(statement.replace(":", r"\:") for statement in step.sql))

    assert not place.plan(grown()).drifted


def test_texts_with_quotes_are_compared(place: Place) -> None:
    """A default that differs is seen, and breaks nothing."""
    place.sync(target(people(Column("mood", String(16), nullable=False, server_default="isn't it"))))
    plan = place.plan(target(people(Column("mood", String(16), nullable=False, server_default="is'nt it"))))

    assert held(plan) == ["alter column people.mood"]
    assert place.run("SELECT DISTINCT mood FROM people") == [("isn't it",)]


def test_tables_of_others_are_left_alone(place: Place) -> None:
    plan = place.plan(grown())
    place.sync(grown())

    assert plan.foreign == ["legacy"]
    assert place.run("SELECT x FROM legacy") == [(7,)]


# What is not


def without(meta: MetaData, *names: str) -> MetaData:
    """The same tables, without some columns of people."""
    kept = [each._copy() for each in meta.tables["people"].columns if each.name not in names]
    return target(lambda made: Table("people", made, *kept))


UNSAFE: dict[str, tuple[Callable[[], MetaData], str, str]] = {
    "a column without a value for the rows": (
        lambda: target(people(Column("must", String(8), nullable=False))),
        "add column people.must",
        "server_default",
    ),
    "a computed default": (
        lambda: target(people(Column("made_at", UtcTime, nullable=False, server_default=func.now()))),
        "add column people.made_at",
        "computed",
    ),
    "a unique index": (
        lambda: target(people(), lambda meta: Index("uq_people_amount", meta.tables["people"].c.amount, unique=True)),
        "create index people.uq_people_amount",
        "may repeat",
    ),
    "a unique constraint": (
        lambda: target(people(UniqueConstraint("amount"))),  # type: ignore[arg-type]
        "people.uq_people_amount",
        "may repeat",
    ),
    "a column that is gone": (lambda: without(target(people()), "amount"), "drop column people.amount", "renamed"),
    "a narrower column": (
        lambda: retyped("email", Column("email", String(20), nullable=False, unique=True)),
        "alter column people.email",
        "the code says",
    ),
    "another type": (
        lambda: retyped("amount", Column("amount", String(40))),
        "alter column people.amount",
        "the code says",
    ),
    "another default": (
        lambda: retyped("hidden", Column("hidden", Boolean, nullable=False, server_default=true())),
        "alter column people.hidden",
        "default differs",
    ),
    "no more NULL": (
        lambda: retyped("amount", Column("amount", Numeric(18, 2), nullable=False)),
        "alter column people.amount",
        "NOT NULL",
    ),
}


def retyped(name: str, instead: Column[Any]) -> MetaData:
    columns = [instead if each.name == name else each._copy() for each in target(people()).tables["people"].columns]
    return target(lambda made: Table("people", made, *columns))


@pytest.mark.parametrize("case", UNSAFE)
def test_what_could_harm_rows_is_told_and_never_done(place: Place, case: str) -> None:
    make, name, advice = UNSAFE[case]
    before = place.columns("people")
    plan = place.plan(make())
    made = place.sync(make())

    assert [each.endswith(name) for each in held(plan)] == [True], held(plan)
    assert advice in plan.held_back[0].advice and "migration" in plan.held_back[0].advice
    assert (plan.steps, made) == ([], [])
    assert place.columns("people") == before
    assert not place.plan(target(people())).drifted


def test_an_index_on_a_column_that_is_held_back_is_held_back_too(place: Place) -> None:
    wanted = target(people(Column("must", String(8), nullable=False, index=True), Column("nick", String(8))))
    made = place.sync(wanted)

    assert made == ["add column people.nick"]
    assert held(place.plan(wanted)) == ["add column people.must", "create index people.ix_people_must"]


def test_an_index_that_changed_is_not_made_twice(place: Place) -> None:
    def index(*names: str) -> MetaData:
        return target(people(), lambda meta: Index("ix_people_x", *(meta.tables["people"].c[name] for name in names)))

    place.sync(index("amount"))
    plan = place.plan(index("amount", "hidden"))

    assert held(plan) == ["drop index people.ix_people_x", "create index people.ix_people_x"]
    assert plan.steps == []


# Two at once, failures


def test_two_runs_at_once_wait_for_each_other(place: Place) -> None:
    """Both were shown the same plan; one makes it, the other finds it made, and neither fails."""
    shown, barrier = place.plan(grown()), threading.Barrier(2)

    def run(_: int) -> list[str]:
        barrier.wait(20)
        return place.sync(grown(), shown)

    with ThreadPoolExecutor(2) as pool:
        made = sorted(pool.map(run, range(2)), key=len)

    assert [len(steps) for steps in made] == [0, len(shown.steps)]
    assert not place.plan(grown()).drifted


def test_what_nobody_agreed_to_is_not_done(place: Place) -> None:
    shown = place.plan(grown())
    place.run("DROP TABLE people")

    with pytest.raises(schema_sync.SchemaMoved):
        place.sync(grown(), shown)
    assert place.run("SELECT x FROM legacy") == [(7,)]
    assert place.plan(grown()).steps[0].what == "create table"


def test_a_run_stops_at_the_first_failure_and_goes_on_when_it_is_mended(place: Place) -> None:
    """A view stands where a table belongs: the comparison does not see it, the database does."""
    place.run("CREATE VIEW pets AS SELECT x FROM legacy")
    late = target(people(*(make() for make in ADDED)), pets)
    with pytest.raises(schema_sync.SchemaSyncFailed) as failure:
        place.sync(late)
    left = place.plan(late)
    place.run("DROP VIEW pets")
    made = place.sync(late)

    assert "create table pets" in failure.value.message and "run the command again" in failure.value.message
    assert len(left.steps) == len(made) > 0
    assert not place.plan(late).drifted
    assert place.run("SELECT COUNT(*) FROM people") == [(2,)]


def test_a_failure_in_the_middle_loses_nothing(place: Place) -> None:
    """Steps before it stay where the database commits each, and go with the transaction where it does not."""
    place.run("CREATE VIEW zoo AS SELECT x FROM legacy")
    wanted = target(
        people(),
        lambda meta: Table("ants", meta, Column("id", Integer, primary_key=True)),
        lambda meta: Table("zoo", meta, Column("id", Integer, primary_key=True)),
    )
    steps = [str(step) for step in place.plan(wanted).steps]
    with pytest.raises(schema_sync.SchemaSyncFailed, match="create table zoo") as failure:
        place.sync(wanted)
    left = [str(step) for step in place.plan(wanted).steps]
    place.run("DROP VIEW zoo")
    place.sync(wanted)

    assert steps == ["create table ants", "create table zoo"]
    assert left == (steps[1:] if place.commits_each_change else steps)
    assert f"{len(steps) - len(left)} of {len(steps)} steps are made" in failure.value.message
    assert place.plan(wanted).steps == []


@pytest.mark.server
@pytest.mark.parametrize("empty_url", ["mariadb"], indirect=True)
def test_a_half_done_migration_comes_first(place: Place) -> None:
    place.run(
        "CREATE TABLE hutong_half_done (id INT PRIMARY KEY, done INT, digest CHAR(64))",
        "INSERT INTO hutong_half_done VALUES (1, 3, 'x')",
    )
    with pytest.raises(SchemaHalfChanged, match="after 3"):
        place.sync(grown())


@pytest.mark.server
@pytest.mark.parametrize("empty_url", ["mariadb"], indirect=True)
def test_new_tables_take_the_bytewise_collation(place: Place) -> None:
    place.run("ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci")
    place.sync(grown())

    found = (
        "SELECT collation_name FROM information_schema.columns WHERE table_schema = DATABASE() AND column_name = 'tag'"
    )
    assert place.run(found) == [("utf8mb4_nopad_bin",)]


# The command


class Shell:
    """The command line on an empty database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.settings = load_settings(env="test", database_url=url)
        self.place = Place(self.settings)
        self._environment = {"HUTONG_DATABASE_URL": url, "HUTONG_DATA": str(folder), "HUTONG_ENV": "test"}

    def sync(self, *words: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, ["schema", "sync", *words], input=answer, env=self._environment)


@pytest.fixture
def shell(empty_url: str, tmp_path: Path) -> Shell:
    return Shell(empty_url, tmp_path)


def test_the_schema_that_it_makes_is_that_of_the_migrations(shell: Shell) -> None:
    """So `serve` starts on it, and the next migration goes on from there."""
    made = shell.sync("--yes")

    assert made.exit_code == 0, made.output
    assert migrations.current(shell.settings) == migrations.head()
    assert migrations.drift(shell.settings) == []
    assert shell.sync("--check").exit_code == 0


def test_check_says_that_the_database_differs(shell: Shell) -> None:
    shell.sync("--yes")
    shell.place.run("DROP TABLE audit_events")
    checked = shell.sync("--check")
    mended = shell.sync("--yes")

    assert checked.exit_code == 2 and "create table audit_events" in checked.output
    assert "Alembic looks after this database" in checked.output
    assert mended.exit_code == 0 and shell.sync("--check").exit_code == 0


def test_check_sees_what_is_held_back_too(shell: Shell) -> None:
    shell.sync("--yes")
    shell.place.run("ALTER TABLE audit_events ADD COLUMN extra INTEGER")
    checked, done = shell.sync("--check"), shell.sync("--yes")

    assert (checked.exit_code, done.exit_code) == (2, 0)
    assert "drop column audit_events.extra" in checked.output and "renamed" in checked.output
    assert "extra" in shell.place.columns("audit_events")


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_with_nobody_to_ask_nothing_is_done(shell: Shell) -> None:
    refused = shell.sync()

    assert refused.exit_code == 1 and "--yes" in refused.output
    assert shell.sync("--check").exit_code == 2


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_a_machine_reads_the_plan_and_what_was_made(shell: Shell) -> None:
    planned = json.loads(shell.sync("--json").stdout)
    checked = shell.sync("--json", "--check")
    made = json.loads(shell.sync("--json", "--yes").stdout)

    assert checked.exit_code == 2
    assert planned["made"] is None and made["made"] == len(planned["steps"]) > 20
    assert planned["steps"][0]["what"] == "create table" and planned["steps"][0]["sql"][0].startswith("CREATE TABLE")
    assert made["stamped"] == migrations.head()


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_the_statements_alone_can_be_run_by_hand(shell: Shell) -> None:
    printed = shell.sync("--sql")
    statements = [each for each in printed.stdout.split(";\n") if each.strip()]
    shell.place.run(*statements)

    assert printed.exit_code == 0
    assert shell.sync("--check").exit_code == 0
    assert migrations.current(shell.settings) == migrations.head()


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("words", [("--yes", "--check"), ("--yes", "--sql")])
def test_words_that_contradict_each_other_are_refused(shell: Shell, words: Sequence[str]) -> None:
    assert shell.sync(*words).exit_code == 2
    assert shell.place.run("SELECT COUNT(*) FROM sqlite_master") == [(0,)]
