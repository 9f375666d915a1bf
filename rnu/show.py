"""A release as a steward looks at it: what it holds, quality, protection, difference from the last."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook

from anonymize.tables import TOTAL
from rnu.errors import ReviewRequired, Why
from rnu.ledger import Ledger, Release
from rnu.loss.history import DRAWING
from rnu.release.columns import MARK, NOT_DELIVERED
from rnu.release.difference import Change, Difference
from rnu.release.manifest import MANIFEST, manifest
from rnu.release.read import cubes, levels, read_table, totals
from rnu.store import Store
from rnu.ubigeo import LEVELS

MOST_CHANGES = 15
PREVIEWED = 10  # rows of a file that a steward sees at a glance
MOST_DEAR = 3  # withheld cells of a programme, the dearest; --json lists more
READ_AT_A_GLANCE = 6_000  # characters of a text


def private_report(store: Store, release: Release) -> dict[str, Any]:
    """The steward's own report on a release."""
    found: dict[str, Any] = json.loads((store.private(release.digest) / "report.json").read_text(encoding="utf-8"))
    return found


def describe(
    store: Store, release: Release, before: Release | None, changes: Difference | None, foresight: dict[str, Any]
) -> dict[str, Any]:
    """Everything that `rnu show` tells, the steward's own report included: not for publication."""
    folder = store.release(release.digest)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    private = private_report(store, release)
    return {
        "period": release.period,
        "revision": release.revision,
        "digest": release.digest,
        "built_at": release.at,
        "builder_key": release.build.public_key,
        "missing": list(release.facts["missing"]),
        "files": [{"name": p.relative_to(folder).as_posix(), "bytes": p.stat().st_size} for p in files],
        "quality": private["quality"],
        "protection": private["protection"],
        "plot": str(drawing) if (drawing := store.private(release.digest) / DRAWING).is_file() else "",
        "linked": private.get("linked", {}),
        "foresight": foresight,
        "before": {"period": before.period, "revision": before.revision, "digest": before.digest} if before else None,
        "changes": _changes(changes),
        "breaks": list(changes.breaks) if changes else [],
    }


def _changes(changes: Difference | None) -> list[dict[str, Any]]:
    if changes is None:
        return []
    return [
        {
            "cube": c.cube,
            "programme": c.programme,
            "place": c.place,
            "ubigeo": c.ubigeo,
            "before": c.before,
            "after": c.after,
        }
        for c in changes.changes
    ]


def before(ledger: Ledger, release: Release) -> Release | None:
    """The latest approved release before this one, which it is compared with."""
    approved = ledger.approved()
    earlier = [
        known
        for known in ledger.releases()
        if known.digest in approved and (known.period, known.revision) < (release.period, release.revision)
    ]
    return max(earlier, key=lambda r: (r.period, r.revision), default=None)


def lines(found: dict[str, Any]) -> list[str]:
    """The same for a person at a terminal."""
    out = [
        f"Release {found['period']} r{found['revision']}",
        f"  digest   {found['digest']}",
        f"  built    {found['built_at']} by key {found['builder_key'][:12]}…",
        f"  files    {len(found['files'])}, {sum(f['bytes'] for f in found['files']):,} bytes",
    ]
    if found["missing"]:
        out.append(f"  not delivered: {', '.join(found['missing'])}")
    out.append("Quality            rows    set aside   duplicates   no document      roster     matched")
    out += [
        f"  {q['source']:10} {q['rows']:>10,} {q['set_aside']:>12,} {q['duplicates']:>12,} {q['without_document']:>13,}"
        f" {q['roster_rows']:>11,} {q['matched']:>11,}"
        for q in found["quality"]
        if q["delivered"]
    ]
    out += _protection(found["protection"])
    if found["plot"]:
        out.append(f"  drawn, beside the releases before: {found['plot']}")
    out += _linked(found["linked"])
    out += _given_away(found["foresight"])
    if found["before"] is None:
        return [*out, "Nothing earlier is approved: no comparison."]
    out += [f"Break in the series: {text}" for text in found["breaks"]]
    out.append(f"Changes since {found['before']['period']} r{found['before']['revision']}, biggest first")
    out += [
        f"  {c['programme']:12} {c['place']:20} {_shown(c['before']):>12} -> {_shown(c['after']):>12}"
        for c in found["changes"][:MOST_CHANGES]
    ]
    if len(found["changes"]) > MOST_CHANGES:
        out.append(f"  … and {len(found['changes']) - MOST_CHANGES} more (--json lists all)")
    return out


