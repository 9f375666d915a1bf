"""`rnu verify`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from anonymize.swaps import Cleared
from anonymize.verify import Verdict
from rnu.cli.options import json_option
from rnu.cli.output import emit
from rnu.public.table import by_swaps, verify
from rnu.release.certificates import is_release
from rnu.release.verify import Checked, CheckedLinked, Verified, verify_release
from rnu.standalone.folder import read

MOST_TOLD = 20


@click.command("verify")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--part", is_flag=True, help="FOLDER is a part of a release, as a portal gives it for one dataset.")
@json_option
def command(folder: Path, part: bool, as_json: bool) -> None:
    """Check the certificates in FOLDER by whole numbers alone: without the data, without a solver, trusting nobody.

    FOLDER is a release (or its tables, certificates and datapackage.json alone), or what `rnu protect` wrote. Of a
    release every byte is held against its manifest first; with --part, of the files that are there. Beside the
    certificates it is counted how many of the cells that nobody shows are proven to be open as well, by simple
    exchanges.

    Exit code 0: it holds, 1: it does not, 2: could not run.

    \b
    Examples:
      rnu verify safe
      rnu verify store/releases/3f9a1c20b7d4
      rnu verify usuarios --part
    """
    if is_release(folder):
        release = verify_release(folder, part=part)
        emit(as_json, release, lambda: _of_release(folder, release))
        holds = release.holds
    else:
        public = read(folder)
        table, swapped = verify(public), by_swaps(public)
        told = {**asdict(table), "unshown": swapped.unshown, "unshown_proven": swapped.cleared}
        emit(as_json, told, lambda: _of_table(folder, table, swapped))
        holds = not table.problems
    if not holds:
        sys.exit(1)


def _of_table(folder: Path, found: Verdict, swapped: Cleared) -> list[str]:
    return [
        f"{folder}: {found.shown:,} cells shown, {found.withheld:,} withheld",
        f"  {found.proven:,} of them can have any value from 1 to the threshold ({found.tables:,} tables)",
        f"  {found.large:,} are known to be the threshold or more",
        f"  {swapped.unshown:,} more cells nobody shows; exchanges prove as much of {swapped.cleared:,} of them",
        f"  {found.concluded:,} others that nobody shows cannot be 1, and so are known to be the threshold or more",
        *_wrong(found.problems),
        *([] if found.problems else ["  the certificate holds"]),
    ]


def _of_release(folder: Path, found: Verified) -> list[str]:
    sealed = f"digest {found.digest}" if found.digest else "there is no manifest: nothing says which release it is of"
    checked: list[Checked | CheckedLinked] = [*found.tables, *found.linked]
    return [
        f"{folder}: {found.release or 'no release as it was signed'}; {sealed}",
        *(_of_programme(table) for table in found.tables),
        *(_of_linked(table) for table in found.linked),
        *(f"  wrong: {table.programme}: {problem}" for table in checked for problem in table.problems[:MOST_TOLD]),
        *_wrong(found.problems),
        *([f"  all {len(checked)} certificates hold"] if found.holds else []),
    ]


def _of_programme(table: Checked) -> str:
    return (
        f"  {table.programme:<12}{table.withheld:>7,} withheld: {table.proven:,} can be 1 to {table.threshold}, "
        f"{table.at_least_threshold:,} are {table.threshold} or more; {table.unshown:,} nobody shows: "
        f"{table.unshown_proven:,} proven by exchanges; {table.concluded:,} more cannot be 1"
    )


def _of_linked(table: CheckedLinked) -> str:
    return (
        f"  {table.cube} {table.programme}: {table.withheld:,} withheld: {table.proven:,} can be 1 to the threshold, "
        f"{table.at_least_threshold:,} are the threshold or more"
    )


def _wrong(problems: Sequence[str]) -> list[str]:
    more = [f"  and {len(problems) - MOST_TOLD:,} more"] if len(problems) > MOST_TOLD else []
    return [*(f"  wrong: {problem}" for problem in problems[:MOST_TOLD]), *more]
