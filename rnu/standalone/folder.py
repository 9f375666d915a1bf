"""What is written of a protected table, and read back: cells.csv, certificate.json, report.json, and private/."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonymize.certificate import Certificate
from anonymize.tables import LETTERS, TOTAL, Mark, SafeCells
from anonymize.verify import ABSENT, BELOW, SHOWN, WITHHELD, Tree
from rnu.errors import NotARelease, StoreError
from rnu.standalone.spec import Hierarchy
from rnu.standalone.table import Axis, Table, lowest

CELLS, CERTIFICATE, REPORT, PRIVATE = "cells.csv", "certificate.json", "report.json", "private"
STATES = {"": SHOWN, "c": WITHHELD, "d": BELOW}

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Public:
    """A protected table as anybody holds it."""

    axes: tuple[Axis, ...]  # the tree first
    count: str
    threshold: int
    state: Ints  # (codes of each dimension …)
    values: Ints
    base: Ints
    tables: tuple[tuple[Ints, Ints], ...]
    large: tuple[tuple[int, ...], ...]

    @property
    def trees(self) -> tuple[Tree, ...]:
        """The dimensions, as `verify` wants them."""
        return tuple(Tree(axis.tree.codes, axis.tree.parent) for axis in self.axes)


def write(out: Path, table: Table, safe: SafeCells, certificate: Certificate, private: Mapping[str, Any]) -> None:
    """Write a folder whole, or not at all. StoreError if something stands there already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError("there is something in the folder already", where=str(out), remedy="name another, or empty it")
    half = out.with_name(f".{out.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    try:
        (half / PRIVATE).mkdir(parents=True)
        _write_cells(half / CELLS, table, safe)
        _write_json(half / CERTIFICATE, _certificate(table, safe, certificate))
        _write_json(half / REPORT, _report(safe, certificate))
        _write_json(half / PRIVATE / REPORT, private)
        (half / PRIVATE).chmod(0o700)
        if out.exists():
            out.rmdir()
        half.rename(out)
    except OSError as error:
        shutil.rmtree(half, ignore_errors=True)
        raise StoreError(f"the folder cannot be written ({error.strerror})", where=str(out)) from error


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n", "utf-8")


def _write_cells(path: Path, table: Table, safe: SafeCells) -> None:
    names = [d.column for d in table.spec.dimension]
    own = [axis.column for axis in table.axes]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, table.spec.count, "mark"])
        for codes, value, mark in _cells(table, safe):
            writer.writerow([*(codes[own.index(name)] for name in names), value, mark])


