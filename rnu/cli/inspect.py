"""`rnu inspect`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rnu.cli.options import json_option
from rnu.cli.output import emit
from rnu.errors import NotARelease
from rnu.release.certificates import is_release
from rnu.release.inspect import look


@click.command("inspect")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Look into the finished files of a release in FOLDER for anything that tells more than the cells do.

    The three formats are held against each other, cell by cell, and searched for hidden sheets, formulas, strings and
    styles that no cell needs, statistics, dictionaries and gaps, the order and the absence of rows, reports that say
    more than the tables, strange files, and whatever looks like a hash or a document number. `rnu run` does the same
    before it seals a release.

    Exit code 0: nothing was found, 1: something was, 2: could not run.

    \b
    Example:
      rnu inspect store/releases/3f9a1c20b7d4
    """
    if not is_release(folder):
        raise NotARelease("there is no release here", where=str(folder), remedy="name the folder of a release")
    done = look(folder)
    told = [{"what": one.what, "where": one.where} for one in done.found]
    emit(
        as_json,
        {"files": done.files, "bytes": done.bytes, "found": told},
        lambda: [
            f"{folder}: {done.files} files, {done.bytes:,} bytes looked at, {len(told)} things found",
            *(f"  {one['what']} [{one['where']}]" for one in told),
        ],
    )
    if told:
        sys.exit(1)
