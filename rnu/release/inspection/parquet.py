"""What a Parquet file could tell beside its cells: nulls, dictionaries, statistics of text, where groups begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rnu.release.formats import ROWS_PER_GROUP
from rnu.release.inspection.kinds import texts_of
from rnu.release.inspection.risk import risk


def inspect_groups(path: Path, file: str, frame: pd.DataFrame) -> None:
    """Groups of a fixed size and no declared order; in each only what its rows say."""
    text = texts_of(frame)
    with pq.ParquetFile(path, read_dictionary=text) as parquet:
        metadata = parquet.metadata
        sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        if any(size != ROWS_PER_GROUP for size in sizes[:-1]) or any(size > ROWS_PER_GROUP for size in sizes):
            raise risk("rows are grouped otherwise than by their number", file)
        start = 0
        for number, size in enumerate(sizes):
            group = metadata.row_group(number)
            if group.sorting_columns:
                raise risk("a group of rows says that it is sorted", file, start + 2)
            read = parquet.read_row_group(number, columns=text)
            for at, name in enumerate(frame.columns):
                if name in text:
                    _inspect_text(
                        read.column(name),
                        group.column(at).statistics,
                        set(frame[name].iloc[start : start + size]),
                        file,
                    )
            start += size


def _inspect_text(column: pa.ChunkedArray[Any], told: pq.Statistics | None, shown: set[str], file: str) -> None:
    """A text column of one group: no null, and no word in its dictionary or statistics that no row has."""
    if column.null_count:
        raise risk("a text is null, which is not the same as empty", file)
    listed = {word for chunk in column.chunks for word in cast(Any, chunk).dictionary.to_pylist()}
    if listed - shown:
        raise risk("a dictionary lists a text that no row has", file)
    if told is not None and told.has_min_max and {told.min, told.max} != {min(shown), max(shown)}:
        raise risk("statistics of a text column say something else than its rows", file)
