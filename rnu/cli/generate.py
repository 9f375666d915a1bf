"""`rnu generate`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu.cli.options import home_option
from rnu.demo import make_up
from rnu.settings import Period


@click.command("generate")
@click.option("--regions", default="", help="Codes of departments, with commas; all if left out.")
@click.option("--persons", type=click.IntRange(1), help="How many people live there.")
@click.option("--rows", type=click.IntRange(1), help="Exact number of user rows in the first period, instead.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--period", "periods", multiple=True, default=("2026-01",), show_default=True, help="May be repeated.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Where deliveries go.")
@home_option
def command(
    regions: str, persons: int | None, rows: int | None, seed: int, periods: tuple[str, ...], out: Path, home: Path
) -> None:
    """Make up people, their households and nine programmes' rosters in each sector's own format, with seeded defects.

    Beside them stands truth.json: the exact counts that a right run must find.

    \b
    Example:
      rnu generate --regions 17,18,24 --persons 300000 --seed 7 --period 2026-01 --period 2026-02 --out entregas
    """
    make_up(
        home, out, tuple(r for r in regions.split(",") if r), persons, rows, seed, [Period.parse(p) for p in periods]
    )
    click.echo(f"Made-up deliveries and truth.json stand in {out}.")
