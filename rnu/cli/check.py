"""`rnu check`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rnu.cli.options import home_option, json_option
from rnu.cli.output import emit
from rnu.institution import Institution
from rnu.report import as_json as told
from rnu.report import lines
from rnu.settings import Period
from rnu.trial import try_out


@click.command("check")
@click.argument("source")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--period", default="", help="The month on whose last day ages are counted, YYYY-MM.")
@home_option
@json_option
def command(source: str, files: tuple[Path, ...], period: str, home: Path, as_json: bool) -> None:
    """Check files as if SOURCE had delivered them. Nothing is stored or recorded.

    \b
    Example:
      rnu check pension65 padron_enero.csv
    """
    institution = Institution.open(home)
    found = institution.settings.source(source)
    report = try_out(institution, found, files, Period.parse(period) if period else None)
    emit(as_json, told(report), lambda: lines(source, report))
    if not report.accepted:
        sys.exit(4)