def _linked(costs: dict[str, Any]) -> list[str]:
    """What protecting overlaps and flows cost."""
    if not costs:
        return []
    return [
        "Linked tables (yours alone)    cells     shown   at risk   for others   dropped   value unshown",
        *(
            f"  {name:24} {cost['cells']:>10,} {cost['shown']:>9,} {cost['at_risk']:>9,} {cost['for_others']:>12,}"
            f" {cost['dropped']:>9,} {cost['share_unshown']:>14.2%}"
            for name, cost in sorted(costs.items())
        ),
    ]


def _protection(protection: dict[str, Any]) -> list[str]:
    """What protection cost every programme by level, its dearest cells and what was dropped. For the steward alone."""
    out = [
        "Protection (yours alone)   level          shown   at risk   for others   not broken down"
        "     users unshown   of all"
    ]
    for name, table in sorted(protection.items()):
        out += [
            f"  {name:24} {level['level']:12} {level['shown']:>7,} {level['primary']:>9,} {level['secondary']:>12,}"
            f" {level['below']:>17,} {level['value_unshown']:>17,} {level['share_unshown']:>8.2%}"
            for level in table["levels"]
        ]
        out += [_dear(cell) for cell in table.get("dearest", ())[:MOST_DEAR]]
        out += _learned(table.get("learned", ()))
        out += [
            f"    dropped: {'×'.join(d['cross']) or 'totals'} at {d['level']} in {d['place']} ({d['reason']})"
            for d in table["drops"]
        ]
    return out


def _given_away(foresight: dict[str, Any]) -> list[str]:
    """What whoever keeps earlier releases works out, and what to do about it."""
    if not foresight["against"]:
        return []
    out = [f"Together with earlier releases (yours alone): {', '.join(foresight['against'])}"]
    out += [f"  {name}: lost or damaged, and not looked at" for name in foresight["unread"]]
    for table in foresight["tables"]:
        name, cells, changes = f"{table['cube']}/{table['programme']}", table["cells"], table["changes"]
        if cells:
            out.append(
                f"  {name:24} {len(cells):,} withheld cells give way ({_some(map(_finding, cells), len(cells))})"
            )
        if changes:
            some = _some(map(_difference, changes), len(changes))
            out.append(f"  {name:24} {len(changes):,} small differences below the departments ({some})")
        if table["contradicts"]:
            out.append(
                f"  {name:24} no table agrees with both: more changed than the totals tell, and nothing was tried"
            )
    if foresight["not_compared"]:
        out.append(
            f"  {foresight['not_compared']:,} counts of places or categories that it does not have: not compared"
        )
    if not foresight["tables"] and not foresight["unread"]:
        return [*out, "  nothing gives way"]
    return [
        *out,
        "  -> return it, and let the correction come with the next period; a breakdown that the calendar shows once a",
        "     year is to be left out; or approve it with a --note that says why",
    ]


def _some(told: Iterable[str], many: int) -> str:
    return "; ".join([*islice(told, MOST_DEAR), *(["…"] if many > MOST_DEAR else [])])


def _finding(found: dict[str, Any]) -> str:
    ref = found["cell"]
    return f"{ref['level']} {ref['place']} {_broken_down(ref)}: from {found['low']:.0f} to {found['high']:.0f}"


def _difference(change: dict[str, Any]) -> str:
    return f"{change['place']} {_broken_down(change)}: {change['by']:+} since {change['before']}"


def _learned(cells: Sequence[dict[str, Any]]) -> list[str]:
    """What somebody learns who knows to be the only one in a cell."""
    if not cells:
        return []
    some = ", ".join(f"{c['cell']['place']} {_broken_down(c['cell'])}" for c in cells[:MOST_DEAR])
    more = ", …" if len(cells) > MOST_DEAR else ""
    return [f"    cells at risk that give way to who knows to be alone in another: {len(cells):,} ({some}{more})"]


def _broken_down(ref: dict[str, Any]) -> str:
    return "×".join(c for c in ref["categories"] if c != TOTAL) or "total"


def _dear(cell: dict[str, Any]) -> str:
    ref = cell["cell"]
    why = "at risk" if cell["at_risk"] else "for others"
    below = f", with {cell['cells_below']:,} below it" if cell["cells_below"] else ""
    where = f"{ref['level']} {ref['place']} {_broken_down(ref)}"
    return f"    dearest: {where}, {why}{below}: {cell['value_unshown']:,} users unshown"


def _shown(value: int | str | None) -> str:
    return f"{value:,}" if isinstance(value, int) else value or "-"


