"""Open every container that leaves the store, and look for persons in it.

What is opened, one inside the other to any depth: ZIP and XLSX (members, their names, comments), gzip, Parquet (every
column, key-value metadata, statistics), SQLite (every table, every row; free pages as raw bytes). Whatever comes out,
and the file itself, is read as raw bytes and as text (UTF-8, Latin-1, UTF-16), with HTML tags and entities, JSON
escapes, percent signs and base64 undone.

What is looked for: document numbers as words of their own or as numbers, also without their leading zeros; names in
any order, whatever their accents, case and punctuation; pseudonyms as bytes, hex and base64.

What is found is told by place and kind; never the value itself.
"""

import gzip
import html
import io
import re
import sqlite3
import tempfile
import zipfile
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.line.persons import Persons, plain, whole_document

# 12,345,678 and 0.12345678 are numbers of something; a document stands alone, or as a whole number.
DOCUMENT = re.compile(r"(?<![0-9A-Za-z])(?<![0-9]\.)[0-9]{7,12}(?![0-9A-Za-z])(?!\.[0-9]*[1-9])")
WORD = re.compile(r"[A-Z0-9]+")
HEX = re.compile(r"[0-9A-Fa-f]{32,}")
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{11,}={0,2}")
TAG = re.compile(r"</?[A-Za-z][^<>]*>")
ESCAPE = re.compile(r"\\[uU]00([0-9A-Fa-f]{2})")


@dataclass(frozen=True, order=True)
class Leak:
    """Where somebody was found, and by what."""

    where: str
    kind: str  # document | name | pseudonym


def scan(source: Path | bytes, name: str, persons: Persons) -> tuple[Leak, ...]:
    """Everything that gives a person away in bytes, in a file, or in all files of a folder; no such path: nothing."""
    files = [(name, source)] if isinstance(source, bytes) else list(_files(source, name))
    return tuple(sorted({leak for at, data in files for leak in _scan_bytes(data, at, persons)}))


