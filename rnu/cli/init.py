"""`rnu init`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu import defaults, secrets
from rnu.cli.options import json_option
from rnu.cli.output import emit
from rnu.institution import Institution, usable


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Make an institution's folder: its own copy of config/ and schemas/, a store, a ledger and a pseudonym key.

    \b
    Example:
      rnu init /srv/rnu
    """
    with usable(folder):
        defaults.copy(folder)
        key = secrets.new_pseudonym_key(folder)
    Institution.open(folder)
    emit(
        as_json,
        {"home": folder, "pseudonym_key": key},
        lambda: [
            f"An institution's folder stands in {folder}.",
            "  config/   programmes, sources, cubes, portals, stewards: edit them",
            "  schemas/  the rules that deliveries must keep",
            f"  {key.relative_to(folder)}  keep a copy in a safe: another key breaks every link to the past",
            f"Next: rnu key signing YOUR-KEY.pem, register it in config/stewards.toml, then rnu run --home {folder}",
        ],
    )
