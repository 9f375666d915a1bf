"""Who has the method and the code as well: replay the choice on every table that agrees, and coarsen what that tells.

What is withheld is chosen by the counts, and so the choice tells of them: protect every table that agrees with what
would be published, strike out those that come out otherwise, and few may be left of which each has the same small count
(the *minimality attack*: Wong, Fu, Wang and Pei, Minimality Attack in Privacy Preserving Data Publishing, VLDB 2007).
So, where every table that agrees can be written down, we do what that attacker does before anything is published. The
tables that come out as the very same bytes are a *class*. If a cell that is at risk in one of them has fewer than three
values in all of them, the finest cross in that cell's way is dropped, and all begins anew, until too many tables agree
to be written down.

**What holds then.** Whether a class is wide enough, and which cell is coarsened if not, depends on the class alone, not
on which of its tables is the true one. So all tables of a class stand or fall together: where nothing was coarsened, a
replay of all this leaves every one of them, and with them three values for each cell at risk, even to somebody who has
the key. After coarsening that is no theorem, since another table of the wider class may have stood at the first try:
so it does not stop at a class that could be written down. Where too many tables agree, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from anonymize.errors import Unprotectable
from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.protection.proofs import at_risk
from anonymize.tables import CellRef, Cells, Mark, SafeCells, add_margins, names_of

ENOUGH = 3  # values that each cell at risk keeps
MOST = 400  # tables that are replayed; they are protected anew, each of them
LARGEST = 400  # inner cells of a table that is replayed at all
WORK = 20_000  # inner cells of all replayed tables together: larger tables take longer to protect, so fewer are
STEPS = 200_000  # of writing tables down, before there count as being too many
ROUNDS = 8  # of coarsening

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def protect_unreplayed(
    table: Cells, policy: Policy, exposed: tuple[CellRef, ...] = (), key: bytes = b"", cores: int = 1
) -> tuple[SafeCells, tuple[CellRef, ...]]:
    """Protect a table so that a replay leaves each cell at risk three values, where replays can be tried.

    Gives the exposed cells too: those given, and those whose cross was dropped for it. Where nothing coarser can stand,
    what `protect` gave does. Raises Unprotectable as `protect` does.
    """
    safe = protect(table, policy, exposed, key, cores)
    told = narrowed(safe, policy, exposed, key)
    for _ in range(ROUNDS):
        if not told:
            break
        try:
            safe = protect(table, policy, (*exposed, told[0]), key)
        except Unprotectable:
            break
        exposed = (*exposed, told[0])
        tables = agreeing(safe)
        if tables is None:
            break
        told = _narrowed_in(tables, safe, policy, exposed, key) or told
    return safe, exposed


def narrowed(safe: SafeCells, policy: Policy, exposed: tuple[CellRef, ...], key: bytes) -> tuple[CellRef, ...]:
    """Cells to which a replay of `protect` leaves fewer than three values; none where too many tables agree."""
    return _narrowed_in(agreeing(safe) or [], safe, policy, exposed, key)


def _narrowed_in(
    tables: Sequence[Ints], safe: SafeCells, policy: Policy, exposed: tuple[CellRef, ...], key: bytes
) -> tuple[CellRef, ...]:
    if not tables:
        return ()
    every = with_margins(safe, tables)
    ever_at_risk = at_risk(every, policy.threshold).any(axis=0)
    alive: list[int] = []
    for number, counts in enumerate(tables):
        if comes_out(counts, safe, policy, exposed, key):
            alive.append(number)
            if not (ever_at_risk & (values(every[alive]) < ENOUGH)).any():
                return ()
    return names_of(safe.places, safe.dimensions, narrow(every[alive], policy.threshold))


def comes_out(counts: Ints, safe: SafeCells, policy: Policy, exposed: tuple[CellRef, ...], key: bytes) -> bool:
    """Whether `protect` gives the same bytes for other counts."""
    try:
        made = protect(Cells(safe.places, safe.dimensions, counts), policy, exposed, key)
    except Unprotectable:
        return False
    return same(made, safe)


def with_margins(safe: SafeCells, tables: Sequence[Ints]) -> Ints:
    """(tables, places, nodes of each dimension …) all cells of each table."""
    return np.stack([add_margins(one, safe.places, safe.dimensions) for one in tables])


def same(one: SafeCells, other: SafeCells) -> bool:
    """Whether two publications are the same."""
    return bool((one.marks == other.marks).all() and (one.values == other.values).all())


def narrow(every: Ints, threshold: int) -> Flags:
    """Cells at risk in some tables (tables, places, nodes of each dimension …) that have too few values in all."""
    flags: Flags = at_risk(every, threshold).any(axis=0) & (values(every) < ENOUGH)
    return flags


def values(every: Ints) -> Ints:
    """How many values each cell has in all of the tables."""
    many: Ints = 1 + np.count_nonzero(np.diff(np.sort(every, axis=0), axis=0), axis=0)
    return many


# --- every table that agrees -----------------------------------------------------------------------------------------


def agreeing(safe: SafeCells, most: int | None = None, steps: int = STEPS) -> list[Ints] | None:
    """Every table of whole counts that agrees with what is published; None if there are too many.

    What counts as too many depends on the published cells alone, and never on time. Without `most`, it is as many as
    are replayed.
    """
    shape = (len(safe.places.leaves), *(len(d.categories) for d in safe.dimensions))
    size = int(np.prod(shape))
    if size > LARGEST:
        return None
    most = min(MOST, WORK // size) if most is None else most
    sums, marks = sums_of(safe, shape), safe.marks.reshape(-1)
    shown, withheld = sums[marks == Mark.SHOWN], sums[marks == Mark.WITHHELD]
    if not shown.any(axis=0).all():
        return None  # a count that no shown cell bounds
    order = _small_first(safe, size // shape[0])
    total = safe.values.reshape(-1)[marks == Mark.SHOWN]
    found: list[Ints] = []
    for number, table in enumerate(_tables(shown[:, order], withheld[:, order], total, steps)):
        if number >= most or table is None:
            return None
        counts = np.empty_like(table)
        counts[order] = table
        found.append(counts.reshape(shape))
    return found


def _small_first(safe: SafeCells, width: int) -> Ints:
    """Unknowns in the order they are tried: the largest place last, where what all others leave mostly fits."""
    totals = safe.values[safe.places.leaves].reshape(len(safe.places.leaves), -1)[:, -1]
    places = np.argsort(np.where(totals < 0, totals.max() + 1, totals), kind="stable")
    return (places[:, None] * width + np.arange(width)).reshape(-1)


def sums_of(safe: SafeCells, shape: Sequence[int]) -> Ints:
    """(cells, unknowns) which inner counts each cell sums up."""
    unit = np.eye(int(np.prod(shape)), dtype=np.int64).reshape(-1, *shape)
    return with_margins(safe, list(unit)).reshape(len(unit), -1).T


def _bounds(shown: Ints, withheld: Ints, total: Ints) -> tuple[Ints, Ints]:
    """The least and the most that each unknown can be, as far as single sums tell by turns."""
    low = np.zeros(shown.shape[1], dtype=np.int64)
    high = np.where(shown > 0, total[:, None], total.max()).min(axis=0)
    while True:
        least, most = shown @ low, shown @ high
        more = np.where(shown > 0, total[:, None] - most[:, None] + high, 0).max(axis=0)
        one = np.where(withheld > 0, 1 - (withheld @ high)[:, None] + high, 0).max(axis=0, initial=0)
        fewer = np.where(shown > 0, total[:, None] - least[:, None] + low, total.max()).min(axis=0)
        tighter = np.maximum.reduce([low, more, one]), np.minimum(high, fewer)
        if (tighter[0] == low).all() and (tighter[1] == high).all():
            return low, high
        low, high = tighter


def _tables(shown: Ints, withheld: Ints, total: Ints, most_steps: int) -> Iterator[Ints | None]:
    """Tables that agree, count by count: what every sum leaves must fit between what the others need and can take.

    The last one is None if it took too many steps.
    """
    unknowns = shown.shape[1]
    low, high = _bounds(shown, withheld, total)
    inside = [np.flatnonzero(shown[:, at]).tolist() for at in range(unknowns)]
    need, room = ((shown * each).sum(axis=1) - np.cumsum(shown * each, axis=1).T for each in (low, high))
    needs, rooms = need.tolist(), room.tolist()
    left, table, steps = total.tolist(), [0] * unknowns, 0

    def fill(at: int) -> Iterator[Ints | None]:
        nonlocal steps
        if at == unknowns:
            made = np.array(table, dtype=np.int64)
            if (withheld @ made >= 1).all():
                yield made
            return
        fewest = max(int(low[at]), *(left[row] - rooms[at][row] for row in inside[at]))
        most = min(int(high[at]), *(left[row] - needs[at][row] for row in inside[at]))
        for count in range(fewest, most + 1):
            steps += 1
            if steps > most_steps:
                yield None
                return
            table[at] = count
            for row in inside[at]:
                left[row] -= count
            yield from fill(at + 1)
            for row in inside[at]:
                left[row] += count

    return fill(0)
