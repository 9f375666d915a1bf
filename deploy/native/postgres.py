"""The portal's own PostgreSQL: a cluster in its folder, and who may do what in it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import IO

from deploy.native.home import Home
from deploy.native.machine import Failed, as_user, folder, postgres_program, run

# database -> its owner
DATABASES = {"ckan": "ckan", "datastore": "ckan", "rnu": "rnu_worker"}
# role -> name of its password among the secrets
ROLES = {
    "ckan": "postgres-ckan",
    "datastore_reader": "postgres-datastore-reader",
    "rnu_worker": "postgres-rnu-worker",  # writes the ledger
    "rnu_ckan": "postgres-rnu-ckan",  # CKAN's: reads the ledger's schema `desk`, and adds requests there
}
# What CKAN may do with the ledger; the views themselves are made by the ledger's migrations.
DESK = """
revoke all on database rnu from public;
grant connect on database rnu to rnu_ckan;
revoke all on schema public from public;
grant usage on schema desk to rnu_ckan;
grant select on all tables in schema desk to rnu_ckan;
grant insert (kind, asked_by, what, at) on desk.request to rnu_ckan;
alter role rnu_ckan in database rnu set search_path = desk;
"""


def make_cluster(home: Home) -> None:
    """initdb, once; connections by password, over loopback and the portal's own socket."""
    user = home.users.postgres
    data = home.root / "postgres" / "data"
    folder(home.root / "postgres", user, 0o700)
    folder(home.root / "run" / "postgres", user, 0o755)
    if not (data / "PG_VERSION").exists():
        run(
            [postgres_program("initdb"), "-D", str(data), "-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256",
             "--auth-local=peer" if home.users.apart else "--auth-local=trust", "-U", user],
            user=user,
        )  # fmt: skip
    settings = {
        "port": str(home.port("postgres")),
        "listen_addresses": "'127.0.0.1'",
        "unix_socket_directories": f"'{home.root / 'run' / 'postgres'}'",
        "shared_buffers": "256MB",
        "max_connections": "100",
    }
    (data / "postgresql.auto.conf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))


def answers(home: Home) -> bool:
    """Whether it takes connections."""
    asked = [postgres_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(home.port("postgres"))]
    return subprocess.run(asked, check=False).returncode == 0


def sql(home: Home, statements: str, database: str = "postgres") -> str:
    """Run statements as the cluster's owner; what they gave, without decoration."""
    socket = home.root / "run" / "postgres"
    return run(
        [postgres_program("psql"), "-h", str(socket), "-p", str(home.port("postgres")), "-U", home.users.postgres,
         "-d", database, "-v", "ON_ERROR_STOP=1", "-qtA"],
        user=home.users.postgres,
        stdin=statements,
        cwd=Path("/"),
    ).strip()  # fmt: skip


def dump(home: Home, database: str, path: Path) -> None:
    """A whole database into a file, as pg_restore takes it; roles and their passwords stay out."""
    with path.open("wb") as file:
        _stream(home, ["pg_dump", "--format=custom", database], to=file)


def load(home: Home, database: str, path: Path) -> None:
    """A dump into an empty database, whole or not at all; the roles it names must be there."""
    with path.open("rb") as file:
        _stream(home, ["pg_restore", "--single-transaction", "--exit-on-error", "--dbname", database], of=file)


def _stream(home: Home, command: list[str], of: IO[bytes] | None = None, to: IO[bytes] | None = None) -> None:
    """A program of PostgreSQL's as the cluster's owner, who may not reach the file itself."""
    program, *words = command
    socket = ["-h", str(home.root / "run" / "postgres"), "-p", str(home.port("postgres")), "-U", home.users.postgres]
    asked = [*as_user(home.users.postgres), postgres_program(program), *socket, *words]
    done = subprocess.run(asked, stdin=of, stdout=to, stderr=subprocess.PIPE, cwd="/", check=False)
    if done.returncode:
        raise Failed(f"{program} of the database {words[-1]} ended badly:\n{done.stderr.decode()[-1000:]}")


def make_databases(home: Home) -> None:
    """Roles with their passwords, and databases; the same again changes nothing."""
    for role, secret in ROLES.items():
        known = sql(home, f"select 1 from pg_roles where rolname = '{role}'")
        word = "alter" if known else "create"
        sql(home, f"{word} role {role} login nosuperuser nocreatedb nocreaterole password '{home.secret(secret)}'")
    for database, owner in DATABASES.items():
        if not sql(home, f"select 1 from pg_database where datname = '{database}'"):
            sql(home, f"create database {database} owner {owner} encoding 'UTF8' template template0")
        sql(home, f"revoke connect on database {database} from public")


def open_desk(home: Home) -> None:
    """Give CKAN's role its views of the ledger, which must be there; the same again changes nothing."""
    sql(home, DESK, "rnu")


def url(home: Home, role: str, database: str) -> str:
    """A connection for SQLAlchemy."""
    return f"postgresql://{role}:{home.secret(ROLES[role])}@127.0.0.1:{home.port('postgres')}/{database}"
