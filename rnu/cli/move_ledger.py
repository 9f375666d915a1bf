"""`rnu move-ledger`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rnu import secrets
from rnu.cli.options import home_option, json_option
from rnu.cli.output import emit
from rnu.errors import SettingsError
from rnu.ledger import Ledger, beside
from rnu.store import Store


@click.command("move-ledger")
@home_option
@json_option
def command(home: Path, as_json: bool) -> None:
    """Bring the history in ledger.sqlite into the database that RNU_LEDGER or secrets/ledger.address names.

    The file stays as ledger.sqlite.moved and is used no more. Killed half-way, the same again finishes it.

    \b
    Example:
      rnu move-ledger --home /srv/rnu
    """
    address = secrets.ledger_address(home, os.environ)
    if not address:
        raise SettingsError(
            "there is no other ledger to move to",
            where=str(home / "secrets" / "ledger.address"),
            remedy="write the database's address there, in a file that only its owner can read",
        )
    rows = _move(home, Ledger(address)) if beside(home).exists() else 0
    emit(
        as_json,
        {"rows": rows},
        lambda: [
            f"{rows:,} rows brought over; the former ledger stays as ledger.sqlite.moved."
            if rows
            else "Nothing to move."
        ],
    )


def _move(home: Path, new: Ledger) -> int:
    former = Ledger.beside(home)
    with Store(home / "store").locked():
        for ledger in (former, new):
            ledger.upgrade()
        rows = new.take_over(former)
        beside(home).rename(home / "ledger.sqlite.moved")
    return rows
