"""The file that proves a protected table: a certificate with the codes that it speaks of, as JSON.

Codes go by their number in `codes`, inner cells by their position in `base` (the lowest codes of every dimension, the
last dimension fastest), so that a reader needs nothing but the published cells beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anonymize.policy import MOST
from anonymize.tables import TOTAL
from rnu.public.axes import Axis, Hierarchy, lowest

if TYPE_CHECKING:  # who checks needs no solver
    from anonymize.certificate import Certificate
    from anonymize.tables import SafeCells

LEAST = 3  # threshold
MOST_COUNT = 10**12  # more than there are people, and far from where whole numbers end

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A certificate as it was read: nothing of it is checked yet but its form."""

    axes: tuple[Axis, ...]  # the places first
    count: str  # column of the counts
    threshold: int
    base: Ints  # (lowest codes of each dimension …)
    tables: tuple[tuple[Ints, Ints], ...]
    large: tuple[tuple[int, ...], ...]
    of: Mapping[str, str] = field(default_factory=dict)  # the table it was made for


def written(axes: Sequence[Axis], count: str, safe: SafeCells, certificate: Certificate, of: Mapping[str, str]) -> str:
    """A certificate as it is published: the same bytes whenever and wherever they are written."""
    tree = axes[0].tree
    leaf = lowest(tree)
    base = np.empty_like(certificate.base)
    base[leaf] = certificate.base
    tables = []
    for at, by in certificate.tables:
        own = (leaf[at[:, 0]], *at[:, 1:].T)
        tables.append(np.column_stack([np.ravel_multi_index(own, base.shape), by]).reshape(-1).tolist())
    value = {
        "of": dict(of),
        "count": count,
        "threshold": safe.threshold,
        "dimensions": [
            {"column": a.column, "codes": a.tree.codes, "parents": a.tree.parent, "levels": a.tree.levels} for a in axes
        ],
        "base": base.reshape(-1).tolist(),
        "tables": tables,
        "at_least_threshold": _large(axes, certificate),
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def _large(axes: Sequence[Axis], certificate: Certificate) -> list[tuple[int, ...]]:
    """The list, each cell as the number of its code on every dimension."""
    tree = axes[0].tree
    levels, depth = tree.levels, tree.depth
    index = [{code: i for i, code in enumerate(axis.tree.codes)} for axis in axes]
    totals = [axis.tree.codes[0] for axis in axes[1:]]
    return sorted(
        (
            index[0][ref.place],
            *(of[t if c == TOTAL else c] for of, c, t in zip(index[1:], ref.categories, totals, strict=True)),
        )
        for ref in certificate.large
        if levels[depth[index[0][ref.place]]] == ref.level  # else a branch that ended, going on
    )


def parsed(text: str) -> Claim:
    """A certificate of its text; ValueError if it is none."""
    try:
        raw = json.loads(text)
        axes = tuple(_axis(d) for d in raw["dimensions"])
        if any(TOTAL in axis.tree.codes[1:] for axis in axes[1:]):
            raise ValueError(f"'{TOTAL}' is a code below a total")
        shape = tuple(len(axis.tree.lowest) for axis in axes)
        threshold = raw["threshold"]
        if not isinstance(threshold, int) or not LEAST <= threshold <= MOST:
            raise ValueError("no threshold")
        base = whole_numbers(raw["base"])
        if base.size != prod(shape):
            raise ValueError("the base is not of the table's size")
        tables = tuple(_changes(one, shape) for one in raw["tables"])
        large = tuple(tuple(whole_numbers(cell).tolist()) for cell in raw["at_least_threshold"])
        if any(
            len(cell) != len(axes) or not all(0 <= i < len(a.tree.codes) for i, a in zip(cell, axes, strict=True))
            for cell in large
        ):
            raise ValueError("a cell lies outside of the table")
        of = {str(key): str(value) for key, value in raw["of"].items()}
        return Claim(axes, str(raw["count"]), threshold, base.reshape(shape), tables, large, of)
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no certificate ({type(error).__name__})") from error


def _axis(raw: Mapping[str, Any]) -> Axis:
    codes, parents = tuple(str(code) for code in raw["codes"]), tuple(whole_numbers(raw["parents"]).tolist())
    if not codes or len(set(codes)) < len(codes) or parents[:1] != (-1,):
        raise ValueError("no tree of codes")
    if len(parents) != len(codes) or any(not 0 <= up < i for i, up in enumerate(parents[1:], start=1)):
        raise ValueError("a code stands before its parent")
    depth = [0]
    for up in parents[1:]:
        depth.append(depth[up] + 1)
    return Axis(str(raw["column"]), Hierarchy(codes, parents, tuple(str(raw["levels"][one]) for one in depth)))


def _changes(raw: Sequence[int], shape: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Where a table differs from the base, (entries, dimensions), and by how much."""
    pairs = whole_numbers(raw).reshape(-1, 2)
    if ((pairs[:, 0] < 0) | (pairs[:, 0] >= prod(shape))).any():
        raise ValueError("a change lies outside of the table")
    return np.column_stack(np.unravel_index(pairs[:, 0], shape)), pairs[:, 1]


def whole_numbers(numbers: Sequence[int]) -> Ints:
    """Whole numbers so small that their sums stay exact; ValueError for anything else."""
    if not all(isinstance(n, int) and -MOST_COUNT <= n <= MOST_COUNT for n in numbers):
        raise ValueError("not whole numbers")
    return np.array(numbers, dtype=np.int64)
