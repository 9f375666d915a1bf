"""Numbers into text, a whole column at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Text: TypeAlias = pa.StringArray
Mask: TypeAlias = NDArray[np.bool_]

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2060, 12, 31)
NO_DAY = -1  # renders as an empty cell


def day_number(day: date) -> int:
    """Days since 1900-01-01, the one way dates are kept here."""
    return day.toordinal() - FIRST_DAY.toordinal()


@lru_cache(maxsize=1)
def ymd() -> NDArray[np.int64]:
    """Every day as the number YYYYMMDD, by day number: two of them give whole years by subtraction."""
    days = np.arange(np.datetime64(FIRST_DAY), np.datetime64(LAST_DAY) + 1)
    months = days.astype("datetime64[M]")
    month = months.astype(np.int64) % 12 + 1
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.asarray(year * 10_000 + month * 100 + (days - months).astype(np.int64) + 1)


def ages(birth: NDArray[np.int32], on: date) -> NDArray[np.int64]:
    """Whole years at a day, of people born on day numbers.

    >>> born = np.array([day_number(date(2000, 2, 29))], dtype=np.int32)
    >>> ages(born, date(2026, 2, 28)).tolist(), ages(born, date(2026, 3, 1)).tolist()
    ([25], [26])
    """
    return np.asarray((on.year * 10_000 + on.month * 100 + on.day - ymd()[birth]) // 10_000)


@lru_cache(maxsize=8)
def _written(pattern: str) -> Text:
    days = (date.fromordinal(FIRST_DAY.toordinal() + n) for n in range(day_number(LAST_DAY) + 1))
    return text([*(day.strftime(pattern) for day in days), ""])


def dates(days: NDArray[np.int32], pattern: str) -> Text:
    """Day numbers written with a strftime pattern; NO_DAY is an empty cell."""
    table = _written(pattern)
    return table.take(np.where(days == NO_DAY, len(table) - 1, days))


def text(values: Sequence[str]) -> Text:
    """A column of these values."""
    return pa.array(values, pa.string())


def pick(words: Sequence[str], index: NDArray[np.signedinteger]) -> Text:
    """The word at each index."""
    return text(words).take(index)


def digits(numbers: NDArray[np.signedinteger], width: int) -> Text:
    """Numbers with leading zeros up to a width.

    >>> digits(np.array([42, 12345678]), 8).to_pylist()
    ['00000042', '12345678']
    """
    out = np.empty((len(numbers), width), dtype=np.uint8)
    rest = numbers
    for place in range(width - 1, -1, -1):
        rest, last = np.divmod(rest, 10)
        out[:, place] = last + ord("0")
    ends = np.arange(len(numbers) + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(ends.data), pa.py_buffer(out.data))


def plain(numbers: NDArray[np.signedinteger]) -> Text:
    """Numbers as they are."""
    out: Text = pc.cast(pa.array(numbers), pa.string())
    return out


def put(column: Text, where: Mask, values: Text) -> Text:
    """The column with other values, in order, where the mask is true."""
    if not where.any():
        return column
    out: Text = pc.replace_with_mask(column, pa.array(where), values)
    return out


def joined(columns: Sequence[Text | str], separator: str) -> Text:
    """Columns side by side, row by row."""
    parts: list[Any] = [pa.scalar(c, pa.string()) if isinstance(c, str) else c for c in columns]
    out: Text = pc.binary_join_element_wise(*parts, pa.scalar(separator, pa.string()))
    return out


def content(column: Text) -> bytes:
    """All of a column's text in one piece, as UTF-8."""
    if not len(column):
        return b""
    _, ends, data = column.buffers()
    if ends is None or data is None:
        return b""
    bounds = np.frombuffer(ends.to_pybytes(), dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return data.slice(int(bounds[0]), int(bounds[-1] - bounds[0])).to_pybytes()
