"""A table as it was published: its cells read from files, beside the certificate that goes with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from anonymize.swaps import Cleared, cleared
from anonymize.tables import Mark, SafeCells
from anonymize.verify import ABSENT, BELOW, SHOWN, WITHHELD, Tree, Verdict
from anonymize.verify import verify as check
from rnu.public.axes import dimensions, nodes, places
from rnu.public.certificate import Claim, Ints

STATES = {"": SHOWN, "c": WITHHELD, "d": BELOW}
MARKS = {ABSENT: Mark.ABSENT, SHOWN: Mark.SHOWN, WITHHELD: Mark.WITHHELD, BELOW: Mark.BELOW}


@dataclass(frozen=True, slots=True, eq=False)
class Public:
    """A protected table as anybody holds it."""

    claim: Claim
    state: Ints  # (codes of each dimension …)
    values: Ints  # same shape, -1 where nothing is shown

    @property
    def trees(self) -> tuple[Tree, ...]:
        """The dimensions, as `verify` wants them."""
        return tuple(Tree(axis.tree.codes, axis.tree.parent) for axis in self.claim.axes)

    def safe(self) -> SafeCells:
        """In the terms of `anonymize`: a total last, a branch of places that ends early going on."""
        tree = self.claim.axes[0].tree
        there = places(tree)
        number = {code: i for i, code in enumerate(tree.codes)}
        at = np.array([number[code] for code in there.codes], dtype=np.int64)
        marks = np.select([self.state == one for one in MARKS], [int(mark) for mark in MARKS.values()])[at]
        values = self.values[at]
        for axis, one in enumerate(self.claim.axes[1:], start=1):
            marks, values = (np.take(array, nodes(one.tree), axis) for array in (marks, values))
        shape = dimensions(self.claim.axes)
        return SafeCells(there, shape, values, marks.astype(np.uint8), self.claim.threshold)


def read_cells(claim: Claim, rows: Iterable[tuple[tuple[str, ...], str, str]]) -> Public:
    """The cells of a certificate's table, of rows (codes, count, mark); ValueError for one that cannot be."""
    shape = tuple(len(axis.tree.codes) for axis in claim.axes)
    state, values = np.full(shape, ABSENT, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    index = [{code: i for i, code in enumerate(axis.tree.codes)} for axis in claim.axes]
    for codes, count, mark in rows:
        try:
            at = tuple(of[code] for of, code in zip(index, codes, strict=True))
            state_here = STATES[mark]
        except KeyError as error:
            raise ValueError(f"a row has the unknown code or mark {error}") from error
        if state[at] != ABSENT:
            raise ValueError(f"the cell {' × '.join(codes)} stands twice")
        state[at] = state_here
        if state_here == SHOWN:
            values[at] = counted(count)
        elif count:
            raise ValueError(f"the cell {' × '.join(codes)} has a mark and a number")
    return Public(claim, state, values)


def counted(text: str) -> int:
    """A published count; ValueError for anything but digits."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("a count is no whole number")
    return int(text)


def verify(public: Public) -> Verdict:
    """Check a table's certificate by whole numbers alone."""
    claim = public.claim
    return check(public.trees, public.state, public.values, claim.threshold, claim.base, claim.tables, claim.large)


def by_swaps(public: Public) -> Cleared:
    """What exchanges in the certificate's base prove for the cells that nobody shows."""
    claim = public.claim
    return cleared(public.trees, public.state, public.values, claim.threshold, claim.base, claim.large)
