"""One table with all periods: the rows of every period's current release, oldest first."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anonymize.tables import TOTAL
from rnu.errors import PortalRefused
from rnu.release.read import read_json, table_path

Field = dict[str, Any]


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
    joined = _joined(headers)
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


def series_schema(folders: Sequence[Path], cube: str, level: str) -> dict[str, Any]:
    """The Table Schema of a series: words of the newest release, and every value that any period has."""
    schemas = [_schema(folder, f"{cube}_{level}") for folder in folders]
    newest_first = [{field["name"]: field for field in schema["fields"]} for schema in reversed(schemas)]
    names = _joined([[field["name"] for field in schema["fields"]] for schema in schemas])
    keys = [key for schema in reversed(schemas) for key in schema["primaryKey"]]
    return {
        "fields": [_field([fields[name] for fields in newest_first if name in fields]) for name in names],
        "missingValues": [""],
        "primaryKey": list(dict.fromkeys(keys)),
    }


def _field(newest_first: Sequence[Field]) -> Field:
    """One column over all periods; a category that only older periods have stays known."""
    field = newest_first[0]
    known = {value["value"]: value for one in newest_first for value in one.get("categories", ())}
    if not known:
        return field
    return {**field, "constraints": {**field["constraints"], "enum": list(known)}, "categories": list(known.values())}


def _schema(folder: Path, name: str) -> dict[str, Any]:
    resources = read_json(folder, "datapackage.json")["resources"]
    schema: dict[str, Any] = next(resource["schema"] for resource in resources if resource["name"] == name)
    return schema


def _joined(headers: Sequence[Sequence[str]]) -> list[str]:
    """All columns: the newest release's, and before its count those that only older ones have."""
    newest = headers[-1]
    older = [name for header in reversed(headers) for name in header if name not in newest]
    return [*newest[:-2], *dict.fromkeys(older), *newest[-2:]]


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))
