"""Attack the finished files of a release, as bytes, before its digest is signed.

Nothing here uses what wrote the files: CSV is read as text, Parquet with its statistics, XLSX as a ZIP of XML and
through another reader. The three must say the same, cell by cell, and none may hold a value that is not shown.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from anonymize.situations import NOT_FOUND
from anonymize.tables import TOTAL
from rnu.errors import DisclosureRisk, NotARelease, SettingsError, StoreError
from rnu.release.columns import MARK, plain
from rnu.release.describe import CERTIFICATES, DATA, certificate_path, levels_of
from rnu.release.formats import DATA_SHEET, FORMATS, NOTES_SHEET
from rnu.release.inspection.kinds import kinds_of, texts_of
from rnu.release.inspection.package import inspect_package
from rnu.release.inspection.parquet import inspect_groups
from rnu.release.inspection.rates import inspect_rates
from rnu.release.inspection.risk import first_row, risk
from rnu.release.inspection.rows import Words, inspect_missing, inspect_order
from rnu.release.inspection.texts import inspect_columns, inspect_notes, inspect_texts
from rnu.release.inspection.workbook import inspect_archive, inspect_properties, inspect_strings, inspect_styles
from rnu.release.model import ProgrammeTable
from rnu.release.read import dimensions, levels, rates_of, read_json, read_text_table, totals
from rnu.release.reports import counted
from rnu.release.verify import certificate_problems
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
# what readers of files raise over one that is not what it should be: to somebody who inspects it, a finding
UNREADABLE = (
    *(StoreError, OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration),
    *(zipfile.BadZipFile, zlib.error, SyntaxError, CalamineError, pa.ArrowException),  # of XML: SyntaxError
)
FIGURES = {"count": pa.int64(), "share": pa.float64()}  # by kind of number
PARQUET_MAGIC = b"PAR1"  # at both ends of a file


@dataclass(frozen=True, slots=True)
class Inspected:
    """What an inspection looked at, and what it found."""

    files: int
    bytes: int
    found: tuple[DisclosureRisk, ...]


def inspect(folder: Path) -> None:
    """Raise DisclosureRisk, naming file and row, if the files disagree or hold what must not be seen."""
    for found in findings(folder):
        raise found


def look(folder: Path) -> Inspected:
    """Inspect a release to the end: one finding for each thing that was looked at."""
    found = tuple(findings(folder))
    files = [path for path in folder.rglob("*") if path.is_file()]
    return Inspected(len(files), sum(path.stat().st_size for path in files), found)


def findings(folder: Path) -> Iterator[DisclosureRisk]:
    """What is wrong with a release's files. Where its tables cannot be read, nothing else is looked at."""
    try:
        rates = [name for name in _names(folder) if name.rpartition("_")[0] == rates_of(folder)]
        frames = {name: _inspect_csv(folder, name) for name in _names(folder) if name not in rates}
        thresholds = _thresholds(folder)
        words = {cube: Words.of(folder, cube) for cube in thresholds}
        again = ((f"{DATA}/{name}.csv", partial(_inspect_rates, folder, name, frames)) for name in rates)
        checks: list[tuple[str, Callable[[], None]]] = [*again, *_checks(folder, frames, thresholds, words)]
    except DisclosureRisk as error:
        yield error
    except UNREADABLE as error:
        yield _unreadable(error, "the tables and what is said of them")
    else:
        for file, check in checks:
            try:
                check()
            except DisclosureRisk as error:
                yield error
            except UNREADABLE as error:
                yield _unreadable(error, file)


def _unreadable(error: Exception, file: str) -> DisclosureRisk:
    return risk(f"what cannot be read as a release has it cannot be inspected ({type(error).__name__})", file)


def _names(folder: Path) -> list[str]:
    """The tables, each in every format."""
    there = {path.name for path in (folder / DATA).iterdir()}
    names = {Path(name).stem for name in there}
    strange = sorted(there ^ {f"{name}.{format}" for name in names for format in FORMATS})
    if strange:
        raise risk("a table is not in three formats, or a file is no table", f"{DATA}/{strange[0]}")
    return sorted(names)


