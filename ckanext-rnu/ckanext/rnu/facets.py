"""By what a visitor narrows a search: programme, level, period, topic."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

from rnu.publish import words
from rnu.release.columns import LEVEL_TITLES

PREFIX = "vocab_"  # CKAN's own schema keeps several values of such a field, as they are
INDEXED = ("rnu_programas", "rnu_niveles", "rnu_periodos")
PERIODS = f"{PREFIX}rnu_periodos"
LEVELS = f"{PREFIX}rnu_niveles"
TITLES = OrderedDict(
    [
        (f"{PREFIX}rnu_programas", "Programas"),
        (LEVELS, "Niveles"),
        (PERIODS, "Periodos"),
        ("tags", "Temas"),
    ]
)

Item = dict[str, Any]


def indexed(dataset: Item) -> Item:
    """What Solr gets of a dataset, each programme, level and period a value of its own."""
    fields = json.loads(dataset.get("validated_data_dict") or "{}")
    return {**dataset, **{f"{PREFIX}{name}": fields[name] for name in INDEXED if fields.get(name)}}


def labelled(facets: dict[str, Item]) -> dict[str, Item]:
    """The same facets of an answer, periods in words."""
    items = facets.get(PERIODS, {}).get("items", [])
    for item in items:
        item["display_name"] = words.month_of(item["name"])
    return facets


def ordered(name: str, items: list[Item]) -> list[Item]:
    """Periods from the newest, levels from the nation down, all others as CKAN orders them."""
    if name == PERIODS:
        return sorted(items, key=lambda item: str(item["name"]), reverse=True)
    if name == LEVELS:
        titles = list(LEVEL_TITLES.values())
        return sorted(items, key=lambda item: titles.index(item["name"]) if item["name"] in titles else len(titles))
    return items
