"""`rnu verify`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rnu.cli.options import json_option
from rnu.cli.output import emit
from rnu.standalone.work import verify

MOST_TOLD = 20


@click.command("verify")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Check the certificate in FOLDER by whole numbers alone: without the data, without a solver, trusting nobody.

    Exit code 0: it holds, 1: it does not, 2: could not run.

    \b
    Example:
      rnu verify safe
    """
    found = verify(folder)
    emit(
        as_json,
        found,
        lambda: [
            f"{folder}: {found.shown:,} cells shown, {found.withheld:,} withheld",
            f"  {found.proven:,} of them can have any value from 1 to the threshold ({found.tables:,} tables)",
            f"  {found.large:,} are known to be the threshold or more",
            *(f"  wrong: {problem}" for problem in found.problems[:MOST_TOLD]),
            *([f"  and {len(found.problems) - MOST_TOLD:,} more"] if len(found.problems) > MOST_TOLD else []),
            *([] if found.problems else ["  the certificate holds"]),
        ],
    )
    if found.problems:
        sys.exit(1)
