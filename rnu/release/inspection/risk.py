"""How an inspection says what it found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnu.errors import DisclosureRisk


def risk(what: str, file: str, row: int | None = None) -> DisclosureRisk:
    """What was found, in which file and row; never a value."""
    line = "" if row is None else f", row {row}"
    return DisclosureRisk(what, where=f"{file}{line}", remedy="do not release; build the period again")


def first_row(wrong: NDArray[np.bool_]) -> int | None:
    """Row number, as in the file (the header is row 1), of the first wrong row."""
    at = np.flatnonzero(wrong)
    return int(at[0]) + 2 if len(at) else None
