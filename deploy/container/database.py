"""The databases of the portal's PostgreSQL container, made by its superuser: as postgres.py does on one machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import sqlalchemy as sa

from deploy.container.places import SUPERUSER, secret
from deploy.native.postgres import DATABASES, DESK, ROLES


def run(statements: str, name: str = "postgres") -> list[tuple[Any, ...]]:
    """Run statements as the superuser, without a transaction: a database cannot be made in one. What the last gave."""
    address = sa.URL.create("postgresql", "postgres", secret(SUPERUSER), "postgres", 5432, name)
    engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, closing(connection.connection.cursor()) as cursor:
        cursor.execute(statements)  # past SQLAlchemy, which reads a variable into every `%`
        found: list[tuple[Any, ...]] = list(cursor.fetchall()) if cursor.description else []
    engine.dispose()
    return found


def make(password: Callable[[str], str] = secret, execute: Callable[[str], Sequence[tuple[Any, ...]]] = run) -> None:
    """Roles with their passwords, and databases; the same again changes nothing."""
    for role, kept in ROLES.items():
        word = "alter" if execute(f"select 1 from pg_roles where rolname = '{role}'") else "create"
        execute(f"{word} role {role} login nosuperuser nocreatedb nocreaterole password '{password(kept)}'")
    for database, owner in DATABASES.items():
        if not execute(f"select 1 from pg_database where datname = '{database}'"):
            execute(f"create database {database} owner {owner} encoding 'UTF8' template template0")
        execute(f"revoke connect on database {database} from public")


def open_desk() -> None:
    """Give CKAN's role its views of the ledger, which must be there; the same again changes nothing."""
    run(DESK, "rnu")
