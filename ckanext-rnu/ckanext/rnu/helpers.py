"""What templates ask for: values of a dataset, in words."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from ckan.plugins import toolkit

from rnu.publish import words
from rnu.release.columns import LEVEL_TITLES
from rnu.settings import Period

Node = dict[str, Any]


def rnu_parsed(value: str | None) -> Any:
    """A field that holds JSON; nothing where it is empty or none."""
    try:
        return json.loads(value or "null")
    except ValueError:
        return None


def rnu_levels(package: Node) -> list[Node]:
    """The resources of a dataset by level: {title, alias, series, release}, from the nation down."""
    found = []
    for level, title in LEVEL_TITLES.items():
        own = [r for r in package.get("resources", []) if r.get("rnu_nivel") == level]
        series = next((r for r in own if r.get("rnu_papel") == "serie"), None)
        if series:
            release = [r for r in own if r.get("rnu_papel") == "publicacion"]
            found.append({"id": level, "title": title, "series": series, "release": release})
    return found


def rnu_datasets() -> list[Node]:
    """All datasets that hold releases, by title."""
    asked = {"fq": "extras_rnu_cuadro:*", "rows": 100, "sort": "title_string asc"}
    found: list[Node] = toolkit.get_action("package_search")({}, asked)["results"]
    return found


def rnu_month(period: str) -> str:
    """2026-01 as `enero de 2026`."""
    return words.month(Period.parse(period))


def rnu_day(day: str) -> str:
    """2026-01-31 as `31 de enero de 2026`."""
    return words.day(date.fromisoformat(day[:10]))


def rnu_size(count: Any) -> str:
    """A file's size."""
    return words.size(int(count or 0))


def rnu_figure(value: object) -> str:
    """A number of a report, or the text that stands in its place."""
    return words.figure(value)


def rnu_level_title(level: str) -> str:
    """A level as people call it."""
    return LEVEL_TITLES.get(level, level)
