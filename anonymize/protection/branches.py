"""Proofs of the cells that nobody sees, branch by branch: side by side where they are many.

What lies under one child of the root is proven for itself, beginning with what is known of all before; then everything
found is taken together. Which core took a branch, and how many there are, makes no difference to what is found.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anonymize.protection.lattice import Lattice
from anonymize.protection.proofs import Found, Needs, Proofs, Saved
from anonymize.workers import pool

WORTH = 4000  # cells to be proven from which on it pays to begin processes for them


def prove_unseen(proofs: Proofs, marks: NDArray[np.uint8], cores: int = 1) -> None:
    """Prove what can be proven of all cells that are not shown, with the marks as they are."""
    proofs.look_around(marks)
    lattice = proofs.lattice
    for level in (0, 1):
        proofs.prove_all(marks, lattice.level == level)
    proofs.forget()  # every branch begins alike, on whatever core
    left = proofs.unproven(marks).sum(axis=1)
    branches = [b for b in np.flatnonzero(lattice.level == 1).tolist() if left[b : lattice.end[b]].any()]
    for found in list(_proven(proofs, marks, branches, cores if int(left.sum()) >= WORTH else 1)):
        proofs.take(found)


def _proven(proofs: Proofs, marks: NDArray[np.uint8], branches: list[int], cores: int) -> Iterator[Found]:
    """What is found in each branch, in their order."""
    if cores == 1 or len(branches) < 2:
        for branch in branches:
            yield proofs.of_branch(branch, marks)
        return
    given = (proofs.lattice, proofs.needs, proofs.saved(), marks)
    with pool(min(cores, len(branches)), _ready, *given) as workers:
        yield from workers.map(_of_branch, branches)


_own: list[tuple[Proofs, NDArray[np.uint8]]] = []  # in a worker: what it proves


def _ready(lattice: Lattice, needs: Needs, saved: Saved, marks: NDArray[np.uint8]) -> None:
    proofs = Proofs.of(lattice, needs, [])
    proofs.come_back(saved)
    _own[:] = [(proofs, marks)]


def _of_branch(branch: int) -> Found:
    ((proofs, marks),) = _own
    return proofs.of_branch(branch, marks)
