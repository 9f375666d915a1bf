"""A table as a visitor looks at it: the newest period's totals first, narrowed by a form, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rnu.publish import words
from rnu.publish.places import places
from rnu.publish.site import MARK_WORDS
from rnu.release.columns import MARK, NO_TOTAL

ROWS = 20  # of one page
FURTHEST = 100_000  # rows that may be paged over; whoever wants more takes the file
PLACE, PAGE, ALL = "lugar", "pagina", "todos"
TOTAL = "total"
HIDDEN = ("programa", MARK)  # said by the programme's name, and in the place of the number

Node = dict[str, Any]
Search = Callable[[Node], Node]


@dataclass(frozen=True, slots=True)
class Choice:
    """A list to choose from in the form above the table."""

    name: str
    title: str
    options: tuple[tuple[str, str], ...]  # value, words
    chosen: str


@dataclass(frozen=True, slots=True)
class Preview:
    """A page of the table in words."""

    choices: tuple[Choice, ...]
    place: str  # what was asked for
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    marked: tuple[bool, ...] = ()  # rows whose number is not shown
    total: int = 0
    first: int = 0
    pages: Mapping[str, int] = field(default_factory=dict)  # previous and next, where there is one


def fields(resource: Node) -> list[Node]:
    """The columns of a resource's table, from its Table Schema; none where it has no table."""
    found: list[Node] = json.loads(resource.get("rnu_esquema") or "{}").get("fields", [])
    return found


def choices(columns: Sequence[Node], package: Node, asked: Mapping[str, str]) -> tuple[Choice, ...]:
    """Period, programme and every breakdown, each with what is chosen: the newest period, totals."""
    periods = [(p, words.month_of(p)) for p in reversed(package["rnu_periodos"])]
    found = [
        _choice("periodo", "Periodo", periods, package["rnu_periodo"], asked),
        _choice("nombre_programa", "Programa", [(name, name) for name in package["rnu_programas"]], ALL, asked),
    ]
    for column in columns:
        if column.get("categories") and column["name"] != MARK:
            values = [(value["value"], value["label"]) for value in column["categories"]]
            # a rate has no total, and a table of pairs has none but for rosters that did not come
            default = TOTAL if dict(values).get(TOTAL, NO_TOTAL) != NO_TOTAL else ALL
            found.append(_choice(column["name"], column["title"], values, default, asked))
    return tuple(found)


def _choice(
    name: str, title: str, options: Sequence[tuple[str, str]], default: str, asked: Mapping[str, str]
) -> Choice:
    known = ((ALL, "Todos"), *options)
    chosen = asked.get(name, default)
    return Choice(name, title, known, chosen if chosen in dict(known) else default)


def question(resource: Node, chosen: Sequence[Choice], place: str, page: int) -> Node:
    """What to ask of the DataStore."""
    filters: Node = {choice.name: choice.chosen for choice in chosen if choice.chosen != ALL}
    if place:
        filters["ubigeo"] = list(places(place, resource["rnu_nivel"])) or ["-"]  # nowhere
    return {"resource_id": resource["id"], "filters": filters, "limit": ROWS, "offset": (page - 1) * ROWS}


def preview(resource: Node, package: Node, asked: Mapping[str, str], search: Search) -> Preview:
    """The page that was asked for."""
    known = fields(resource)
    chosen, place, page = choices(known, package, asked), asked.get(PLACE, "").strip()[:100], _page(asked)
    same = {choice.name for choice in chosen if choice.chosen != ALL}  # in every row
    columns = [column for column in known if column["name"] not in {*HIDDEN, *same}]
    answer = search(question(resource, chosen, place, page))
    records, total = answer["records"], answer["total"]
    first = (page - 1) * ROWS + 1
    return Preview(
        choices=chosen,
        place=place,
        titles=tuple(column["title"] for column in columns),
        rows=tuple(_row(record, columns) for record in records),
        marked=tuple(bool(record[MARK]) for record in records),
        total=total,
        first=first,
        pages={
            **({"anterior": page - 1} if page > 1 else {}),
            **({"siguiente": page + 1} if first + ROWS <= min(total, FURTHEST) else {}),
        },
    )


def _page(asked: Mapping[str, str]) -> int:
    text = asked.get(PAGE, "1")
    return min(max(int(text), 1), FURTHEST // ROWS) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _row(record: Node, columns: Sequence[Node]) -> tuple[str, ...]:
    """Cells in words; the last column is the count, or why it is not shown."""
    *others, count = columns
    said = [_label(column, record[column["name"]]) for column in others]
    number = record[count["name"]]
    return (*said, MARK_WORDS.get(record[MARK], "") if number is None else words.figure(number))


def _label(column: Node, value: str | int | None) -> str:
    if isinstance(value, int):
        return words.number(value)
    labels = {one["value"]: one["label"] for one in column.get("categories", ())}
    return "Total" if value == TOTAL else labels.get(value or "", value or "")
