"""Attack the finished files of a release, as bytes, before its digest is signed.

Nothing here uses what wrote the files: CSV is read as text, Parquet with its statistics, XLSX as a ZIP of XML and
through another reader. The three must say the same, cell by cell, and none may hold a value that is not shown.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from python_calamine import CalamineWorkbook

from rnu.errors import DisclosureRisk, SettingsError
from rnu.release.columns import MARK, plain
from rnu.release.describe import DATA
from rnu.release.formats import DATA_SHEET, FORMATS, NOTES_SHEET
from rnu.release.model import ProgrammeTable
from rnu.release.read import dimensions, read_json, read_text_table, totals
from rnu.release.reports import counted
from rnu.ubigeo import LEVELS, NATION

MARKS = ("", "c", "d", "n")
# Every part that a workbook of ours has; anything else (comments, links, macros, caches) is refused unread.
_PARTS = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|docProps/(app|core)\.xml|xl/(workbook|styles|sharedStrings|metadata)\.xml"
    r"|xl/theme/theme1\.xml|xl/_rels/workbook\.xml\.rels|xl/worksheets/sheet\d+\.xml"
)
_FORMULA = re.compile(rb"<(\w+:)?f[\s/>]")
_HIDDEN = re.compile(rb"\b(hidden|zeroHeight)=['\"](1|true)")
_HIDDEN_SHEET = re.compile(rb"<(\w+:)?sheet\s[^>]*\bstate=['\"](?!visible)")
_DEFINED = re.compile(rb"<(?:\w+:)?definedName\s[^>]*\bname=\"([^\"]*)\"")
_OVERLAP = 64
PARQUET_MAGIC = b"PAR1"  # at both ends of a file


def inspect(folder: Path) -> None:
    """Raise DisclosureRisk, naming file and row, if the files disagree or hold what must not be seen."""
    thresholds = _thresholds(folder)
    names = {path.stem for path in (folder / DATA).iterdir()}
    expected = {f"{name}.{format}" for name in names for format in FORMATS}
    strange = sorted({path.name for path in (folder / DATA).iterdir()} ^ expected)
    if strange:
        raise _risk("a table is not in three formats, or a file is no table", f"{DATA}/{strange[0]}")
    frames = {name: _inspect_csv(folder, name) for name in sorted(names)}
    for cube in thresholds:
        for above, level in pairwise(LEVELS):
            _inspect_places_below(f"{DATA}/{cube}_{level}.csv", frames[f"{cube}_{level}"], frames[f"{cube}_{above}"])
    for name, frame in frames.items():
        _inspect_thresholds(f"{DATA}/{name}.csv", frame, thresholds[name.rpartition("_")[0]])
        _inspect_parquet(folder, f"{DATA}/{name}.parquet", frame)
        _inspect_xlsx(folder, f"{DATA}/{name}.xlsx", frame)
    _inspect_protection(folder, frames)
    _inspect_quality(folder, frames)


def inspect_attacked(folder: Path, tables: Sequence[ProgrammeTable]) -> None:
    """Raise DisclosureRisk unless the files hold exactly the rows that were attacked, programme by programme."""
    for table in tables:
        if table.safe is None:
            continue
        for level in LEVELS:
            file = f"{DATA}/{table.cube.id}_{level}.csv"
            frame = read_text_table(folder / file)
            found = frame.loc[
                frame["programa"] == table.programme.id, ["ubigeo", *frame.columns[-2 - len(table.safe.dimensions) :]]
            ]
            rows = table.safe.frame(level)
            attacked = rows.assign(n=rows["n"].astype("string").fillna("")).astype(str)
            if found.to_numpy().tolist() != attacked.to_numpy().tolist():
                raise _risk(f"the rows of {table.programme.id} are not those that were attacked", file)


def _risk(what: str, file: str, row: int | None = None) -> DisclosureRisk:
    line = "" if row is None else f", row {row}"
    return DisclosureRisk(what, where=f"{file}{line}", remedy="do not release; build the period again")


def _first(wrong: NDArray[np.bool_]) -> int | None:
    """Row number, as in the file (the header is row 1), of the first wrong row."""
    at = np.flatnonzero(wrong)
    return int(at[0]) + 2 if len(at) else None


def _thresholds(folder: Path) -> Mapping[str, Mapping[str, int]]:
    report = read_json(folder, "proteccion.json")
    return {table["tabla"]: table["umbrales"] for table in report["tablas"]}


# --- CSV ---------------------------------------------------------------------------------------------------------


def _inspect_csv(folder: Path, name: str) -> pd.DataFrame:
    """The table as text, after making sure that each row has a number or a mark, and no text can be a formula."""
    file = f"{DATA}/{name}.csv"
    frame = read_text_table(folder / file)
    if frame.columns[-1] != MARK:
        raise _risk(f"the last column is not '{MARK}'", file, 1)
    mark, number = frame[MARK], frame.iloc[:, -2]
    checks = {
        "an unknown mark": ~mark.isin(MARKS),
        "a marked row has a value": (mark != "") & (number != ""),
        "a row has neither a whole number nor a mark": (mark == "") & ~number.str.fullmatch(r"0|[1-9][0-9]*"),
        "an undelivered programme is broken down": (mark == "n") & ~frame.index.isin(totals(frame).index),
        "a row stands twice": frame.duplicated([*frame.columns[:-2]]),
    }
    for what, wrong in checks.items():
        row = _first(wrong.to_numpy(dtype=bool))
        if row is not None:
            raise _risk(what, file, row)
    _inspect_text(frame, file)
    _inspect_below(frame, file)
    return frame


def _inspect_text(frame: pd.DataFrame, file: str) -> None:
    for column in (*frame.columns[:-2], MARK):
        for text in frame[column].unique():
            try:
                plain(text, column)
            except SettingsError as error:
                row = _first((frame[column] == text).to_numpy(dtype=bool))
                raise _risk(f"column {column}: {error.what}", file, row) from error


def _inspect_below(frame: pd.DataFrame, file: str) -> None:
    """Below a withheld total nothing is shown, not even zeros."""
    cells = frame.set_index(["programa", "ubigeo", *dimensions(frame)])[MARK]
    for dimension in dimensions(frame):
        broken = frame[dimension].to_numpy() != "total"
        above = frame[["programa", "ubigeo", *dimensions(frame)]].assign(**{dimension: "total"})
        margin = cells.reindex(pd.MultiIndex.from_frame(above)).to_numpy()
        withheld = np.isin(margin.astype(object), ["c", "d"])
        row = _first(broken & withheld & (frame[MARK] == "").to_numpy(dtype=bool))
        if row is not None:
            raise _risk(f"a breakdown by {dimension} of a withheld total is shown", file, row)


def _inspect_places_below(file: str, frame: pd.DataFrame, upper: pd.DataFrame) -> None:
    """Where a cell of the place above is withheld, its own places' are not shown either."""
    keys = ["programa", "ubigeo", *dimensions(upper)]
    shorter = upper["ubigeo"].str.len().max()
    parent = NATION if upper["ubigeo"].eq(NATION).all() else frame["ubigeo"].str.slice(stop=int(shorter))
    above = pd.MultiIndex.from_frame(frame.assign(ubigeo=parent)[keys])
    mark = upper.set_index(keys)[MARK].reindex(above).to_numpy()
    row = _first(np.isin(mark.astype(object), ["c", "d"]) & (frame[MARK] == "").to_numpy(dtype=bool))
    if row is not None:
        raise _risk("a place of a withheld place is shown", file, row)


