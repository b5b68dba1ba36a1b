"""Alembic's entry: runs on the connection that `hutong migrate` opened. One linear tree for every database."""

from alembic import context

from hutong.host import wiring
from hutong.host.migrations import OPTIONS
from hutong.kernel.db import metadata

assert wiring.SPECS  # importing it has declared every table

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True, **OPTIONS)
with context.begin_transaction():
    context.run_migrations()
