"""`rnu attack`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from anonymize.attack import Finding
from rnu.cli.options import json_option
from rnu.cli.output import emit
from rnu.public.attack import Attacked
from rnu.release.attack import AttackedRelease, Tried, attack_release
from rnu.release.certificates import is_release
from rnu.standalone.folder import CELLS
from rnu.standalone.work import attack

MOST_TOLD = 20


@click.command("attack")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--earlier", multiple=True, type=click.Path(path_type=Path), help="A folder published before of the same."
)
@click.option("--known", multiple=True, type=click.Path(path_type=Path), help="A CSV file of counts known otherwise.")
@click.option(
    "--splits",
    type=click.Path(path_type=Path),
    help="A CSV file with columns old and new: places of a release that were divided since.",
)
@json_option
def command(
    folder: Path, earlier: tuple[Path, ...], known: tuple[Path, ...], splits: Path | None, as_json: bool
) -> None:
    """Try to work out withheld cells from the public files in FOLDER, as an outsider would.

    FOLDER is what `rnu protect` wrote, or a release. For the first, --known and --earlier name files like cells.csv
    and folders that hold one, whose counts are taken for true as well.

    For a release, --earlier names releases. One of the same period is attacked together with it, table by table, in
    the departments where all that both show agrees. Of any other, small differences of breakdowns of a province or
    district within a year are found; with one of the period right before, arrivals and departures are attacked by its
    users as well.

    --known files have columns programa, ubigeo, n, and breakdowns if any. With --splits, the old codes in them and in
    earlier releases stand for the sum of the new.

    Exit code 0: nothing was found, 1: something was, 2: could not run. What is found is about persons: keep it to
    yourself.

    \b
    Examples:
      rnu attack safe --earlier safe-january --known ministry.csv
      rnu attack store/releases/3f9a1c20b7d4 --earlier store/releases/8b20aa41c9e0 --splits divided.csv
    """
    if is_release(folder):
        release = attack_release(folder, earlier, known, splits)
        emit(as_json, release, lambda: _of_release(folder, release))
        stands = release.stands
    else:
        if splits:
            raise click.UsageError("--splits is for releases")
        table = attack(folder, [*(one / CELLS for one in earlier), *known])
        emit(as_json, table, lambda: _of_table(folder, table))
        stands = not table.found
    if not stands:
        sys.exit(1)


def _of_table(folder: Path, done: Attacked) -> list[str]:
    return [
        f"{folder}: {done.tried:,} withheld cells tried, {len(done.found):,} cells found",
        *([] if done.agrees else ["  what is known from elsewhere contradicts what is published: nothing was tried"]),
        *_findings("", done.found),
    ]


def _of_release(folder: Path, done: AttackedRelease) -> list[str]:
    out = [f"{folder}:"]
    for one in done.tables:
        out += [_of_programme(one), *_findings("  ", one.attacked.found)]
    for linked in done.linked:
        name, count = f"{linked.cube} {linked.programme}", len(linked.found)
        out.append(f"  {name}: {linked.tried:,} withheld cells tried, {count:,} cells found")
        out += [
            f"    {f.name[2]} {' '.join(filter(None, f.name[:2]))}: from {f.low:.0f} to {f.high:.0f}"
            for f in linked.found[:MOST_TOLD]
        ]
    out += [
        f"  {c.kind}: {c.programme} {c.place} {' '.join(c.categories)}: {c.by:+} since {c.before}"
        for c in done.changes[:MOST_TOLD]
    ]
    if len(done.changes) > MOST_TOLD:
        out.append(f"  and {len(done.changes) - MOST_TOLD:,} more small differences")
    if done.allowed:
        out.append(f"  {done.allowed:,} small differences that the calendar allows")
    return out


def _of_programme(one: Tried) -> str:
    done = one.attacked
    told = f"  {one.programme:<12}{done.tried:>7,} withheld cells tried, {len(done.found):,} cells found"
    told += f"; {one.known:,} counts from elsewhere" if one.known else ""
    told += f", {one.disagree:,} contradict it and were left out" if one.disagree else ""
    return told if done.agrees else f"{told}; together they contradict it: nothing was tried"


def _findings(indent: str, found: tuple[Finding, ...]) -> list[str]:
    return [
        f"{indent}  {f.cell.place} {' '.join(f.cell.categories)}: from {f.low:.0f} to {f.high:.0f}"
        for f in found[:MOST_TOLD]
    ]
