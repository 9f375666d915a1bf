"""Read any delivered format into columns of text.

Every file (or ZIP member) becomes one Parquet file of text columns `c0`, `c1`, … in the order they were delivered,
rows in delivered order. An empty cell is '', a cell that the row does not have is null; `extra` is true where a row
has more cells than the header. Lines without any cell are no rows. Nothing is guessed about types: that is the
schema's business.

Delimited text goes through DuckDB's reader in parallel. What that reader refuses (a row with several cells too many,
text after a closing quote, mixed line ends) or would read otherwise (a blank beside a quote) goes through Python's
`csv`, slower but as tolerant as frictionless, which uses the same module. Both stream, so memory does not grow with the
file. XLSX is read whole, up to a stated size.
"""

from __future__ import annotations

import codecs
import csv
import errno
import fnmatch
import lzma
import mmap
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import lru_cache, reduce
from itertools import chain, count, islice, takewhile
from pathlib import Path
from typing import Literal
from xml.parsers import expat

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from harvesters.delivery import CHUNK, Fetched
from harvesters.errors import Unreadable

EXTRA = "extra"
BATCH = 50_000  # rows
NO_NULL = "\x01"  # a text no cell has: keeps '' and null apart
STAND_IN = "\U0010ffff"  # a character no text has: stands for a delimiter of several characters
XLSX_BYTES = 2_000_000_000  # unpacked; a workbook is read whole
XLSX_CELLS = 64_000_000  # of the rectangle from A1 to the last cell, which the reader makes room for
DAMAGED = (  # what `zipfile` has raised in tests on ZIPs with wrong bytes
    zipfile.BadZipFile, EOFError, LookupError, RuntimeError, ValueError, struct.error, zlib.error, lzma.LZMAError
)  # fmt: skip
UTF8 = frozenset({"utf-8", "utf_8", "utf8", "utf-8-sig", "utf_8_sig", "ascii"})
SINGLE_BYTE = frozenset({"iso8859-1", "iso8859-15", "cp1252", "cp850"})  # as `codecs` calls them


@dataclass(frozen=True, slots=True)
class Layout:
    """How the bytes are laid out; see `sources.toml` for what each key means."""

    type: Literal["delimited", "xlsx"]
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    zip: bool = False
    members: str = "*"
    sheet: str | int = 0
    skip_rows: int = 0
    max_rows: int = 1_048_576
    max_bytes: int = 20_000_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a delivery as text columns."""

    name: str
    labels: tuple[str, ...]  # the header, as delivered; label i names column `c{i}`
    path: Path  # Parquet
    rows: int


def read(files: Sequence[Fetched], layout: Layout, into: Path) -> tuple[Member, ...]:
    """Every file and ZIP member as text, in order of name. `into` is a private folder that the caller removes.

    Raises Unreadable when the bytes are not what the layout says.
    """
    reader = _read_xlsx if layout.type == "xlsx" else _read_delimited

    def one(index: int, name: str, path: Path) -> Member:
        _refuse_html(name, path)
        member = reader(name, path, layout, into / f"{index:04d}.parquet")
        if path.parent == into:  # unpacked by us
            path.unlink()
        return member

    # Many small files are read side by side: the engine has only one thread for a file that fits its buffer.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        started = [pool.submit(one, i, name, path) for i, (name, path) in enumerate(_members(files, layout, into))]
        return tuple(member.result() for member in started)


def _members(files: Sequence[Fetched], layout: Layout, into: Path) -> Iterator[tuple[str, Path]]:
    targets = (into / f"{number:04d}.unpacked" for number in count())
    for file in sorted(files, key=lambda f: f.name):
        if layout.zip:
            yield from _unzip(file, layout, targets)
        else:
            yield file.name, file.path


def _unzip(file: Fetched, layout: Layout, targets: Iterator[Path]) -> Iterator[tuple[str, Path]]:
    """The members that the layout wants, each unpacked to one of our own names and called by its path in the ZIP."""
    with _whole("ZIP", file.name):
        archive = zipfile.ZipFile(file.path)
        found = [info for info in archive.infolist() if not info.is_dir()]
    with archive:
        infos = [i for i in found if fnmatch.fnmatch(Path(i.filename).name, layout.members)]
        if not infos:
            raise Unreadable(f"the ZIP has no member like '{layout.members}'", file.name)
        if sum(i.file_size for i in infos) > layout.max_bytes:  # more than the stated size is never read
            raise Unreadable(f"the ZIP unpacks to more than {layout.max_bytes} bytes", file.name)
        for info in sorted(infos, key=lambda i: i.filename):
            target = next(targets)
            with target.open("wb") as plain:
                plain.writelines(_unpacked("ZIP", file.name, archive, info))
            yield f"{file.name}/{_printable(info.filename)}", target


def _unpacked(what: str, name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """A member's bytes. Only reading is watched, so that a disk too full to write them is no damaged ZIP."""
    with _whole(what, name), archive.open(info) as packed:
        while chunk := packed.read(CHUNK):
            yield chunk


