"""Rates, worked out again from the published text: whole numbers, and none of the code that made them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from anonymize.situations import NOT_FOUND
from anonymize.tables import TOTAL
from rnu.release.columns import MARK, RATES
from rnu.release.inspection.risk import risk
from rnu.release.read import dimensions

# Rate -> the cells whose sum is its numerator, and those of its denominator; «-» is taken off.
_MADE_OF = {
    "filtracion": (("no_cumple",), ("cumple", "no_cumple")),
    "subcobertura": (("elegibles",), ("cumple", "elegibles")),
    "encontrados": (("total", "-no_encontrado"), ("total",)),
    "sin_cse": (("sin_cse",), ("total", "-no_encontrado")),
}


def inspect_rates(file: str, frame: pd.DataFrame, tables: Sequence[pd.DataFrame]) -> None:
    """Work every rate out from the other tables of its level: no more, no less, no other."""
    if tuple(frame.columns[-5:]) != (*RATES, MARK):
        raise risk("the columns are not those of rates", file, 1)
    expected = _expected_rates(tables)
    keys = list(zip(frame["programa"], frame["ubigeo"], frame[RATES[0]], strict=True))
    told = frame[[*RATES[1:], MARK]].itertuples(index=False, name=None)
    for row, (key, cells) in enumerate(zip(keys, told, strict=True), start=2):
        if expected.get(key) != cells:
            raise risk("a rate is not what the shown cells make it", file, row)
    if len(keys) != len(set(keys)) or set(keys) != set(expected):
        raise risk("a rate is missing, or stands twice", file)


def _expected_rates(tables: Sequence[pd.DataFrame]) -> dict[tuple[str, str, str], tuple[str, str, str, str]]:
    """(programme, place, rate) -> numerator, denominator, per cent and mark, by the published rows alone."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for frame in tables:
        for programme, place, of, value in _situations(frame):
            cells.setdefault((programme, place), {})[of] = value
    found = {}
    for (programme, place), known in cells.items():
        for rate, parts in _MADE_OF.items():
            if row := _expected_rate(known, *parts):
                found[programme, place, rate] = row
    return found


def _situations(frame: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    """Programme, place, what is counted, and the number or the mark; of tables that rates are made of."""
    named = dimensions(frame)
    axis = next((d for d in named if frame[d].eq(NOT_FOUND).any()), "")
    if named and not axis:
        return
    judged = set(frame.loc[frame[axis] == NOT_FOUND, "programa"]) if axis else set(frame["programa"])
    alone = frame[(frame[[d for d in named if d != axis]] == TOTAL).all(axis=1) & frame["programa"].isin(judged)]
    of = alone[axis] if axis else pd.Series("elegibles", index=alone.index)
    values = alone.iloc[:, -2].where(alone[MARK] == "", alone[MARK])
    yield from zip(alone["programa"], alone["ubigeo"], of, values, strict=True)


def _expected_rate(
    known: Mapping[str, str], above: Sequence[str], below: Sequence[str]
) -> tuple[str, str, str, str] | None:
    made_of = {part.removeprefix("-") for part in (*above, *below)}
    if not made_of <= known.keys():
        return None
    marks = [mark for mark in ("c", "d", "n") if mark in {known[part] for part in made_of}]
    if marks:
        return "", "", "", marks[0]
    numerator, denominator = (
        sum(-int(known[part[1:]]) if part[0] == "-" else int(known[part]) for part in parts) for parts in (above, below)
    )
    if not denominator:
        return None
    thousandths = (2000 * numerator + denominator) // (2 * denominator)
    return str(numerator), str(denominator), f"{thousandths // 10}.{thousandths % 10}", ""
