"""What Alembic runs for each migration; the connection comes from ``speechsearch.store.database``."""

from alembic import context

from speechsearch.store.tables import Base

# Alembic gives its context a configuration while it migrates; test collection imports this file without one.
if hasattr(context, "config"):
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
