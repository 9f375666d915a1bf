"""`rnu protect`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu import secrets
from rnu.cli.options import json_option
from rnu.cli.output import emit
from rnu.standalone.work import protect


@click.command("protect")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--spec", required=True, type=click.Path(path_type=Path), help="What the table is, in TOML.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write; must not be there.")
@click.option("--key-file", type=click.Path(path_type=Path), help="A secret of 16 bytes or more; see below.")
@json_option
def command(table: Path, spec: Path, out: Path, key_file: Path | None, as_json: bool) -> None:
    """Protect any TABLE of counts, and prove it: nobody can be worked out of what is written.

    The spec names its dimensions: each a tree of codes, or categories with a code for their total.

    The folder holds cells.csv (a count, or mark c: withheld, d: not broken down), certificate.json, report.json, and
    private/, which is for you alone. With a key file what is withheld hangs on a secret as well, so that nobody who
    knows the method can replay it; the same key gives the same bytes.

    Exit code 0: protected and proven, 1: cannot be, 2: could not run.

    \b
    Example:
      rnu protect users.csv --spec users.toml --out safe
    """
    done = protect(table, spec, out, secrets.noise_key(key_file) if key_file else b"")
    emit(
        as_json,
        done,
        lambda: [
            f"{out}: {done.shown:,} cells shown, {done.withheld:,} withheld, {done.not_broken_down:,} not broken down"
            + (f", {done.crosses_not_shown} crosses not shown" if done.crosses_not_shown else ""),
            f"proven: {done.proven:,} withheld cells can have any value from 1 to the threshold, "
            f"{done.at_least_threshold:,} are known to be the threshold or more",
        ],
    )
