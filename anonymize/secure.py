"""Protect and attack by turns until the attack finds nothing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from anonymize.attack import Published, attack
from anonymize.errors import Unprotectable
from anonymize.policy import Policy
from anonymize.protect import ProtectionFacts, facts, protect
from anonymize.tables import CellRef, Cells, SafeCells

ROUNDS = 8  # of coarsening what an attack found, before the table is refused


@dataclass(frozen=True, slots=True)
class Protected:
    """One programme's table after protection, with what only the steward may see."""

    safe: SafeCells
    facts: ProtectionFacts
    rounds: int  # of attack; 1 where the first found nothing

    def private(self) -> dict[str, Any]:
        """For the steward's own report."""
        return {
            "threshold": self.safe.threshold,
            "rounds": self.rounds,
            "levels": [
                dataclasses.asdict(level) | {"share_unshown": level.share_unshown} for level in self.facts.levels
            ],
            "drops": [dataclasses.asdict(drop) for drop in self.safe.drops],
        }


def secure(table: Cells, policy: Policy, exposed: tuple[CellRef, ...] = (), key: bytes = b"") -> Protected:
    """Protect a table, attack what would be published, coarsen what was found, until nothing is found.

    `exposed` are cells known to be open beforehand, and `key` is secret (see `protect`). Raises Unprotectable if it
    does not end.
    """
    for rounds in range(1, ROUNDS + 1):
        safe = protect(table, policy, exposed, key)
        found = attack(Published.of(safe), table, policy.threshold)
        if not found:
            return Protected(safe, facts(table, policy, safe), rounds)
        exposed += tuple(f.cell for f in found)
    raise Unprotectable(f"after {ROUNDS} rounds an outsider could still work cells out")
