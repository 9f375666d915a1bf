"""Who exists: households and their members, and what time changes about them.

A block's people are drawn all at once for every moment that matters. A person is a position in the block's arrays; a
household's members stand together, its head first. Nobody has to be carried from one moment to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnu.settings import Period
from rnu.synthetic.country import Block, Country
from rnu.synthetic.render import NO_DAY, ages, day_number

Int8: TypeAlias = NDArray[np.int8]
Int32: TypeAlias = NDArray[np.int32]
Int64: TypeAlias = NDArray[np.int64]
Bool: TypeAlias = NDArray[np.bool_]

YEAR = 365.25
FOREVER = 127

# Per step from one moment to the next: who comes, goes, moves, or is classified anew.
ARRIVE = 0.008
LEAVE = 0.006
DIE = 0.004
MOVE = 0.004
RECLASSIFIED = 0.01

HOUSEHOLD_SIZES = (0.14, 0.17, 0.20, 0.20, 0.14, 0.08, 0.04, 0.03)  # of 1, 2, … 8 members
IN_REGISTER = np.array([0.93, 0.88, 0.66])  # share of households in the PGH, by classification


class Document(IntEnum):
    """What identifies a person."""

    NONE = 0
    DNI = 1
    CE = 2


class Cse(IntEnum):
    """Classification, as the cells of a right run name it (in lower case)."""

    BLANK = -1
    POBRE_EXTREMO = 0
    POBRE_NO_EXTREMO = 1
    NO_POBRE = 2
    NO_CLASIFICADO = 3


@dataclass(frozen=True, slots=True, repr=False)
class People:
    """One block's people. Arrays of persons unless said otherwise; `household` leads from one to the other."""

    block: Block
    salt: int
    id: Int64
    household: Int32
    female: Bool
    birth: Int32  # day number
    document: Int8
    leaves: Int8  # moment from which the person is gone
    # of households
    head: Int32  # position of the head
    origin: Int32  # position of the district where it lived first
    poverty: Int8  # classification as lived
    claimed: Int8  # classification in the programmes' own rosters: older, so not always the same
    in_register: Bool
    valid_from: Int32
    valid_until: Int32  # NO_DAY: open
    arrives: Int8  # moment from which the household is here
    departs: Int8  # moment from which it is gone

    def __len__(self) -> int:
        return len(self.id)

    @property
    def dni(self) -> Int64:
        """DNI numbers: eight digits, no two alike, leading zeros among them."""
        return 100_000 + (self.id * 57_885_161 + self.salt) % 99_900_000

    @property
    def ce(self) -> Int64:
        """Foreigners' card numbers: nine digits, no two alike."""
        return 1 + (self.id * 611_953 + self.salt) % 999_999_937

    def chaff(self, what: str, choices: int, ids: Int64 | None = None) -> Int64:
        """An arbitrary but lasting number below `choices` for each person (or id): names, streets, dates of entry."""
        word = np.uint64(int.from_bytes(what.encode()[:7], "big") * 2 + 1)
        x = (self.id if ids is None else ids).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ np.uint64(self.salt)) * (word | np.uint64(1 << 40))
        x = (x ^ (x >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        return np.asarray((x >> np.uint64(33)) % np.uint64(choices), dtype=np.int64)


@dataclass(frozen=True, slots=True, repr=False)
class Moment:
    """How a block's people stand at one cut."""

    here: Bool  # of persons: born, arrived and not gone
    age: Int64  # of persons: whole years on the cut's last day
    place: Int32  # of households: position of the district
    poverty: Int8  # of households: classification in the register


def draw(country: Country, block: Block, cuts: Sequence[Period]) -> People:
    """The people of a block, for all cuts at once (in order of time)."""
    random = country.random(block.key, "people")
    steps = len(cuts) - 1
    later = 1.0 + ARRIVE * steps
    ends = np.cumsum(
        np.round(country.population[block.districts.start : block.districts.stop] * later).astype(np.int64)
    )
    head = _heads(random, ends)
    n, households = int(ends[-1]), len(head)
    size = np.diff(np.append(head, n))
    household = np.repeat(np.arange(households, dtype=np.int32), size)
    role = np.arange(n) - head[household]
    first_day, last_day = day_number(cuts[0].last_day()), day_number(cuts[-1].last_day())
    age, spouse = _ages(random, role, household, head, (last_day - first_day) / YEAR)
    birth = (first_day - np.floor(age * YEAR)).astype(np.int32)
    female = random.random(n) < 0.5
    female[head] = random.random(households) < 0.33
    female[spouse] = ~female[head[household[spouse]]]
    district = np.searchsorted(ends, head, side="right")
    poverty = _poverty(country, block, random, district)
    valid_from, valid_until = _validity(random, first_day, households)
    return People(
        block=block,
        salt=int(country.random("salt").integers(1, 2**31)),
        id=block.first_id + np.arange(n, dtype=np.int64),
        household=household,
        female=female,
        birth=birth,
        document=_documents(random, age),
        leaves=_when(random, n, DIE, steps, never=FOREVER),
        head=head.astype(np.int32),
        origin=(block.districts.start + district).astype(np.int32),
        poverty=poverty,
        claimed=_shifted(random, poverty, 0.08),
        in_register=random.random(households) < IN_REGISTER[poverty],
        valid_from=valid_from,
        valid_until=valid_until,
        arrives=_when(random, households, ARRIVE, steps, never=0),
        departs=_when(random, households, LEAVE, steps, never=FOREVER),
    )


def at(country: Country, people: People, cuts: Sequence[Period], index: int) -> Moment:
    """How the people stand at one of the cuts."""
    block, households = people.block, len(people.head)
    place, poverty = people.origin.copy(), people.poverty.copy()
    for step in range(1, index + 1):
        random = country.random(block.key, "step", cuts[step])
        moving = random.random(households) < MOVE
        place[moving] = country.elsewhere(block, int(moving.sum()), random)
        anew = random.random(households) < RECLASSIFIED
        poverty[anew] = random.integers(0, 3, int(anew.sum()))
    last_day = cuts[index].last_day()
    present = (people.arrives <= index) & (people.departs > index)
    here = present[people.household] & (people.leaves > index) & (people.birth <= day_number(last_day))
    return Moment(here, ages(people.birth, last_day), place, poverty)


def _heads(random: np.random.Generator, ends: Int64) -> Int64:
    """Positions at which a household begins; none reaches from one district into the next."""
    n = int(ends[-1])
    sizes = random.choice(np.arange(1, 9), size=n // 2 + 8, p=HOUSEHOLD_SIZES)
    starts = np.append(0, np.cumsum(sizes))
    return np.unique(np.concatenate([starts[starts < n], ends[:-1]])).astype(np.int64)


def _ages(
    random: np.random.Generator, role: Int64, household: Int32, head: Int64, to_come: float
) -> tuple[NDArray[np.float64], Int64]:
    """Age in years at the first cut, negative for those born up to `to_come` years later; and who are spouses."""
    n = len(role)
    of_head = 18.0 + 72.0 * random.beta(2.2, 2.6, len(head))
    oldest_child = np.clip(of_head - 18.0, 0.5, 32.0)[household]
    age = random.uniform(-to_come, oldest_child, n) if to_come else random.uniform(0.0, oldest_child, n)
    elder = random.random(n) < 0.08
    age[elder] = random.uniform(60.0, 97.0, int(elder.sum()))
    spouse = np.flatnonzero((role == 1) & (random.random(n) < 0.65))
    age[spouse] = np.clip(of_head[household[spouse]] + random.normal(-1.0, 5.0, len(spouse)), 18.0, 99.0)
    age[head] = of_head
    return age, spouse


def _poverty(country: Country, block: Block, random: np.random.Generator, district: Int64) -> Int8:
    """Classification of each household: poverty differs between districts, and is deeper in small ones."""
    positions = range(block.districts.start, block.districts.stop)
    noise = np.array([country.random(country.districts[i].code, "poverty").normal(0.0, 0.35) for i in positions])
    small = np.log10(30_000 / np.maximum(country.full_size[positions.start : positions.stop], 300))
    extreme = np.clip(0.17 * np.exp(noise + 0.35 * small), 0.02, 0.55)[district]
    poor = np.clip(extreme + 0.25 * np.exp(0.2 * small)[district], 0.05, 0.92)
    luck = random.random(len(district))
    return (np.asarray(luck >= extreme).astype(np.int8) + (luck >= poor)).astype(np.int8)


def _shifted(random: np.random.Generator, cse: Int8, share: float) -> Int8:
    """The same classification, but another one for a share of the households."""
    other = random.random(len(cse)) < share
    return np.where(other, (cse + random.integers(1, 3, len(cse))) % 3, cse).astype(np.int8)


def _validity(random: np.random.Generator, first_day: int, households: int) -> tuple[Int32, Int32]:
    """From when until when a classification holds: three years; some have lapsed, begin later, or are open."""
    since = first_day - random.integers(0, 1_190, households)
    later = random.random(households) < 0.01
    since[later] = first_day + random.integers(1, 400, int(later.sum()))
    until = np.where(random.random(households) < 0.06, NO_DAY, since + 1_095)
    return since.astype(np.int32), until.astype(np.int32)


def _documents(random: np.random.Generator, age: NDArray[np.float64]) -> Int8:
    """Who has which document: one in a hundred a foreigner's card; a third of the babies none yet."""
    luck = random.random(len(age))
    document = np.where(luck < 0.01, Document.CE, Document.DNI)
    return np.where(luck > np.where(age < 1.0, 0.65, 0.994), Document.NONE, document).astype(np.int8)


def _when(random: np.random.Generator, n: int, share: float, steps: int, never: int) -> Int8:
    """The step (1 … steps) at which something happens to each, `never` for nearly all."""
    out = np.full(n, never, dtype=np.int8)
    if steps:
        struck = random.random(n) < share * steps
        out[struck] = random.integers(1, steps + 1, int(struck.sum()))
    return out
