"""`rnu build`."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import click

from rnu import secrets
from rnu.cli.clock import today
from rnu.cli.options import home_option, json_option, key_option
from rnu.cli.output import emit
from rnu.cli.run import outcome_json, outcome_lines
from rnu.cli.screen import Screen
from rnu.errors import SourceUnavailable
from rnu.institution import Institution
from rnu.loss.chart import chart
from rnu.loss.measure import compare
from rnu.loss.trial import parse
from rnu.pipeline import run_build
from rnu.settings import Period


@click.command("build")
@click.option("--period", required=True, help="The month, YYYY-MM.")
@click.option("--go", is_flag=True, help="Build with the rosters there are, though the quorum is not in.")
@click.option(
    "--try",
    "tried",
    multiple=True,
    metavar="KEY=NUMBER[,NUMBER…]",
    help="Build nothing: say what another design would cost. KEY is threshold, population_floor, or a level (its most"
    " crosses); PROGRAMME.KEY for one programme. Several are tried together.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="With --try: draw the comparison into this file (SVG). For stewards alone.",
)
@key_option
@home_option
@json_option
def command(
    period: str, go: bool, tried: tuple[str, ...], plot: Path | None, key_file: Path | None, home: Path, as_json: bool
) -> None:
    """Build and sign a period's release from the rosters that are in; or try another design, and change nothing.

    \b
    Examples:
      rnu build --period 2026-01 --key ~/rnu-steward.pem
      rnu build --period 2026-01 --try threshold=10
      rnu build --period 2026-01 --try threshold=3,5,8,10,15 --plot umbrales.svg
      rnu build --period 2026-01 --try distrito=0,1,2 --try contigo.threshold=12 --json
    """
    if plot and not tried:
        raise click.UsageError("--plot draws what --try compares: give both, or neither")
    institution = Institution.open(home)
    pseudonyms = secrets.pseudonym_key(home, os.environ)
    if tried:
        found = compare(institution, Period.parse(period), parse(tried), pseudonyms)
        if plot:
            plot.write_text(chart(found), encoding="utf-8")
        emit(as_json, found.as_json(), found.lines)
        return
    signing_key = secrets.signing_key(key_file, os.environ)
    with Screen(as_json) as screen:
        outcome = run_build(institution, Period.parse(period), pseudonyms, signing_key, screen, today=today(), go=go)
    steps = [dataclasses.asdict(s) for s in screen.steps]
    emit(as_json, outcome_json(outcome) | {"steps": steps}, lambda: outcome_lines(outcome))
    if outcome.release is None:
        sys.exit(SourceUnavailable.exit_code)
