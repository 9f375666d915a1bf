"""Withhold until nobody can be singled out: from cells to safe cells, with a proof by whole numbers for every cell.

The requirement: for every cell at risk (1 … k - 1 persons), shown or not, every whole value from 1 to k stays possible
to somebody who knows all that is published, adds and subtracts, and knows that a withheld cell is at least 1.

The way: cells at risk that would be shown are withheld, and nothing is shown below a withheld cell. Then each cell at
risk, from the nation down to the districts, gets *moves* (see `anonymize.moves`): exchanges of persons that change it
and no shown cell, far enough up and down. Where every exchange would change a shown cell, the cheapest such cells are
withheld too; where none goes far enough, the cross in the way is dropped for all children of a place, and everything
begins anew with the smaller design, so that nothing is withheld for the sake of a cross that is gone. Dropping ends:
a design only shrinks, and with the nation's total alone every split of it is possible.

Nothing here depends on time, chance or the machine. Sources: Repsilber (1994) and Giessing and Repsilber (2002), the
hypercube method; Hundepool et al., Statistical Disclosure Control (2012), frequency tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anonymize.blocks import Change, Prover, agrees, block
from anonymize.design import Design, coarsened, dominance, planned, standing, without_dominated
from anonymize.errors import Unprotectable
from anonymize.lattice import Ints, Lattice, subcrosses
from anonymize.moves import PLENTY, Move, Offers, Swaps, offers
from anonymize.policy import Policy
from anonymize.screen import screen
from anonymize.tables import CellRef, Cells, Mark, SafeCells
from anonymize.trade import Splits, trades

MOST_VALUES = 60  # the proof of a cell is kept as one bit per value
FAR = (2, 8)  # lowest places that a block takes from each place further off; more only if these do not do
MOST_COMBINED = 4  # moves paid for one cell, after which dropping the cross is the better answer


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """What protection cost at one level. Counts of cells, and persons summed over the level's planned cells."""

    level: str
    shown: int
    primary: int  # withheld because at risk
    secondary: int  # withheld for the sake of others
    below: int  # not broken down
    dropped: int  # planned, and gone with a dropped cross
    value: int
    value_unshown: int

    @property
    def share_unshown(self) -> float:
        """Share of the planned cells' persons that is not shown."""
        return self.value_unshown / self.value if self.value else 0.0


@dataclass(frozen=True, slots=True)
class ProtectionFacts:
    """What only the steward may know: which withheld cells were at risk must not be told."""

    levels: tuple[LevelFacts, ...]


def protect(cells: Cells, policy: Policy, exposed: Collection[CellRef] = ()) -> SafeCells:
    """Withhold until every cell at risk keeps all whole values from 1 to the threshold open.

    `exposed` are cells that an attack brought to light in spite of it, for instance with figures that this table does
    not know of: for each, as often as it is named, the finest cross in its way is dropped.
    Raises Unprotectable if not even the nation's total can stand, BadCells if the policy is no design.

    >>> from anonymize.tables import Dimension, Places
    >>> tree = Places.of([("PE", "01"), ("PE", "02"), ("PE", "03")], ("nacion", "departamento"))
    >>> sex = Dimension("sexo", ("hombre", "mujer"))
    >>> safe = protect(Cells(tree, (sex,), np.array([[2, 9], [8, 7], [30, 40]])), Policy(5, (1, 1)))
    >>> safe.frame("departamento")["mark"].tolist()
    ['c', 'c', '', 'c', 'c', '', '', '', '']
    """
    lattice = Lattice.of(cells)
    if 0 < lattice.values[0, -1] < policy.threshold:
        raise Unprotectable("the whole table counts fewer than the threshold")
    plan = planned(lattice, policy)
    design = without_dominated(lattice, plan, policy)
    needs = Needs.of(lattice, plan, design, policy)
    for ref in exposed:
        design = _coarser(lattice, design, *lattice.find(ref))
    tables: list[Change] = []
    while True:
        board = Board(lattice, Swaps(lattice), Splits(lattice), tables, design, needs)
        board.cover()
        if len(board.design.drops) == len(design.drops):
            return _published(board, policy)
        design = board.design


