"""The schools of a block: how many pupils each feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from rnu.settings import Period
from rnu.synthetic.country import Block, Country
from rnu.synthetic.people import Int8, Int32, Int64

SCHOOLS_PER_PERSON = 66_000 / 33_000_000
CLOSED = 0.004  # share of schools that close from one cut to the next


class Level(IntEnum):
    """School level, as delivered."""

    INICIAL = 0
    PRIMARIA = 1
    SECUNDARIA = 2


@dataclass(frozen=True, slots=True)
class Schools:
    """One block's schools at one cut; no person is named here."""

    id: Int64
    place: Int32  # position of the district
    level: Int8
    pupils: Int64

    def __len__(self) -> int:
        return len(self.id)


def draw(country: Country, block: Block, cuts: Sequence[Period], index: int) -> Schools:
    """The schools at one of the cuts: at least one per district, many with five pupils or fewer."""
    random = country.random(block.key, "schools")
    people = country.population[block.districts.start : block.districts.stop]
    number = np.maximum(1, random.poisson(people * SCHOOLS_PER_PERSON))
    n = int(number.sum())
    place = np.repeat(np.arange(block.districts.start, block.districts.stop, dtype=np.int32), number)
    level = random.choice(3, size=n, p=[0.46, 0.39, 0.15]).astype(np.int8)
    pupils = random.lognormal(3.37, 1.15, n) * np.array([0.6, 1.2, 1.9])[level]
    open_still = np.ones(n, dtype=bool)
    for cut in cuts[1 : index + 1]:
        step = country.random(block.key, "schools", cut)
        pupils *= np.exp(step.normal(0.0, 0.03, n))
        open_still &= step.random(n) >= CLOSED
    id = block.first_id + np.arange(n, dtype=np.int64)
    return Schools(
        id[open_still], place[open_still], level[open_still], np.maximum(1, pupils[open_still]).astype(np.int64)
    )
