"""One table as CSV, Parquet and XLSX: the same rows, and the same bytes whenever and wherever they are written.

- CSV: UTF-8 without byte-order mark, quoted only where needed, lines end in a line feed. RFC 4180 asks for CR LF;
  but `marca` is the last column, and line tools (cut, awk, grep) would then find it as "c" plus a carriage return.
- Parquet: typed, no metadata but the format's own. Numbers are not dictionary-encoded: a dictionary page could
  hold a value that no row has.
- XLSX: typed; every text is written as a string, never parsed, so that no cell can become a formula or a link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter  # type: ignore[import-untyped]
from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

from rnu.release.columns import Column

FORMATS = ("csv", "xlsx", "parquet")
NUMBERS: Mapping[str, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
}  # by type of Table Schema; the rest is text
CELL_FORMATS = {"integer": "#,##0", "number": "0.0"}
ROWS_PER_SHEET = 1_048_575  # XLSX has 1,048,576 rows, one is the header; more rows go on in a further sheet
ROWS_PER_GROUP = 65_536
DATA_SHEET = "Datos"
NOTES_SHEET = "Notas"
# XLSX demands a creation time; this is the epoch of ZIP, which members of the file bear too.
_NEVER = datetime(1980, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV."""
    frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def arrow(frame: pd.DataFrame, columns: Sequence[Column]) -> pa.Table:
    """The table in Arrow: numbers nullable, text not."""
    arrays, fields = [], []
    for column in columns:
        kind: pa.DataType = NUMBERS.get(column.type, pa.string())
        arrays.append(pa.array(frame[column.name].array, type=kind, from_pandas=True))
        fields.append(pa.field(column.name, kind, nullable=column.type in NUMBERS))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def write_parquet(frame: pd.DataFrame, columns: Sequence[Column], path: Path) -> None:
    """Write the table as Parquet."""
    pq.write_table(
        arrow(frame, columns),
        path,
        compression="zstd",
        row_group_size=ROWS_PER_GROUP,
        use_dictionary=[column.name for column in columns if column.type not in NUMBERS],  # type: ignore[arg-type]
        store_schema=False,
    )


def write_xlsx(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    notes: Sequence[tuple[str, str]],
    path: Path,
    rows_per_sheet: int = ROWS_PER_SHEET,
) -> None:
    """Write the table as XLSX, with a sheet of notes (heading, text) behind the data."""
    options = {"constant_memory": True, "tmpdir": str(path.parent), "strings_to_formulas": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": _NEVER})
        bold = book.add_format({"bold": True, "bottom": 1})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        numbers = {type: book.add_format({"num_format": text}) for type, text in CELL_FORMATS.items()}
        starts = range(0, max(len(frame), 1), rows_per_sheet)
        for i, start in enumerate(starts, start=1):
            sheet = book.add_worksheet(DATA_SHEET if i == 1 else f"{DATA_SHEET} {i}")
            _write_rows(sheet, frame.iloc[start : start + rows_per_sheet], columns, bold, numbers)
        sheet = book.add_worksheet(NOTES_SHEET)
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 100)
        for row, (heading, text) in enumerate(notes):
            sheet.write_string(row, 0, heading, bold if row == 0 else wrapped)
            sheet.write_string(row, 1, text, bold if row == 0 else wrapped)


def _write_rows(
    sheet: Worksheet, frame: pd.DataFrame, columns: Sequence[Column], bold: object, numbers: Mapping[str, object]
) -> None:
    for i, column in enumerate(columns):
        sheet.set_column(i, i, _width(frame[column.name], column))
    for i, column in enumerate(columns):
        sheet.write_string(0, i, column.name, bold)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(frame), len(columns) - 1)
    code = next(i for i, column in enumerate(columns) if column.name == "ubigeo")
    cells = xlsxwriter.utility.xl_range(1, code, max(len(frame), 1), code)
    sheet.ignore_errors({"number_stored_as_text": cells})
    values = [frame[column.name].astype(object).where(frame[column.name].notna(), None).tolist() for column in columns]
    form = [numbers.get(column.type) for column in columns]
    for row, cells_of_row in enumerate(zip(*values, strict=True), start=1):
        for i, value in enumerate(cells_of_row):
            if value is None or value == "":
                continue
            if form[i] is not None:
                sheet.write_number(row, i, value, form[i])
            else:
                sheet.write_string(row, i, value)


def _width(values: pd.Series[str], column: Column) -> int:
    longest = max((len(str(value)) for value in values.dropna().unique()), default=0)
    return int(np.clip(max(longest, len(column.name) + 3) + 2, 10, 42))
