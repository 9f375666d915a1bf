"""A release's linked tables as anybody holds them: their rows, what the programmes' own tables show, the certificates.

The certificate of distinct persons speaks of the pairs of programmes as well: their cells hang together. Each
programme's flows have one of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anonymize.joint.published import published_flows, published_overlaps
from anonymize.joint.verify import ARRIVED, DEPARTED, MOVED, MOVEMENT, NUMBER, OTHER, Linked, Told
from anonymize.tables import LETTERS, TOTAL, Dimension, Mark, Places, SafeCells
from anonymize.verify import SHOWN, WITHHELD
from rnu.errors import NotARelease
from rnu.public.linked import PublicLinked, linked_parsed
from rnu.public.table import Public, counted
from rnu.release.certificates import DATAPACKAGE, PLACE, Table, csv_frames, not_as_built
from rnu.release.columns import MARK, NOT_DELIVERED
from rnu.release.describe import certificate_path
from rnu.release.read import linked, read_json, table_path
from rnu.settings import EVERY_PROGRAMME
from rnu.ubigeo import LEVELS

SHOWN_AT = LEVELS[:2]
MARKS = {"": Mark.SHOWN} | {letter: mark for mark, letter in LETTERS.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Users:
    """What the programmes' own tables tell of their users: (places, programmes)."""

    places: Places  # the nation and its departments
    programmes: tuple[str, ...]
    thresholds: tuple[int, ...]
    told: Told
    known: NDArray[np.int64]  # the least that is known of those withheld

    @classmethod
    def of(cls, programmes: Sequence[str], own: Mapping[str, Public]) -> Users:
        """From the table of each programme; KeyError for one that the folder does not have."""
        tree = own[programmes[0]].claim.axes[0].tree
        codes = tuple(code for code, depth in zip(tree.codes, tree.depth, strict=True) if depth < len(SHOWN_AT))
        states, counts, known = [], [], []
        for public in (own[programme] for programme in programmes):
            number = {code: i for i, code in enumerate(public.claim.axes[0].tree.codes)}
            totals = (0,) * (len(public.claim.axes) - 1)
            cells = [(number[code], *totals) for code in codes]
            states.append([int(public.state[cell]) for cell in cells])
            counts.append([int(public.values[cell]) for cell in cells])
            known.append([public.claim.threshold if cell in public.claim.large else 1 for cell in cells])
        return cls(
            Places.of([(codes[0], code) for code in codes[1:]], SHOWN_AT),
            tuple(programmes),
            tuple(own[programme].claim.threshold for programme in programmes),
            Told(np.array(states).T, np.array(counts).T),
            np.array(known).T,
        )

    def shown(self) -> dict[tuple[str, str], int]:
        """Users by programme and place, where they are shown."""
        return {
            (self.programmes[programme], self.places.codes[place]): int(self.told.count[place, programme])
            for place, programme in np.argwhere(self.told.state == SHOWN).tolist()
        }


@dataclass(frozen=True, slots=True, eq=False)
class LinkedTables:
    """What one certificate speaks of."""

    cube: str
    programme: str
    tables: Mapping[str, SafeCells]  # by name: empty for the certificate's own, else a pair's first programme
    users: Users
    public: PublicLinked

    @property
    def withheld(self) -> int:
        """How many of the cells are withheld."""
        return int((self.public.linked.cells.state == WITHHELD).sum())

    def large(self) -> set[tuple[str, str, str]]:
        """The certificate's list: table, category, place."""
        return {self.name(cell) for cell in self.public.claim.large}

    def threshold(self, name: tuple[str, str, str]) -> int:
        """The threshold of a cell."""
        return int(self.public.linked.threshold[self._columns().index(name[:2])])

    def targets(self) -> dict[tuple[str, str, str], int]:
        """Withheld cells that are not on the list, with their thresholds."""
        linked, listed = self.public.linked, self.large()
        cells = ((int(place), int(row)) for place, row in np.argwhere(linked.cells.state == WITHHELD))
        named = {self.name(cell): int(linked.threshold[cell[1]]) for cell in cells}
        return {name: threshold for name, threshold in named.items() if name not in listed}

    def name(self, cell: tuple[int, int]) -> tuple[str, str, str]:
        """Table, category and place of a cell."""
        place, row = cell
        return (*self._columns()[row], self.users.places.codes[place])

    def _columns(self) -> list[tuple[str, str]]:
        programmes = self.users.programmes
        if MOVEMENT in [d.id for d in self.tables[""].dimensions]:
            return [("", one) for one in (ARRIVED, DEPARTED, MOVED)]
        pairs = [(p, q) for i, p in enumerate(programmes) for q in programmes[i + 1 :]]
        return [("", TOTAL), *(("", str(n + 1)) for n in range(len(programmes))), *pairs]


