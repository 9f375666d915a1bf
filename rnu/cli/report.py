"""`rnu report`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu.cli.options import home_option, json_option
from rnu.cli.output import emit
from rnu.errors import SettingsError
from rnu.institution import Institution
from rnu.report import lines, parse
from rnu.settings import Period


@click.command("report")
@click.argument("source")
@click.option("--period", required=True, help="The month, YYYY-MM.")
@home_option
@json_option
def command(source: str, period: str, home: Path, as_json: bool) -> None:
    """Show what the owner of SOURCE must mend: rules broken, how often, and the first rows of each. Never a value.

    \b
    Example:
      rnu report pension65 --period 2026-01
    """
    institution = Institution.open(home)
    institution.settings.source(source)
    intake = institution.ledger.intakes(str(Period.parse(period))).get(source)
    if intake is None:
        raise SettingsError(f"nothing of '{source}' was taken in for {period}", remedy=f"rnu run --period {period}")
    emit(as_json, {"accepted": intake.accepted, **intake.report}, lambda: lines(source, parse(intake.report)))