def _files(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """A file's bytes, or those of every file below a folder; the names are bytes that visitors see, too."""
    if path.is_file():
        yield name, path.read_bytes()
    elif path.is_dir():
        for below in sorted(path.rglob("*")):
            at = f"{name}/{below.relative_to(path).as_posix()}"
            yield at, at.encode()
            if below.is_file():
                yield at, below.read_bytes()


def _scan_bytes(data: bytes, name: str, persons: Persons) -> Iterator[Leak]:
    for at, content in opened(data, name):
        if _has_pseudonym(content, persons):
            yield Leak(at, "pseudonym")
        for text in texts(content):
            yield from (Leak(at, kind) for kind in _kinds(text, persons))


# --- containers --------------------------------------------------------------------------------------------------


def opened(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """A file's own bytes, and what is packed in it, to any depth."""
    yield name, data
    for inner, content in _inside(data):
        yield from opened(content, f"{name}:{inner}")


def _inside(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                yield info.filename, archive.read(info)
                yield f"{info.filename} (name)", info.filename.encode() + b"\n" + info.comment
    elif data.startswith(b"\x1f\x8b"):
        yield "gzip", gzip.decompress(data)
    elif data.startswith(b"PAR1"):
        yield from _parquet(pq.ParquetFile(io.BytesIO(data)))
    elif data.startswith(b"SQLite format 3\0"):
        yield from _sqlite(data)


def _parquet(file: pq.ParquetFile) -> Iterator[tuple[str, bytes]]:
    metadata = file.metadata
    yield "metadata", b"\n".join(b for pair in (metadata.metadata or {}).items() for b in pair)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunks = [group.column(c) for c in range(group.num_columns)]
        limits = [v for c in chunks if c.statistics for v in (c.statistics.min, c.statistics.max)]
        yield f"statistics {number}", _lines(limits)
    table = file.read()
    for column in table.column_names:
        yield f"column {column}", _lines(table.column(column).unique().to_pylist())
        if pa.types.is_nested(table.schema.field(column).type):
            raise AssertionError(f"nobody looks into nested column {column}")


def _sqlite(data: bytes) -> Iterator[tuple[str, bytes]]:
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
        file.write(data)
        file.flush()
        connection = sqlite3.connect(file.name)
        try:
            tables = connection.execute("select name, sql from sqlite_master where type = 'table'").fetchall()
            for table, sql in tables:
                rows = connection.execute(f'select * from "{table}"').fetchall()
                yield f"table {table}", _lines([sql, *(cell for row in rows for cell in row)])
        finally:
            connection.close()


def _lines(values: list) -> bytes:
    """Values as text, a line each; bytes as they are."""
    return b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in values if v is not None)


# --- texts -------------------------------------------------------------------------------------------------------


def texts(data: bytes) -> Iterator[str]:
    """The texts that bytes may be read as, disguises undone."""
    plain_texts = [_decoded(data)]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data.count(0) > len(data) // 4:
        plain_texts.append(data.decode("utf-16", errors="replace"))
    for text in plain_texts:
        yield text
        undone = unquote(ESCAPE.sub(lambda found: chr(int(found[1], 16)), html.unescape(text)))
        if undone != text:
            yield undone
        if "</" in text:
            yield TAG.sub(" ", undone)
        yield "\n".join(_decoded(_from_base64(run)) for run in BASE64.findall(text))


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


# --- persons -----------------------------------------------------------------------------------------------------


def _kinds(text: str, persons: Persons) -> set[str]:
    found = set()
    if any(whole_document(number) in persons.documents for number in set(DOCUMENT.findall(text))):
        found.add("document")
    if _has_name(text, persons.names):
        found.add("name")
    if any(_has_pseudonym(candidate, persons) for candidate in _packed(text)):
        found.add("pseudonym")
    return found


@cache
def _first_words(names: frozenset[str]) -> dict[str, frozenset[int]]:
    """First word of a name -> how many words such names have."""
    lengths: dict[str, set[int]] = {}
    for name in names:
        first, *others = name.split(" ")
        lengths.setdefault(first, set()).add(1 + len(others))
    return {first: frozenset(found) for first, found in lengths.items()}


def _has_name(text: str, names: frozenset[str]) -> bool:
    """Whether some words in a row are a name."""
    words, lengths = plain(text).split(" "), _first_words(names)
    return any(
        " ".join(words[i : i + length]) in names for i, word in enumerate(words) for length in lengths.get(word, ())
    )


def _packed(text: str) -> Iterator[bytes]:
    """Bytes written as hex or base64."""
    for run in HEX.findall(text):
        for start in (0, 1):
            yield bytes.fromhex(run[start : len(run) - (len(run) - start) % 2])
    for run in BASE64.findall(text):
        yield _from_base64(run)


def _from_base64(run: str) -> bytes:
    bare = run.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return b64decode(bare + "=" * (-len(bare) % 4))
    except NotBase64:
        return b""


@cache
def _heads(pseudonyms: frozenset[bytes]) -> np.ndarray:
    """The first halves of pseudonyms, as numbers."""
    return np.array(sorted(int.from_bytes(p[:8], "little") for p in pseudonyms), dtype="<u8")


def _has_pseudonym(data: bytes, persons: Persons) -> bool:
    """Whether a pseudonym's 16 bytes stand anywhere in some bytes."""
    if len(data) < 16 or not persons.pseudonyms:
        return False
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, np.uint8), 8)[: len(data) - 15]
    numbers = np.ascontiguousarray(windows).view("<u8").ravel()
    heads = _heads(persons.pseudonyms)
    nearest = heads[np.minimum(np.searchsorted(heads, numbers), len(heads) - 1)]  # isin would sort all heads each time
    offsets = np.flatnonzero(nearest == numbers)
    return any(data[o : o + 16] in persons.pseudonyms for o in offsets)
