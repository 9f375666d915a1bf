"""`rnu verify-portal`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rnu.cli.options import home_option, json_option
from rnu.cli.output import emit
from rnu.errors import PortalRefused
from rnu.institution import Institution
from rnu.publication import compare


@click.command("verify-portal")
@click.argument("portal")
@home_option
@json_option
def command(portal: str, home: Path, as_json: bool) -> None:
    """Download what PORTAL serves, and hold it against the signed releases: every file, and every table by cells.

    \b
    Example:
      rnu verify-portal sitio
    """
    institution = Institution.open(home)
    chosen = institution.settings.portal(portal)
    found = compare(institution.settings, institution.store, institution.ledger, chosen)
    emit(
        as_json,
        found,
        lambda: [
            f"{portal}: {found.files} files and {found.tables} tables compared, digest {found.digest[:16]}",
            *(f"  differs: {difference}" for difference in found.differences),
            *([] if found.differences else ["  all as it was signed"]),
        ],
    )
    if found.differences:
        sys.exit(PortalRefused.exit_code)
