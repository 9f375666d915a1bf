"""Attacks on what is published: can an outsider work out a cell that is not shown?

Built apart from the protector: what an outsider could know is read from the published rows (`system`), and worked on by
linear algebra (`recovery`) and by linear programs (`intervals`).
"""

from __future__ import annotations

from anonymize.attack.intervals import intervals
from anonymize.attack.promise import believing
from anonymize.attack.recovery import recover
from anonymize.attack.system import Finding, Published, System, at_risk
from anonymize.errors import BadCells
from anonymize.tables import Cells

__all__ = ["Finding", "Published", "at_risk", "attack"]


def attack(published: Published, cells: Cells, threshold: int) -> tuple[Finding, ...]:
    """Every cell at risk, shown or not, whose values 1 … threshold are not all open to who holds the published rows.

    Whoever holds them may know of each withheld cell whether it is at risk or not: a public proof tells as much. And of
    each cell that is not shown, whether it is zero; and whoever believes the promise knows of some that they are not at
    risk (see `promise`).
    The true counts say which cells are at risk and are themselves one possible table to begin at; nothing that is found
    hangs on them. A cell with two possible values is determined by no equation, so exact recovery is asked only of what
    the intervals leave. Empty if the rows stand. Deterministic. BadCells if the rows do not agree with the counts.
    """
    system = System.of(published)
    table = cells.counts.reshape(-1).astype(float)
    if not system.agrees(table):
        raise BadCells("the published rows are not those of the counts")
    known = believing(system.knowing(table, threshold), table, threshold)
    narrow = intervals(known, at_risk(cells, threshold), threshold, table)
    exact = recover(system, threshold) if narrow else ()
    settled = {finding.cell for finding in exact}
    return (*exact, *(finding for finding in narrow if finding.cell not in settled))
