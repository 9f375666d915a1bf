"""What each column of a published table holds: text, a count, or a share."""

from __future__ import annotations

import pandas as pd

from rnu.release.columns import RATES


def kinds_of(frame: pd.DataFrame) -> list[str]:
    """Of each column «count», «share», or nothing for text. A cube's count is the last column but one."""
    if RATES[0] in frame.columns:
        kinds = dict(zip(RATES, ("", "count", "count", "share"), strict=True))
        return [kinds.get(name, "") for name in frame.columns]
    return [""] * (len(frame.columns) - 2) + ["count", ""]


def texts_of(frame: pd.DataFrame) -> list[str]:
    """The columns that hold text."""
    return [name for name, kind in zip(frame.columns, kinds_of(frame), strict=True) if not kind]