def facts(cells: Cells, policy: Policy, safe: SafeCells) -> ProtectionFacts:
    """What protection cost, level by level. For the steward alone."""
    lattice = Lattice.of(cells)
    plan = planned(lattice, policy).shows[:, lattice.cross]
    marks = safe.marks[lattice.order].reshape(plan.shape)
    at_risk = _at_risk(lattice.values, policy.threshold)
    found = []
    for depth, name in enumerate(cells.places.levels):
        here = plan & (lattice.level == depth)[:, None]
        found.append(
            LevelFacts(
                name,
                shown=int((here & (marks == Mark.SHOWN)).sum()),
                primary=int((here & (marks == Mark.WITHHELD) & at_risk).sum()),
                secondary=int((here & (marks == Mark.WITHHELD) & ~at_risk).sum()),
                below=int((here & (marks == Mark.BELOW)).sum()),
                dropped=int((here & (marks == Mark.ABSENT)).sum()),
                value=int(lattice.values[here].sum()),
                value_unshown=int(lattice.values[here & (marks != Mark.SHOWN)].sum()),
            )
        )
    return ProtectionFacts(tuple(found))


def _at_risk(values: Ints, threshold: int) -> NDArray[np.bool_]:
    return (values > 0) & (values < threshold)


def _coarser(lattice: Lattice, design: Design, place: int, cell: int) -> Design:
    smaller = coarsened(lattice, design, place, int(lattice.cross[cell]))
    if smaller is None:
        raise Unprotectable("not even the total of the whole table can stand")
    return smaller


