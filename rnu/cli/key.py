"""`rnu key`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu import secrets
from rnu.cli.clock import today
from rnu.cli.options import home_option


@click.group("key")
def command() -> None:
    """Make keys. They are files that only their owner can read; none is ever under version control.

    \b
    Example:
      rnu key signing ~/rnu-steward.pem
    """


@command.command("pseudonym", short_help="Make the institution's pseudonym key.")
@home_option
def pseudonym(home: Path) -> None:
    """Make the key that turns documents into pseudonyms, once in an institution's life.

    \b
    Example:
      rnu key pseudonym --home /srv/rnu
    """
    click.echo(str(secrets.new_pseudonym_key(home)))


@command.command("signing", short_help="Make a steward's signing key.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", default="Nombre y apellido", help="The steward's name, as it stands in stewards.toml.")
def signing(file: Path, name: str) -> None:
    """Make a steward's own key, and print the lines that register its public half.

    \b
    Example:
      rnu key signing ~/rnu-steward.pem --name 'Rosa Pérez'
    """
    made = secrets.new_signing_key(file)
    click.echo(
        "# add to config/stewards.toml\n[[steward]]\n"
        f'name = "{name}"\npublic_key = "{secrets.public_half(made)}"\nsince = {today().isoformat()}'
    )