def _cells(table: Table, safe: SafeCells) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Codes, count and mark of every cell that has a row; a branch that ends early has each of its cells once."""
    tree, places = table.axes[0].tree, safe.places
    of_place = {(int(depth), code): i for i, (depth, code) in enumerate(zip(places.level, places.codes, strict=True))}
    totals = [axis.tree.codes[0] for axis in table.axes[1:]]
    columns = [[*d.categories, total] for d, total in zip(safe.dimensions, totals, strict=True)]
    for code, depth in zip(tree.codes, tree.depth, strict=True):
        place = of_place[depth, code]
        for at in product(*(range(len(names)) for names in columns)):
            mark = Mark(int(safe.marks[(place, *at)]))
            if mark is not Mark.ABSENT:
                value = str(int(safe.values[(place, *at)])) if mark is Mark.SHOWN else ""
                yield (code, *(n[i] for n, i in zip(columns, at, strict=True))), value, LETTERS.get(mark, "")


def _certificate(table: Table, safe: SafeCells, certificate: Certificate) -> dict[str, Any]:
    """The certificate with all that a reader needs beside the cells. Codes go by their number in `codes`."""
    tree = table.axes[0].tree
    leaf = lowest(tree)
    base = np.empty_like(certificate.base)
    base[leaf] = certificate.base
    where = np.argwhere(base)
    tables = []
    for at, by in certificate.tables:
        own = at.copy()
        own[:, 0] = leaf[at[:, 0]]
        tables.append(np.column_stack([own, by]).reshape(-1).tolist())
    index = [{code: i for i, code in enumerate(axis.tree.codes)} for axis in table.axes]
    totals = [axis.tree.codes[0] for axis in table.axes[1:]]
    large = {
        (
            index[0][ref.place],
            *(of[t if c == TOTAL else c] for of, c, t in zip(index[1:], ref.categories, totals, strict=True)),
        )
        for ref in certificate.large
        if tree.levels[tree.depth[index[0][ref.place]]] == ref.level  # else a branch that ended, going on
    }
    return {
        "count": table.spec.count,
        "threshold": safe.threshold,
        "dimensions": [
            {"column": a.column, "codes": a.tree.codes, "parents": a.tree.parent, "levels": a.tree.level}
            for a in table.axes
        ],
        "base": np.column_stack([where, base[tuple(where.T)]]).reshape(-1).tolist(),
        "tables": tables,
        "at_least_threshold": sorted(large),
    }


def _report(safe: SafeCells, certificate: Certificate) -> dict[str, Any]:
    """What anybody could count from the files."""
    marks = {"shown": Mark.SHOWN, "withheld": Mark.WITHHELD, "not_broken_down": Mark.BELOW}
    levels = []
    for depth, name in enumerate(safe.places.levels):
        here = safe.marks[safe.places.level == depth]
        levels.append({"level": name, **{word: int((here == mark).sum()) for word, mark in marks.items()}})
    return {
        "threshold": safe.threshold,
        "levels": levels,
        "not_shown": [{"below": d.place, "level": d.level, "cross": d.cross} for d in safe.drops],
        "certificate": {"tables": len(certificate.tables), "at_least_threshold": len(certificate.large)},
    }


def read(folder: Path) -> Public:
    """A protected table and its certificate; NotARelease if something of it is missing or cannot be understood."""
    try:
        raw = json.loads((folder / CERTIFICATE).read_text(encoding="utf-8"))
        axes = tuple(
            Axis(d["column"], Hierarchy(tuple(d["codes"]), tuple(d["parents"]), tuple(d["levels"])))
            for d in raw["dimensions"]
        )
        width = len(axes)
        base = np.zeros([len(axis.tree.lowest) for axis in axes], dtype=np.int64)
        given = np.array(raw["base"], dtype=np.int64).reshape(-1, width + 1)
        base[tuple(given[:, :-1].T)] = given[:, -1]
        tables = []
        for one in raw["tables"]:
            entries = np.array(one, dtype=np.int64).reshape(-1, width + 1)
            tables.append((entries[:, :-1], entries[:, -1]))
        state, values = _read_cells(folder / CELLS, axes, raw["count"])
        large = tuple(tuple(int(code) for code in cell) for cell in raw["at_least_threshold"])
        shape = tuple(len(axis.tree.codes) for axis in axes)
        _within(shape, large)
        for at, _ in tables:
            _within(base.shape, at.tolist())
        _within(base.shape, given[:, :-1].tolist())
        return Public(axes, raw["count"], int(raw["threshold"]), state, values, base, tuple(tables), large)
    except OSError as error:
        raise NotARelease(f"{Path(error.filename or CELLS).name} cannot be read", where=str(folder)) from error
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise NotARelease(
            f"the certificate or the cells are not as `rnu protect` writes them ({type(error).__name__})",
            where=str(folder),
            remedy="fetch the folder again",
        ) from error


def _within(shape: tuple[int, ...], cells: Iterable[Sequence[int]]) -> None:
    """ValueError if a cell does not lie in a table of this shape."""
    for cell in cells:
        if len(cell) != len(shape) or not all(0 <= i < n for i, n in zip(cell, shape, strict=True)):
            raise ValueError("a cell lies outside of the table")


def _read_cells(path: Path, axes: tuple[Axis, ...], count: str) -> tuple[Ints, Ints]:
    shape = tuple(len(axis.tree.codes) for axis in axes)
    state, values = np.full(shape, ABSENT, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    index = [{code: i for i, code in enumerate(axis.tree.codes)} for axis in axes]
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            at = tuple(of[row[axis.column]] for of, axis in zip(index, axes, strict=True))
            if state[at] != ABSENT:
                raise ValueError("a cell stands twice")
            state[at] = STATES[row["mark"]]
            if state[at] == SHOWN:
                values[at] = int(row[count])
            elif row[count]:
                raise ValueError("a cell with a mark has a number")
    return state, values