def _inspect_thresholds(file: str, frame: pd.DataFrame, thresholds: Mapping[str, int]) -> None:
    number = pd.to_numeric(frame.iloc[:, -2].replace("", "0"))
    row = _first(((number > 0) & (number < frame["programa"].map(dict(thresholds)))).to_numpy(dtype=bool))
    if row is not None:
        raise _risk("a count below its programme's threshold is shown", file, row)


# --- Parquet -----------------------------------------------------------------------------------------------------


def _inspect_parquet(folder: Path, file: str, frame: pd.DataFrame) -> None:
    """Same cells as the CSV, and nothing in statistics, dictionaries or metadata that the cells do not say."""
    with pq.ParquetFile(folder / file) as parquet:
        table, metadata = parquet.read(), parquet.metadata
        if metadata.metadata or table.schema.metadata:
            raise _risk("Parquet metadata beyond the format's own", file)
        types = [pa.string()] * (len(frame.columns) - 2) + [pa.int64(), pa.string()]
        if table.column_names != list(frame.columns) or table.schema.types != types:
            raise _risk("columns differ from the CSV", file)
        if table.num_rows != len(frame):
            raise _risk("number of rows differs from the CSV", file)
        for name in frame.columns:
            cells = table.column(name).cast(pa.string()).to_pandas().astype(object).fillna("")
            row = _first(cells.to_numpy() != frame[name].to_numpy(dtype=object))
            if row is not None:
                raise _risk(f"column {name} differs from the CSV", file, row)
        _inspect_statistics(metadata, file, frame)
        _inspect_gaps(metadata, file, (folder / file).stat().st_size)


def _inspect_gaps(metadata: pq.FileMetaData, file: str, size: int) -> None:
    """No byte of the file is outside its column chunks and its footer."""
    at = len(PARQUET_MAGIC)
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            begins = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
            if begins != at:
                raise _risk("bytes between the pages that belong to no column", file)
            at += chunk.total_compressed_size
    if at + metadata.serialized_size + 4 + len(PARQUET_MAGIC) != size:  # 4 bytes tell the footer's length
        raise _risk("bytes before the footer that belong to no column", file)