@contextmanager
def _whole(what: str, name: str) -> Iterator[None]:
    """Whatever a damaged ZIP makes its reader raise is its owner's affair; an error of the disk stays one."""
    try:
        yield
    except (*DAMAGED, OSError) as error:
        if getattr(error, "errno", None) not in (None, errno.EINVAL):  # bz2 gives no number, a wrong offset EINVAL
            raise
        raise Unreadable(f"not a whole {what} (cut short, damaged or encrypted)", name) from error


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)


def _refuse_html(name: str, path: Path) -> None:
    """A server's error page often comes under the name of the file that was asked for."""
    with path.open("rb") as file:
        head = file.read(1024).lstrip(codecs.BOM_UTF8 + b" \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html")):
        raise Unreadable("an HTML page came under this name, not a table", name)


# --- delimited text ----------------------------------------------------------------------------------------------


def _read_delimited(name: str, path: Path, layout: Layout, target: Path) -> Member:
    text = (
        path if layout.encoding.lower() in UTF8 else _transcode(name, path, layout.encoding, target.with_suffix(".txt"))
    )
    try:
        labels = _header(name, text, layout)
        layout = replace(layout, skip_rows=_lines_above(text, layout))
        rows = _by_duckdb(text, layout, labels, target)
        if rows is None:
            rows = _by_csv(name, text, layout, len(labels), target)
    finally:
        if text != path:
            text.unlink(missing_ok=True)
    return Member(name, labels, target, rows)


def _transcode(name: str, path: Path, encoding: str, target: Path) -> Path:
    """The same text as UTF-8, streamed. A single-byte encoding fits any bytes, so UTF-8 passing for it is refused."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        disguised = _Utf8Guess() if codecs.lookup(encoding).name in SINGLE_BYTE else None
    except LookupError as error:
        raise Unreadable(f"there is no encoding '{encoding}'", name) from error
    done = 0
    with path.open("rb") as source, target.open("w", encoding="utf-8", newline="") as out:
        try:
            while chunk := source.read(CHUNK):
                if disguised:
                    disguised.feed(chunk)
                out.write(decoder.decode(chunk))
                done += len(chunk)
            out.write(decoder.decode(b"", final=True))
        except UnicodeError as error:
            raise Unreadable(f"not {encoding} (around byte {done + getattr(error, 'start', 0)})", name) from error
    if disguised and disguised.is_utf8():
        target.unlink()
        raise Unreadable(f"UTF-8 text, though the source says {encoding}", name)
    return target


class _Utf8Guess:
    """Whether bytes that came in chunks are UTF-8 with at least one letter outside ASCII."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._possible, self._beyond_ascii = True, False

    def feed(self, chunk: bytes) -> None:
        if self._possible:
            try:
                self._decoder.decode(chunk)
                self._beyond_ascii |= not chunk.isascii()
            except UnicodeDecodeError:
                self._possible = False

    def is_utf8(self) -> bool:
        return self._possible and self._beyond_ascii


def _rows(name: str, text: Path, layout: Layout) -> Iterator[list[str]]:
    """Rows of a UTF-8 text below the junk, the header first; lines without a cell are left out."""
    csv.field_size_limit(1 << 24)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE
    long = len(layout.delimiter) > 1  # csv takes one character: another stands in, and goes again where it was quoted
    one = STAND_IN if long else layout.delimiter
    try:
        with text.open(encoding="utf-8-sig", newline="") as file:
            lines: Iterator[str] = islice(file, layout.skip_rows, None)
            if long:
                lines = (line.replace(layout.delimiter, one) for line in lines)
            reader = csv.reader(lines, delimiter=one, quotechar=layout.quote or None, quoting=quoting)
            rows = (row for row in reader if row)
            yield from ([cell.replace(one, layout.delimiter) for cell in row] for row in rows) if long else rows
    except UnicodeDecodeError as error:
        raise Unreadable(f"not {layout.encoding} (a byte that cannot stand there)", name) from error
    except csv.Error as error:
        raise Unreadable(f"not a table of delimited text ({error})", name) from error


