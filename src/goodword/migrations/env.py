"""Alembic environment: runs the migrations on the connection that `goodword.migrations` passes.

Without a connection it prints their SQL for PostgreSQL.
"""

from alembic import context

from goodword.tables import Base

connection = context.config.attributes.get("connection")
context.configure(
    connection=connection,
    dialect_name="postgresql",
    target_metadata=Base.metadata,
    render_as_batch=connection is not None and connection.dialect.name == "sqlite",
    compare_server_default=True,
    literal_binds=connection is None,
)
with context.begin_transaction():
    context.run_migrations()
