"""Protect, attack and prove by turns until the attack finds nothing and every cell at risk has its public proof.

Protection comes with a replay of itself where that can be tried (see `anonymize.replay`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from anonymize.attack import Published, attack
from anonymize.attack.singletons import Learned, learned
from anonymize.certificate import Certificate, certify, check
from anonymize.errors import Unprotectable
from anonymize.policy import Policy
from anonymize.protect import ProtectionFacts, facts
from anonymize.replay import protect_unreplayed
from anonymize.tables import CellRef, Cells, Mark, SafeCells, indices_of

ROUNDS = 8  # of coarsening what an attack found or no proof was found for, before the table is refused


@dataclass(frozen=True, slots=True)
class Protected:
    """One programme's table after protection, with what only the steward may see."""

    safe: SafeCells
    certificate: Certificate
    facts: ProtectionFacts
    rounds: int  # of attack; 1 where the first found nothing
    learned: tuple[Learned, ...]  # by somebody who knows to be alone in a cell: audited, and left

    def private(self) -> dict[str, Any]:
        """For the steward's own report."""
        return {
            "threshold": self.safe.threshold,
            "rounds": self.rounds,
            "learned": [dataclasses.asdict(one) for one in self.learned],
            "levels": [
                dataclasses.asdict(level) | {"share_unshown": level.share_unshown} for level in self.facts.levels
            ],
            "dearest": [dataclasses.asdict(cell) for cell in self.facts.dearest],
            "drops": [dataclasses.asdict(drop) for drop in self.safe.drops],
        }


def secure(
    table: Cells, policy: Policy, exposed: tuple[CellRef, ...] = (), key: bytes = b"", cores: int = 1
) -> Protected:
    """Protect a table, attack what would be published, prove it in public; coarsen what was found, until nothing is.

    `exposed` are cells known to be open beforehand, `key` is secret, `cores` work on a large table (see `protect`). The
    certificate is made of the safe cells alone. Raises Unprotectable if it does not end, or if no whole certificate is
    found.
    """
    for rounds in range(1, ROUNDS + 1):
        safe, exposed = protect_unreplayed(table, policy, exposed, key, cores)
        published = Published.of(safe)
        found = tuple(f.cell for f in attack(published, table, policy.threshold))
        if not found:
            certificate = certify(safe)
            found = unproven(table, safe, certificate)
            if not found:
                certificate = whole(safe, certificate)
                alone = learned(published, table, policy.threshold)
                return Protected(safe, certificate, facts(table, policy, safe), rounds, alone)
        exposed += found
    raise Unprotectable(f"after {ROUNDS} rounds an outsider could still work cells out, or they had no public proof")


def unproven(table: Cells, safe: SafeCells, certificate: Certificate) -> tuple[CellRef, ...]:
    """Cells at risk on a certificate's list: their proof was not found, and the list would tell that they are large.

    Withheld ones first: what nobody shows is on the list because something that is withheld is.
    """
    values = table.with_margins()
    at = indices_of(table.places, table.dimensions, certificate.large)
    wrong = [(ref, cell) for ref, cell in zip(certificate.large, at, strict=True) if values[cell] < safe.threshold]
    withheld = tuple(ref for ref, cell in wrong if safe.marks[cell] == Mark.WITHHELD)
    return withheld or tuple(ref for ref, _ in wrong)


def whole(safe: SafeCells, certificate: Certificate) -> Certificate:
    """The certificate, after checking it as anybody can; Unprotectable if it does not hold."""
    problems = check(safe, certificate).problems
    if problems:
        raise Unprotectable(f"the certificate does not hold: {problems[0]}")
    return certificate