def _header(name: str, text: Path, layout: Layout) -> tuple[str, ...]:
    header = next(_rows(name, text, layout), None)
    if header is None:
        raise Unreadable("the file is empty", name)
    return tuple(header)


def _lines_above(text: Path, layout: Layout) -> int:
    """How many lines stand above the header: the junk and the blank lines that follow it."""
    with text.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        below = islice(file, layout.skip_rows, None)
        return layout.skip_rows + sum(1 for _ in takewhile(lambda line: not line.strip("\r\n"), below))


def _by_duckdb(text: Path, layout: Layout, labels: Sequence[str], target: Path) -> int | None:
    """Copy to Parquet in parallel; None where this reader would not read the text as `csv` does.

    The header stands right below the layout's `skip_rows`.
    """
    if _irregular(text, layout):
        return None
    columns = {f"c{i}": "VARCHAR" for i in range(len(labels))} | {EXTRA: "VARCHAR"}
    with duckdb.connect() as engine:

        def table(header: bool) -> duckdb.DuckDBPyRelation:
            return engine.read_csv(
                str(text),
                header=header,
                auto_detect=False,
                skiprows=layout.skip_rows,
                delimiter=layout.delimiter,
                quotechar=layout.quote,
                escapechar=layout.quote,
                columns=columns,
                na_values=NO_NULL,
                null_padding=True,
            )

        try:
            # the two may count junk lines apart: by line ends alone, or minding quotes
            if table(header=False).limit(1).fetchall() != [(*labels, None)]:
                return None
            rows = table(header=True).project(f"* replace ({EXTRA} is not null as {EXTRA})")
            rows.write_parquet(str(target), compression="lz4_raw")
            return int(engine.sql("select count(*) from read_parquet(?)", params=[str(target)]).fetchall()[0][0])
        except duckdb.Error as error:
            target.unlink(missing_ok=True)
            if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException):
                raise  # the disk's trouble, not the text's
            return None


def _irregular(text: Path, layout: Layout) -> bool:
    """Whether the text may have what DuckDB reads otherwise: a blank outside beside a quote, our mark for null."""
    with text.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        if view.find(NO_NULL.encode()) >= 0:
            return True
        if not layout.quote or view.find(layout.quote.encode()) < 0:
            return False
        if len(layout.delimiter.encode()) > 1:  # half a delimiter after a closing quote is read otherwise, too
            return True
        return any(re.search(pattern, view) for pattern in _blanks_beside(layout.quote, layout.delimiter))


def _blanks_beside(quote: str, delimiter: str) -> Iterator[bytes]:
    """Patterns for a blank between a quote and the end of its cell, as no cell of blanks has it.

    Each begins with a literal: five such searches take a fifth of the time of one with alternatives.
    """
    q, d = re.escape(quote.encode()), re.escape(delimiter.encode())
    end = b"(?:" + d + rb"|[\r\n]|\Z)"
    yield from (start + b" +" + q for start in (d, b"\n", b"\r"))
    yield q + b" +" + end
    yield q + b" +" + q + b"(?!" + end + b")"
    yield q + b" (?<!" + d + q + rb" )(?<![\r\n]" + q + b" ) *" + q


def _by_csv(name: str, text: Path, layout: Layout, width: int, target: Path) -> int:
    return _write(islice(_rows(name, text, layout), 1, None), width, target)


def _write(rows: Iterator[Sequence[str | None]], width: int, target: Path) -> int:
    """Write rows of text in batches; null where a row is too short, `extra` where it is too long."""
    names = [*(f"c{i}" for i in range(width)), EXTRA]
    shape = pa.schema([pa.field(n, pa.bool_() if n == EXTRA else pa.string()) for n in names])
    count = 0
    with pq.ParquetWriter(target, shape, compression="lz4") as out:
        while batch := list(islice(rows, BATCH)):
            cells = [[row[i] if i < len(row) else None for row in batch] for i in range(width)]
            extra = [len(row) > width for row in batch]
            out.write_batch(
                pa.record_batch([*(pa.array(c, pa.string()) for c in cells), pa.array(extra, pa.bool_())], schema=shape)
            )
            count += len(batch)
    return count


# --- XLSX --------------------------------------------------------------------------------------------------------


