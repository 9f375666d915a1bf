"""`rnu status`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu.cli.options import home_option, json_option
from rnu.cli.output import emit
from rnu.institution import Institution
from rnu.settings import Period
from rnu.status import status


@click.command("status")
@click.option("--period", default="", help="The month, YYYY-MM; the latest one if left out.")
@home_option
@json_option
def command(period: str, home: Path, as_json: bool) -> None:
    """Say where every source, release and portal stands, and what to do next.

    \b
    Example:
      rnu status --json
    """
    institution = Institution.open(home)
    now = status(institution.settings, institution.ledger, Period.parse(period) if period else None)

    def lines() -> list[str]:
        out = [f"Period {now.period or '-'}"]
        for s in now.sources:
            counted = f"rows {s.rows:,} · set aside {s.set_aside:,} · roster {s.roster:,}" if s.rows else ""
            out.append(f"  {s.source:12} {s.state:9} {s.cut:8} {counted}".rstrip())
        out.append("Releases")
        for r in now.releases:
            shown = f"on {', '.join(r.portals)}" if r.portals else ""
            out.append(f"  {r.period} r{r.revision}  {r.digest[:12]}  {r.state:9} {shown}".rstrip())
        return [*out, "Next", *(f"  {todo}" for todo in now.next or ("nothing: all is published",))]

    emit(as_json, now, lines)
