"""`rnu attack`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rnu.cli.options import json_option
from rnu.cli.output import emit
from rnu.standalone.folder import CELLS
from rnu.standalone.work import attack

MOST_TOLD = 20


@click.command("attack")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--earlier", multiple=True, type=click.Path(path_type=Path), help="A folder published before of the same."
)
@click.option("--known", multiple=True, type=click.Path(path_type=Path), help="A CSV file of counts known otherwise.")
@json_option
def command(folder: Path, earlier: tuple[Path, ...], known: tuple[Path, ...], as_json: bool) -> None:
    """Try to work out withheld cells from the public files in FOLDER, as an outsider would.

    --known and --earlier name files like cells.csv whose counts are taken for true as well. Exit code 0: nothing was
    found, 1: cells were, 2: could not run. What is found is about persons: keep it to yourself.

    \b
    Example:
      rnu attack safe
      rnu attack safe --earlier safe-january --known ministry.csv
    """
    done = attack(folder, [*(one / CELLS for one in earlier), *known])
    emit(
        as_json,
        done,
        lambda: [
            f"{folder}: {done.tried:,} withheld cells tried, {len(done.found):,} cells found",
            *(
                f"  {f.cell.place} {' '.join(f.cell.categories)}: from {f.low:.0f} to {f.high:.0f}"
                for f in done.found[:MOST_TOLD]
            ),
        ],
    )
    if done.found:
        sys.exit(1)
