"""What is published of linked tables, in the terms of `verify`: safe cells, and the programmes' own shown users.

Nothing else goes in: not even a true count of what is withheld.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from anonymize.joint import verify
from anonymize.joint.verify import Flags, Ints, Linked, Told
from anonymize.tables import Mark, SafeCells
from anonymize.verify import ABSENT, BELOW, SHOWN, WITHHELD

STATES = {Mark.SHOWN: SHOWN, Mark.WITHHELD: WITHHELD, Mark.BELOW: BELOW, Mark.ABSENT: ABSENT}


def published_overlaps(
    programmes: Sequence[str],
    thresholds: Sequence[int],
    number: SafeCells,
    pairs: Mapping[str, SafeCells],
    users: Told,
    known: Ints,
) -> Linked:
    """Overlaps; `users` and what is known of them, (places, programmes), are the programmes' own tables'."""
    many = len(programmes)
    columns = [(number, many), *((number, j) for j in range(many))]
    columns += [(pairs[programmes[p]], q) for p, q in combinations(range(many), 2)]
    return verify.overlaps(number.places.codes, programmes, thresholds, _told(columns), users, known)


def published_flows(safe: SafeCells, users: Told, known: Ints) -> Linked:
    """Flows of a programme; `users` and what is known of them, (places, 1), are those of its own table."""
    return verify.flows(safe.places.codes, safe.threshold, _told([(safe, i) for i in range(3)]), users, known)


def own_users(counts: Ints, shown: Flags, withheld: Flags, large: Flags | None, thresholds: Ints) -> tuple[Told, Ints]:
    """What the programmes' own tables tell of their users, and the least that is known of those they withhold."""
    state = np.where(shown, SHOWN, np.where(withheld, WITHHELD, BELOW))
    known = np.ones_like(counts) if large is None else np.where(large, thresholds, 1)
    return Told(state, np.where(shown, counts, -1)), known


def _told(columns: Sequence[tuple[SafeCells, int]]) -> Told:
    marks = np.column_stack([safe.marks[:, column] for safe, column in columns])
    values = np.column_stack([safe.values[:, column] for safe, column in columns])
    return Told(np.select([marks == mark for mark in STATES], list(STATES.values())), values)