def linked_tables(folder: Path, own: Sequence[Table]) -> Iterator[LinkedTables]:
    """Every certificate of linked tables with what it speaks of; NotARelease if something cannot be read."""
    of_users: dict[str, Public] = {}
    for table in own:
        of_users.setdefault(table.programme, table.public)  # a programme's first table is that of its users
    try:
        told = [one for one in read_json(folder, DATAPACKAGE)["tablas"] if one["id"] in linked(folder)]
        ids = {
            one["desgloses"][0]: str(one["id"]) for one in told if table_path(folder, one["id"], SHOWN_AT[0]).exists()
        }
        if NUMBER in ids:
            yield from _overlaps(folder, ids[NUMBER], ids[OTHER], of_users)
        if MOVEMENT in ids:
            yield from _flows(folder, ids[MOVEMENT], of_users)
    except (LookupError, TypeError) as error:
        raise not_as_built(folder, error) from error


def _overlaps(folder: Path, number: str, pairs: str, own: Mapping[str, Public]) -> Iterator[LinkedTables]:
    rows, of_pairs = _delivered(folder, number), _delivered(folder, pairs)
    if rows.empty and of_pairs.empty:
        return
    users = Users.of(_categories(folder, pairs, OTHER), own)
    every = Dimension(NUMBER, tuple(str(n + 1) for n in range(len(users.programmes))))
    others = Dimension(OTHER, users.programmes)
    strictest = max(users.thresholds)
    tables = {
        p: _safe(of_pairs[of_pairs["programa"] == p], others, users.places, strictest) for p in users.programmes[:-1]
    }
    safe = _safe(rows, every, users.places, strictest)
    system = published_overlaps(users.programmes, users.thresholds, safe, tables, users.told, users.known)
    yield _with_certificate(folder, number, EVERY_PROGRAMME, {"": safe, **tables}, users, system)


def _flows(folder: Path, cube: str, own: Mapping[str, Public]) -> Iterator[LinkedTables]:
    rows, dimension = _delivered(folder, cube), Dimension(MOVEMENT, (ARRIVED, DEPARTED, MOVED))
    for programme in dict.fromkeys(rows["programa"]):
        users = Users.of([programme], own)
        safe = _safe(rows[rows["programa"] == programme], dimension, users.places, users.thresholds[0])
        system = published_flows(safe, users.told, users.known)
        yield _with_certificate(folder, cube, programme, {"": safe}, users, system)


def _with_certificate(
    folder: Path, cube: str, programme: str, tables: Mapping[str, SafeCells], users: Users, system: Linked
) -> LinkedTables:
    path = folder / certificate_path(cube, programme)
    try:
        claim = linked_parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotARelease(
            f"there is no certificate of {cube}, {programme}", where=str(path), remedy="fetch it"
        ) from error
    except (OSError, ValueError) as error:
        raise NotARelease(
            f"the certificate of {cube}, {programme} cannot be read: {error}", where=str(path), remedy="fetch it again"
        ) from error
    return LinkedTables(cube, programme, tables, users, PublicLinked(system, claim))


# --- rows ------------------------------------------------------------------------------------------------------------


def _delivered(folder: Path, cube: str) -> pd.DataFrame:
    """The rows of a linked table, of all levels, but those that only say that a roster did not come."""
    frames = csv_frames(folder, cube, SHOWN_AT)
    columns = [frame[["programa", PLACE, *frame.columns[-3:]]] for frame in frames]
    rows = pd.concat(columns, ignore_index=True) if columns else pd.DataFrame({"programa": [], MARK: []})
    return rows[rows[MARK] != NOT_DELIVERED]


def _categories(folder: Path, cube: str, dimension: str) -> list[str]:
    """The categories of a linked table's breakdown, in the order in which the data package lists them."""
    resource = next(r for r in read_json(folder, DATAPACKAGE)["resources"] if r["name"] == f"{cube}_{SHOWN_AT[0]}")
    field = next(field for field in resource["schema"]["fields"] if field["name"] == dimension)
    return [str(code) for code in field["constraints"]["enum"] if code != TOTAL]


def _safe(rows: pd.DataFrame, dimension: Dimension, places: Places, threshold: int) -> SafeCells:
    """Published rows of one table; NotARelease for a row that cannot be."""
    shape = (len(places), len(dimension.nodes))
    marks, values = np.full(shape, Mark.ABSENT, dtype=np.uint8), np.full(shape, -1, dtype=np.int64)
    for place, category, count, mark in rows[[PLACE, dimension.id, *rows.columns[-2:]]].itertuples(index=False):
        try:
            at = places.codes.index(place), dimension.nodes.index(category)
            if marks[at] != Mark.ABSENT or (count and mark):
                raise ValueError("a row stands twice, or has a mark and a number")
            marks[at] = MARKS[mark]
            values[at] = -1 if mark else counted(count)
        except (KeyError, ValueError) as error:
            raise NotARelease(f"a row of linked tables cannot be: {error}", where=f"{place}, {category}") from error
    return SafeCells(places, (dimension,), values, marks, threshold)
