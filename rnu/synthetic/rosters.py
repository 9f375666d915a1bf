"""The rows that a sector delivers: its users, some of them twice, and a few rows that are broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from rnu.synthetic.country import Country
from rnu.synthetic.people import Bool, Cse, Document, Int8, Int32, Int64, Moment, People
from rnu.synthetic.schools import Schools

BROKEN = 0.003  # share of rows with one defect: well under the sources' tolerance
TWICE = 0.0015  # share of documented users with a second row
ELSEWHERE = 0.4  # of second rows: in another district
RECLASSIFIED = 0.25  # of second rows: with another classification, where the source has one
UNBROKEN = -1


class Rule(StrEnum):
    """Which rule a defect breaks, by frictionless' name of the error."""

    TYPE = "type-error"
    CONSTRAINT = "constraint-error"
    FOREIGN_KEY = "foreign-key"
    EXTRA = "extra-cell"
    MISSING = "missing-cell"

    @property
    def ragged(self) -> bool:
        """Whether the row has a cell too many or too few."""
        return self in {Rule.EXTRA, Rule.MISSING}


@dataclass(frozen=True, slots=True)
class Defect:
    """One way a row can be broken: which cell is overwritten with what, and what is then reported."""

    rule: Rule
    column: str = ""  # empty for a cell too many
    text: str = ""
    field: str = ""  # as reported, where it is not the column: all columns of a foreign key

    @property
    def reported(self) -> tuple[str, str]:
        """(field, rule) under which a right check counts it."""
        return self.field or self.column, self.rule.value


class Claims(StrEnum):
    """What classification a programme's own roster carries."""

    NONE = "none"
    ALL = "all"
    SOME = "some"  # blank for some households
    UNCLASSIFIED = "unclassified"  # says so for some households, in a code of its own
    POOR = "poor"  # only the two poor ones: the others were never written down
    EXTREME = "extreme"  # as the rule wants it, but for leaks that are written down openly


@dataclass(frozen=True, slots=True)
class Habits:
    """How a sector keeps its roster."""

    claims: Claims = Claims.NONE
    foreigners: bool = True  # whether it can write down a foreigner's card
    retired: float = 0.0  # share of rows marked as no user any more
    zeros_lost: float = 0.0  # share of DNIs with a leading zero that lost it
    reniec: bool = False  # places are RENIEC's, so only districts that have such a code
    defects: tuple[Defect, ...] = ()


@dataclass(frozen=True, slots=True)
class Care:
    """How much goes wrong: shares of rows with a broken cell, and with a cell too many or too few."""

    broken: float
    ragged: float


@dataclass(frozen=True, slots=True, repr=False)
class Rows:
    """Delivered rows of one block, in order."""

    who: Int64  # position of the person (of a household's head), or of the school
    place: Int32  # position of the district
    cse: Int8  # the roster's own
    active: Bool
    shortened: Bool  # the DNI lost its leading zeros
    defect: Int8  # index of the habit's defects, UNBROKEN for nearly all

    def __len__(self) -> int:
        return len(self.who)


def documented(people: People, who: Int64, habits: Habits) -> Bool:
    """Whose document stands in the roster."""
    kinds = people.document[who]
    return np.asarray((kinds == Document.DNI) | ((kinds == Document.CE) & habits.foreigners))


def of_people(
    country: Country,
    people: People,
    moment: Moment,
    who: Int64,
    cse: Int8,
    habits: Habits,
    care: Care,
    random: np.random.Generator,
    twice: int | None = None,
) -> Rows:
    """The rows for these people: each once, `twice` of them (default: a small share) a second time.

    `cse` is the classification that the roster carries, by household. Second rows may say another district or another
    classification than the first.
    """
    rows, second = _with_seconds(people, who, habits, random, twice)
    n, household = len(rows), people.household[rows]
    place, own = moment.place[household], cse[household]
    away = second & (random.random(n) < ELSEWHERE)
    place[away] = country.elsewhere(people.block, int(away.sum()), random, reniec=habits.reniec)
    other = second & (own != Cse.BLANK) & (random.random(n) < RECLASSIFIED)
    own[other] = (own[other] + 1) % (2 if habits.claims is Claims.POOR else 3)
    starts_with_zero = (people.document[rows] == Document.DNI) & (people.dni[rows] < 10_000_000)
    return Rows(
        who=rows,
        place=place,
        cse=own,
        active=random.random(n) >= habits.retired,
        shortened=starts_with_zero & (random.random(n) < habits.zeros_lost),
        defect=_defects(random, n, habits, care),
    )


def of_schools(schools: Schools, habits: Habits, care: Care, random: np.random.Generator) -> Rows:
    """The rows for these schools: each once."""
    n = len(schools)
    yes, no = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    blank = np.full(n, Cse.BLANK, dtype=np.int8)
    return Rows(np.arange(n), schools.place, blank, yes, no, _defects(random, n, habits, care))


def claimed(people: People, habits: Habits) -> Int8:
    """What a sector wrote down of each household's classification."""
    said = people.claimed
    unknown = people.chaff("claims", 100, people.id[people.head]) < 6
    match habits.claims:
        case Claims.NONE:
            said = np.full_like(said, Cse.BLANK)
        case Claims.SOME:
            said = np.where(unknown, Cse.BLANK, said)
        case Claims.UNCLASSIFIED:
            said = np.where(unknown, Cse.NO_CLASIFICADO, said)
        case Claims.POOR:
            said = np.where(unknown, Cse.BLANK, np.minimum(said, Cse.POBRE_NO_EXTREMO))
        case Claims.EXTREME:
            said = np.where(unknown, said, Cse.POBRE_EXTREMO)
    return said.astype(np.int8)


def _with_seconds(
    people: People, who: Int64, habits: Habits, random: np.random.Generator, twice: int | None
) -> tuple[Int64, Bool]:
    """The people's rows with second ones strewn in anywhere, and which are second. Who has no document has one row."""
    n = len(who)
    known = np.flatnonzero(documented(people, who, habits))
    again = int(random.binomial(len(known), TWICE)) if twice is None else twice
    if not again:
        return who, np.zeros(n, dtype=bool)
    seconds = random.choice(known if len(known) else np.arange(n), again)
    order = np.argsort(np.concatenate([np.arange(n), random.uniform(0, n, again)]), kind="stable")
    return np.concatenate([who, who[seconds]])[order], order >= n


def _defects(random: np.random.Generator, n: int, habits: Habits, care: Care) -> Int8:
    """Which rows are broken, and how: never more than one defect in a row."""
    out = np.full(n, UNBROKEN, dtype=np.int8)
    _strike(random, out, care.broken, [i for i, d in enumerate(habits.defects) if not d.rule.ragged])
    _strike(random, out, care.ragged, [i for i, d in enumerate(habits.defects) if d.rule.ragged])
    return out


def _strike(random: np.random.Generator, defect: Int8, share: float, kinds: Sequence[int]) -> None:
    struck = np.flatnonzero(random.random(len(defect)) < share)
    if kinds:
        defect[struck] = random.choice(np.array(kinds, dtype=np.int8), len(struck))
