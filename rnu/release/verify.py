"""Check a release as anybody can, by what is published alone: whole numbers, no solver, no engine, no trust.

What is checked is what a visitor downloads: the CSV files, and the certificate that speaks of their cells. Nothing of a
certificate is believed: its places and categories must be those of the release, its threshold the published one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from anonymize.tables import TOTAL
from rnu.errors import NotARelease, ReviewRequired, StoreError
from rnu.provenance import file_digest
from rnu.public.table import by_swaps, verify
from rnu.release.certificates import (
    DATAPACKAGE,
    PLACE,
    ReleaseName,
    Table,
    csv_frames,
    not_as_built,
    of_table,
    release_of,
    tables,
)
from rnu.release.linked import LinkedTables, linked_tables
from rnu.release.manifest import MANIFEST, problems
from rnu.release.read import dimensions, own_cubes, read_json
from rnu.ubigeo import LEVELS, NATION


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of one table found: counts of cells, and what is wrong."""

    cube: str
    programme: str
    threshold: int
    shown: int
    withheld: int
    proven: int  # withheld cells that can be 1 … threshold
    at_least_threshold: int  # withheld cells known to be the threshold or more
    unshown: int  # cells that nobody shows
    unshown_proven: int  # of these, cells that exchanges in the certificate's base show to be possible as 1 … threshold
    concluded: int  # further cells that nobody shows, which cannot be 1 and so are known to be the threshold or more
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckedLinked:
    """What a check of a certificate of linked tables found."""

    cube: str
    programme: str
    shown: int
    withheld: int
    proven: int  # withheld cells that can be 1 … their threshold
    at_least_threshold: int  # withheld cells known to be the threshold or more
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of a release found. It holds if, and only if, no problem is told."""

    release: str  # period and revision
    digest: str  # of the manifest; empty if there is none
    tables: tuple[Checked, ...]
    problems: tuple[str, ...]
    linked: tuple[CheckedLinked, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything is as it should be."""
        of_tables = (*(table.problems for table in self.tables), *(table.problems for table in self.linked))
        return not self.problems and not any(of_tables)


def verify_release(folder: Path, *, part: bool = False) -> Verified:
    """Check a release, or some of its files, by what is published alone; NotARelease if they cannot be read.

    With a manifest every byte must be as it says, and every file be there unless it is a part. Without one only tables
    and certificates are held together.
    """
    digest, changed = "", list[str]()
    if (folder / MANIFEST).is_file():
        digest = file_digest(folder / MANIFEST)
        try:
            changed = problems(folder, part=part)
        except ReviewRequired as error:
            raise NotARelease(error.what, where=error.where, remedy="fetch the release again") from error
    if changed:
        return Verified("", digest, (), tuple(changed))
    release = release_of(folder)
    of = Expected.of(folder, release)
    own = list(tables(folder))
    checked = tuple(_checked(table, of) for table in own)
    wrong = () if checked else ("there is no table with a certificate",)
    linked = tuple(_checked_linked(one, of) for one in linked_tables(folder, own))
    return Verified(str(release), digest, checked, wrong, linked)


def certificate_problems(folder: Path) -> Iterator[tuple[Table | LinkedTables, str]]:
    """What is wrong with each certificate of a release."""
    expected, own = Expected.of(folder, release_of(folder)), list(tables(folder))
    for table in own:
        for problem in (*expected.problems(table), *verify(table.public).problems):
            yield table, problem
    for linked in linked_tables(folder, own):
        for problem in (*expected.problems_of_linked(linked), *linked.public.verify().problems):
            yield linked, problem


