"""A table of counts as a file: inner cells, and totals that are checked."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonymize.tables import TOTAL, Cells
from anonymize.verify import Tree, sums
from rnu.errors import BadTable, SettingsError
from rnu.public.axes import Axis, dimensions, flat, lowest, places
from rnu.public.certificate import MOST_COUNT
from rnu.standalone.spec import Spec, crosses, read_hierarchy

OURS = ("place", "n")  # columns of the rows that an attack reads


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table of counts, its dimensions and its design."""

    spec: Spec
    axes: tuple[Axis, ...]
    crosses: tuple[int, ...]  # by level of the first dimension
    counts: NDArray[np.int64]  # (lowest codes of each dimension …)
    weights: NDArray[np.int64] | None = None  # same shape: public figures, where the spec names a column of them

    def cells(self) -> Cells:
        """In the terms of `anonymize`: a branch of the first tree that ends early goes on as its own only child."""
        tree = self.axes[0].tree
        return Cells(places(tree), dimensions(self.axes), self.counts[lowest(tree)])

    def policy_weights(self) -> NDArray[np.int64] | None:
        """The public figures in the order of `cells`."""
        return None if self.weights is None else self.weights[lowest(self.axes[0].tree)]


def read_table(path: Path, spec: Spec, spec_path: Path) -> Table:
    """Counts of a CSV file; BadTable names the line that is wrong."""
    columns = [d.column for d in spec.dimension]
    rows = list(_rows(path, [*columns, spec.count]))
    axes = [_axis(spec, i, rows, spec_path) for i in range(len(columns))]
    first = next((i for i, d in enumerate(spec.dimension) if d.hierarchy), 0)
    order = [first, *(i for i in range(len(axes)) if i != first)]
    for i in order[1:]:
        _can_be_crossed(axes[i], spec_path)
    given = _given(rows, axes, path)
    table = _table(spec, tuple(axes[i] for i in order), {tuple(k[i] for i in order): v for k, v in given.items()}, path)
    shown = crosses(spec, table.axes[0].tree, len(table.axes) - 1, str(spec_path))
    weights = _weights(spec, table.axes, path) if spec.weight else None
    return Table(spec, table.axes, shown, table.counts, weights)


def _given(
    rows: Sequence[tuple[int, tuple[str, ...], str]], axes: Sequence[Axis], path: Path
) -> dict[tuple[int, ...], tuple[int, int]]:
    """Count and line of every cell that has a row; BadTable for a code that is none, and for a cell that has two."""
    index = [{code: number for number, code in enumerate(axis.tree.codes)} for axis in axes]
    given: dict[tuple[int, ...], tuple[int, int]] = {}
    for line, codes, text in rows:
        at = []
        for of, code, axis in zip(index, codes, axes, strict=True):
            if code not in of:
                raise BadTable(f"'{code}' is no code of '{axis.column}'", where=f"{path}, line {line}")
            at.append(of[code])
        if tuple(at) in given:
            raise BadTable(f"the cell stands in line {given[tuple(at)][1]} already", where=f"{path}, line {line}")
        given[tuple(at)] = (_count(text, path, line), line)
    return given


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """Line number, codes and count of each row, as text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            missing = [c for c in columns if c not in header]
            if missing:
                raise BadTable(f"there is no column '{missing[0]}'", where=f"{path}, line 1")
            at = [header.index(c) for c in columns]
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise BadTable(
                        f"{len(row)} values for {len(header)} columns", where=f"{path}, line {reader.line_num}"
                    )
                yield reader.line_num, tuple(row[i].strip() for i in at[:-1]), row[at[-1]].strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadTable(f"the table cannot be read ({type(error).__name__})", where=str(path)) from error


def _weights(spec: Spec, axes: tuple[Axis, ...], path: Path) -> NDArray[np.int64]:
    """The public figure of each inner cell; 0 where it has no row. Totals' own are their sums, and not looked at."""
    inner = [{axis.tree.codes[code]: i for i, code in enumerate(axis.tree.lowest)} for axis in axes]
    weights = np.zeros([len(one) for one in inner], dtype=np.int64)
    for line, codes, text in _rows(path, [*(axis.column for axis in axes), spec.weight]):
        if all(code in of for code, of in zip(codes, inner, strict=True)):
            weights[tuple(of[code] for code, of in zip(codes, inner, strict=True))] = _count(text, path, line, "weight")
    return weights


def _count(text: str, path: Path, line: int, what: str = "count") -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MOST_COUNT:
        raise BadTable(
            f"a {what} is a whole number, 0 or more", where=f"{path}, line {line}", remedy=f"mend the {what}"
        )
    return int(text)


def _axis(spec: Spec, number: int, rows: Sequence[tuple[int, tuple[str, ...], str]], spec_path: Path) -> Axis:
    dimension = spec.dimension[number]
    if dimension.hierarchy:
        return Axis(dimension.column, read_hierarchy(spec_path.parent / dimension.hierarchy))
    categories = sorted({codes[number] for _, codes, _ in rows} - {dimension.total})
    if not categories:
        raise SettingsError(f"column '{dimension.column}' has no category but its total", where=str(spec_path))
    return Axis(dimension.column, flat(dimension.total, categories, dimension.column))


def _can_be_crossed(axis: Axis, spec_path: Path) -> None:
    """A dimension beside the first tree: SettingsError if nothing is below its total, or it has a name of ours."""
    if axis.column in OURS:
        raise SettingsError(
            f"only the first tree's column can be called '{axis.column}'",
            where=str(spec_path),
            remedy="call it otherwise, here and in the table",
        )
    if len(axis.tree.codes) == 1:
        raise SettingsError(f"the tree of '{axis.column}' has no code but its root", where=str(spec_path))
    if TOTAL in axis.tree.codes[1:]:
        raise SettingsError(
            f"'{TOTAL}' is a code of '{axis.column}' below its total",
            where=str(spec_path),
            remedy="write it otherwise, here and in the table: in reports it is the word for no breakdown",
        )


def _table(spec: Spec, axes: tuple[Axis, ...], given: dict[tuple[int, ...], tuple[int, int]], path: Path) -> Table:
    """Inner counts; every total that the file gives must be their sum."""
    inner = [{code: i for i, code in enumerate(axis.tree.lowest)} for axis in axes]
    counts = np.zeros([len(one) for one in inner], dtype=np.int64)
    totals = {}
    for cell, (count, line) in given.items():
        if all(code in of for code, of in zip(cell, inner, strict=True)):
            counts[tuple(of[code] for code, of in zip(cell, inner, strict=True))] = count
        else:
            totals[cell] = (count, line)
    every = sums([Tree(axis.tree.codes, axis.tree.parent) for axis in axes], counts)
    for cell, (count, line) in totals.items():
        if every[cell] != count:
            raise BadTable(
                f"a total is {count}, and what it sums up is {int(every[cell])}", where=f"{path}, line {line}"
            )
    return Table(spec, axes, (), counts)
