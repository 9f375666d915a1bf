"""The first tables: deliveries, intakes, releases, decisions, publications; none of them can be rewritten."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TABLES = {
    "delivery": ("source", "cut", "digest"),
    "intake": ("source", "period", "cut", "digest", "fingerprint", "roster"),
    "release": ("period", "digest", "fingerprint", "public_key", "signature"),
    "decision": ("digest", "role", "public_key", "signature", "note"),
    "publication": ("portal", "digest", "site"),
}
MORE = {
    "delivery": (("files", sa.JSON), ("validators", sa.JSON)),
    "intake": (("accepted", sa.Boolean), ("report", sa.JSON)),
    "release": (("revision", sa.Integer), ("facts", sa.JSON)),
    "publication": (("whole", sa.Boolean),),
}


def upgrade() -> None:
    """Make the tables and the triggers that keep them append-only."""
    for table, columns in TABLES.items():
        op.create_table(
            table,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("at", sa.String(32), nullable=False),
            *(sa.Column(c, sa.Text, nullable=False) for c in columns),
            *(sa.Column(c, kind, nullable=False) for c, kind in MORE.get(table, ())),
        )
        _append_only(table)


def _append_only(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"create trigger {table}_no_{verb} before {verb} on {table} "
                f"begin select raise(abort, 'the ledger is append-only'); end"
            )
    else:
        op.execute(
            "create or replace function rnu_append_only() returns trigger as $$ "
            "begin raise exception 'the ledger is append-only'; end $$ language plpgsql"
        )
        op.execute(
            f"create trigger {table}_append_only before update or delete on {table} "
            f"for each row execute function rnu_append_only()"
        )
