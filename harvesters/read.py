"""Read any delivered format into columns of text.

Every file (or ZIP member) becomes one Parquet file of text columns `c0`, `c1`, … in the order they were delivered,
rows in delivered order. An empty cell is '', a cell that the row does not have is null; `extra` is true where a row
has more cells than the header. Lines without any cell are no rows. Nothing is guessed about types: that is the
schema's business.

Delimited text goes through DuckDB's reader in parallel. What that reader refuses (a row with several cells too many,
text after a closing quote, mixed line ends) goes through Python's `csv`, slower but as tolerant as frictionless, which
uses the same module. Both stream, so memory does not grow with the file. XLSX is read whole, up to a stated size.
"""

from __future__ import annotations

import codecs
import csv
import fnmatch
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import chain, islice
from pathlib import Path
from typing import IO, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from harvesters.delivery import CHUNK, Fetched
from harvesters.errors import Unreadable

EXTRA = "extra"
BATCH = 50_000  # rows
NO_NULL = "\x01"  # a text no cell has: keeps '' and null apart
XLSX_BYTES = 2_000_000_000  # unpacked; a workbook is read whole
UTF8 = frozenset({"utf-8", "utf_8", "utf8", "utf-8-sig", "utf_8_sig", "ascii"})
SINGLE_BYTE = frozenset({"latin-1", "iso-8859-1", "iso8859-1", "cp1252", "windows-1252", "iso-8859-15"})


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
    for file in sorted(files, key=lambda f: f.name):
        if layout.zip:
            yield from _unzip(file, layout, into)
        else:
            yield file.name, file.path


def _unzip(file: Fetched, layout: Layout, into: Path) -> Iterator[tuple[str, Path]]:
    try:
        with zipfile.ZipFile(file.path) as archive:
            infos = [
                i
                for i in archive.infolist()
                if not i.is_dir() and fnmatch.fnmatch(Path(i.filename).name, layout.members)
            ]
            if not infos:
                raise Unreadable(f"the ZIP has no member like '{layout.members}'", file.name)
            if sum(i.file_size for i in infos) > layout.max_bytes:
                raise Unreadable(f"the ZIP unpacks to more than {layout.max_bytes} bytes", file.name)
            for index, info in enumerate(sorted(infos, key=lambda i: i.filename)):
                target = into / f"{index:04d}-{file.sha256[:8]}.unpacked"
                with archive.open(info) as packed, target.open("wb") as plain:
                    shutil.copyfileobj(packed, plain, CHUNK)
                yield f"{file.name}/{Path(info.filename).name}", target
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise Unreadable("not a whole ZIP (cut short, damaged or encrypted)", file.name) from error


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
        rows = _by_duckdb(text, layout, len(labels), target)
        if rows is None:
            rows = _by_csv(name, text, layout, len(labels), target)
    finally:
        if text != path:
            text.unlink(missing_ok=True)
    return Member(name, labels, target, rows)


def _transcode(name: str, path: Path, encoding: str, target: Path) -> Path:
    """The same text as UTF-8, streamed. A single-byte encoding fits any bytes, so UTF-8 passing for it is refused."""
    disguised = _Utf8Guess() if encoding.lower() in SINGLE_BYTE else None
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
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
    try:
        with text.open(encoding="utf-8-sig", newline="") as file:
            lines = islice(file, layout.skip_rows, None)
            reader = csv.reader(lines, delimiter=layout.delimiter, quotechar=layout.quote or None, quoting=quoting)
            yield from (row for row in reader if row)
    except UnicodeDecodeError as error:
        raise Unreadable(f"not {layout.encoding} (a byte that cannot stand there)", name) from error
    except csv.Error as error:
        raise Unreadable(f"not a table of delimited text ({error})", name) from error


def _header(name: str, text: Path, layout: Layout) -> tuple[str, ...]:
    header = next(_rows(name, text, layout), None)
    if header is None:
        raise Unreadable("the file is empty", name)
    return tuple(header)


def _by_duckdb(text: Path, layout: Layout, width: int, target: Path) -> int | None:
    """Copy to Parquet in parallel; None where the text is not regular enough for this reader."""
    columns = {f"c{i}": "VARCHAR" for i in range(width)} | {EXTRA: "VARCHAR"}
    with duckdb.connect() as engine:
        try:
            engine.read_csv(
                str(text),
                header=True,
                auto_detect=False,
                skiprows=layout.skip_rows,
                delimiter=layout.delimiter,
                quotechar=layout.quote,
                escapechar=layout.quote,
                columns=columns,
                na_values=NO_NULL,
                null_padding=True,
            ).project(f"* replace ({EXTRA} is not null as {EXTRA})").write_parquet(str(target), compression="lz4_raw")
            return int(engine.sql("select count(*) from read_parquet(?)", params=[str(target)]).fetchall()[0][0])
        except duckdb.Error as error:
            target.unlink(missing_ok=True)
            if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException):
                raise  # the disk's trouble, not the text's
            return None


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
    try:
        with path.open("rb") as file:
            _refuse_large_workbook(name, file)
            workbook = CalamineWorkbook.from_filelike(file)
            sheet = (
                workbook.get_sheet_by_name(layout.sheet)
                if isinstance(layout.sheet, str)
                else workbook.get_sheet_by_index(layout.sheet)
            )
            # from the first cell of the sheet, so that junk rows are counted as a person counts them
            rows = iter(sheet.to_python(skip_empty_area=False))
    except (CalamineError, zipfile.BadZipFile, IndexError, OSError) as error:
        raise Unreadable("not a whole XLSX workbook, or the sheet is missing", name) from error
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


def _refuse_large_workbook(name: str, file: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        if sum(i.file_size for i in archive.infolist()) > XLSX_BYTES:
            raise Unreadable(f"the workbook unpacks to more than {XLSX_BYTES} bytes", name)
    file.seek(0)


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
