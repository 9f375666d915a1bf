"""Attack a release as an outsider does who also holds earlier releases and other public figures.

Counts of another period are other counts, so what earlier releases give away are two things:

- **the same period published again** with other marks: what one of the two shows and the other withholds. Where all
  counts that both show agree, the earlier ones are known of this one too, and everything is attacked together;
- **differences**: a cell shown in both whose count changed by 1 … threshold - 1 tells of those few who came or left. In
  the nation and in departments that is by design, and so are totals of provinces and districts. Their breakdowns are
  to be shown once a year: nearer than that a small change is a finding.

Codes of places that were divided are given as a list of old and new codes: an old place's count is the sum of the new.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anonymize.tables import TOTAL
from anonymize.verify import SHOWN, WITHHELD
from rnu.errors import BadTable
from rnu.public.attack import Attacked, Cell, Known, attack
from rnu.public.table import Public, counted
from rnu.release.attack_linked import TriedLinked, attack_linked
from rnu.release.certificates import PLACE, ReleaseName, Table, csv_frames, release_of, tables
from rnu.release.columns import MARK
from rnu.release.linked import linked_tables
from rnu.release.read import dimensions, own_cubes
from rnu.settings import Period

REGIONS = 2  # levels from the root down whose breakdowns every period may show: nation and departments
YEAR = 12  # months between two publications of the same breakdown further down

Splits = Mapping[str, tuple[str, ...]]  # old code -> new codes, for places that were divided


@dataclass(frozen=True, slots=True)
class Fact:
    """A count that an outsider holds."""

    programme: str
    place: str
    categories: Mapping[str, str]  # dimension -> category; a dimension that is missing is not broken down
    count: int
    where: str  # file and line
    cube: str = ""  # empty: a figure from elsewhere, which is of the programme's first table, that of its users


@dataclass(frozen=True, slots=True)
class Change:
    """A small difference between two publications of one cell."""

    kind: Literal["revision", "difference"]
    programme: str
    place: str
    categories: tuple[str, ...]
    before: str  # release
    by: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried of one table, and found."""

    cube: str
    programme: str
    attacked: Attacked
    known: int  # counts from elsewhere that were used
    disagree: int  # counts from elsewhere that the release contradicts, and that were not


