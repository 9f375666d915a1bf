"""One table with all periods: the rows of every period's current release, oldest first."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from anonymize.tables import TOTAL
from rnu.errors import PortalRefused
from rnu.release.read import table_path


def write_series(folders: Sequence[Path], cube: str, level: str, path: Path) -> None:
    """Append the tables of releases into one CSV; `folders` go from the oldest period to the newest.

    A breakdown that one period does not have is `total` there: its rows are not broken down by it. A count that was
    renamed cannot be joined: PortalRefused.
    """
    headers = [_header(table_path(folder, cube, level)) for folder in folders]
    measures = {header[-2] for header in headers}
    if len(measures) > 1:
        raise PortalRefused(
            f"the count of '{cube}' is called {' and '.join(sorted(measures))} in different periods",
            where="config/cubes.toml: measure",
            remedy="give the renamed cube a new id; the old series stays as it is",
        )
    newest = headers[-1]
    older = [name for header in reversed(headers) for name in header if name not in newest]
    joined = [*newest[:-2], *dict.fromkeys(older), *newest[-2:]]
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, joined, restval=TOTAL, lineterminator="\n")
        writer.writeheader()
        for folder, header in zip(folders, headers, strict=True):
            with table_path(folder, cube, level).open(encoding="utf-8", newline="") as file:
                if header == joined:
                    next(file)
                    out.writelines(file)  # as it stands: no text of a published table holds a line break
                else:
                    writer.writerows(csv.DictReader(file))


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))
