"""Attack a release as an outsider does who also holds earlier releases and other public figures.

Counts of another period are other counts, so what earlier releases give away are two things:

- **the same period published again** with other marks: what one of the two shows and the other withholds. A department
  in which all counts that both show agree is taken for unchanged (the nation if all of them do): what the earlier
  release shows of it is known of this one too, and everything is attacked together;
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

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anonymize.tables import TOTAL
from anonymize.verify import SHOWN, WITHHELD
from rnu.errors import BadTable
from rnu.public.attack import Attacked, Known, attack
from rnu.public.axes import Hierarchy
from rnu.public.table import counted
from rnu.release.attack_linked import TriedLinked, attack_linked
from rnu.release.certificates import PLACE, ReleaseName, Table, csv_frames, release_of, tables
from rnu.release.columns import MARK
from rnu.release.linked import linked_tables
from rnu.release.read import dimensions, own_cubes

NATION = 0  # number of the root among a table's places
REGIONS = 2  # levels from the root down whose breakdowns every period may show: nation and departments
PROGRAMME, COUNT = "programa", "n"

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Splits = Mapping[str, tuple[str, ...]]  # old code -> new codes, for places that were divided


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Counts that an outsider holds: rows of programme, place, breakdowns if any, and how many, numbered by lines."""

    rows: pd.DataFrame
    where: str
    cube: str = ""  # empty: figures from elsewhere, which are of a programme's first table, that of its users


@dataclass(frozen=True, slots=True)
class Change:
    """A small difference between two publications of one cell."""

    kind: Literal["revision", "difference"]
    cube: str
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
    elsewhere: int = 0  # counts of places or categories that the release does not have, which were not compared

    @property
    def stands(self) -> bool:
        """Whether nothing was found."""
        found = (*(one.attacked.found for one in self.tables), *(one.found for one in self.linked))
        return not self.changes and not any(found)


def attack_release(
    folder: Path, earlier: Sequence[Path] = (), known: Sequence[Path] = (), splits: Path | None = None
) -> AttackedRelease:
    """Attack every table of a release; NotARelease or BadTable if a folder or file cannot be read or compared."""
    divided = read_splits(splits) if splits else {}
    given = [read_counts(path) for path in known]
    return _attacked(folder, [Earlier.read(one) for one in earlier], given, divided)


def attack_together(folder: Path, earlier: Sequence[Path]) -> AttackedRelease:
    """Attack a release with earlier ones, and only what these add to it: it was attacked alone before.

    Counts of places or categories that it does not have are not compared, and counted. NotARelease if a folder cannot
    be read.
    """
    return _attacked(folder, [Earlier.read(one) for one in earlier], (), None)


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """An earlier release as an outsider keeps it: what it is called, and every count that it shows."""

    release: ReleaseName
    shown: tuple[Counts, ...]

    @classmethod
    def read(cls, folder: Path) -> Earlier:
        """It needs no certificates for that."""
        return cls(release_of(folder), tuple(shown_counts(folder)))


def _attacked(
    folder: Path, earlier: Sequence[Earlier], given: Sequence[Counts], divided: Splits | None
) -> AttackedRelease:
    """Attack with all that is held; without a list of divided places, only what earlier releases add."""
    here, tried, seen = release_of(folder), list[Tried](), set[str]()
    changes, allowed, elsewhere = list[Change](), 0, 0
    own_tables = list(tables(folder))
    for table in own_tables:
        own: list[tuple[Counts, ReleaseName | None]] = [(one, None) for one in given if table.programme not in seen]
        own += [(counts, one.release) for one in earlier for counts in one.shown if counts.cube == table.cube]
        seen.add(table.programme)
        known, disagree = list[Known](), 0
        for counts, release in own:
            facts, lost = Facts.of(table, counts, divided or {})
            if lost and divided is not None:
                raise _not_there(counts, lost[0])
            elsewhere += len(lost)
            holds = _taken_for_true(facts, release, here)
            if release is not None:
                small = list(_changes(table, facts, ~holds, release, here))
                found = [change for change, below in small if below and here.period.near(release.period)]
                changes += found
                allowed += len(small) - len(found)
            known += facts.known(holds & ~facts.shown & ~facts.contradicted)
            disagree += int((holds & facts.contradicted).sum())
        if known or divided is not None:
            tried.append(Tried(table.cube, table.programme, attack(table.public, known), len(known), disagree))
    # as they were made linked tables were attacked by more than earlier releases show
    linked = linked_tables(folder, own_tables) if divided is not None else ()
    users = _users_before(own_tables, here, earlier)
    return AttackedRelease(
        tuple(tried), tuple(changes), allowed, tuple(attack_linked(one, users) for one in linked), elsewhere
    )