@dataclass(frozen=True, slots=True)
class AttackedRelease:
    """What an outsider works out of a release."""

    tables: tuple[Tried, ...]
    changes: tuple[Change, ...]
    allowed: int  # small differences that the calendar allows
    linked: tuple[TriedLinked, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether nothing was found."""
        found = (*(one.attacked.found for one in self.tables), *(one.found for one in self.linked))
        return not self.changes and not any(found)


def attack_release(
    folder: Path, earlier: Sequence[Path] = (), known: Sequence[Path] = (), splits: Path | None = None
) -> AttackedRelease:
    """Attack every table of a release; NotARelease or BadTable if a folder or file cannot be read."""
    divided = read_splits(splits) if splits else {}
    here = release_of(folder)
    given = [fact for path in known for fact in read_facts(path)]
    before = [(release_of(one), list(shown_facts(one))) for one in earlier]
    tried, changes, allowed = list[Tried](), list[Change](), 0
    own_tables = list(tables(folder))
    for table in own_tables:
        of_users = table.programme not in {one.programme for one in tried}
        facts, finder = _own(table, given if of_users else []), Finder.of(table.public, divided)
        for release, published in before:
            own = _own(table, published)
            agree = all(finder.now(one) in (None, one.count) for one in own)
            if release.period == here.period and agree:
                facts += own
            else:
                small = list(_changes(table, own, finder, str(release), here.period == release.period))
                near = abs(_months(release.period) - _months(here.period)) < YEAR
                found = [change for change in small if near and _below_regions(table, change)]
                changes += found
                allowed += len(small) - len(found)
        tried.append(_try(table, facts, finder))
    linked = tuple(
        attack_linked(one, _users_before(own_tables, here, before)) for one in linked_tables(folder, own_tables)
    )
    return AttackedRelease(tuple(tried), tuple(changes), allowed, linked)


def _users_before(
    own: Sequence[Table], here: ReleaseName, before: Sequence[tuple[ReleaseName, Sequence[Fact]]]
) -> dict[tuple[str, str], int]:
    """Users by programme and place that a release of the period right before shows, if one is held."""
    of_users: dict[str, str] = {}
    for table in own:
        of_users.setdefault(table.programme, table.cube)
    return {
        (fact.programme, fact.place): fact.count
        for release, published in before
        if _months(release.period) == _months(here.period) - 1
        for fact in published
        if of_users.get(fact.programme) == fact.cube and set(fact.categories.values()) <= {TOTAL}
    }


def _try(table: Table, facts: Sequence[Fact], finder: Finder) -> Tried:
    public, known, disagree = table.public, list[Known](), 0
    for fact in facts:
        cells = finder.cells(fact)
        shown = [int(public.values[cell]) for cell in cells if public.state[cell] == SHOWN]
        least = sum(shown) + sum(1 for cell in cells if public.state[cell] == WITHHELD)
        if fact.count < least or (len(shown) == len(cells) and fact.count != least):
            disagree += 1
        elif len(shown) < len(cells):
            known.append(Known(cells, fact.count))
    return Tried(table.cube, table.programme, attack(public, known), len(known), disagree)


# --- what both say ---------------------------------------------------------------------------------------------------


def _own(table: Table, facts: Sequence[Fact]) -> list[Fact]:
    """Facts about a table's cells: of its programme, and broken down by nothing that it does not know."""
    names = {axis.column for axis in table.public.claim.axes[1:]}
    return [
        fact
        for fact in facts
        if fact.programme == table.programme
        and fact.cube in ("", table.cube)
        and all(name in names or category == TOTAL for name, category in fact.categories.items())
    ]


@dataclass(frozen=True, slots=True)
class Finder:
    """Where facts stand in a table."""

    public: Public
    places: Mapping[str, int]
    categories: tuple[tuple[str, Mapping[str, int]], ...]  # of each further dimension
    divided: Splits

    @classmethod
    def of(cls, public: Public, divided: Splits) -> Finder:
        """Number a table's codes."""
        first, *others = (
            (axis.column, {code: number for number, code in enumerate(axis.tree.codes)}) for axis in public.claim.axes
        )
        return cls(public, first[1], tuple(others), divided)

    def cells(self, fact: Fact) -> tuple[Cell, ...]:
        """The cells that a fact sums up; BadTable if it names a code that the release does not have."""
        try:
            at = [codes[fact.categories.get(name, TOTAL)] for name, codes in self.categories]
            return tuple((self.places[place], *at) for place in self.divided.get(fact.place, (fact.place,)))
        except KeyError as error:
            raise BadTable(
                "a place or category is not in the release",
                where=fact.where,
                remedy="name divided places with --splits",
            ) from error

    def now(self, fact: Fact) -> int | None:
        """What the release shows of the same; None if it does not show all of it."""
        cells = self.cells(fact)
        if any(self.public.state[cell] != SHOWN for cell in cells):
            return None
        return sum(int(self.public.values[cell]) for cell in cells)


def _changes(table: Table, facts: Sequence[Fact], finder: Finder, before: str, revision: bool) -> Iterator[Change]:
    """Cells shown in both whose count changed by less than the threshold."""
    names = [axis.column for axis in table.public.claim.axes[1:]]
    for fact in facts:
        now = finder.now(fact)
        if now is not None and 0 < abs(now - fact.count) < table.public.claim.threshold:
            categories = tuple(fact.categories.get(name, TOTAL) for name in names)
            kind: Literal["revision", "difference"] = "revision" if revision else "difference"
            yield Change(kind, table.programme, fact.place, categories, before, now - fact.count)


def _below_regions(table: Table, change: Change) -> bool:
    """Whether the calendar keeps such a cell for once a year: a breakdown of a province or district."""
    broken_down = any(category != TOTAL for category in change.categories)
    tree = table.public.claim.axes[0].tree
    depth = tree.depth[tree.codes.index(change.place)] if change.place in tree.codes else REGIONS
    return broken_down and depth >= REGIONS


def _months(period: Period) -> int:
    return period.year * YEAR + period.month


# --- reading ---------------------------------------------------------------------------------------------------------


def shown_facts(folder: Path) -> Iterator[Fact]:
    """Every count that a release shows; it needs no certificates for that."""
    for cube in own_cubes(folder):
        for frame in csv_frames(folder, cube):
            shown = frame[frame[MARK] == ""]
            names = dimensions(frame)
            rows = zip(shown["programa"], shown[PLACE], *(shown[n] for n in names), shown.iloc[:, -2], strict=True)
            for number, (programme, place, *categories, count) in zip(shown.index, rows, strict=True):
                where = f"{folder}: {cube}, row {int(number) + 2}"
                yield Fact(programme, place, dict(zip(names, categories, strict=True)), counted(count), where, cube)


def read_facts(path: Path) -> list[Fact]:
    """Counts of a CSV file: programa, ubigeo, n, and any breakdowns; BadTable names the line that is wrong."""
    rows = _rows(path, ("programa", PLACE, "n"))
    try:
        return [
            Fact(row.pop("programa"), row.pop(PLACE), row, counted(row.pop("n")), f"{path}, line {line}")
            for line, row in rows
        ]
    except ValueError as error:
        raise BadTable("a count is a whole number, 0 or more", where=str(path)) from error


def read_splits(path: Path) -> dict[str, tuple[str, ...]]:
    """Old codes and the new ones that took their place, of a CSV file with columns old and new."""
    out: dict[str, tuple[str, ...]] = {}
    for _, row in _rows(path, ("old", "new")):
        out[row["old"]] = (*out.get(row["old"], ()), row["new"])
    return out


def _rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise BadTable(f"there is no column '{missing[0]}'", where=f"{path}, line 1")
            return [(reader.line_num, {key: value.strip() for key, value in row.items()}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise BadTable(f"the file cannot be read ({type(error).__name__})", where=str(path)) from error
