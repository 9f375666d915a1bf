"""`rnu serve`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu.cli.options import home_option
from rnu.publish.serve import serve
from rnu.settings import load


@click.command("serve")
@click.argument("portal", required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=8800, show_default=True, help="The port, on 127.0.0.1.")
@home_option
def command(portal: str | None, port: int, home: Path) -> None:
    """Serve a folder portal on this machine, to look at it.

    \b
    Example:
      rnu serve sitio --port 8800
    """
    settings = load(home)
    chosen = settings.portal(portal) if portal else settings.portals[0]
    serve(home / chosen.where, port, click.echo)
