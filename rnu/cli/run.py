"""`rnu run`."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import click

from rnu import secrets
from rnu.cli.clock import today
from rnu.cli.options import home_option, json_option, key_option
from rnu.cli.output import emit
from rnu.cli.screen import Screen
from rnu.errors import SourceUnavailable
from rnu.institution import Institution
from rnu.pipeline import Outcome, run
from rnu.settings import Period


@click.command("run")
@click.option("--period", required=True, help="The month, YYYY-MM.")
@click.option("--go", is_flag=True, help="Build with the rosters there are, though the quorum is not in.")
@key_option
@home_option
@json_option
def command(period: str, go: bool, key_file: Path | None, home: Path, as_json: bool) -> None:
    """Harvest, check and pseudonymise every source; with the quorum in, build, inspect and sign the period's release.

    What was done before is not done again; a run that was killed goes on where it stopped.

    \b
    Examples:
      rnu run --period 2026-01 --key ~/rnu-steward.pem
      rnu run --period 2026-01 --go --json
    """
    institution = Institution.open(home)
    signing_key = secrets.signing_key(key_file, os.environ)
    pseudonyms = secrets.pseudonym_key(home, os.environ)
    with Screen(as_json) as screen:
        outcome = run(institution, Period.parse(period), pseudonyms, signing_key, screen, today=today(), go=go)
    steps = [dataclasses.asdict(s) for s in screen.steps]
    emit(as_json, outcome_json(outcome) | {"steps": steps}, lambda: outcome_lines(outcome))
    if outcome.problems and not (go and outcome.release):  # with --go a steward knew of them
        sys.exit(outcome.problems[0].exit_code)
    if outcome.release is None:
        sys.exit(SourceUnavailable.exit_code)


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """How a run ended, for a machine."""
    return {
        "period": outcome.period,
        "digest": outcome.release.digest if outcome.release else None,
        "revision": outcome.release.revision if outcome.release else None,
        "new": outcome.new,
        "waiting_for": list(outcome.waiting_for),
        "problems": [problem.as_json() for problem in outcome.problems],
    }


def outcome_lines(outcome: Outcome) -> list[str]:
    """How a run ended, for a person."""
    if outcome.release is None:
        names = ", ".join(outcome.waiting_for)
        return [
            f"Nothing built of {outcome.period}: the quorum waits for {names}.",
            "  -> run again when they are in, or with --go to build without them",
        ]
    short = outcome.release.digest[:12]
    head = f"Release {outcome.period} r{outcome.release.revision}"
    if not outcome.new:
        return [f"{head} is there already: nothing new.", f"  -> rnu show {short}; rnu status says what comes next"]
    return [f"{head} built and signed.", f"  -> rnu show {short}; another steward: rnu approve {short}"]
