"""Withhold until nobody can be singled out: from cells to safe cells, with a proof by whole numbers for every cell.

The requirement: for every cell at risk (1 … k - 1 persons), shown or not, every whole value from 1 to k stays possible
to somebody who knows all that is published, adds and subtracts, knows of every withheld cell whether it is k or more,
and of every other cell that is not shown whether it is zero: a public proof tells which cells cannot be at risk, and
zeros are often known, so nothing may hang on nobody's knowing.

The way: cells at risk that would be shown are withheld, and nothing is shown below a withheld cell. Then every cell at
risk gets a proof, from the nation down to the districts: tables of whole counts, one for each value, that agree with
all that is shown. Mostly they are there already and need only be found (see `protection.screen`, `.walk`, `.blocks`).
Where they are not, the cheapest *move* (`protection.moves`) makes room, or a longer way round over cells that are
withheld already (`protection.partners`): the shown cells that it changes are withheld too. Where that would cost more
than the cross in the way is worth, the cross is dropped for all children of a place (of a dimension that is a tree its
deepest level first), and everything begins anew with the smaller design, so that nothing
is withheld for the sake of a cross that is gone.
Dropping ends: a design only shrinks, and with the nation's total alone every split of it is possible.

Nothing here depends on time or chance. Sources: Repsilber (1994) and Giessing and Repsilber (2002), the hypercube
method; Hundepool et al., Statistical Disclosure Control (2012), frequency tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from anonymize.errors import Unprotectable
from anonymize.policy import Policy
from anonymize.protection.blocks import Change
from anonymize.protection.branches import prove_unseen
from anonymize.protection.design import Design, by_level, coarsened, planned, standing, without_dominated
from anonymize.protection.lattice import PLENTY, Flags, Ints, Lattice
from anonymize.protection.moves import Move, Offers, offers
from anonymize.protection.partners import partners
from anonymize.protection.prices import prices
from anonymize.protection.promise import large
from anonymize.protection.proofs import Needs, Proofs, Saved, at_risk
from anonymize.tables import CellRef, Cells, Mark, SafeCells

HOPES = 3  # moves that known zeros stand in the way of, tried for one cell
DEAREST = 10  # withheld cells that the steward is told of
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
class DearCell:
    """A withheld cell, and what it takes with it: nothing is shown below it."""

    cell: CellRef
    persons: int
    at_risk: bool  # withheld for itself, not for the sake of others
    cells_below: int  # not broken down for it, or for another withheld cell above them
    value_unshown: int  # persons of the cell and of all these, each counted in every cell it is in


@dataclass(frozen=True, slots=True)
class ProtectionFacts:
    """What only the steward may know: which withheld cells were at risk must not be told."""

    levels: tuple[LevelFacts, ...]
    dearest: tuple[DearCell, ...]  # the withheld cells that cost most, the dearest first


def protect(
    cells: Cells, policy: Policy, exposed: Collection[CellRef] = (), key: bytes = b"", cores: int = 1
) -> SafeCells:
    """Withhold until every cell at risk keeps all whole values from 1 to the threshold open.

    `exposed` are cells that an attack brought to light in spite of it, for instance with figures that this table does
    not know of: for each, as often as it is named, the finest cross in its way is dropped.
    What a cell costs is said by the policy's public weights, else by the order of magnitude of its count; with a secret
    `key` the choice of what is withheld hangs on it as well (see `protection.prices`).
    A large table is worked on by so many `cores`, in processes of their own; the outcome does not hang on it.
    Raises Unprotectable if not even the nation's total can stand, or a cell that the policy must show can't, naming it;
    BadCells if the policy is no design.

    >>> from anonymize.tables import Dimension, Places
    >>> tree = Places.of([("PE", "01"), ("PE", "02"), ("PE", "03")], ("nacion", "departamento"))
    >>> sex = Dimension("sexo", ("hombre", "mujer"))
    >>> safe = protect(Cells(tree, (sex,), np.array([[2, 9], [8, 7], [30, 40]])), Policy(5, (1, 1)))
    >>> safe.frame("departamento")["mark"].tolist()
    ['c', 'c', '', 'c', 'c', '', '', '', '']
    """
    lattice = Lattice.of(cells, policy.threshold)
    plan = by_level(lattice, policy)
    if 0 < lattice.values[0, -1] < policy.threshold:
        raise Unprotectable("the whole table counts fewer than the threshold")
    design = without_dominated(lattice, planned(lattice, policy), policy)
    # who knows of zeros knows of a category that has everybody: its share is kept from others
    anybody = replace(lattice, open=np.ones_like(lattice.open))
    risk, shares = Needs.of_risk(lattice, policy.threshold), Needs.of_shares(lattice, plan, design, policy)
    for ref in exposed:
        design = _coarser(lattice, design, *lattice.find(ref))
    tables: tuple[list[Change], list[Change]] = ([], [])
    alone = prices(lattice, policy, key)
    must_show = [lattice.find(ref) for ref in policy.must_show]
    for cell in must_show:
        alone[cell] = PLENTY
    while True:
        proofs = Proofs.of(lattice, risk, tables[0]), Proofs.of(anybody, shares, tables[1])
        board = Board(lattice, design, proofs, anybody, alone, cores)
        board.cover(policy.threshold)
        if len(board.design.drops) == len(design.drops) or not board.in_vain():
            hidden = [ref for ref, at in zip(policy.must_show, must_show, strict=True) if board.marks[at] != Mark.SHOWN]
            if hidden:
                raise Unprotectable(f"what must be shown cannot be: {'; '.join(ref.in_words for ref in hidden[:5])}")
            return _published(board, policy)
        design = board.design


def facts(cells: Cells, policy: Policy, safe: SafeCells) -> ProtectionFacts:
    """What protection cost, level by level. For the steward alone."""
    lattice = Lattice.of(cells)
    plan = planned(lattice, policy).shows[:, lattice.cross]
    marks = lattice.laid(safe.marks)
    risk = at_risk(lattice.values, policy.threshold)
    found = []
    for depth, name in enumerate(cells.places.levels):
        here = plan & (lattice.level == depth)[:, None]
        found.append(
            LevelFacts(
                name,
                shown=int((here & (marks == Mark.SHOWN)).sum()),
                primary=int((here & (marks == Mark.WITHHELD) & risk).sum()),
                secondary=int((here & (marks == Mark.WITHHELD) & ~risk).sum()),
                below=int((here & (marks == Mark.BELOW)).sum()),
                dropped=int((here & (marks == Mark.ABSENT)).sum()),
                value=int(lattice.values[here].sum()),
                value_unshown=int(lattice.values[here & (marks != Mark.SHOWN)].sum()),
            )
        )
    return ProtectionFacts(tuple(found), _dearest(lattice, marks, policy.threshold))


def _dearest(lattice: Lattice, marks: NDArray[np.uint8], threshold: int) -> tuple[DearCell, ...]:
    """Withheld cells that take a threshold of persons or more out of sight."""
    hidden = (marks == Mark.WITHHELD) | (marks == Mark.BELOW)
    value, many = lattice.sum_finer(np.where(hidden, lattice.values, 0)), lattice.sum_finer(hidden.astype(np.int64))
    risk = at_risk(lattice.values, threshold)
    place, cell = np.nonzero((marks == Mark.WITHHELD) & (value >= threshold))
    order = np.lexsort((cell, place, -value[place, cell]))[:DEAREST]
    return tuple(
        DearCell(
            lattice.ref(p, c),
            persons=int(lattice.values[p, c]),
            at_risk=bool(risk[p, c]),
            cells_below=int(many[p, c]) - 1,
            value_unshown=int(value[p, c]),
        )
        for p, c in zip(place[order].tolist(), cell[order].tolist(), strict=True)
    )


def _coarser(lattice: Lattice, design: Design, place: int, cell: int) -> Design:
    smaller = coarsened(lattice, design, place, int(lattice.cross[cell]))
    if smaller is None:
        raise Unprotectable("not even the total of the whole table can stand")
    return smaller


def _published(board: Board, policy: Policy) -> SafeCells:
    """Leave the owner's side: values only where shown, places in their own order."""
    lattice = board.lattice
    cells = lattice.cells
    shape = (len(cells.places), *lattice.widths)
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
class Task:
    """A cell and how far it must go, with the moves known for it so far: (cross, pivot, offers)."""

    proofs: Proofs
    place: int
    cell: int
    up: int
    down: int
    known: list[tuple[int, int, Offers]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Board:
    """One attempt at a design: the marks so far, and what is proven of them. Changes, and lives inside `protect`."""

    lattice: Lattice
    design: Design
    proofs: tuple[Proofs, ...]  # of cells at risk, and of shares
    anybody: Lattice  # as if nobody knew of a zero
    alone: Ints  # (places, cells) price of withholding each cell alone
    cores: int
    marks: NDArray[np.uint8] = field(init=False)
    planned: Flags = field(init=False)  # (places, cells) of the design at the beginning
    sakes: list[tuple[int, int, list[tuple[int, int]]]] = field(
        default_factory=list
    )  # a cell, and what it made withheld
    prices: Ints = field(init=False)  # of withholding a cell: its own and that of all shown cells below

    def __post_init__(self) -> None:
        self.marks = self.design.marks(self.lattice)
        self.planned = self.marks == Mark.SHOWN
        self._withhold_primaries()

    def cover(self, threshold: int) -> None:
        """Give every cell with a need its proof: withheld cells from the root down, then those that nobody sees.

        Against somebody who also knows what the promise itself tells with the marks as they are then (see
        `protection.promise`): while that adds to what is known, what hangs on it is proven anew.
        """
        while True:
            self._cover_withheld()
            if not self._learn(threshold):
                self._cover_unseen()
                if not self._learn(threshold):
                    return

    def _learn(self, threshold: int) -> bool:
        """Let all know what the promise tells with the marks as they are; whether anything of it is new."""
        lattice = self.proofs[0].lattice
        known = large(lattice, self.marks, threshold, lattice.values >= threshold)
        if (known == lattice.large).all():
            return False
        self.anybody = replace(self.anybody, large=known)
        for proofs in self.proofs:
            proofs.learn(known, self.marks)
        return True

    def _cover_withheld(self) -> None:
        for proofs in self.proofs:
            for place, cell in self._in_turn(proofs.needed & (self.marks == Mark.WITHHELD)):
                if self.marks[place, cell] == Mark.WITHHELD and not self._protect(proofs, place, cell):
                    self._coarsen(place, cell)

    def _cover_unseen(self) -> None:
        for proofs in self.proofs:
            if proofs.needed.any():
                prove_unseen(proofs, self.marks, self.cores)
                for place, cell in self._in_turn(proofs.unproven(self.marks)):
                    while not self._only_total() and not self._protect(proofs, place, cell):
                        self._coarsen(place, cell)

    def in_vain(self) -> bool:
        """Whether a cell is still withheld for the sake of one that a dropped cross has since taken away."""
        gone = (self.marks == Mark.ABSENT) & self.planned
        return any(
            gone[place, cell] and any(self.marks[corner] == Mark.WITHHELD for corner in corners)
            for place, cell, corners in self.sakes
        )

    def _protect(self, proofs: Proofs, place: int, cell: int) -> bool:
        """Prove a cell, withholding for it what costs least; False if dropping a cross would cost less.

        A cell that is withheld mostly has no room before its first partners are: a move of no price is looked for
        first. Then the proof as things stand, then the cheapest move that is enough alone, then several.
        """
        if proofs.proven[place, cell]:
            return True
        needs = proofs.needs
        task = Task(proofs, place, cell, int(needs.up[place, cell]), int(needs.down[place, cell]))
        limit = self._loss(place, cell)
        chosen: Move | None = None
        for stage in self._stages(task):
            self._make_offers(task, stage)
            chosen = self._alone(task, limit if self.marks[place, cell] == Mark.WITHHELD else 0)
            if chosen:
                break
        dear = chosen is None or bool(self._shown_corners(chosen))
        if dear and proofs.prove(place, cell, self.marks, near=chosen is not None):
            return True
        chosen = chosen or self._alone(task, limit)
        if self._detour(task, self._price(chosen) - 1 if chosen else limit):
            return True
        if self._hope(task, self._price(chosen) - 1 if chosen else limit):
            return True
        if chosen is None:
            return self._pay_by_and_by(task, limit)
        self._withhold_corners(chosen)
        proofs.prove_by(chosen)
        return True

    def _detour(self, task: Task, limit: int) -> bool:
        """Withhold what makes room by the cheapest way round, if its price is within a limit, and prove the cell.

        Only for lowest places and those right above: further up, what is withheld without a move's being sure of it
        takes too much of what is below (Vaso de Leche, national made-up rosters: 0.26 instead of 0.04 % at district).
        """
        if self.lattice.level[task.place] < self.lattice.level.max() - 1:
            return False
        by = tuple(change for change in (task.up, -task.down) if change)
        at, around = (task.place, task.cell), next(task.proofs.around(task.place, task.cell))
        corners = partners(task.proofs.lattice, self.marks, self.prices, at, by, around[:3])
        if not corners or self._hidden_price(corners) > limit:
            return False
        saved = self._saved()
        for place, corner in corners:
            self._withhold(place, corner)
        if task.proofs.prove(task.place, task.cell, self.marks):
            self.sakes.append((task.place, task.cell, corners))
            return True
        self._come_back(saved)
        return False

    def _hope(self, task: Task, limit: int) -> bool:
        """Withhold for a move that only known zeros stand in the way of, if its price is within a limit, and prove it.

        What is withheld makes room; that nobody comes where all know of a zero is left to the proof, which may go
        about it in other ways than the move.
        """
        if task.proofs.lattice.open.all():
            return False
        free = Task(task.proofs, task.place, task.cell, task.up, task.down)
        for stage in self._stages(free):
            self._make_offers(free, stage, self.anybody)
        for move in self._cheapest(free, limit)[:HOPES]:
            saved = self._saved()
            self._withhold_corners(move)
            if task.proofs.prove(task.place, task.cell, self.marks):
                return True
            self._come_back(saved)
        return False

    def _pay_by_and_by(self, task: Task, limit: int) -> bool:
        """Withhold for one move after the other, within a price, until the cell is proven; else leave all as it was."""
        saved, spent = self._saved(), 0
        for price, move in self._most_for_the_price(task, limit)[:MOST_COMBINED]:
            spent += price
            if spent > limit:
                break
            self._withhold_corners(move)
            if task.proofs.prove(task.place, task.cell, self.marks):
                return True
        self._come_back(saved)
        return False

    def _saved(self) -> tuple[NDArray[np.uint8], list[Saved]]:
        return self.marks.copy(), [proofs.saved() for proofs in self.proofs]

    def _come_back(self, saved: tuple[NDArray[np.uint8], list[Saved]]) -> None:
        self.marks = saved[0]
        for proofs, before in zip(self.proofs, saved[1], strict=True):
            proofs.come_back(before)

    def _stages(self, task: Task) -> Iterator[list[tuple[int, int]]]:
        """Crosses and pivots to try, what is most likely and cheapest first."""
        crosses = self.lattice.subcrosses(int(self.lattice.cross[task.cell]))
        yield [(crosses[0], task.place)]
        yield [(cross, task.place) for cross in crosses[1:]]
        for pivot in self.lattice.path(task.place)[1:]:
            yield [(cross, pivot) for cross in crosses]

    def _make_offers(self, task: Task, stage: list[tuple[int, int]], lattice: Lattice | None = None) -> None:
        for cross, pivot in stage:
            swap = task.proofs.swaps.of(task.cell, cross)
            if len(swap.corners):
                offer = offers(lattice or task.proofs.lattice, swap, task.place, pivot, self.marks, self.prices)
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

    def _cheapest(self, task: Task, limit: int) -> list[Move]:
        """Single moves that are enough and within a price, the cheapest first, one for each cross and pivot."""
        found: list[tuple[int, int, Move]] = []
        for number, (cross, pivot, offer) in enumerate(task.known):
            price = np.where((offer.up >= task.up) & (offer.down >= task.down), offer.price, PLENTY)
            if price.size and price.min() <= limit:
                partner, alternative = divmod(int(price.argmin()), price.shape[1])
                move = Move(task.place, pivot, int(offer.partners[partner]), task.cell, cross, alternative)
                found.append((int(price.min()), number, move))
        return [move for _, _, move in sorted(found, key=lambda one: one[:2])]

    def _price(self, move: Move) -> int:
        return sum(int(self.prices[corner]) for corner in self._shown_corners(move))

    def _hidden_price(self, corners: list[tuple[int, int]]) -> int:
        """What withholding several cells costs, with all that is shown below them."""
        hidden = np.zeros(self.marks.shape, dtype=np.bool_)
        for place, corner in corners:
            hidden[np.ix_(np.arange(place, self.lattice.end[place]), self.lattice.finer[corner])] = True
        return int(self.alone[hidden & (self.marks == Mark.SHOWN)].sum())

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
        return min(int(self.alone[gone].sum()), PLENTY - 1)

    def _shown_corners(self, move: Move) -> list[tuple[int, int]]:
        corners = self.proofs[0].swaps.of(move.cell, move.cross).corners[move.alternative].tolist()
        ends = [move.pivot] if move.partner < 0 else [move.pivot, move.partner]
        return [(g, corner) for g in ends for corner in corners if self.marks[g, corner] == Mark.SHOWN]

    def _withhold_corners(self, move: Move) -> None:
        corners = self._shown_corners(move)
        for place, corner in corners:
            self._withhold(place, corner)
        self.sakes.append((move.place, move.cell, corners))

    def _withhold(self, place: int, cell: int) -> None:
        """Withhold a shown cell; nothing is shown below it any more."""
        if self.marks[place, cell] != Mark.SHOWN:
            return
        below = np.ix_(np.arange(place, self.lattice.end[place]), self.lattice.finer[cell])
        self.marks[below] = np.where(self.marks[below] == Mark.ABSENT, Mark.ABSENT, Mark.BELOW)
        self.marks[place, cell] = Mark.WITHHELD
        for proofs in self.proofs:
            proofs.forget(place)

    def _withhold_primaries(self) -> None:
        """Withhold all shown cells at risk, coarse crosses and high places first."""
        for place, cell in self._in_turn((self.proofs[0].needs.up > 0) & (self.marks == Mark.SHOWN)):
            self._withhold(place, cell)

    def _in_turn(self, which: Flags) -> Iterator[tuple[int, int]]:
        """Cells by level and size of cross, within these the largest first; prices are reckoned anew at each step."""
        lattice = self.lattice
        place, cell = np.nonzero(which)
        level, size = lattice.level[place], np.bitwise_count(lattice.cross[cell]).astype(np.int64)
        order = np.lexsort((cell, place, -lattice.values[place, cell], size, level))
        step = (level * (lattice.crosses[-1].bit_count() + 1) + size)[order]
        for part in np.split(order, np.flatnonzero(np.diff(step)) + 1):
            self._reprice()
            yield from zip(place[part].tolist(), cell[part].tolist(), strict=True)

    def _reprice(self) -> None:
        self.prices = self.lattice.sum_finer(np.where(self.marks == Mark.SHOWN, self.alone, 0))

    def _coarsen(self, place: int, cell: int) -> None:
        """Drop the cross that stands in a cell's way. What is proven stays proven: less is shown, no more known."""
        self.design = _coarser(self.lattice, self.design, place, cell)
        self.marks[~self.design.shows[:, self.lattice.cross]] = Mark.ABSENT
        for proofs in self.proofs:
            proofs.forget()

    def _only_total(self) -> bool:
        """Whether nothing but the root's total is shown, so that every split of it is possible."""
        return not self.design.shows[0, 1:].any() and not self.design.shows[1:].any()