def _users_before(own: Sequence[Table], here: ReleaseName, earlier: Sequence[Earlier]) -> dict[tuple[str, str], int]:
    """Users by programme and place that a release of the period right before shows, if one is held."""
    of_users: dict[str, str] = {}
    for table in own:
        of_users.setdefault(table.programme, table.cube)
    found: dict[tuple[str, str], int] = {}
    for counts in (counts for one in earlier if one.release.period == here.period.minus(1) for counts in one.shown):
        rows = counts.rows[counts.rows[PROGRAMME].map(of_users) == counts.cube]
        broken_down = [name for name in rows.columns if name not in (PROGRAMME, PLACE, COUNT)]
        rows = rows[(rows[broken_down] == TOTAL).all(axis=1)]
        found |= dict(zip(zip(rows[PROGRAMME], rows[PLACE], strict=True), rows[COUNT].tolist(), strict=True))
    return found


# --- what both say ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Counts that an outsider holds of a table, and what the table itself says of the same."""

    rows: pd.DataFrame  # place and breakdowns as they are called there
    counts: Ints  # (facts,)
    cells: Ints  # (cells, dimensions) numbers of codes; a fact is one cell, or the sum of several
    fact: Ints  # (cells,) the fact that each belongs to
    shown: Bools  # (facts,) whether the table shows all of it
    now: Ints  # (facts,) what it shows of it
    least: Ints  # (facts,) how many it must be: what is shown, and 1 for each withheld cell
    regions: Ints  # (facts,) number of the department, NATION for the nation

    @classmethod
    def of(cls, table: Table, held: Counts, divided: Splits) -> tuple[Facts, list[int]]:
        """Those about a table's cells, and the lines of those that name a place or category it does not have.

        They are of its programme, and broken down by nothing that it does not know.
        """
        first, *others = table.public.claim.axes
        names = [axis.column for axis in others]
        rows = held.rows[held.rows[PROGRAMME] == table.programme]
        unknown = [name for name in rows.columns if name not in (PROGRAMME, PLACE, COUNT, *names)]
        rows = rows[(rows[unknown] == TOTAL).all(axis=1)]
        rows = rows.assign(**{name: TOTAL for name in names if name not in rows})[[PLACE, *names, COUNT]]
        cells = rows.assign(fact=np.arange(len(rows)))
        if divided:
            cells[PLACE] = [divided.get(code, (code,)) for code in cells[PLACE]]
            cells = cells.explode(PLACE)
        at = np.stack(
            [pd.Index(axis.tree.codes).get_indexer(pd.Index(cells[axis.column])) for axis in (first, *others)], axis=1
        ).astype(np.int64)
        of = cells["fact"].to_numpy()
        there = np.bincount(of[(at < 0).any(axis=1)], minlength=len(rows)) == 0
        inside, number = there[of], np.cumsum(there) - 1
        return cls._placed(table, rows[there], at[inside], number[of[inside]]), rows.index[~there].tolist()

    @classmethod
    def _placed(cls, table: Table, rows: pd.DataFrame, cells: Ints, of: Ints) -> Facts:
        where = tuple(cells.T)
        state, values = table.public.state[where], table.public.values[where]
        now = _summed(of, np.where(state == SHOWN, values, 0), len(rows))
        regions = np.zeros(len(rows), dtype=np.int64)
        regions[of] = _regions(table.public.claim.axes[0].tree)[cells[:, 0]]
        return cls(
            rows=rows,
            counts=rows[COUNT].to_numpy(dtype=np.int64),
            cells=cells,
            fact=of,
            shown=_summed(of, state != SHOWN, len(rows)) == 0,
            now=now,
            least=now + _summed(of, state == WITHHELD, len(rows)),
            regions=regions,
        )

    @property
    def contradicted(self) -> Bools:
        """Facts that cannot be true of the table."""
        return np.where(self.shown, self.counts != self.now, self.counts < self.least)

    @property
    def unchanged(self) -> Bools:
        """Facts about departments of which the table shows nothing else than they say; the nation only if all are."""
        changed = self.shown & (self.counts != self.now)
        touched: Bools = np.isin(self.regions, self.regions[changed]) | (changed.any() & (self.regions == NATION))
        return ~touched

    def known(self, which: Bools) -> list[Known]:
        """Some of them, for an attack."""
        cells: dict[int, list[tuple[int, ...]]] = {}
        inside = which[self.fact]
        for fact, cell in zip(self.fact[inside].tolist(), self.cells[inside].tolist(), strict=True):
            cells.setdefault(fact, []).append(tuple(cell))
        return [Known(tuple(own), int(self.counts[fact])) for fact, own in cells.items()]


