"""What a workbook could hold beside its cells: bytes around the ZIP's members, dates, names, strings, styles."""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

from python_calamine import CalamineWorkbook

from rnu.release.inspection.risk import risk

NEVER = (1980, 1, 31, 0, 0, 0)  # the time that XlsxWriter gives every member
HEADER, ENTRY, END = 30, 46, 22  # bytes of a ZIP's local header, of an entry in its list, and of the list's end
_CELL = re.compile(rb'<c r="([A-Z]+)(\d+)"([^>]*?)(/?)>')
_STYLE = re.compile(rb'\bs="(\d+)"')
_CREATED = "1980-01-01T00:00:00Z"
_WINDOW, _OVERLAP = 1 << 20, 256


def inspect_archive(path: Path, file: str) -> None:
    """Nothing lies before, between or behind the members, and none bears a time."""
    with zipfile.ZipFile(path) as archive:
        at, listed = 0, 0
        for member in sorted(archive.infolist(), key=lambda m: m.header_offset):
            if member.date_time != NEVER:
                raise risk(f"the workbook's part {member.filename} bears a time", file)
            if member.header_offset != at or member.flag_bits & 0x08 or member.extra:
                raise risk("bytes between the workbook's parts", file)
            name = len(member.filename.encode())
            at += HEADER + name + member.compress_size
            listed += ENTRY + name
        if at + listed + END != path.stat().st_size:
            raise risk("bytes behind the workbook's parts", file)
        if len(set(archive.namelist())) < len(archive.namelist()):
            raise risk("a part of the workbook stands twice", file)


def inspect_properties(path: Path, file: str) -> None:
    """A workbook says of itself neither who made it nor when."""
    with zipfile.ZipFile(path) as archive:
        core = ET.fromstring(archive.read("docProps/core.xml"))  # noqa: S314 - our own file, parsed before it is published
        if {(node.text or "").strip() for node in core.iter()} - {"", _CREATED}:
            raise risk("the workbook's properties say who made it, or when", file)


def inspect_strings(path: Path, file: str) -> None:
    """No string is kept that no cell shows, and no sheet that the workbook does not name."""
    book = CalamineWorkbook.from_path(str(path))
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        if len(sheets) != len(book.sheet_names):
            raise risk("a sheet that the workbook does not name", file)
        if "xl/sharedStrings.xml" not in archive.namelist():
            return
        shared = ET.fromstring(archive.read("xl/sharedStrings.xml"))  # noqa: S314 - as above
    kept = {"".join(node.itertext()) for node in shared}
    rows = (row for name in book.sheet_names for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False))
    if kept - {cell for row in rows for cell in row if isinstance(cell, str)}:
        raise risk("a string is kept that no cell shows", file)


def inspect_styles(path: Path, file: str, header: int = 1) -> None:
    """All cells of a column look alike, and a cell without a value is not there: neither marks one."""
    with zipfile.ZipFile(path) as archive:
        for name in sorted(n for n in archive.namelist() if n.startswith("xl/worksheets/")):
            styles: dict[bytes, set[bytes]] = defaultdict(set)
            with archive.open(name) as part:
                tail = b""
                while piece := part.read(_WINDOW):
                    for column, row, attributes, empty in _CELL.findall(tail + piece):
                        if empty:
                            raise risk("a cell without a value has a place of its own", f"{file}: {name}", int(row))
                        style = _STYLE.search(attributes)
                        if int(row) > header:
                            styles[column].add(style[1] if style else b"")
                    tail = piece[-_OVERLAP:]
            if any(len(found) > 1 for found in styles.values()):
                raise risk("cells of one column differ in style", f"{file}: {name}")
