"""From rosters to cells: a cube compiles to one ibis expression, the same on every engine that ibis speaks to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from anonymize.eligibility import Rule, judged, situation, valid_cse
from anonymize.errors import BadCells
from anonymize.tables import Cells, Dimension, Places

UNKNOWN = "sin_dato"  # the category that takes what no other does
NO_CSE = "no_clasificado"


@dataclass(frozen=True, slots=True)
class Band:
    """A category: the value itself, or whole years from `low` to `high`, both included."""

    id: str
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A dimension of a cube: which column of the rosters, and its categories."""

    id: str
    column: str
    bands: tuple[Band, ...]

    @property
    def dimension(self) -> Dimension:
        """The dimension of the table."""
        return Dimension(self.id, tuple(band.id for band in self.bands))


def cse(rosters: ir.Table, register: ir.Table, cut: date, rules: Sequence[Rule] = ()) -> ir.Table:
    """The rosters with the CSE that counts, whether a person was found in the register, and the situation to a rule.

    The register's CSE if it is valid on the cut date, else the roster's own, else not classified. The register holds
    each document once.
    """
    rows = judged(register, rules, cut) if rules else register.mutate(valid_cse=valid_cse(register, cut))
    said = [f"{what}_{rule.programme}" for rule in rules for what in ("told", "meets")]
    known = rows.select("pseudonym", *said, official=rows.valid_cse, found=ibis.literal(1))
    joined = rosters.left_join(known, "pseudonym")
    users = joined.mutate(cse=ibis.coalesce(joined.official, joined.cse, NO_CSE), matched=joined.found.notnull())
    return users.mutate(situation=situation(users, rules)) if rules else users


def aggregate(rosters: ir.Table, breakdowns: Sequence[Breakdown]) -> ir.Table:
    """One row per programme, place and combination of categories: exact sum of weights, rows, rows matched.

    The sum is null where a row has no weight, or one below 0: left out, or subtracted, a row would vanish in silence.
    """
    labelled = rosters.mutate(**{b.id: _category(rosters, b) for b in breakdowns})
    lost = labelled.weight.isnull().any() | (labelled.weight < 0).any()
    return labelled.group_by(["programme", "place", *(b.id for b in breakdowns)]).aggregate(
        n=ibis.ifelse(lost, ibis.null("int64"), labelled.weight.sum()),
        rows=labelled.count(),
        matched=labelled.matched.sum(),
    )


def _category(rosters: ir.Table, breakdown: Breakdown) -> ir.Value:
    """The category's id; null where none fits and there is none for the unknown."""
    column = rosters[breakdown.column]
    named = [b for b in breakdown.bands if b.id != UNKNOWN]
    rest = ibis.literal(UNKNOWN) if len(named) < len(breakdown.bands) else ibis.null("string")
    tests = [
        (column == b.id if b.low is None and b.high is None else _between(column, b), ibis.literal(b.id)) for b in named
    ]
    return ibis.cases(*tests, else_=rest)


def _between(column: ir.Value, band: Band) -> ir.BooleanValue:
    low = column >= band.low if band.low is not None else None
    high = column <= band.high if band.high is not None else None
    both = [test for test in (low, high) if test is not None]
    return both[0] if len(both) == 1 else both[0] & both[1]


def cells(counts: pd.DataFrame, programme: str, places: Places, breakdowns: Sequence[Breakdown]) -> Cells:
    """One programme's inner cells, zeros included, from what `aggregate` gave.

    Raises BadCells if a row stands outside the tree of places, fits no category or has no weight, or if the total
    leaves 64 bits: nobody is dropped in silence.
    """
    mine = counts[counts["programme"] == programme]
    if mine["n"].isna().any():
        raise BadCells(f"rows of {programme} do not say how many users they stand for")
    if (total := sum(map(int, mine["n"]))) > np.iinfo(np.int64).max:
        raise BadCells(f"{total} users of {programme} are more than can be counted")
    dimensions = tuple(b.dimension for b in breakdowns)
    axes = [pd.Index([places.codes[i] for i in places.leaves]), *(pd.Index(d.categories) for d in dimensions)]
    at = [axis.get_indexer(mine[name]) for axis, name in zip(axes, ["place", *(d.id for d in dimensions)], strict=True)]
    for name, index in zip(["place", *(d.id for d in dimensions)], at, strict=True):
        if (lost := int(mine["n"].to_numpy()[index < 0].sum())) > 0:
            raise BadCells(f"{lost} users of {programme} fit no category of '{name}'")
    out = np.zeros(tuple(len(axis) for axis in axes), dtype=np.int64)
    np.add.at(out, tuple(at), mine["n"].to_numpy(dtype=np.int64))
    return Cells(places, dimensions, out)
