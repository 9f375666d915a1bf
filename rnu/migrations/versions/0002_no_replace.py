"""SQLite's INSERT OR REPLACE removes a row without asking the triggers on DELETE: an id that is there is refused.

PostgreSQL has no such statement: its INSERT … ON CONFLICT DO UPDATE asks the trigger on UPDATE.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = ("delivery", "intake", "release", "decision", "publication")


def upgrade() -> None:
    """Add the triggers."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in TABLES:
        op.execute(
            f"create trigger {table}_no_replace before insert on {table} "
            f"when exists (select 1 from {table} where id = new.id) "
            f"begin select raise(abort, 'the ledger is append-only'); end"
        )
