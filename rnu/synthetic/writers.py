"""Text into the files that a sector delivers: one or many, packed or not, in its own encoding."""

from __future__ import annotations

import codecs
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

import numpy as np
import xlsxwriter  # type: ignore[import-untyped]

from rnu.settings import Period, Source
from rnu.synthetic.layouts import Layout, Sheet, columns, header, lines
from rnu.synthetic.render import Text, content, plain

NATIONAL = "nacional"  # stands for the `*` of a name where one file holds the whole country
LONG_AGO = datetime(1980, 1, 1)


class Writer(Protocol):
    """Takes the sheets of one delivery, block after block, in order of departments."""

    def write(self, department: str, sheet: Sheet) -> None:
        """Add one block's rows."""

    def __enter__(self) -> Self:
        """Open the delivery."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every file."""


def writer(root: Path, source: Source, layout: Layout, cut: Period) -> Writer:
    """The writer for a source's own format."""
    path = root / source.fetch.where.format(cut=cut, cut_compact=str(cut).replace("-", ""))
    path.parent.mkdir(parents=True, exist_ok=True)
    for earlier in path.parent.glob(path.name):  # another run's departments would pass for part of this delivery
        earlier.unlink()
    if source.format.type == "xlsx":
        return Workbook(path, layout)
    return Delimited(path, source, layout)


class Delimited:
    """Delimited text: one file, or one for each department where the name has a `*`; in a ZIP its members."""

    def __init__(self, path: Path, source: Source, layout: Layout) -> None:
        self._path = path
        self._format = source.format
        self._layout = layout
        self._open = ExitStack()
        self._zip: zipfile.ZipFile | None = None
        self._name = ""
        self._file: IO[bytes] | None = None
        self._encoder = codecs.getincrementalencoder(source.format.encoding)()

    def __enter__(self) -> Self:
        if self._format.zip:
            packed = zipfile.ZipFile(self._path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
            self._zip = self._open.enter_context(packed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
        self._open.close()

    def write(self, department: str, sheet: Sheet) -> None:
        """Add lines; a new department begins a new file where files are by department."""
        pattern = self._format.members if self._format.zip else self._path.name
        name = pattern.replace("*", department if self._layout.by_department else NATIONAL)
        if name != self._name:
            self._begin(name, header(self._layout, list(self._layout.columns(sheet)), self._format.delimiter))
        self._put(lines(self._layout, sheet, self._format.delimiter))

    def _begin(self, name: str, first_line: str) -> None:
        if self._file:
            self._file.close()
        self._name = name
        if self._zip is not None:
            self._file = self._zip.open(name, "w", force_zip64=True)  # by name: dated 1980
        else:
            self._file = self._path.with_name(name).open("wb")
        self._encoder.reset()
        self._file.write(self._encoder.encode(first_line))

    def _put(self, text: Text) -> None:
        assert self._file is not None  # noqa: S101 - write() began it
        data = content(text)
        utf8 = self._format.encoding in {"utf-8", "utf-8-sig"}
        self._file.write(data if utf8 else self._encoder.encode(data.decode()))


class Workbook:
    """An XLSX with real dates and numbers, and the ministry's heading above the header."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._layout = layout
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True, "default_date_format": "dd/mm/yyyy"})
        self._book.set_properties({"created": LONG_AGO})
        self._sheet = self._book.add_worksheet("Padrón")
        self._next = 0
        self._written = 0  # rows below the header
        for line in layout.above:
            self._sheet.write_string(self._next, 0, line)
            self._next += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._book.close()

    def write(self, department: str, sheet: Sheet) -> None:  # noqa: ARG002 - one sheet for the whole country
        """Add rows of typed cells."""
        cells = columns(self._layout, sheet)
        if self._layout.row_number:
            cells[self._layout.row_number] = plain(np.arange(len(sheet.rows)) + self._written + 1)
        if self._next == len(self._layout.above):
            self._row(list(cells), list(cells), typed=False)
        for row in zip(*(column.to_pylist() for column in cells.values()), strict=True):
            self._row(list(cells), row, typed=True)
        self._written += len(sheet.rows)

    def _row(self, names: Sequence[str], row: Sequence[str], *, typed: bool) -> None:
        for position, (name, cell) in enumerate(zip(names, row, strict=True)):
            if cell:
                self._cell(position, name if typed else "", cell)
        self._next += 1

    def _cell(self, position: int, name: str, cell: str) -> None:
        """Dates and numbers as such; what is none, and cards with their leading zeros, as text."""
        layout = self._layout
        if name in layout.numbers and cell.isdigit() and len(cell) <= 8:
            self._sheet.write_number(self._next, position, int(cell))
        elif name in layout.dates and (day := _day(cell)):
            self._sheet.write_datetime(self._next, position, day)
        else:
            self._sheet.write_string(self._next, position, cell)


def _day(cell: str) -> date | None:
    try:
        return date.fromisoformat(cell)
    except ValueError:
        return None
