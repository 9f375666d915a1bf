"""What is shown where: decided from public figures and configuration only, never from the counts themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anonymize.tables import CellRef

# programmes whose overlaps are protected together: kinds are sets of them, twice as many with each more
MOST_LINKED = 10
MOST = 50  # threshold; no statistical office asks for more


@dataclass(frozen=True, slots=True)
class Policy:
    """The design of one programme's table in one period."""

    threshold: int  # a cell of 1 … threshold - 1 is at risk
    crosses: tuple[int, ...]  # per level, root first: most dimensions crossed with place; 0 totals only
    totals_only: frozenset[str] = frozenset()  # codes of lowest places under the population floor
    dominance: float = 0.9  # share of a place's users in one category, or group, at which a breakdown is dropped there
    structural: Mapping[str, frozenset[str]] = field(default_factory=dict)  # dimension -> categories imposed by a rule
    must_show: tuple[CellRef, ...] = ()  # cells that must not be withheld
    broken_down: tuple[frozenset[str], ...] = ()  # per level, root first: dimensions broken down there; (): any
    # public figures, shaped as the counts: withholding a cell costs what they say; None: the counts' order of magnitude
    weights: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)
