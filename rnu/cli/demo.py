"""`rnu demo`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu.cli.clock import today
from rnu.cli.screen import Screen
from rnu.demo import demo


@click.command("demo")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="demo")
def command(folder: Path) -> None:
    """Run the whole line in FOLDER on about 300,000 made-up persons: two periods, two stewards, a static portal.

    Run again it does nothing new; killed half-way and run again it finishes.

    \b
    Example:
      rnu demo demo
    """
    with Screen(as_json=False) as screen:
        for said in demo(folder, screen, today=today()):
            click.echo(said)
