"""Attack a release's linked tables as an outsider: with their rows, and with the programmes' own published users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anonymize.joint.attack import Exposed, attack_flows, attack_overlaps
from anonymize.joint.verify import MOVEMENT
from rnu.release.linked import LinkedTables


@dataclass(frozen=True, slots=True)
class TriedLinked:
    """What was tried of linked tables, and found."""

    cube: str
    programme: str
    tried: int  # withheld cells
    found: tuple[Exposed, ...]


def attack_linked(tables: LinkedTables, before: Mapping[tuple[str, str], int]) -> TriedLinked:
    """Attack overlaps, or one programme's flows; `before` are shown users of the period before, where they are known.

    What the certificate lists as the threshold or more is known too, and nobody's risk.
    """
    users, targets = tables.users, tables.targets()
    nation, shown = users.places.codes[0], users.shown()
    large = {name: tables.threshold(name) for name in tables.large()}
    first, *others = users.programmes
    if MOVEMENT in [d.id for d in tables.tables[""].dimensions]:
        now, then = ({place: n for (p, place), n in one.items() if p == first} for one in (shown, before))
        found = attack_flows(tables.tables[""], now, then, targets, large)
    else:
        # who is in the first programme counts where it has them
        known = {at: n for at, n in shown.items() if at[1] == nation or at[0] == first}
        homes = {at: n for at, n in shown.items() if at not in known}
        pairs = {p: tables.tables[p] for p in (first, *others[:-1])}
        found = attack_overlaps(users.programmes, tables.tables[""], pairs, known, targets, large, homes)
    return TriedLinked(tables.cube, tables.programme, tables.withheld, found)
