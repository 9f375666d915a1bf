"""`rnu review`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu import review
from rnu.cli.options import home_option, json_option
from rnu.cli.output import emit
from rnu.institution import Institution


@click.command("review")
@home_option
@json_option
def command(home: Path, as_json: bool) -> None:
    """List the releases on which nobody has spoken.

    \b
    Example:
      rnu review
    """
    institution = Institution.open(home)
    found = review.waiting(institution.ledger)
    emit(
        as_json,
        [{"period": r.period, "revision": r.revision, "digest": r.digest, "built_at": r.at} for r in found],
        lambda: (
            [f"{r.period} r{r.revision}  {r.digest[:12]}  built {r.at}  -> rnu show {r.digest[:12]}" for r in found]
            or ["Nothing waits."]
        ),
    )