def _checks(
    folder: Path,
    frames: Mapping[str, pd.DataFrame],
    thresholds: Mapping[str, Mapping[str, int]],
    words: Mapping[str, Words],
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Everything to look at once the tables can be read: a file, and a call that raises."""
    for cube in thresholds:
        for above, level in pairwise(levels(folder, cube)):
            file = f"{DATA}/{cube}_{level}.csv"
            yield file, partial(_inspect_places_below, file, frames[f"{cube}_{level}"], frames[f"{cube}_{above}"])
    for name, frame in frames.items():
        cube, _, level = name.rpartition("_")
        text, parquet, workbook = (f"{DATA}/{name}.{format}" for format in ("csv", "parquet", "xlsx"))
        yield text, partial(_inspect_thresholds, text, frame, thresholds[cube])
        yield parquet, partial(_inspect_parquet, folder, parquet, frame)
        yield workbook, partial(_inspect_xlsx, folder, workbook, frame)
        yield text, partial(inspect_order, text, frame, words[cube])
        yield text, partial(inspect_missing, text, level, frame, words[cube])
        yield text, partial(inspect_columns, text, frame)
    yield "proteccion.json", partial(_inspect_protection, folder, frames)
    yield "calidad.json", partial(_inspect_quality, folder, frames)
    yield CERTIFICATES, partial(_inspect_certificates, folder)
    yield str(folder), partial(inspect_texts, folder)
    yield "datapackage.json", partial(inspect_package, folder)


def _inspect_rates(folder: Path, name: str, frames: Mapping[str, pd.DataFrame]) -> None:
    """A table of rates, worked out again from the tables of its level, in every format."""
    file, level = f"{DATA}/{name}.csv", name[name.rindex("_") :]
    frame = read_text_table(folder / file)
    inspect_rates(file, frame, [own for other, own in frames.items() if other.endswith(level)])
    _inspect_text(frame, file)
    inspect_columns(file, frame)
    _inspect_parquet(folder, f"{DATA}/{name}.parquet", frame)
    _inspect_xlsx(folder, f"{DATA}/{name}.xlsx", frame)


def inspect_attacked(folder: Path, tables: Sequence[ProgrammeTable]) -> None:
    """Raise DisclosureRisk unless the files hold exactly the rows that were attacked, programme by programme."""
    for table in tables:
        if table.safe is None:
            continue
        for level in levels_of(table.cube):
            file = f"{DATA}/{table.cube.id}_{level}.csv"
            frame = read_text_table(folder / file)
            own = frame[frame["programa"] == table.programme.id]
            named = [d.id for d in table.safe.dimensions]
            if (own[[d for d in dimensions(frame) if d not in named]] != TOTAL).any(axis=None):
                raise risk(f"{table.programme.id} is broken down otherwise than what was attacked", file)
            found = own[["ubigeo", *named, *frame.columns[-2:]]]
            rows = table.safe.frame(level)
            attacked = rows.assign(n=rows["n"].astype("string").fillna("")).astype(str)
            if found.to_numpy().tolist() != attacked.to_numpy().tolist():
                raise risk(f"the rows of {table.programme.id} are not those that were attacked", file)


def _thresholds(folder: Path) -> Mapping[str, Mapping[str, int]]:
    report = read_json(folder, "proteccion.json")
    return {table["tabla"]: table["umbrales"] for table in report["tablas"]}


# --- CSV ---------------------------------------------------------------------------------------------------------


def _inspect_csv(folder: Path, name: str) -> pd.DataFrame:
    """The table as text, after making sure that each row has a number or a mark, and no text can be a formula."""
    file = f"{DATA}/{name}.csv"
    frame = read_text_table(folder / file)
    if frame.columns[-1] != MARK:
        raise risk(f"the last column is not '{MARK}'", file, 1)
    mark, number = frame[MARK], frame.iloc[:, -2]
    checks = {
        "an unknown mark": ~mark.isin(MARKS),
        "a marked row has a value": (mark != "") & (number != ""),
        "a row has neither a whole number nor a mark": (mark == "") & ~number.str.fullmatch(r"0|[1-9][0-9]*"),
        "an undelivered programme is broken down": (mark == "n") & ~frame.index.isin(totals(frame).index),
        "a row stands twice": frame.duplicated([*frame.columns[:-2]]),
    }
    for what, wrong in checks.items():
        row = first_row(wrong.to_numpy(dtype=bool))
        if row is not None:
            raise risk(what, file, row)
    _inspect_text(frame, file)
    _inspect_below(frame, file)
    return frame


def _inspect_text(frame: pd.DataFrame, file: str) -> None:
    for column in texts_of(frame):
        for text in frame[column].unique():
            try:
                plain(text, column)
            except SettingsError as error:
                row = first_row((frame[column] == text).to_numpy(dtype=bool))
                raise risk(f"column {column}: {error.what}", file, row) from error


def _inspect_below(frame: pd.DataFrame, file: str) -> None:
    """Below a withheld total nothing is shown, not even zeros."""
    cells = frame.set_index(["programa", "ubigeo", *dimensions(frame)])[MARK]
    for dimension in dimensions(frame):
        broken = frame[dimension].to_numpy() != "total"
        above = frame[["programa", "ubigeo", *dimensions(frame)]].assign(**{dimension: "total"})
        margin = cells.reindex(pd.MultiIndex.from_frame(above)).to_numpy()
        withheld = np.isin(margin.astype(object), ["c", "d"])
        row = first_row(broken & withheld & (frame[MARK] == "").to_numpy(dtype=bool))
        if row is not None:
            raise risk(f"a breakdown by {dimension} of a withheld total is shown", file, row)


def _inspect_places_below(file: str, frame: pd.DataFrame, upper: pd.DataFrame) -> None:
    """Where a cell of the place above is withheld, its own places' are not shown either."""
    keys = ["programa", "ubigeo", *dimensions(upper)]
    shorter = upper["ubigeo"].str.len().max()
    parent = NATION if upper["ubigeo"].eq(NATION).all() else frame["ubigeo"].str.slice(stop=int(shorter))
    above = pd.MultiIndex.from_frame(frame.assign(ubigeo=parent)[keys])
    mark = upper.set_index(keys)[MARK].reindex(above).to_numpy()
    row = first_row(np.isin(mark.astype(object), ["c", "d"]) & (frame[MARK] == "").to_numpy(dtype=bool))
    if row is not None:
        raise risk("a place of a withheld place is shown", file, row)


def _inspect_thresholds(file: str, frame: pd.DataFrame, thresholds: Mapping[str, int]) -> None:
    number = pd.to_numeric(frame.iloc[:, -2].replace("", "0"))
    row = first_row(((number > 0) & (number < frame["programa"].map(dict(thresholds)))).to_numpy(dtype=bool))
    if row is not None:
        raise risk("a count below its programme's threshold is shown", file, row)


# --- Parquet -----------------------------------------------------------------------------------------------------


def _inspect_parquet(folder: Path, file: str, frame: pd.DataFrame) -> None:
    """Same cells as the CSV, and nothing in statistics, dictionaries or metadata that the cells do not say."""
    with pq.ParquetFile(folder / file) as parquet:
        table, metadata = parquet.read(), parquet.metadata
        if metadata.metadata or table.schema.metadata:
            raise risk("Parquet metadata beyond the format's own", file)
        types = [FIGURES.get(name, pa.string()) for name in kinds_of(frame)]
        if table.column_names != list(frame.columns) or table.schema.types != types:
            raise risk("columns differ from the CSV", file)
        if table.num_rows != len(frame):
            raise risk("number of rows differs from the CSV", file)
        for name in frame.columns:
            cells = np.array([_written(cell) for cell in table.column(name).to_pylist()], dtype=object)
            row = first_row(cells != frame[name].to_numpy(dtype=object))
            if row is not None:
                raise risk(f"column {name} differs from the CSV", file, row)
        _inspect_statistics(metadata, file, frame)
        _inspect_gaps(metadata, file, (folder / file).stat().st_size)
    inspect_groups(folder / file, file, frame)


def _inspect_gaps(metadata: pq.FileMetaData, file: str, size: int) -> None:
    """No byte of the file is outside its column chunks and its footer."""
    at = len(PARQUET_MAGIC)
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            if not chunk.total_compressed_size:
                continue  # a column of a table without rows has no page
            begins = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
            if begins != at:
                raise risk("bytes between the pages that belong to no column", file)
            at += chunk.total_compressed_size
    if at + metadata.serialized_size + 4 + len(PARQUET_MAGIC) != size:  # 4 bytes tell the footer's length
        raise risk("bytes before the footer that belong to no column", file)


def _inspect_statistics(metadata: pq.FileMetaData, file: str, frame: pd.DataFrame) -> None:
    for index, kind in enumerate(kinds_of(frame)):
        if kind in FIGURES:
            _inspect_statistics_of(metadata, index, file, pd.to_numeric(frame.iloc[:, index], errors="coerce"))


def _inspect_statistics_of(metadata: pq.FileMetaData, index: int, file: str, number: pd.Series) -> None:
    start = 0
    for group in range(metadata.num_row_groups):
        chunk = metadata.row_group(group).column(index)
        own = number.iloc[start : start + metadata.row_group(group).num_rows]
        start += len(own)
        if any("DICTIONARY" in encoding for encoding in chunk.encodings):
            raise risk("the measure has a dictionary page, which may hold values that no row has", file, start + 1)
        told = chunk.statistics
        if told is None:
            continue
        shown = own.dropna()
        limits = (told.min, told.max) if told.has_min_max else (None, None)
        true = (shown.min(), shown.max()) if len(shown) else (None, None)
        if limits != true or told.null_count != len(own) - len(shown):
            raise risk("statistics say something else than the shown values", file, start + 1)


def _written(cell: object) -> str:
    """A number as the CSV writes it, nothing for none."""
    return "" if cell is None else str(cell)


# --- XLSX --------------------------------------------------------------------------------------------------------


def _inspect_xlsx(folder: Path, file: str, frame: pd.DataFrame) -> None:
    """Same cells as the CSV on visible sheets, typed, without formulas or any part beyond cells."""
    _inspect_parts(folder / file, file)
    book = CalamineWorkbook.from_path(str(folder / file))
    sheets = book.sheet_names
    names = [DATA_SHEET, *(f"{DATA_SHEET} {i}" for i in range(2, len(sheets))), NOTES_SHEET]
    if sheets != names:
        raise risk("other sheets than data and notes", file)
    start, kinds = 0, kinds_of(frame)
    for sheet in sheets[:-1]:
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        own = frame.iloc[start : start + len(rows) - 1]
        if rows[:1] != [list(frame.columns)] or len(own) != len(rows) - 1:
            raise risk(f"sheet {sheet}: header or number of rows differs from the CSV", file, 1)
        for i, name in enumerate(frame.columns):
            cells = [_as_text(row[i], kinds[i]) for row in rows[1:]]
            row = first_row(np.array(cells, dtype=object) != own[name].to_numpy(dtype=object))
            if row is not None:
                raise risk(f"sheet {sheet}: column {name} differs from the CSV", file, row)
        start += len(own)
    if start != len(frame):
        raise risk("number of rows differs from the CSV", file)
    for check in (inspect_archive, inspect_properties, inspect_strings, inspect_styles, inspect_notes):
        check(folder / file, file)


def _as_text(cell: object, kind: str) -> str | None:
    """A cell as the CSV writes it; None, which equals nothing there, if it is of another type."""
    if cell == "":
        return ""
    if not isinstance(cell, float if kind else str):
        return None
    return str(int(cell)) if kind == "count" and isinstance(cell, float) and cell.is_integer() else str(cell)


def _inspect_parts(path: Path, file: str) -> None:
    with zipfile.ZipFile(path) as archive:
        if archive.comment:
            raise risk("the workbook's ZIP has a comment", file)
        for member in archive.infolist():
            if not _PARTS.fullmatch(member.filename) or member.comment:
                raise risk(f"the workbook has an unexpected part, {member.filename}", file)
        for member in archive.infolist():
            _inspect_part(archive, member.filename, file)


def _inspect_part(archive: zipfile.ZipFile, name: str, file: str) -> None:
    sheet = name.startswith("xl/worksheets/")
    for text in _windows(archive, name):
        if sheet and _FORMULA.search(text):
            raise risk(f"a formula in {name}", file)
        if sheet and _HIDDEN.search(text):
            raise risk(f"a hidden row or column in {name}", file)
        if name == "xl/workbook.xml" and _HIDDEN_SHEET.search(text):
            raise risk("a hidden sheet", file)
        if name == "xl/workbook.xml" and set(_DEFINED.findall(text)) - {b"_xlnm._FilterDatabase"}:
            raise risk("a defined name", file)


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
                raise risk("counts differ from the tables", f"proteccion.json: {table['tabla']}, {level['nivel']}")


def _inspect_quality(folder: Path, frames: Mapping[str, pd.DataFrame]) -> None:
    """The quality report gives no roster's size where the tables withhold the programme's total, nor who was found."""
    national = [frame for name, frame in frames.items() if name.endswith(f"_{LEVELS[0]}")]
    totals_withheld = {p for frame in national for p in _withheld(totals(frame))}
    found_withheld = {p for frame in national for p in _withheld(_not_found(frame))} | totals_withheld
    for source in read_json(folder, "calidad.json")["fuentes"]:
        for keys, withheld in (
            (("filas", "filas_del_padron", "peso"), totals_withheld),
            (("en_padron_general", "porcentaje_en_padron_general", "sin_documento"), found_withheld),
        ):
            if source["programa"] in withheld and any(isinstance(source.get(key), int | float) for key in keys):
                raise risk("a figure gives away what the tables withhold", f"calidad.json: {source['fuente']}")


def _not_found(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of users who are not in the household register, broken down by nothing else."""
    cells = frame[dimensions(frame)]
    return frame[cells.isin([NOT_FOUND]).any(axis=1) & cells.isin([NOT_FOUND, TOTAL]).all(axis=1)]


def _withheld(frame: pd.DataFrame) -> set[str]:
    return set(frame.loc[frame[MARK].isin(["c", "d"]), "programa"])


# --- certificates ------------------------------------------------------------------------------------------------


def _inspect_certificates(folder: Path) -> None:
    """Every delivered table has its certificate, and it holds."""
    try:
        for table, problem in certificate_problems(folder):
            raise risk(problem, certificate_path(table.cube, table.programme))
    except NotARelease as error:
        raise risk(error.what, error.where) from error
