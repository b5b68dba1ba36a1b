"""The schema goes up and down on every database, one migration at a time, and a failed one can be run again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text

from hutong.host import migrations
from hutong.host.settings import Settings, load_settings
from hutong.kernel.db.dialects.half_done import SchemaHalfChanged
from hutong.kernel.db.opening import run_alone

ENVIRONMENT = """
from alembic import context
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
"""
FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "a1", None
def upgrade():
    op.create_table("people", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("name", sa.String(32)))
def downgrade():
    op.drop_table("people")
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "a2", "a1"
def upgrade():
    op.create_table("pets", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO pets (id) VALUES (1), (2)")
    op.create_index("uq_people_name", "people", ["name"], unique=True)
    op.execute("INSERT INTO pets (id) VALUES (3)")
def downgrade():
    op.drop_index("uq_people_name", table_name="people")
    op.drop_table("pets")
"""


class Tree:
    """A small tree of two revisions; the second fails while two people have the same name."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text(ENVIRONMENT)
        self.write(SECOND)
        (folder / "versions" / "a1.py").write_text(FIRST)

    def write(self, second: str) -> None:
        (self.folder / "versions" / "a2.py").write_text(second)

    def move(self, revision: str = "head") -> None:
        def unit(conn: Connection) -> None:
            config = Config()
            config.set_main_option("script_location", str(self.folder))
            config.attributes["connection"] = conn
            (command.downgrade if revision == "base" else command.upgrade)(config, revision)

        run_alone(self.settings, unit, changing=True)

    def run(self, *statements: str) -> list[object]:
        """Run statements; the rows of the last."""

        def unit(conn: Connection) -> list[object]:
            results = [conn.execute(text(statement)) for statement in statements]
            return [tuple(row) for row in results[-1]] if results[-1].returns_rows else []

        return run_alone(self.settings, unit)

    def tables(self) -> set[str]:
        return run_alone(self.settings, lambda conn: set(inspect(conn).get_table_names()))


@pytest.fixture
def tree(database_url: str, tmp_path: Path) -> Tree:
    settings = load_settings(env="test", database_url=database_url)
    migrations.downgrade(settings, "base")
    made = Tree(settings, tmp_path / "tree")
    made.move("a1")
    made.run("INSERT INTO people (id, name) VALUES (1, 'Li'), (2, 'Li')")
    return made


def commits_each_change(tree: Tree) -> bool:
    return tree.settings.database_url.startswith("mysql")


def test_the_schema_goes_up_and_down_and_has_not_drifted(database_url: str) -> None:
    settings = load_settings(env="test", database_url=database_url)
    there = migrations.current(settings)
    drift = migrations.drift(settings)
    down = migrations.downgrade(settings, "base")
    up = migrations.upgrade(settings)

    assert there == migrations.head()
    assert drift == []
    assert (down[1], up[1]) == (None, migrations.head())


def test_two_migrations_at_once_wait_for_each_other(database_url: str) -> None:
    settings = load_settings(env="test", database_url=database_url)
    migrations.downgrade(settings, "base")
    with ThreadPoolExecutor(2) as pool:
        moves = list(pool.map(lambda _: migrations.upgrade(settings), range(2)))

    assert sorted(moves, key=str) == [(migrations.head(), migrations.head()), (None, migrations.head())]
    assert migrations.drift(settings) == []


def test_a_migration_that_failed_is_finished_when_its_cause_is_gone(tree: Tree) -> None:
    """It leaves nothing, or says that it is half done; either way the same command brings it to its end, once."""
    with pytest.raises(Exception, match=r"uq_people_name|UNIQUE") as failure:
        tree.move()
    revision = tree.run("SELECT version_num FROM alembic_version")
    tree.run("UPDATE people SET name = 'Wang' WHERE id = 2")
    tree.move()

    assert isinstance(failure.value, SchemaHalfChanged) is commits_each_change(tree)
    assert revision == [("a1",)]
    assert tree.run("SELECT id FROM pets ORDER BY id") == [(1,), (2,), (3,)]
    assert tree.run("SELECT version_num FROM alembic_version") == [("a2",)]
    assert tree.tables() == {"alembic_version", "people", "pets"}
    tree.move("base")
    assert tree.tables() == {"alembic_version"}


@pytest.mark.server
@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_half_done_migration_is_not_continued_by_another(tree: Tree) -> None:
    """Neither by an edited one nor by going back: both would leave what nobody wrote down."""
    with pytest.raises(SchemaHalfChanged, match=r"after 2 of its statements.*run the same command"):
        tree.move()
    tree.run("UPDATE people SET name = 'Wang' WHERE id = 2")
    tree.write(SECOND.replace("(1), (2)", "(1), (9)"))
    with pytest.raises(SchemaHalfChanged, match="other statements than the first time"):
        tree.move()
    with pytest.raises(SchemaHalfChanged):
        tree.move("base")
    tree.write(SECOND)
    tree.move()

    assert tree.run("SELECT id FROM pets ORDER BY id") == [(1,), (2,), (3,)]


@pytest.mark.server
@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_tables_take_the_bytewise_collation_whatever_the_server_prefers(database_url: str) -> None:
    settings = load_settings(env="test", database_url=database_url)
    migrations.downgrade(settings, "base")

    def collations(conn: Connection) -> list[str]:
        found = "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = DATABASE()"
        return [
            row[0] for row in conn.execute(text(f"{found} AND collation_name IS NOT NULL AND data_type <> 'longtext'"))
        ]

    def prefer_another(conn: Connection) -> None:
        conn.execute(text("DROP TABLE alembic_version"))
        conn.execute(text("ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci"))

    run_alone(settings, prefer_another)
    migrations.upgrade(settings)

    assert run_alone(settings, collations) == ["utf8mb4_nopad_bin"]