# --- what is unusual, and what nobody outside can see ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """When a change is called a jump: it is large for the place and large in itself."""

    share: float = 0.20  # of the number before
    least: int = 100  # users, households or pupils

    def jumps(self, change: Change) -> bool:
        """Whether a steward should ask why; a programme that came or did not come always is.

        >>> change = Change("usuarios", "sis", "departamento", "24", "Tumbes", 1_000, 1_200)
        >>> Rule().jumps(change), Rule(least=500).jumps(change), Rule(share=0.5).jumps(change)
        (True, False, False)
        """
        if NOT_DELIVERED in (change.before, change.after):
            return True
        if change.by is None or not isinstance(change.before, int):
            return False
        return abs(change.by) >= self.least and abs(change.by) >= self.share * change.before


@dataclass(frozen=True, slots=True)
class Unseen:
    """How much of a programme's table at a level nobody outside can see, as anybody can count it in the files."""

    cube: str
    programme: str
    name: str
    level: str
    cells: int
    withheld: int
    below: int  # not broken down, for their total is withheld
    missing: int  # their roster did not come
    counted: int | None  # the national total; None where it is withheld
    placed: int  # of it, in places whose total is shown
    unplaced: float | None  # the share of users whose place cannot be seen; None where the national total cannot


def unseen(folder: Path) -> tuple[Unseen, ...]:
    """What is not shown, by cube, programme and level; nothing tells why a cell is withheld."""
    return tuple(found for cube in cubes(folder) for found in _unseen_in(folder, cube))


def _unseen_in(folder: Path, cube: str) -> Iterator[Unseen]:
    national = totals(read_table(folder, cube, LEVELS[0]))
    counted = {p: None if mark else int(n) for p, n, mark in _measured(national)}
    for level in levels(folder, cube):
        frame = read_table(folder, cube, level)
        placed = totals(frame).groupby("programa")[frame.columns[-2]].sum()
        for programme, own in frame.groupby("programa", sort=False):
            id, marks = str(programme), own[MARK].value_counts()
            whole, part = counted.get(id), int(placed.get(id, 0))
            yield Unseen(
                cube=cube,
                programme=id,
                name=str(own["nombre_programa"].iloc[0]),
                level=level,
                cells=len(own),
                withheld=int(marks.get("c", 0)),
                below=int(marks.get("d", 0)),
                missing=int(marks.get(NOT_DELIVERED, 0)),
                counted=whole,
                placed=part,
                unplaced=1 - part / whole if whole else None,
            )


def _measured(frame: Any) -> Iterator[tuple[str, Any, str]]:
    return zip(frame["programa"], frame.iloc[:, -2], frame[MARK], strict=True)


# --- files at a glance -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class File:
    """A file of a release."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a file: rows of a table, or a text."""

    name: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    whole: bool = False  # whether there is no more


def files(folder: Path) -> tuple[File, ...]:
    """All files of a release, in the manifest's order."""
    return tuple(File(name, (folder / name).stat().st_size, sha256) for name, sha256 in manifest(folder).items())


def preview(folder: Path, name: str, most: int = PREVIEWED) -> Preview:
    """A file's first rows or characters; ReviewRequired if the release has no such file."""
    if name not in (*manifest(folder), MANIFEST):
        raise ReviewRequired("the release has no such file", where=folder.name, why=Why.UNKNOWN)
    path = folder / name
    if path.suffix not in TABLES:
        text = path.read_text(encoding="utf-8")
        return Preview(name, text=text[:READ_AT_A_GLANCE], whole=len(text) <= READ_AT_A_GLANCE)
    columns, *rows = islice(TABLES[path.suffix](path, most + 2), most + 2)
    return Preview(name, columns, tuple(rows[:most]), whole=len(rows) <= most)


def _csv_rows(path: Path, _: int) -> Iterator[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from map(tuple, csv.reader(file))


def _parquet_rows(path: Path, most: int) -> Iterator[tuple[str, ...]]:
    table = pq.ParquetFile(path)
    yield tuple(table.schema_arrow.names)
    for batch in table.iter_batches(batch_size=most):
        yield from (_as_text(row.values()) for row in batch.to_pylist())


def _xlsx_rows(path: Path, most: int) -> Iterator[tuple[str, ...]]:
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
    yield from (_as_text(row) for row in sheet.to_python(nrows=most))


def _as_text(values: Any) -> tuple[str, ...]:
    return tuple("" if value is None else f"{value:g}" if isinstance(value, float) else str(value) for value in values)


TABLES = {".csv": _csv_rows, ".parquet": _parquet_rows, ".xlsx": _xlsx_rows}
