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


# --- what rosters say together ---------------------------------------------------------------------------------------


def programme_sets(rosters: ir.Table, programmes: Sequence[str]) -> ir.Table:
    """One row per department and set of programmes: persons, and of them those whom rosters have elsewhere as well.

    Bit i of a set stands for programmes[i]. Everybody counts once, at the department of the first of their programmes.
    Rows without a document belong to nobody else's: each is a person of one programme.
    """
    number = ibis.cases(*((rosters.programme == id, i) for i, id in enumerate(programmes)))
    known = rosters.mutate(number=number, department=rosters.place.left(2)).filter(lambda t: t.number.notnull())
    known = known.mutate(bit=ibis.cases(*((known.number == i, 1 << i) for i in range(len(programmes)))))
    persons = (
        known.filter(known.pseudonym.notnull())
        .group_by("pseudonym")
        .aggregate(
            programmes=known.bit.sum(),
            home=known.department.argmin(known.number),
            apart=known.department.min() != known.department.max(),
        )
    )
    linked = persons.group_by(["home", "programmes"]).aggregate(n=persons.count(), elsewhere=persons.apart.sum())
    alone = known.filter(known.pseudonym.isnull()).group_by(["department", "bit"]).aggregate(n=lambda t: t.count())
    unlinked = alone.select(home="department", programmes=alone.bit.cast("int64"), n="n", elsewhere=ibis.literal(0))
    counted = linked.select(
        "home", programmes=linked.programmes.cast("int64"), n="n", elsewhere=linked.elsewhere.cast("int64")
    )
    return counted.union(unlinked.mutate(elsewhere=unlinked.elsewhere.cast("int64")))


def moves(now: ir.Table, before: ir.Table) -> ir.Table:
    """One row per programme and pair of departments, before and now: persons; null where they were, or are, nowhere.

    Rows without a document cannot be followed: `linked` is false, and each stands at one end.
    """
    here, there = (
        t.select("programme", "pseudonym", department=t.place.left(2), linked=t.pseudonym.notnull())
        for t in (now, before)
    )
    after = here.filter(here.linked).select("programme", "pseudonym", arrived=here.department)
    first = there.filter(there.linked).select("programme", "pseudonym", left=there.department)
    both = after.outer_join(first, ["programme", "pseudonym"])
    followed = both.select(
        programme=ibis.coalesce(both.programme, both.programme_right), was=both.left, **{"is": both.arrived}
    )
    ends = followed.mutate(linked=ibis.literal(True))
    nowhere = ibis.null("string")
    new, old = here.filter(~here.linked), there.filter(~there.linked)
    unlinked = new.select("programme", was=nowhere, **{"is": new.department}, linked=new.linked).union(
        old.select("programme", was=old.department, **{"is": nowhere}, linked=old.linked)
    )
    every = ends.select("programme", "was", "is", "linked").union(unlinked)
    return every.group_by(["programme", "was", "is", "linked"]).aggregate(n=every.count())