def _read_xlsx(name: str, path: Path, layout: Layout, target: Path) -> Member:
    plain = target.with_suffix(".xlsx")
    try:
        _copy_workbook(name, path, plain)
        with CalamineWorkbook.from_path(plain) as workbook:
            sheet = (
                workbook.get_sheet_by_name(layout.sheet)
                if isinstance(layout.sheet, str)
                else workbook.get_sheet_by_index(layout.sheet)
            )
            # from the first cell of the sheet, so that junk rows are counted as a person counts them
            rows = iter(sheet.to_python(skip_empty_area=False))
    except (CalamineError, IndexError) as error:
        raise Unreadable("not a whole XLSX workbook, or the sheet is missing", name) from error
    finally:
        plain.unlink(missing_ok=True)
    below = islice(rows, layout.skip_rows, None)
    filled = ([_cell(value) for value in row] for row in below if any(v not in ("", None) for v in row))
    header = next(filled, None)
    if header is None:
        raise Unreadable("the sheet is empty", name)
    labels = _trim(header)
    body = (_trim_to(row, len(labels)) for row in filled)
    rows_read = _write(islice(body, layout.max_rows), len(labels), target)
    if next(body, None) is not None:
        raise Unreadable(f"more than {layout.max_rows} rows", name)
    return Member(name, tuple(labels), target, rows_read)


def _copy_workbook(name: str, path: Path, target: Path) -> None:
    """The workbook's XML parts, unpacked, once each of them was seen to be of a size that can be read.

    What is read afterwards is this copy: what a ZIP states of its parts' sizes, and the rest of it, no longer matters.
    """
    left = XLSX_BYTES
    with _whole("XLSX workbook", name):
        archive = zipfile.ZipFile(path)
    with archive, zipfile.ZipFile(target, "w") as copy:
        for info in archive.infolist():
            if not info.filename.lower().endswith((".xml", ".rels")):
                continue  # pictures, printer settings
            extent = _Extent(name)
            with copy.open(info.filename, "w") as part:
                for chunk in _unpacked("XLSX workbook", name, archive, info):
                    left -= len(chunk)
                    if left < 0:
                        raise Unreadable(f"the workbook unpacks to more than {XLSX_BYTES} bytes", name)
                    part.write(chunk)
                    extent.feed(chunk)
            if extent.rows * extent.columns > XLSX_CELLS:
                reach = f"row {extent.rows}, column {extent.columns}"
                raise Unreadable(f"a sheet that reaches to {reach} is too large to be read (a stray cell?)", name)


class _Extent:
    """How far a part of a workbook reaches, fed in chunks: the rectangle from A1 that holds every filled cell.

    The size that a sheet states (`dimension`) is not believed, and a cell that is only formatted takes no room. A part
    with a DTD is refused, so that no entity is ever expanded.
    """

    def __init__(self, name: str) -> None:
        self.rows = self.columns = 0
        self._name = name
        self._row = self._column = 0  # where we are, from 1: rows and cells may leave their place to be counted
        self._cell_row = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.StartDoctypeDeclHandler = self._refuse

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.Parse(chunk)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise Unreadable("not a whole XLSX workbook (a part of it is no plain XML)", self._name) from error

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag.rpartition(":")[2]:
            case "c":
                place = attributes.get("r", "")
                letters = place.rstrip("0123456789")
                self._column = _column(letters) if letters else self._column + 1
                self._cell_row = int(place[len(letters) :] or self._row)
            case "v" | "is":
                self.rows, self.columns = max(self.rows, self._cell_row), max(self.columns, self._column)
            case "row":
                self._row, self._column = int(attributes.get("r", self._row + 1)), 0

    def _refuse(self, *_: object) -> None:
        raise ValueError("a DTD")


@lru_cache(maxsize=20_000)
def _column(letters: str) -> int:
    """The number of a column.

    >>> _column("A"), _column("Z"), _column("AA"), _column("XFD")
    (1, 26, 27, 16384)
    """
    return reduce(lambda number, letter: number * 26 + int(letter, 36) - 9, letters, 0)


def _cell(value: object) -> str:
    """The text a person would type for a cell's value: 12 for 12.0, an ISO date for a date."""
    match value:
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case date() | time() | datetime():
            return value.isoformat()
        case _:
            return str(value)


def _trim(row: list[str]) -> list[str]:
    """Without the empty cells at the end, which a workbook adds up to its widest row."""
    width = max((i + 1 for i, cell in enumerate(row) if cell), default=0)
    return row[:width]


def _trim_to(row: list[str], width: int) -> list[str]:
    return list(chain(row[:width], _trim(row[width:])))
