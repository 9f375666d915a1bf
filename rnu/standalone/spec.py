"""What a table of counts is: SPEC.toml, and the trees of its dimensions."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anonymize.policy import MOST
from anonymize.tables import TOTAL, CellRef
from rnu.errors import SettingsError
from rnu.public.axes import Axis, Hierarchy
from rnu.public.certificate import LEAST
from rnu.settings.load import read_toml
from rnu.settings.types import STRICT

MARK = "mark"  # of cells.csv, beside the columns that the spec names


@dataclass(frozen=True, slots=True)
class SpecDimension:
    """A column of the table: a tree of codes, or categories and their total."""

    column: str
    hierarchy: str = ""  # file with columns code, parent and optionally level; relative to the spec
    total: str = ""  # code of the total of a column that is no tree
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Spec:
    """`SPEC.toml`."""

    count: str  # the column with the counts
    threshold: int
    dimension: tuple[SpecDimension, ...]
    show: tuple[dict[str, str], ...] = ()  # cells that must not be withheld: column -> code; its total if not named
    crosses: dict[str, int] = field(default_factory=dict)  # level of the first tree -> most others crossed there
    weight: str = ""  # a column with a public figure for each inner cell: what withholding it costs
    __pydantic_config__ = STRICT


def read_spec(path: Path) -> Spec:
    """SPEC.toml; SettingsError says what is wrong with it."""
    spec = read_toml(path, Spec, str(path))
    where = str(path)
    if not LEAST <= spec.threshold <= MOST:
        raise SettingsError(f"a threshold is from {LEAST} to {MOST}", where=f"{where}: threshold")
    if not spec.dimension:
        raise SettingsError("a table has at least one dimension", where=where, remedy="add a [[dimension]]")
    names = [spec.count, *(d.column for d in spec.dimension), *([spec.weight] if spec.weight else [])]
    if len(set(names)) < len(names):
        raise SettingsError("two keys name the same column", where=where)
    if MARK in names:
        raise SettingsError(
            f"'{MARK}' is the column of marks in what is written", where=where, remedy="call it otherwise"
        )
    for dimension in spec.dimension:
        if bool(dimension.hierarchy) == bool(dimension.total):
            raise SettingsError(
                f"dimension '{dimension.column}' needs either `hierarchy` or `total`", where=where, remedy="give one"
            )
    return spec


def read_hierarchy(path: Path) -> Hierarchy:
    """A tree of codes; SettingsError with the line of a code without parent, a loop, or a second root."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the hierarchy cannot be read ({type(error).__name__})", where=str(path)) from error
    if not rows or not {"code", "parent"} <= set(rows[0]):
        raise SettingsError("a hierarchy has columns code and parent", where=str(path))
    line = {}
    for number, row in enumerate(rows, start=2):
        code = (row["code"] or "").strip()
        if not code or code in line:
            raise SettingsError(
                f"code '{code}' stands twice" if code else "a code is empty", where=f"{path}, line {number}"
            )
        line[code] = number
    above = {row["code"].strip(): (row["parent"] or "").strip() for row in rows}
    named = {row["code"].strip(): (row.get("level") or "").strip() for row in rows}
    roots = [code for code, parent in above.items() if not parent]
    if len(roots) != 1:
        at = f", line {line[roots[1]]}" if roots else ""
        raise SettingsError(
            f"a tree has one root, this has {len(roots)}", where=f"{path}{at}", remedy="leave one parent empty"
        )
    for code, parent in above.items():
        if parent and parent not in above:
            raise SettingsError(f"'{code}' has a parent '{parent}' that is no code", where=f"{path}, line {line[code]}")
    return _in_order(path, roots[0], above, named, line)


def _in_order(path: Path, root: str, above: dict[str, str], named: dict[str, str], line: dict[str, int]) -> Hierarchy:
    below: dict[str, list[str]] = {code: [] for code in above}
    for code, parent in above.items():
        if parent:
            below[parent].append(code)
    codes, parents, levels = [root], [-1], [named[root] or "level_0"]
    layer = [(root, 0)]
    while layer:
        depth = len(set(levels))
        nxt = []
        for code, number in layer:
            for child in sorted(below[code]):
                nxt.append((child, len(codes)))
                codes.append(child)
                parents.append(number)
                levels.append(named[child] or f"level_{depth}")
        layer = nxt
    if len(codes) < len(above):
        lost = next(code for code in above if code not in set(codes))
        raise SettingsError(f"'{lost}' is above itself", where=f"{path}, line {line[lost]}", remedy="break the loop")
    tree = Hierarchy(tuple(codes), tuple(parents), tuple(levels))
    for depth, name in zip(tree.depth, tree.level, strict=True):
        if tree.levels[depth] != name:
            raise SettingsError(f"a level has two names: {tree.levels[depth]} and {name}", where=str(path))
    return tree


def crosses(spec: Spec, tree: Hierarchy, others: int, where: str) -> tuple[int, ...]:
    """The most other dimensions crossed at each level of the first tree, root first: never more than further up."""
    for name in spec.crosses:
        if name not in tree.levels:
            raise SettingsError(f"there is no level '{name}', only {', '.join(tree.levels)}", where=f"{where}: crosses")
    found, above = [], others
    for name in tree.levels:
        here = spec.crosses.get(name, above)
        if not 0 <= here <= above:
            raise SettingsError(f"level '{name}' shows from 0 to {above} crosses", where=f"{where}: crosses")
        found.append(here)
        above = here
    return tuple(found)


def must_show(spec: Spec, axes: Sequence[Axis], where: str) -> tuple[CellRef, ...]:
    """The cells that must not be withheld; SettingsError for a column or code that there is not."""
    columns = {axis.column: axis for axis in axes}
    found = []
    for cell in spec.show:
        for column, code in cell.items():
            if column not in columns:
                raise SettingsError(f"there is no dimension '{column}'", where=f"{where}: show")
            if code not in columns[column].tree.codes:
                raise SettingsError(f"'{code}' is no code of '{column}'", where=f"{where}: show")
        code, *others = (cell.get(axis.column, axis.tree.codes[0]) for axis in axes)
        tree = axes[0].tree
        level = tree.levels[tree.depth[tree.codes.index(code)]]
        totals = [axis.tree.codes[0] for axis in axes[1:]]
        categories = tuple(TOTAL if c == total else c for c, total in zip(others, totals, strict=True))
        found.append(CellRef(level, code, categories))
    return tuple(found)
