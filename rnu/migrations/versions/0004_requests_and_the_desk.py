"""What a portal asks the worker for, what the worker answers and announces, and on PostgreSQL a portal's own views.

A portal faces the public: its role reads the schema `desk` and nothing else, and adds requests and nothing else. The
views bear the tables' names and columns, so that the same reading code works on them; a roster's name in the store, the
names of delivered files and what a server said of them are left out, and of a release's facts only what its files say.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

FORMER = ("delivery", "intake", "release", "decision", "publication")
NEW = ("request", "receipt", "announcement")

VIEWS = {
    "delivery": "id, at, source, cut, digest, '[]'::json as files, '{}'::json as validators",
    "intake": "id, at, source, period, cut, digest, fingerprint, accepted, ''::text as roster, report",
    "release": """id, at, period, revision, digest, fingerprint, public_key, signature,
        json_build_object('programmes', facts -> 'programmes', 'missing', facts -> 'missing') as facts""",
    "decision": "id, at, digest, role, public_key, signature, note",
    "publication": "id, at, portal, digest, site, whole, releases",
    "request": "id, at, kind, asked_by, what",
    "receipt": "id, at, request_id, state, said, facts",
    "announcement": "id, at, facts",
}

# A portal neither dates nor numbers its requests itself, and cannot fill the disk with one.
ASK = """
create function desk.ask() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if length(new.kind) > 40 or length(new.asked_by) > 200 or length(new.what::text) > 20000 then
        raise exception 'a request is shorter';
    end if;
    insert into public.request (at, kind, asked_by, what)
    values (to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'), new.kind, new.asked_by, new.what)
    returning id, at into new.id, new.at;
    return new;
end $$
"""


def upgrade() -> None:
    """Make the tables, append-only, refuse TRUNCATE everywhere, and make the views."""
    for table, columns in {
        "request": (_text("kind"), _text("asked_by"), _json("what")),
        "receipt": (sa.Column("request_id", sa.Integer, nullable=False), _text("state"), _text("said"), _json("facts")),
        "announcement": (_json("facts"),),
    }.items():
        op.create_table(
            table,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("at", sa.String(32), nullable=False),
            *columns,
        )
    op.create_index("ix_receipt_request_id", "receipt", ["request_id"])
    if op.get_bind().dialect.name == "sqlite":
        for table in NEW:
            _append_only_in_sqlite(table)
        return
    for table in NEW:
        op.execute(
            f"create trigger {table}_append_only before update or delete on {table} "
            f"for each row execute function rnu_append_only()"
        )
    for table in (*FORMER, *NEW):
        op.execute(
            f"create trigger {table}_no_truncate before truncate on {table} "
            f"for each statement execute function rnu_append_only()"
        )
    _make_desk()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON, nullable=False)


def _append_only_in_sqlite(table: str) -> None:
    abort = "begin select raise(abort, 'the ledger is append-only'); end"
    for verb in ("update", "delete"):
        op.execute(f"create trigger {table}_no_{verb} before {verb} on {table} {abort}")
    op.execute(
        f"create trigger {table}_no_replace before insert on {table} "
        f"when exists (select 1 from {table} where id = new.id) {abort}"
    )


def _make_desk() -> None:
    op.execute("create schema desk")
    for table, columns in VIEWS.items():
        op.execute(f"create view desk.{table} as select {columns} from public.{table}")
    op.execute(ASK)
    op.execute("revoke all on function desk.ask() from public")
    op.execute("create trigger ask instead of insert on desk.request for each row execute function desk.ask()")
