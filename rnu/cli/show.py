"""`rnu show`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu import review
from rnu.cli.options import home_option, json_option
from rnu.cli.output import emit
from rnu.institution import Institution
from rnu.ledger import Ledger, Release
from rnu.release.difference import DEEPEST, difference
from rnu.release.manifest import verify
from rnu.show import describe, lines
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
    before = _before(institution.ledger, release)
    changes = (
        difference(institution.store.release(before.digest), institution.store.release(release.digest), level)
        if before
        else None
    )
    found = describe(institution.store, release, before, changes)
    emit(as_json, found, lambda: lines(found))


def _before(ledger: Ledger, release: Release) -> Release | None:
    """The latest approved release before this one."""
    approved = ledger.approved()
    earlier = [
        known
        for known in ledger.releases()
        if known.digest in approved and (known.period, known.revision) < (release.period, release.revision)
    ]
    return max(earlier, key=lambda r: (r.period, r.revision), default=None)