def _published(board: Board, policy: Policy) -> SafeCells:
    """Leave the owner's side: values only where shown, places in their own order."""
    lattice = board.lattice
    cells = lattice.cells
    shape = (len(cells.places), *(size + 1 for size in lattice.sizes))
    marks = np.empty_like(board.marks)
    marks[lattice.order] = board.marks
    values = np.empty_like(lattice.values)
    values[lattice.order] = np.where(board.marks == Mark.SHOWN, lattice.values, -1)
    return SafeCells(
        cells.places,
        cells.dimensions,
        values.reshape(shape),
        marks.reshape(shape),
        policy.threshold,
        standing(lattice, board.design.drops),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Needs:
    """How far every cell must be able to go, up and down: (places, cells) units, 0 where nothing is needed."""

    up: Ints
    down: Ints

    @classmethod
    def of(cls, lattice: Lattice, plan: Design, design: Design, policy: Policy) -> Needs:
        """Cells at risk must reach 1 and the threshold; a dominating category not shown must reach a lesser share.

        Without the latter the breakdown that was dropped could be had from the place above and its other places.
        """
        at_risk = _at_risk(lattice.values, policy.threshold)
        up = np.where(at_risk, policy.threshold - lattice.values, 0)
        down = np.where(at_risk, lattice.values - 1, 0)
        for axis in range(len(lattice.sizes)):
            for place in np.flatnonzero(plan.shows[:, 1 << axis] & ~design.shows[:, 1 << axis]).tolist():
                found = dominance(lattice, policy, place, axis)
                if found:
                    cell, excess = found
                    down[place, cell] = max(down[place, cell], excess)
        return cls(up, down)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A cell and how far it must go, with the moves known for it so far: (cross, pivot, offers)."""

    place: int
    cell: int
    up: int
    down: int
    known: list[tuple[int, int, Offers]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Board:
    """One attempt at a design: the marks so far. The only thing here that changes; lives inside `protect`."""

    lattice: Lattice
    swaps: Swaps
    splits: Splits
    tables: list[Change]  # found so far, in earlier attempts too
    design: Design
    needs: Needs
    marks: NDArray[np.uint8] = field(init=False)
    proven: NDArray[np.bool_] = field(init=False)  # stays true whatever is hidden later
    open_values: Ints = field(init=False)  # (places, cells) bit n: that the cell may be n is still to be proven
    prices: Ints = field(init=False)  # of withholding a cell: its persons and those of all shown cells below, + 1 each
    provers: dict[tuple[int, int, int], Prover] = field(default_factory=dict)  # of the blocks, while the marks stay

    def __post_init__(self) -> None:
        self.marks = self.design.marks(self.lattice)
        self.proven = np.zeros(self.marks.shape, dtype=np.bool_)
        values, up, down = self.lattice.values, self.needs.up, self.needs.down
        bits = (np.int64(2) << np.minimum(values + up, MOST_VALUES)) - (np.int64(1) << np.maximum(values - down, 0))
        self.open_values = np.where(up > 0, bits & ~(np.int64(1) << np.minimum(values, MOST_VALUES)), 0)
        self._withhold_primaries()
        self._reprice()

    def cover(self) -> None:
        """Give every cell with a need its proof: withheld cells from the root down, then those that nobody sees."""
        for cells in self._by_level(np.flatnonzero(self._needed() & (self.marks == Mark.WITHHELD))):
            self._reprice()
            for place, cell in cells:
                if self.marks[place, cell] == Mark.WITHHELD and not self.protect_cell(place, cell):
                    self._coarsen(place, cell)
        for table in self.tables:
            if agrees(self.lattice, self.marks, *table.margins(self.lattice)):
                self._credit(table)
        unshown = self._needed() & (self.marks >= Mark.BELOW)
        self.proven |= screen(self.lattice, self.marks, self.needs.up, self.needs.down)
        for place, cell in np.argwhere(unshown & ~self.proven).tolist():
            self._stands(place, cell)
        for cells in self._by_level(np.flatnonzero(unshown & ~self.proven)):
            self._reprice()
            for place, cell in cells:
                while not self._only_total() and not self.protect_cell(place, cell):
                    self._coarsen(place, cell)

    def protect_cell(self, place: int, cell: int) -> bool:
        """Prove a cell, withholding for it what costs least; False if dropping a cross would cost less.

        First as things stand, then by the cheapest move that is enough alone, then by several: each time the one that
        brings most for its price is paid for, and the whole block looked at anew.
        """
        task = Task(place, cell, int(self.needs.up[place, cell]), int(self.needs.down[place, cell]))
        withheld = self.marks[place, cell] == Mark.WITHHELD
        limit = self._loss(place, cell)
        chosen: Move | None = None
        for stage in self._stages(place, cell):
            self._make_offers(task, stage)
            chosen = self._alone(task, limit if withheld else 0)
            if chosen:
                break
        if (chosen is None or self._price(chosen)) and self._stands(place, cell):
            chosen = None
        else:
            chosen = chosen or self._alone(task, limit)
            if chosen is None and not self._pay_by_and_by(task, limit):
                return False
        if chosen:
            self._withhold_corners(chosen)
        self.proven[place, cell] = True
        return True

    def _stands(self, place: int, cell: int) -> bool:
        """Whether a cell is proven with the marks as they are: by tables found before, by trades or by new tables."""
        if not self.proven[place, cell] and self._trades(place, cell):
            self.proven[place, cell] = True
        path = self.lattice.path(place)
        centre = path[1] if self.lattice.is_lowest(place) and len(path) > 1 else place
        tops = path[1:] or path
        for top, far in [*((top, FAR[0]) for top in tops), *((tops[-1], more) for more in FAR[1:])]:
            while not self.proven[place, cell]:
                table = self._prover(centre, top, far).table(place, cell, self._missing(place, cell))
                if table is None:
                    break
                self.tables.append(table)
                self._credit(table)
        return bool(self.proven[place, cell])

    def _missing(self, place: int, cell: int) -> int:
        """A value that a cell must still be able to have; the furthest first, they fail soonest."""
        value = int(self.lattice.values[place, cell])
        low, high = value - int(self.needs.down[place, cell]), value + int(self.needs.up[place, cell])
        if self.needs.up[place, cell] == 0:
            return low
        values = [one for one in range(low, high + 1) if self.open_values[place, cell] >> one & 1]
        return values[-1] if values[-1] > value else values[0]

    def _credit(self, table: Change) -> None:
        """Note what a possible table proves, of all cells: it stays possible whatever is hidden later."""
        places, values = table.margins(self.lattice)
        rows = self.open_values[places]
        seen = (rows > 0) & (values < MOST_VALUES)
        rows[seen] &= ~(np.int64(1) << values[seen])
        self.open_values[places] = rows
        far = values <= self.lattice.values[places] - self.needs.down[places]
        settled = np.where(self.needs.up[places] > 0, rows == 0, far)
        self.proven[places] |= settled & self._needed()[places]

    def _trades(self, place: int, cell: int) -> bool:
        if not self.lattice.is_lowest(place):
            return False
        up, down = int(self.needs.up[place, cell]), int(self.needs.down[place, cell])
        return all(trades(self.lattice, self.splits, place, cell, self.marks, by) for by in (up, -down))

    def _prover(self, centre: int, top: int, far: int) -> Prover:
        if (centre, top, far) not in self.provers:
            here = block(self.lattice, centre, top, far, self.marks)
            self.provers[(centre, top, far)] = Prover(here, self.marks)
        return self.provers[(centre, top, far)]

    def _pay_by_and_by(self, task: Task, limit: int) -> bool:
        """Withhold for one move after the other, within a price, until the cell is proven; else leave all as it was."""
        before, spent = (self.marks.copy(), self.proven.copy(), self.open_values.copy()), 0
        ranked = self._most_for_the_price(task, limit)
        for price, move in ranked[:MOST_COMBINED]:
            if spent + price > limit:
                break
            spent += price
            self._withhold_corners(move)
            if self._stands(task.place, task.cell):
                return True
        self.marks, self.proven, self.open_values = before
        self.provers.clear()
        return False

    def _stages(self, place: int, cell: int) -> Iterator[list[tuple[int, int]]]:
        """Crosses and pivots to try, what is most likely and cheapest first."""
        whole = int(self.lattice.cross[cell])
        crosses = subcrosses(whole)
        yield [(whole, place)]
        yield [(cross, place) for cross in crosses[1:]]
        for pivot in self.lattice.path(place)[1:]:
            yield [(cross, pivot) for cross in crosses]

    def _make_offers(self, task: Task, stage: list[tuple[int, int]]) -> None:
        for cross, pivot in stage:
            swap = self.swaps.of(task.cell, cross)
            if len(swap.corners):
                offer = offers(self.lattice, swap, task.place, pivot, self.marks, self.prices)
                task.known.append((cross, pivot, offer))

    def _alone(self, task: Task, limit: int) -> Move | None:
        """The cheapest single move that is enough and within a price; of equals the one that goes furthest."""
        best = (limit + 1, 0)
        chosen: Move | None = None
        for cross, pivot, offer in task.known:
            enough = (offer.up >= task.up) & (offer.down >= task.down)
            price = np.where(enough, offer.price, PLENTY)
            least = int(price.min(initial=PLENTY))
            if least > min(best[0], limit):
                continue
            room = np.where(price == least, offer.up + offer.down, -1)
            partner, alternative = divmod(int(room.argmax()), room.shape[1])
            key = (least, -int(room.max()))
            if key < best:
                best = key
                chosen = Move(task.place, pivot, int(offer.partners[partner]), task.cell, cross, alternative)
        return chosen

    def _most_for_the_price(self, task: Task, limit: int) -> list[tuple[int, Move]]:
        """Price and move, those first that bring most for their price."""
        ranked: list[tuple[float, int, Move]] = []
        for cross, pivot, offer in task.known:
            units = np.minimum(offer.up, task.up) + np.minimum(offer.down, task.down)
            units = np.where((offer.price > 0) & (offer.price <= limit), np.maximum(units, 0), 0)
            for partner, alternative in np.argwhere(units > 0).tolist():
                price = int(offer.price[partner, alternative])
                move = Move(task.place, pivot, int(offer.partners[partner]), task.cell, cross, alternative)
                ranked.append((price / int(units[partner, alternative]), price, move))
        ranked.sort(key=lambda one: one[0])
        return [(price, move) for _, price, move in ranked]

    def _loss(self, place: int, cell: int) -> int:
        """What dropping the cross in a cell's way would cost."""
        smaller = coarsened(self.lattice, self.design, place, int(self.lattice.cross[cell]))
        if smaller is None:
            return PLENTY - 1
        gone = (self.marks == Mark.SHOWN) & ~smaller.shows[:, self.lattice.cross]
        return int((self.lattice.values[gone] + 1).sum())

    def _shown_corners(self, move: Move) -> list[tuple[int, int]]:
        corners = self.swaps.of(move.cell, move.cross).corners[move.alternative].tolist()
        ends = [move.pivot] if move.partner < 0 else [move.pivot, move.partner]
        return [(g, corner) for g in ends for corner in corners if self.marks[g, corner] == Mark.SHOWN]

    def _price(self, move: Move) -> int:
        return sum(int(self.prices[at]) for at in self._shown_corners(move))

    def _withhold_corners(self, move: Move) -> None:
        for place, corner in self._shown_corners(move):
            self._withhold(place, corner)

    def _withhold(self, place: int, cell: int) -> None:
        """Withhold a shown cell; nothing is shown below it any more."""
        if self.marks[place, cell] != Mark.SHOWN:
            return
        below = np.ix_(np.arange(place, self.lattice.end[place]), self.lattice.finer[cell])
        self.marks[below] = np.where(self.marks[below] == Mark.ABSENT, Mark.ABSENT, Mark.BELOW)
        self.marks[place, cell] = Mark.WITHHELD
        self.provers.clear()

    def _withhold_primaries(self) -> None:
        """Withhold all shown cells at risk, coarse crosses and high places first."""
        at_risk = (self.needs.up > 0) & (self.marks == Mark.SHOWN)
        for cells in self._by_level(np.flatnonzero(at_risk)):
            for place, cell in cells:
                self._withhold(place, cell)

    def _needed(self) -> NDArray[np.bool_]:
        """Cells that must be proven."""
        return (self.needs.up > 0) | (self.needs.down > 0)

    def _by_level(self, flat: Ints) -> Iterator[list[tuple[int, int]]]:
        """Cells by level and size of cross, within these the largest first."""
        lattice = self.lattice
        place, cell = np.divmod(flat, lattice.values.shape[1])
        level = lattice.level[place]
        size = np.bitwise_count(lattice.cross[cell]).astype(np.int64)
        order = np.lexsort((cell, place, -lattice.values[place, cell], size, level))
        step = level[order] * (len(lattice.sizes) + 1) + size[order]
        for part in np.split(order, np.flatnonzero(np.diff(step)) + 1):
            if len(part):
                yield list(zip(place[part].tolist(), cell[part].tolist(), strict=True))

    def _reprice(self) -> None:
        self.prices = self.lattice.sum_finer(np.where(self.marks == Mark.SHOWN, self.lattice.values + 1, 0))

    def _coarsen(self, place: int, cell: int) -> None:
        """Drop the cross that stands in a cell's way. What is proven stays proven: less is shown."""
        self.design = _coarser(self.lattice, self.design, place, cell)
        self.marks[~self.design.shows[:, self.lattice.cross]] = Mark.ABSENT
        self.provers.clear()

    def _only_total(self) -> bool:
        """Whether nothing but the root's total is shown, so that every split of it is possible."""
        return not self.design.shows[0, 1:].any() and not self.design.shows[1:].any()
