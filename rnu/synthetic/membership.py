"""Who is a user of which programme: by the programme's rule, with those it leaves out and those it should not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnu.settings import Period
from rnu.synthetic.country import Country
from rnu.synthetic.people import Int64, Moment, People

Float: TypeAlias = NDArray[np.float32]

SIS_SHARE = 0.495  # of the people: 16.3 of 33 million
ROWS_PER_PERSON = 19_360_584 / 33_000_000  # the nine programmes' rows of July 2016 over the people
CHURN = 0.015  # share of people whose luck with a programme is drawn anew from one cut to the next

# A chance by classification: extreme poor, poor, not poor. What the last holds is leakage; what the first lacks to 1
# is undercoverage. Calibrated (2026-11, whole country) to the programmes' published numbers of users: Juntos 762,810
# households (2025), Pensión 65 567,043 (2022), Contigo 142,000 (2025); the others' sizes are guesses.
ELDERS = (0.65, 0.095, 0.003)
INFANTS = (0.163, 0.116, 0.022)
DISABLED = (0.0125, 0.0064, 0.0010)
CANTEEN = (0.0210, 0.0128, 0.0041)
MILK_SMALL = (0.220, 0.169, 0.070)  # up to 6 years: first priority
MILK_CHILD = (0.061, 0.045, 0.0225)  # 7 to 13: second
MILK_ADULT = (0.0094, 0.0075, 0.0031)
YOUNG_HOUSEHOLD = (0.400, 0.190, 0.015)
GROWN_HOUSEHOLD = 0.12  # of that chance: its children grew up, and it is a user still
RURAL_HOUSEHOLD = (0.0370, 0.0164, 0.0011)
INSURED = (1.00, 0.86, 0.42)  # weights, not chances: SIS takes as many as it is told to


def users(
    country: Country, people: People, moment: Moment, programme: str, cuts: Sequence[Period], index: int
) -> Int64:
    """Positions of a programme's users at a cut, in order; of its households' heads where the unit is the household."""
    chance = _chance(country, people, moment, programme) * moment.here
    if programme in {"juntos", "foncodes"}:
        heads = np.zeros(len(people), dtype=bool)
        heads[people.head] = True
        chance *= heads
    return np.flatnonzero(_luck(country, people, programme, cuts, index) < chance)


def insured(country: Country, people: People, moment: Moment, number: int, cuts: Sequence[Period], index: int) -> Int64:
    """Positions of exactly so many users of SIS, poor people first but not only.

    Raises ValueError if there are not that many people.
    """
    if number > moment.here.sum():
        raise ValueError(f"block {people.block.key} cannot hold {number} SIS users: make more people")
    wait = _luck(country, people, "sis", cuts, index) / _by_poverty(people, moment, INSURED)
    wait[~moment.here] = np.inf
    chosen = np.argpartition(wait, max(number - 1, 0))[:number]
    return np.sort(chosen)


def _luck(country: Country, people: People, programme: str, cuts: Sequence[Period], index: int) -> Float:
    """A number from 0 to 1 for each person: mostly the same at every cut, so that users mostly stay."""
    luck = country.random(people.block.key, programme).random(len(people), dtype=np.float32)
    for cut in cuts[1 : index + 1]:
        random = country.random(people.block.key, programme, cut)
        anew = random.random(len(people), dtype=np.float32) < CHURN
        luck[anew] = random.random(int(anew.sum()), dtype=np.float32)
    return luck


def _by_poverty(people: People, moment: Moment, chances: tuple[float, float, float]) -> Float:
    return np.asarray(np.array(chances, dtype=np.float32)[moment.poverty][people.household])


def _chance(country: Country, people: People, moment: Moment, programme: str) -> Float:
    """Each person's chance of being in a programme, by its rule."""
    age = moment.age
    match programme:
        case "pension65":
            early = _by_poverty(people, moment, (0.02, 0.002, 0.0)) * (age >= 60)
            chance = np.where(age >= 65, _by_poverty(people, moment, ELDERS), early)
        case "cunamas":
            under_three = np.where(age < 3, 1.0, 0.05) * (age < 4)
            chance = _by_poverty(people, moment, INFANTS) * under_three
        case "contigo":
            chance = _by_poverty(people, moment, DISABLED)
        case "pca":
            chance = _by_poverty(people, moment, CANTEEN)
        case "vasoleche":
            adults, children = _by_poverty(people, moment, MILK_ADULT), _by_poverty(people, moment, MILK_CHILD)
            chance = np.where(age <= 6, _by_poverty(people, moment, MILK_SMALL), np.where(age <= 13, children, adults))
            chance = chance * _has_reniec_code(country)[moment.place][people.household]
        case "juntos":
            minors = np.bincount(people.household, weights=moment.here & (age < 19), minlength=len(people.head))
            young = np.where(minors > 0, 1.0, GROWN_HOUSEHOLD)
            chance = _by_poverty(people, moment, YOUNG_HOUSEHOLD) * young[people.household]
        case "foncodes":
            rural = np.where(country.full_size < 20_000, 2.0, 0.7)
            chance = _by_poverty(people, moment, RURAL_HOUSEHOLD) * rural[moment.place][people.household]
        case _:
            raise ValueError(f"no rule for programme '{programme}'")
    return np.asarray(chance, dtype=np.float32)


def _has_reniec_code(country: Country) -> NDArray[np.bool_]:
    """Municipalities number places as RENIEC does: a district without such a code has no committee of its own."""
    return np.array([bool(d.reniec) for d in country.districts])
