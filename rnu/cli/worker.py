"""`rnu worker`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from threading import Event

import click

from rnu import secrets
from rnu.cli.clock import today
from rnu.cli.options import home_option, key_option
from rnu.cli.screen import line
from rnu.institution import Institution
from rnu.pipeline import Step
from rnu.worker import Bench, work


@click.command("worker")
@click.option("--once", is_flag=True, help="Answer what was asked so far, and end.")
@key_option
@home_option
def command(once: bool, key_file: Path | None, home: Path) -> None:
    """Do what portals and stewards ask for in the ledger: harvest a source, build a period, publish.

    It waits for more until it is told to stop (SIGTERM); ended in the middle, the next worker goes on.

    \b
    Example:
      rnu worker --key /srv/keys/builder.pem --home /srv/rnu
    """
    stopping = Event()

    def stop(*_: object) -> None:
        stopping.set()
        sys.exit(0)  # in the middle of whatever it does; a library that makes another error of it is seen through

    signal.signal(signal.SIGTERM, stop)

    def open_bench() -> Bench:
        return Bench(
            Institution.open(home),
            secrets.pseudonym_key(home, os.environ),
            secrets.signing_key(key_file, os.environ),
            today(),
            _say,
        )

    answered = work(open_bench, once=once, stopping=stopping)
    click.echo(f"{answered} request(s) answered.")


def _say(step: Step) -> None:
    if not step.began:
        click.echo(line(step))
