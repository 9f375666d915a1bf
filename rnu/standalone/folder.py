"""What is written of a protected table, and read back: cells.csv, certificate.json, report.json, and private/."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anonymize.tables import LETTERS, Mark, SafeCells, indices_of
from rnu.errors import NotARelease, StoreError
from rnu.public.certificate import Claim, parsed, written
from rnu.public.table import Public, read_cells
from rnu.standalone.spec import MARK
from rnu.standalone.table import Table

if TYPE_CHECKING:  # who checks needs no solver
    from anonymize.certificate import Certificate

CELLS, CERTIFICATE, REPORT, PRIVATE = "cells.csv", "certificate.json", "report.json", "private"


@contextmanager
def new(out: Path) -> Iterator[Path]:
    """A folder to write into, that gets its name when all is done, or vanishes where it is not.

    StoreError if something stands there already, before any work is done.
    """
    out = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError("there is something in the folder already", where=str(out), remedy="name another, or empty it")
    half = out.with_name(f".{out.name}.half")
    try:
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        yield half
        if out.exists():
            out.rmdir()
        half.rename(out)
    except OSError as error:
        raise StoreError(f"the folder cannot be written ({error.strerror})", where=str(out)) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)


def write(folder: Path, table: Table, safe: SafeCells, certificate: Certificate, private: Mapping[str, Any]) -> None:
    """Write every file of a protected table into an empty folder."""
    (folder / PRIVATE).mkdir(mode=0o700)
    _write_cells(folder / CELLS, table, safe)
    (folder / CERTIFICATE).write_text(written(table.axes, table.spec.count, safe, certificate, {}), "utf-8")
    _write_json(folder / REPORT, _report(safe, certificate))
    _write_json(folder / PRIVATE / REPORT, private)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n", "utf-8")


def _write_cells(path: Path, table: Table, safe: SafeCells) -> None:
    names = [d.column for d in table.spec.dimension]
    own = [axis.column for axis in table.axes]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, table.spec.count, MARK])
        for codes, value, mark in _cells(table, safe):
            writer.writerow([*(codes[own.index(name)] for name in names), value, mark])


def _cells(table: Table, safe: SafeCells) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Codes, count and mark of every cell that has a row; a branch that ends early has each of its cells once."""
    tree, places = table.axes[0].tree, safe.places
    of_place = {(int(depth), code): i for i, (depth, code) in enumerate(zip(places.level, places.codes, strict=True))}
    totals = [axis.tree.codes[0] for axis in table.axes[1:]]
    columns = [[*d.nodes[:-1], total] for d, total in zip(safe.dimensions, totals, strict=True)]
    for code, depth in zip(tree.codes, tree.depth, strict=True):
        place = of_place[depth, code]
        for at in product(*(range(len(names)) for names in columns)):
            mark = Mark(int(safe.marks[(place, *at)]))
            if mark is not Mark.ABSENT:
                value = str(int(safe.values[(place, *at)])) if mark is Mark.SHOWN else ""
                yield (code, *(n[i] for n, i in zip(columns, at, strict=True))), value, LETTERS.get(mark, "")


def _report(safe: SafeCells, certificate: Certificate) -> dict[str, Any]:
    """What anybody could count from the files."""
    marks = {"shown": Mark.SHOWN, "withheld": Mark.WITHHELD, "not_broken_down": Mark.BELOW}
    levels = []
    for depth, name in enumerate(safe.places.levels):
        here = safe.marks[safe.places.level == depth]
        levels.append({"level": name, **{word: int((here == mark).sum()) for word, mark in marks.items()}})
    listed = indices_of(safe.places, safe.dimensions, certificate.large)
    large = [cell for cell in listed if safe.marks[cell] == Mark.WITHHELD]
    rest = [cell for cell in listed if safe.marks[cell] != Mark.WITHHELD]
    return {
        "threshold": safe.threshold,
        "levels": levels,
        "not_shown": [{"below": d.place, "level": d.level, "cross": d.cross} for d in safe.drops],
        "certificate": {"tables": len(certificate.tables), "at_least_threshold": len(large), "cannot_be_1": len(rest)},
    }


def read(folder: Path) -> Public:
    """A protected table and its certificate; NotARelease if something of it is missing or cannot be understood."""
    try:
        claim = parsed((folder / CERTIFICATE).read_text(encoding="utf-8"))
        return read_cells(claim, _read_rows(folder / CELLS, claim))
    except OSError as error:
        raise NotARelease(f"{Path(error.filename or CELLS).name} cannot be read", where=str(folder)) from error
    except (ValueError, csv.Error) as error:
        raise NotARelease(
            f"the certificate or the cells are not as `rnu protect` writes them: {error}",
            where=str(folder),
            remedy="fetch the folder again",
        ) from error


def _read_rows(path: Path, claim: Claim) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Codes, count and mark of every row; ValueError if a column is missing."""
    columns = [*(axis.column for axis in claim.axes), claim.count, MARK]
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        at = [header.index(column) for column in columns]
        for row in reader:
            if len(row) != len(header):
                raise ValueError(f"line {reader.line_num} is not whole")
            *codes, count, mark = (row[i] for i in at)
            yield tuple(codes), count, mark