def _summed(of: Ints, what: NDArray[np.generic], many: int) -> Ints:
    return np.bincount(of, what, minlength=many).astype(np.int64)


def _regions(tree: Hierarchy) -> Ints:
    """For each place the number of its department; NATION for the nation."""
    out = list[int]()
    for number, (parent, depth) in enumerate(zip(tree.parent, tree.depth, strict=True)):
        out.append(number if depth < REGIONS else out[parent])
    return np.array(out, dtype=np.int64)


def _taken_for_true(facts: Facts, release: ReleaseName | None, here: ReleaseName) -> Bools:
    """Figures from elsewhere all are, another period's none, and of the same period what seems not to have changed."""
    if release is None:
        return np.ones(len(facts.counts), dtype=np.bool_)
    if release.period != here.period:
        return np.zeros(len(facts.counts), dtype=np.bool_)
    return facts.unchanged


def _not_there(held: Counts, line: int) -> BadTable:
    return BadTable(
        "a place or category is not in the release",
        where=f"{held.where}, line {line}",
        remedy="name divided places with --splits",
    )


def _changes(
    table: Table, facts: Facts, which: Bools, before: ReleaseName, here: ReleaseName
) -> Iterator[tuple[Change, bool]]:
    """Cells shown in both whose count changed by less than the threshold, and whether the calendar keeps them apart.

    It keeps breakdowns of a province or district for once a year.
    """
    kind: Literal["revision", "difference"] = "revision" if before.period == here.period else "difference"
    tree, threshold = table.public.claim.axes[0].tree, table.public.claim.threshold
    depth = dict(zip(tree.codes, tree.depth, strict=True))
    by = np.abs(facts.now - facts.counts)
    small = np.flatnonzero(which & facts.shown & (by > 0) & (by < threshold))
    for row, gone in zip(
        facts.rows.iloc[small].itertuples(index=False), (facts.now - facts.counts)[small].tolist(), strict=True
    ):
        place, *categories, _ = row
        below = depth.get(place, REGIONS) >= REGIONS and any(category != TOTAL for category in categories)
        yield Change(kind, table.cube, table.programme, place, tuple(categories), str(before), gone), below


# --- reading ---------------------------------------------------------------------------------------------------------


def shown_counts(folder: Path) -> Iterator[Counts]:
    """Every count that a release shows, by cube and level."""
    for cube in own_cubes(folder):
        for frame in csv_frames(folder, cube):
            shown, measure = frame[frame[MARK] == ""], frame.columns[-2]
            rows = shown[[PROGRAMME, PLACE, *dimensions(frame), measure]].rename(columns={measure: COUNT})
            rows.index += 2  # lines of the file, under its header
            yield _counts(rows, f"{folder}, {cube}", cube)


def read_counts(path: Path) -> Counts:
    """Counts of a CSV file: programa, ubigeo, n, and any breakdowns; BadTable names what is wrong."""
    needed = (PROGRAMME, PLACE, COUNT)
    lines = _rows(path, needed)
    rows = pd.DataFrame([row for _, row in lines], index=[line for line, _ in lines], columns=None if lines else needed)
    return _counts(rows, str(path))


def _counts(rows: pd.DataFrame, where: str, cube: str = "") -> Counts:
    try:
        return Counts(rows.assign(**{COUNT: [counted(text) for text in rows[COUNT]]}), where, cube)
    except ValueError as error:
        raise BadTable("a count is a whole number, 0 or more", where=where) from error


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
