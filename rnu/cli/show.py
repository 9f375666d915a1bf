"""`rnu show`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu import review
from rnu.cli.options import home_option, json_option
from rnu.cli.output import emit
from rnu.foresight.look import described
from rnu.institution import Institution
from rnu.release.difference import DEEPEST, difference
from rnu.release.manifest import verify
from rnu.show import before, describe, lines, private_report
from rnu.ubigeo import LEVELS


@click.command("show")
@click.argument("digest")
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default=DEEPEST,
    show_default=True,
    help="The deepest places whose totals are compared with the last release.",
)
@home_option
@json_option
def command(digest: str, level: str, home: Path, as_json: bool) -> None:
    """Show what a release holds, its quality and protection, and how it differs from the last approved one.

    \b
    Examples:
      rnu show 3f9a1c20b7d4
      rnu show 3f9a1c20b7d4 --level distrito --json
    """
    institution = Institution.open(home)
    release = review.find(institution.ledger, digest)
    verify(institution.store.release(release.digest), release.digest)
    earlier = before(institution.ledger, release)
    changes = (
        difference(institution.store.release(earlier.digest), institution.store.release(release.digest), level)
        if earlier
        else None
    )
    private = private_report(institution.store, release)
    foresight = described(institution.store, institution.ledger, release, private)
    found = describe(institution.store, release, earlier, changes, foresight)
    emit(as_json, found, lambda: lines(found))
