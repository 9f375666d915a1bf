"""The attack on overlaps and flows: what can somebody work out who holds the published rows and nothing else?

Built apart from protection, from the rows as a visitor has them. Linear algebra first: a cell whose sum is a
combination of what is shown is known exactly. Then, by linear programs over the real numbers, the least and the most
that every cell at risk can be. What is found counts only if it is not known already without these rows, from the
programmes' own tables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from anonymize.tables import SafeCells

Floats = NDArray[np.float64]
CLOSE = 1e-6

Name = tuple[str, str, str]  # table (a programme, or none), category, place


@dataclass(frozen=True, slots=True)
class Exposed:
    """A cell that was narrowed down."""

    name: Name
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """A published cell, or one that is known from elsewhere: kinds that it sums up, and between which counts it is."""

    name: Name
    terms: Mapping[int, int]  # number of a kind -> how often it counts
    low: float
    high: float
    elsewhere: bool = False


def narrowed(kinds: int, rows: Sequence[Row], targets: Mapping[Name, int]) -> tuple[Exposed, ...]:
    """Targets (with their thresholds) that the rows determine, or that cannot be 1, or cannot be the threshold."""
    matrix = sparse.csr_array(
        (
            [by for row in rows for by in row.terms.values()],
            [kind for row in rows for kind in row.terms],
            np.cumsum([0, *(len(row.terms) for row in rows)]),
        ),
        shape=(len(rows), kinds),
        dtype=np.float64,
    )
    low, high = np.array([row.low for row in rows]), np.array([row.high for row in rows])
    at = {row.name: i for i, row in enumerate(rows) if not row.elsewhere}
    sums = matrix[[at[name] for name in targets]]
    everywhere = np.array([row.elsewhere for row in rows])
    known = _determined(matrix, low, high, sums)
    found = []
    for i, (name, threshold) in enumerate(targets.items()):
        cost = sums[[i]].toarray()[0]
        least, most = _interval(matrix, low, high, cost)
        if not known[i] and least <= 1 + CLOSE and most >= threshold - CLOSE:
            continue
        before = _interval(sparse.csr_array(matrix[everywhere]), low[everywhere], high[everywhere], cost)
        if known[i] or least > max(1.0, before[0]) + CLOSE or most < min(float(threshold), before[1]) - CLOSE:
            found.append(Exposed(name, least, most))
    return tuple(found)


def _determined(matrix: sparse.csr_array, low: Floats, high: Floats, sums: sparse.csr_array) -> NDArray[np.bool_]:
    """Which sums are combinations of rows whose count is known, (sums,)."""
    known = matrix[low == high].toarray().T
    wanted = sums.toarray().T
    if not known.shape[1] or not wanted.shape[1]:
        return np.zeros(wanted.shape[1], dtype=np.bool_)
    combined = known @ np.linalg.lstsq(known, wanted, rcond=None)[0]
    return np.asarray(np.abs(combined - wanted).max(axis=0) < CLOSE)


def _interval(matrix: sparse.csr_array, low: Floats, high: Floats, cost: Floats) -> tuple[float, float]:
    """The least and the most that a sum can be; (0, infinite) where a program is cut off, which convicts nobody."""
    equal, above, below = low == high, (low < high) & np.isfinite(low), (low < high) & np.isfinite(high)
    sides: Any = sparse.csr_array(sparse.vstack([-matrix[above], matrix[below]]))
    same: Any = matrix[equal]
    limits = np.concatenate([-low[above], high[below]])
    ends = []
    for sign in (1, -1):
        solved = linprog(
            sign * cost,
            A_ub=sides if sides.shape[0] else None,
            b_ub=limits if sides.shape[0] else None,
            A_eq=same if equal.any() else None,
            b_eq=low[equal] if equal.any() else None,
            method="highs",
        )
        ends.append(sign * float(solved.fun or 0.0) if solved.status == 0 else (0.0 if sign > 0 else np.inf))
    return ends[0], ends[1]


def _limits(count: int | None, mark: str, name: Name, large: Mapping[Name, int]) -> tuple[float, float]:
    """Between which counts a published cell is; `large` are the thresholds of withheld cells known to reach them."""
    if count is not None:
        return float(count), float(count)
    return (float(large.get(name, 1)) if mark == "c" else 0.0), np.inf


def _published(table: str, safe: SafeCells) -> list[tuple[Name, int | None, str]]:
    """The rows of a published table, as a visitor has them."""
    out = []
    for level in safe.places.levels:
        frame = safe.frame(level)
        for place, category, n, mark in frame.itertuples(index=False, name=None):
            out.append(((table, str(category), str(place)), int(n) if mark == "" else None, str(mark)))
    return out


# --- overlaps --------------------------------------------------------------------------------------------------------


def attack_overlaps(
    programmes: Sequence[str],
    number: SafeCells,
    pairs: Mapping[str, SafeCells],
    users: Mapping[tuple[str, str], int],
    targets: Mapping[Name, int],
    large: Mapping[Name, int],
    homes: Mapping[tuple[str, str], int] | None = None,
) -> tuple[Exposed, ...]:
    """Overlaps that can be worked out from both tables and from users by (programme, place).

    Targets that no table has any more (dropped) are tried as well. An outsider does not know at departments the users
    that these tables count there, but `homes`, those of the programmes' own tables: no more can count there for whom
    the programme is their first.
    """
    nation, *departments = number.places.codes
    sets = [frozenset(c) for size in range(1, len(programmes) + 1) for c in combinations(programmes, size)]
    numbered = {(d, s): i for i, (d, s) in enumerate((d, s) for d in departments for s in sets)}

    def terms(place: str, table: str, category: str) -> dict[int, int]:
        return {i: 1 for (d, s), i in numbered.items() if place in (d, nation) and _counts(s, table, category)}

    said = _published("", number) + [row for p, safe in pairs.items() for row in _published(p, safe)]
    rows = [Row(n, terms(n[2], n[0], n[1]), *_limits(count, mark, n, large)) for n, count, mark in said]
    rows += [Row(t, terms(t[2], t[0], t[1]), 0.0, np.inf) for t in targets if t not in {n for n, _, _ in said}]
    rows += [
        Row((p, "", place), terms(place, p, p), float(n), float(n), elsewhere=True) for (p, place), n in users.items()
    ]
    for (p, place), n in (homes or {}).items():
        before = set(programmes[: programmes.index(p)])
        first = {i: 1 for (d, s), i in numbered.items() if d == place and p in s and not s & before}
        rows.append(Row((p, "", place), first, 0.0, float(n), elsewhere=True))
    return narrowed(len(numbered), rows, targets)


def _counts(programmes: Collection[str], table: str, category: str) -> bool:
    """Whether a cell counts somebody who is in these programmes."""
    if table:
        return table in programmes and category in programmes
    return category in ("total", str(len(programmes)))


# --- flows -----------------------------------------------------------------------------------------------------------


def attack_flows(
    safe: SafeCells,
    now: Mapping[str, int],
    before: Mapping[str, int],
    targets: Mapping[Name, int],
    large: Mapping[Name, int],
) -> tuple[Exposed, ...]:
    """Arrivals and departures that can be worked out from the table and from users by place, now and before.

    Of each department's users some stay, some are new, some come from another department; some leave the programme,
    some leave for another department.
    """
    nation, *departments = safe.places.codes
    ways = ("stays", "new", "comes", "ends", "goes")
    numbered = {(d, way): i for i, (d, way) in enumerate((d, way) for d in departments for way in ways)}

    def terms(place: str, *which: str) -> dict[int, int]:
        return {i: 1 for (d, way), i in numbered.items() if place in (d, nation) and way in which}

    def told(name: Name) -> dict[int, int]:
        _, category, place = name
        if category == "traslados":
            return terms(place, "comes")
        if category == "permanecen":
            return terms(place, "stays", *(["comes"] if place == nation else []))
        also = {"altas": ("new", "comes"), "bajas": ("ends", "goes")}[category]
        return terms(place, *also[: 1 if place == nation else 2])

    said = _published("", safe)
    rows = [Row(name, told(name), *_limits(count, mark, name, large)) for name, count, mark in said]
    rows += [Row(t, told(t), 0.0, np.inf) for t in targets if t not in {name for name, _, _ in said}]
    for users, which in ((now, ("stays", "new", "comes")), (before, ("stays", "ends", "goes"))):
        rows += [Row(("", "", p), terms(p, *which), float(n), float(n), elsewhere=True) for p, n in users.items()]
    moved = {**terms(nation, "comes"), **dict.fromkeys(terms(nation, "goes"), -1)}
    rows.append(Row(("", "", nation), moved, 0.0, 0.0, elsewhere=True))
    return narrowed(len(numbered), rows, targets)
