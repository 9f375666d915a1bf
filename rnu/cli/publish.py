"""`rnu publish`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu.cli.options import home_option, json_option
from rnu.cli.output import emit
from rnu.institution import Institution
from rnu.publication import Published, publish


@click.command("publish")
@click.argument("portal", required=False)
@click.option("--overwrite", is_flag=True, help="Put back what somebody changed by hand on a CKAN or DKAN.")
@home_option
@json_option
def command(portal: str | None, overwrite: bool, home: Path, as_json: bool) -> None:
    """Publish every approved release on PORTAL, or on all portals of portals.toml. The same again changes nothing.

    \b
    Example:
      rnu publish sitio
    """
    institution = Institution.open(home)
    settings = institution.settings
    wanted = [settings.portal(portal)] if portal else list(settings.portals)
    done = [publish(settings, institution.store, institution.ledger, p, overwrite=overwrite) for p in wanted]
    emit(as_json, done, lambda: [_published(d) for d in done])


def _published(done: Published) -> str:
    state = "published" if done.outcome.changed else "were there already: nothing new"
    return f"{done.portal}: {len(done.releases)} release(s) {state}, {done.outcome.address}"
