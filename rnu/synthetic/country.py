"""The made-up country: real districts, made-up sizes, and the blocks in which it is drawn."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from rnu.ubigeo import District, Gazetteer

PEOPLE_OF_PERU = 33_000_000  # round: INEI estimates 34 million for 2025
BLOCK = 100_000  # people drawn at once; a larger district is a block of its own

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring districts of one department, drawn together. Ranges are of positions in the country's districts."""

    key: str  # code of its first district
    department: str
    districts: range
    neighbours: range  # all districts of the department: where people move to
    people: int
    first_id: int  # ids from here on belong to this block's people, so that documents never clash


@dataclass(frozen=True, slots=True)
class Country:
    """The districts, their people, and a seed from which everything else follows."""

    districts: tuple[District, ...]
    population: Ints  # people per district
    seed: int
    blocks: tuple[Block, ...]
    density: float  # people made up per person of a real country: below 1 in small runs

    @property
    def full_size(self) -> NDArray[np.float64]:
        """People per district at real density: a small run is a small sample of towns and villages, not all hamlets."""
        return self.population / self.density

    def elsewhere(
        self, block: Block, number: int, random: np.random.Generator, *, reniec: bool = False
    ) -> NDArray[np.int32]:
        """So many districts of the block's department, large ones more often; `reniec`: only with such a code."""
        near = np.array([i for i in block.neighbours if self.districts[i].reniec or not reniec], dtype=np.int32)
        weight = self.population[near]
        return np.asarray(random.choice(near, number, p=weight / weight.sum()))

    def random(self, *words: object) -> np.random.Generator:
        """A stream of random numbers of its own for whatever the words name; streams do not depend on each other."""
        return np.random.default_rng([self.seed, *(zlib.crc32(str(word).encode()) for word in words)])


def make(gazetteer: Gazetteer, regions: Sequence[str], persons: int | None, seed: int, growth: float = 0.0) -> Country:
    """A country of some departments (none named: all) with so many people (none given: real density).

    `growth` is the share of people that arrive later and need ids as well. Raises ValueError if there are fewer
    people than districts, or if a department does not exist.
    """
    unknown = set(regions) - {d.code[:2] for d in gazetteer.districts}
    if unknown:
        raise ValueError(f"no department has code {', '.join(sorted(unknown))}")
    weights = np.array([_weight(d, seed) for d in gazetteer.districts])
    chosen = np.array([not regions or d.code[:2] in regions for d in gazetteer.districts])
    real = PEOPLE_OF_PERU * float(weights[chosen].sum() / weights.sum())
    total = round(real) if persons is None else persons
    if total < chosen.sum():
        raise ValueError(f"{chosen.sum()} districts need at least as many people, not {total}")
    districts = tuple(d for d, inside in zip(gazetteer.districts, chosen, strict=True) if inside)
    population = 1 + share_out(total - len(districts), weights[chosen])
    return Country(districts, population, seed, tuple(_blocks(districts, population, growth)), total / real)


def share_out(total: int, weights: NDArray[np.float64] | Ints) -> Ints:
    """Whole numbers in proportion to weights that add up to the total (largest remainder).

    >>> share_out(10, np.array([1.0, 1.0, 2.0])).tolist()
    [3, 2, 5]
    """
    exact = total * np.asarray(weights, dtype=np.float64) / float(np.sum(weights))
    shares = np.floor(exact).astype(np.int64)
    largest = np.argsort(-(exact - shares), kind="stable")[: total - int(shares.sum())]
    shares[largest] += 1
    return shares


def _weight(district: District, seed: int) -> float:
    """Relative size: lognormal, so that a few districts hold most people; capitals and Greater Lima are larger."""
    code = district.code
    weight = float(np.random.default_rng([seed, int(code)]).lognormal(0.0, 1.1))
    if code[4:] == "01":
        weight *= 12.0 if code[2:4] == "01" else 3.0
    if code[:4] in {"1501", "0701"}:
        weight *= 14.0
    return weight


def _blocks(districts: Sequence[District], population: Ints, growth: float) -> Iterator[Block]:
    next_id = 0
    for department, positions in groupby(range(len(districts)), key=lambda i: districts[i].code[:2]):
        all_here = list(positions)
        neighbours = range(all_here[0], all_here[-1] + 1)
        for districts_of_block in _runs(neighbours, population):
            people = int(population[districts_of_block.start : districts_of_block.stop].sum())
            key = districts[districts_of_block.start].code
            yield Block(key, department, districts_of_block, neighbours, people, next_id)
            next_id += people + round(people * growth) + len(districts_of_block)


def _runs(positions: range, population: Ints) -> Iterator[range]:
    """Neighbouring districts together up to a block's size."""
    start, people = positions.start, 0
    for i in positions:
        if i > start and people + population[i] > BLOCK:
            yield range(start, i)
            start, people = i, 0
        people += int(population[i])
    yield range(start, positions.stop)