def _inspect_statistics(metadata: pq.FileMetaData, file: str, frame: pd.DataFrame) -> None:
    measure = len(frame.columns) - 2
    number = pd.to_numeric(frame.iloc[:, measure], errors="coerce")
    start = 0
    for group in range(metadata.num_row_groups):
        chunk = metadata.row_group(group).column(measure)
        own = number.iloc[start : start + metadata.row_group(group).num_rows]
        start += len(own)
        if any("DICTIONARY" in encoding for encoding in chunk.encodings):
            raise _risk("the measure has a dictionary page, which may hold values that no row has", file, start + 1)
        told = chunk.statistics
        if told is None:
            continue
        shown = own.dropna()
        limits = (told.min, told.max) if told.has_min_max else (None, None)
        true = (int(shown.min()), int(shown.max())) if len(shown) else (None, None)
        if limits != true or told.null_count != len(own) - len(shown):
            raise _risk("statistics say something else than the shown values", file, start + 1)


# --- XLSX --------------------------------------------------------------------------------------------------------


def _inspect_xlsx(folder: Path, file: str, frame: pd.DataFrame) -> None:
    """Same cells as the CSV on visible sheets, typed, without formulas or any part beyond cells."""
    _inspect_parts(folder / file, file)
    book = CalamineWorkbook.from_path(str(folder / file))
    sheets = book.sheet_names
    names = [DATA_SHEET, *(f"{DATA_SHEET} {i}" for i in range(2, len(sheets))), NOTES_SHEET]
    if sheets != names:
        raise _risk("other sheets than data and notes", file)
    start = 0
    for sheet in sheets[:-1]:
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        own = frame.iloc[start : start + len(rows) - 1]
        if rows[:1] != [list(frame.columns)] or len(own) != len(rows) - 1:
            raise _risk(f"sheet {sheet}: header or number of rows differs from the CSV", file, 1)
        for i, name in enumerate(frame.columns):
            kind: type = float if i == len(frame.columns) - 2 else str
            cells = [_as_text(row[i], kind) for row in rows[1:]]
            row = _first(np.array(cells, dtype=object) != own[name].to_numpy(dtype=object))
            if row is not None:
                raise _risk(f"sheet {sheet}: column {name} differs from the CSV", file, row)
        start += len(own)
    if start != len(frame):
        raise _risk("number of rows differs from the CSV", file)


def _as_text(cell: object, kind: type) -> str | None:
    """A cell as the CSV writes it; None, which equals nothing there, if it is of another type."""
    if cell == "":
        return ""
    if not isinstance(cell, kind):
        return None
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _inspect_parts(path: Path, file: str) -> None:
    with zipfile.ZipFile(path) as archive:
        if archive.comment:
            raise _risk("the workbook's ZIP has a comment", file)
        for member in archive.infolist():
            if not _PARTS.fullmatch(member.filename) or member.comment:
                raise _risk(f"the workbook has an unexpected part, {member.filename}", file)
        for member in archive.infolist():
            _inspect_part(archive, member.filename, file)


def _inspect_part(archive: zipfile.ZipFile, name: str, file: str) -> None:
    sheet = name.startswith("xl/worksheets/")
    for text in _windows(archive, name):
        if sheet and _FORMULA.search(text):
            raise _risk(f"a formula in {name}", file)
        if sheet and _HIDDEN.search(text):
            raise _risk(f"a hidden row or column in {name}", file)
        if name == "xl/workbook.xml" and _HIDDEN_SHEET.search(text):
            raise _risk("a hidden sheet", file)
        if name == "xl/workbook.xml" and set(_DEFINED.findall(text)) - {b"_xlnm._FilterDatabase"}:
            raise _risk("a defined name", file)


def _windows(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """A part in pieces that overlap, so that nothing searched for falls between two; a small part is one piece."""
    with archive.open(name) as part:
        tail = b""
        while piece := part.read(1 << 20):
            yield tail + piece
            tail = piece[-_OVERLAP:]


# --- reports -----------------------------------------------------------------------------------------------------


def _inspect_protection(folder: Path, frames: Mapping[str, pd.DataFrame]) -> None:
    """The protection report says what can be counted in the tables and nothing else."""
    for table in read_json(folder, "proteccion.json")["tablas"]:
        for level in table["niveles"]:
            if level["programas"] != counted(frames[f"{table['tabla']}_{level['nivel']}"]):
                raise _risk("counts differ from the tables", f"proteccion.json: {table['tabla']}, {level['nivel']}")


def _inspect_quality(folder: Path, frames: Mapping[str, pd.DataFrame]) -> None:
    """The quality report gives no roster's size where the tables withhold the programme's total."""
    withheld = {
        programme
        for name, frame in frames.items()
        if name.endswith("_nacion")
        for programme, mark in totals(frame)[["programa", MARK]].itertuples(index=False)
        if mark == "c"
    }
    for source in read_json(folder, "calidad.json")["fuentes"]:
        told = [source.get(key) for key in ("filas", "filas_del_padron", "peso", "en_padron_general")]
        if source["programa"] in withheld and any(isinstance(figure, int) for figure in told):
            raise _risk("a figure gives away a total that the tables withhold", f"calidad.json: {source['fuente']}")
