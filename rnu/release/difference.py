"""What changed from one release to the next, as anybody can see it in their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rnu.release.breaks import breaks
from rnu.release.columns import MARK
from rnu.release.read import cubes, read_table, totals
from rnu.release.read import levels as levels_in
from rnu.ubigeo import LEVELS

DEEPEST = "departamento"


@dataclass(frozen=True, slots=True)
class Change:
    """One programme's published total at one place, before and after; a mark stands where a number does not."""

    cube: str
    programme: str
    level: str
    ubigeo: str
    place: str  # name, "Perú" for the nation
    before: int | str | None  # None: not in that release
    after: int | str | None

    @property
    def by(self) -> int | None:
        """How much the number rose; None unless both are numbers."""
        if isinstance(self.before, int) and isinstance(self.after, int):
            return self.after - self.before
        return None


@dataclass(frozen=True, slots=True)
class Difference:
    """All published totals that changed, biggest change first; those without two numbers come at the end."""

    changes: tuple[Change, ...]
    unchanged: int  # totals that are the same in both
    breaks: tuple[str, ...] = ()  # where the design differs, in Spanish


def difference(old: Path, new: Path, deepest: str = DEEPEST) -> Difference:
    """Compare totals by programme and place of two releases, from the nation down to the deepest level asked for.

    Published values only: a withheld total is its mark, so that the comparison tells no more than the files.
    """
    levels = LEVELS[: LEVELS.index(deepest) + 1]
    before, after = _totals(old, levels), _totals(new, levels)
    changes = [
        Change(cube, programme, level, ubigeo, name, _value(before, key), _value(after, key))
        for key, name in sorted({**_names(before), **_names(after)}.items())
        for cube, programme, level, ubigeo in [key]
    ]
    changed = [change for change in changes if change.before != change.after]
    ordered = sorted(changed, key=lambda c: (c.by is None, -abs(c.by or 0)))
    broken = tuple(text for cube in cubes(new) for text in breaks(old, new, cube))
    return Difference(tuple(ordered), len(changes) - len(changed), broken)


Key = tuple[str, str, str, str]  # cube, programme, level, ubigeo
Totals = dict[Key, tuple[str, int | str]]  # -> name of the place, number or mark


def _names(totals_by_key: Totals) -> dict[Key, str]:
    return {key: name for key, (name, _) in totals_by_key.items()}


def _value(totals_by_key: Totals, key: Key) -> int | str | None:
    return totals_by_key[key][1] if key in totals_by_key else None


def _totals(folder: Path, levels: Sequence[str]) -> Totals:
    found: Totals = {}
    for cube in cubes(folder):
        there = levels_in(folder, cube)
        for level in [level for level in levels if level in there]:
            frame = totals(read_table(folder, cube, level))
            names = frame[level] if level in frame.columns else pd.Series("Perú", index=frame.index)
            rows = zip(frame["programa"], frame["ubigeo"], names, frame.iloc[:, -2], frame[MARK], strict=True)
            for programme, ubigeo, name, n, mark in rows:
                found[cube, programme, level, ubigeo] = (name, mark or int(n))
    return found
