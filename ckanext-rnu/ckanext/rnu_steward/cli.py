"""`ckan rnu-desk`: what the desk tells by itself."""

from __future__ import annotations

import click
import sqlalchemy as sa
from ckan.plugins import toolkit
from ckanext.rnu.clock import again_and_again
from ckanext.rnu_steward import telling

from rnu.errors import RnuError

EVERY = 30.0  # seconds between two looks


def get_commands() -> list[click.Group]:
    """For CKAN's command line."""
    return [desk]


@click.group("rnu-desk")
def desk() -> None:
    """Tell stewards what waits, and everybody in the organisation what was decided.

    \b
    Example:
      ckan rnu-desk tell
    """


@desk.command("tell")
@click.pass_context
def tell(ctx: click.Context) -> None:
    """Send mails that are due and record decisions, once.

    \b
    Example:
      ckan rnu-desk tell
    """
    with ctx.meta["flask_app"].test_request_context():
        told = telling.tell()
    click.echo(f"{told['mails']} mail(s), {told['activities']} decision(s) recorded")


@desk.command("clock")
@click.option("--every", default=EVERY, show_default=True, help="Seconds between two looks.")
@click.pass_context
def clock(ctx: click.Context, every: float) -> None:
    """The same again and again, for as long as the process lives.

    \b
    Example:
      ckan rnu-desk clock --every 60
    """
    away = (sa.exc.DBAPIError, RnuError, toolkit.ObjectNotFound)
    again_and_again(ctx.meta["flask_app"], telling.tell, every, away=away)
