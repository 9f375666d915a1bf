"""What each release of a dataset changed for its readers: national totals beside those of the release before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rnu.publish.dataset import headlines
from rnu.publish.portal import Publication
from rnu.release.read import cubes


@dataclass(frozen=True, slots=True)
class Changed:
    """One programme's national total before and after; a mark where there is no number, None where it was not there."""

    programme: str  # its name
    before: int | str | None
    after: int | str | None

    def as_json(self) -> dict[str, Any]:
        """The same for a portal."""
        return {"programa": self.programme, "antes": self.before, "ahora": self.after}


def changes(history: Sequence[Publication], cube: str) -> tuple[tuple[Changed, ...], ...]:
    """For each release, newest first, the national totals that are others than in the one after it in `history`.

    The oldest has none. Published values only.
    """
    national = [_national(publication.folder, cube) for publication in history]
    return tuple(_changed(before, now) if before else () for now, before in zip_longest(national, national[1:]))


def _changed(before: dict[str, tuple[str, int | str]], now: dict[str, tuple[str, int | str]]) -> tuple[Changed, ...]:
    found = (
        Changed({**before, **now}[id][0], before[id][1] if id in before else None, now[id][1] if id in now else None)
        for id in {**now, **before}
    )
    return tuple(one for one in found if one.before != one.after)


def _national(folder: Path, cube: str) -> dict[str, tuple[str, int | str]]:
    """A programme's name and total by its id; nothing where the release has no such table."""
    if cube not in cubes(folder):
        return {}
    return headlines(folder, cube)
