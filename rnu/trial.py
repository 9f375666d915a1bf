"""Try a file against a source's rules, and keep nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harvesters.delivery import Fetched
from rnu.institution import Institution
from rnu.intake import take_in
from rnu.report import IntakeReport
from rnu.settings import Period, Source


def try_out(institution: Institution, source: Source, files: Sequence[Path], period: Period | None) -> IntakeReport:
    """Check files as if the source had delivered them; ages are not looked at without a period.

    Raises RosterRejected when the bytes are not what the source says.
    """
    with institution.store.work(f"try-{source.id}") as work:
        return take_in(
            source,
            [Fetched(path.name, path, "", path.stat().st_size) for path in files],
            schema_path=institution.settings.schema_path(source),
            gazetteer=institution.gazetteer,
            references=institution.references,
            cut=(period or Period(9998, 12)).last_day(),
            key=None,
            work=work,
            roster=work / "roster.parquet",
        )
