"""What a steward wants to try (`threshold=10`, `distrito=2`, `contigo.threshold=15`), and what it makes of a design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from rnu.errors import SettingsError
from rnu.settings import Cube, Settings
from rnu.settings.checks import cross_check
from rnu.settings.suggestion import did_you_mean
from rnu.ubigeo import LEVELS

THRESHOLD, FLOOR = "threshold", "population_floor"
KEYS = (THRESHOLD, FLOOR, *LEVELS)
WHERE = "--try"


@dataclass(frozen=True, slots=True)
class Change:
    """One key of `cubes.toml` with another value: of every cube, or of one programme."""

    key: str
    value: int
    programme: str = ""

    def __str__(self) -> str:
        return f"{self.programme}.{self.key}={self.value}".lstrip(".")


@dataclass(frozen=True, slots=True)
class Trial:
    """Changes that are tried together."""

    changes: tuple[Change, ...]

    def __str__(self) -> str:
        return " ".join(str(change) for change in self.changes)

    def settings(self, today: Settings) -> Settings:
        """Today's configuration with the changes; SettingsError if it is none."""
        cubes = today.cubes
        for change in self.changes:
            _known(change, today)
            cubes = tuple(_changed(cube, change) for cube in cubes)
        tried = replace(today, cubes=cubes)
        cross_check(tried)
        return tried


def parse(words: Sequence[str]) -> tuple[Trial, ...]:
    """What was asked for: every combination of the values of each key. SettingsError names what cannot be read.

    >>> [str(trial) for trial in parse(["threshold=5,10", "sis.distrito=0"])]
    ['threshold=5 sis.distrito=0', 'threshold=10 sis.distrito=0']
    """
    return tuple(Trial(changes) for changes in product(*(_changes(word) for word in words)))


def _changes(word: str) -> list[Change]:
    name, _, values = word.partition("=")
    programme, _, key = name.rpartition(".")
    if not all(value.isascii() and value.isdigit() for value in values.split(",")):
        raise SettingsError(
            f"'{word}' is nothing to try", where=WHERE, remedy="KEY=NUMBER, or KEY=NUMBER,NUMBER for several"
        )
    return [Change(key, int(value), programme) for value in values.split(",")]


def _known(change: Change, settings: Settings) -> None:
    if change.key not in KEYS:
        raise SettingsError(
            f"'{change.key}' cannot be tried", where=WHERE, remedy=did_you_mean(change.key, KEYS) or f"one of {KEYS}"
        )
    programmes = [p for cube in settings.cubes for p in cube.programmes]
    if change.programme and change.programme not in programmes:
        raise SettingsError(
            f"no cube has a programme '{change.programme}'",
            where=WHERE,
            remedy=did_you_mean(change.programme, programmes),
        )
    if change.programme and change.key == FLOOR:
        raise SettingsError("a population floor is a cube's", where=WHERE, remedy=f"{FLOOR}={change.value}")


def _changed(cube: Cube, change: Change) -> Cube:
    """A cube with a change, if it concerns it."""
    if change.programme and change.programme not in cube.programmes:
        return cube
    if change.key == FLOOR:
        return replace(cube, population_floor=change.value)
    if change.key == THRESHOLD:
        return _with_threshold(cube, change)
    return _coarser(cube, change) if change.programme else _with_crosses(cube, change)


def _with_threshold(cube: Cube, change: Change) -> Cube:
    """The threshold of one programme; or of the cube, and of its programmes that have a lower one."""
    if change.programme:
        return replace(cube, thresholds={**cube.thresholds, change.programme: change.value})
    higher = {programme: max(own, change.value) for programme, own in cube.thresholds.items()}
    return replace(cube, threshold=change.value, thresholds=higher)


def _with_crosses(cube: Cube, change: Change) -> Cube:
    """The most crosses of a level; no level shows more than the one above it, none more than there are dimensions."""
    levels, most = [], len(cube.dimension)
    for level in cube.level:
        most = min(most, change.value if level.id == change.key else level.crosses)
        levels.append(replace(level, crosses=most))
    cube = replace(cube, level=tuple(levels))
    for programme in cube.coarser:
        cube = _in_order(cube, programme)
    return cube


def _in_order(cube: Cube, programme: str) -> Cube:
    """A cube in which no level shows more crosses of a programme than the level above."""
    own, most = dict(cube.coarser[programme]), len(cube.dimension)
    for level, crosses in zip(cube.level, cube.crosses(programme), strict=True):
        most = min(most, crosses)
        if crosses > most:
            own[level.id] = most
    return replace(cube, coarser={**cube.coarser, programme: own})


def _coarser(cube: Cube, change: Change) -> Cube:
    """The most crosses of a level for one programme, and no more below it."""
    of_cube: dict[str, int] = {level.id: level.crosses for level in cube.level}
    if change.value > of_cube[change.key]:
        raise SettingsError(
            f"'{cube.id}' shows at most {of_cube[change.key]} at {change.key}, and a programme no more than its cube",
            where=f"{WHERE} {change}",
            remedy=f"{change.key}={change.value} tries it for all programmes",
        )
    ids: list[str] = [level.id for level in cube.level]
    own = dict(cube.coarser.get(change.programme, {}))
    own[change.key] = change.value
    for level, crosses in zip(ids, cube.crosses(change.programme), strict=True):
        if ids.index(level) > ids.index(change.key) and crosses > change.value:
            own[level] = change.value
    return replace(cube, coarser={**cube.coarser, change.programme: own})