@dataclass(frozen=True, slots=True)
class Expected:
    """What the release itself says that its certificates must speak of."""

    release: ReleaseName
    places: frozenset[str]
    categories: Mapping[tuple[str, str], Mapping[str, frozenset[str]]]  # cube, programme -> dimension -> categories
    thresholds: Mapping[str, Mapping[str, int]]  # cube -> programme -> threshold, where a report tells

    @classmethod
    def of(cls, folder: Path, release: ReleaseName) -> Expected:
        """What the tables and reports say; NotARelease if they cannot be understood."""
        try:
            return cls._of(folder, release)
        except StoreError as error:
            raise NotARelease(error.what, where=error.where, remedy="fetch the release again") from error
        except (LookupError, TypeError, StopIteration) as error:
            raise not_as_built(folder, error) from error

    @classmethod
    def _of(cls, folder: Path, release: ReleaseName) -> Expected:
        frames = {cube: found for cube in own_cubes(folder) if (found := csv_frames(folder, cube))}
        told = read_json(folder, "proteccion.json")["tablas"] if (folder / "proteccion.json").is_file() else []
        return cls(
            release,
            frozenset(place for found in frames.values() for frame in found for place in frame[PLACE]),
            {
                (cube, programme): {name: known[name] for name in named}
                for cube, found in frames.items()
                for known in [_categories(folder, cube, found)]
                for programme, named in _broken_down(folder, cube).items()
            },
            {table["tabla"]: table["umbrales"] for table in told},
        )

    def problems(self, table: Table) -> Iterator[str]:
        """Where a certificate speaks of another release or table, or of places and categories that are not there."""
        claim = table.public.claim
        mine = of_table(self.release, table.cube, table.programme)
        if claim.of != mine:
            yield f"the certificate is of another table: {', '.join(claim.of.values())}"
        first, *others = claim.axes
        if set(first.tree.codes) != self.places:
            yield "the certificate has other places than the release"
        parents = [first.tree.codes[up] if up >= 0 else "" for up in first.tree.parent]
        if any(parent != above(code) for code, parent in zip(first.tree.codes, parents, strict=True)):
            yield "the certificate has a place below another than the release"
        given = {axis.column: frozenset(axis.tree.codes[1:]) for axis in others}
        if given != self.categories.get((table.cube, table.programme)) or any(
            axis.tree.codes[0] != TOTAL or any(axis.tree.parent[1:]) for axis in others
        ):
            yield "the certificate has other categories than the release"
        told = self.thresholds.get(table.cube, {}).get(table.programme, claim.threshold)
        if told != claim.threshold:
            yield f"the certificate proves values up to {claim.threshold}, and the threshold is {told}"

    def problems_of_linked(self, linked: LinkedTables) -> Iterator[str]:
        """Where a certificate of linked tables speaks of another release, or proves other thresholds than are told."""
        of = linked.public.claim.of
        if of != of_table(self.release, linked.cube, linked.programme):
            yield f"the certificate is of another table: {', '.join(of.values())}"
        threshold = max(linked.users.thresholds)
        told = self.thresholds.get(linked.cube, {}).get(linked.programme, threshold)
        if told != threshold:
            yield f"the programmes' own tables prove values up to {threshold}, and the threshold is {told}"


def above(place: str) -> str:
    """The place right above another, empty for the nation.

    >>> above("180101"), above("18"), above("PE")
    ('1801', 'PE', '')
    """
    return "" if place == NATION else place[:-2] or NATION


def _categories(folder: Path, cube: str, frames: Sequence[pd.DataFrame]) -> dict[str, frozenset[str]]:
    """A cube's categories as its data package lists them."""
    name = f"{cube}_{LEVELS[0]}"
    resource = next(r for r in read_json(folder, DATAPACKAGE)["resources"] if r["name"] == name)
    listed = {
        field["name"]: field["constraints"]["enum"] for field in resource["schema"]["fields"] if "categories" in field
    }
    return {name: frozenset(listed[name]) - {TOTAL} for name in dimensions(frames[0])}


def _broken_down(folder: Path, cube: str) -> dict[str, list[str]]:
    """What each programme's table is broken down by; the others' columns say `total` in all its rows."""
    table = next(t for t in read_json(folder, DATAPACKAGE)["tablas"] if t["id"] == cube)
    return {one["id"]: one.get("desgloses", table["desgloses"]) for one in table["programas"]}


def _checked_linked(linked: LinkedTables, expected: Expected) -> CheckedLinked:
    found = linked.public.verify()
    problems = (*expected.problems_of_linked(linked), *found.problems)
    return CheckedLinked(
        linked.cube, linked.programme, found.shown, found.withheld, found.proven, found.large, problems
    )


def _checked(table: Table, expected: Expected) -> Checked:
    found, swapped = verify(table.public), by_swaps(table.public)
    return Checked(
        cube=table.cube,
        programme=table.programme,
        threshold=table.public.claim.threshold,
        shown=found.shown,
        withheld=found.withheld,
        proven=found.proven,
        at_least_threshold=found.large,
        unshown=swapped.unshown,
        unshown_proven=swapped.cleared,
        concluded=found.concluded,
        problems=(*expected.problems(table), *found.problems),
    )
