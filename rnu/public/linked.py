"""The file that proves linked tables: a certificate with the names of what it speaks of, as JSON.

Persons go by position: kinds of the first department, then those of the next. `base` and each table are pairs of a
position and a number of persons, so that what is zero needs no room.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonymize.joint.verify import Change, JointCertificate, Linked
from anonymize.joint.verify import verify as check
from anonymize.verify import Verdict
from rnu.public.certificate import whole_numbers

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LinkedClaim:
    """A certificate as it was read: nothing of it is checked yet but its form."""

    of: Mapping[str, str]  # the table it was made for
    names: Mapping[str, tuple[str, ...]]  # of places, cells, kinds
    thresholds: tuple[int, ...]  # of the cells
    base: Ints  # (departments, kinds)
    tables: tuple[Change, ...]
    large: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class PublicLinked:
    """Linked tables as anybody holds them: published cells, and the certificate that goes with them."""

    linked: Linked
    claim: LinkedClaim

    def strangeness(self) -> Iterator[str]:
        """Where the certificate speaks of other things than what is published."""
        for what, names in names_of(self.linked).items():
            if self.claim.names[what] != names:
                yield f"the certificate has other {what} than the release"
        if self.claim.thresholds != tuple(self.linked.threshold.tolist()):
            yield "the certificate proves values up to other thresholds than the published ones"

    def verify(self) -> Verdict:
        """Check it by whole numbers alone; of a certificate that speaks of other things only that is told."""
        strange = tuple(self.strangeness())
        if strange:
            return Verdict(0, 0, 0, 0, 0, 0, strange)
        return check(self.linked, self.claim.base, self.claim.tables, self.claim.large)


def names_of(linked: Linked) -> dict[str, tuple[str, ...]]:
    """What a certificate calls by name."""
    return {"places": linked.places, "cells": linked.rows[: len(linked.threshold)], "kinds": linked.kinds}


def linked_written(certificate: JointCertificate, of: Mapping[str, str]) -> str:
    """A certificate as it is published: the same bytes whenever and wherever they are written."""
    base, kinds = certificate.base.reshape(-1), certificate.base.shape[1]
    there = np.flatnonzero(base)
    value = {
        "of": dict(of),
        **names_of(certificate.linked),
        "thresholds": certificate.linked.threshold.tolist(),
        "base": np.column_stack([there, base[there]]).reshape(-1).tolist(),
        "tables": [
            np.column_stack([at[:, 0] * kinds + at[:, 1], by]).reshape(-1).tolist() for at, by in certificate.tables
        ],
        "at_least_threshold": [list(cell) for cell in certificate.large],
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def linked_parsed(text: str) -> LinkedClaim:
    """A certificate of its text; ValueError if it is none."""
    try:
        raw = json.loads(text)
        names = {what: tuple(str(name) for name in raw[what]) for what in ("places", "cells", "kinds")}
        shape = (len(names["places"]) - 1, len(names["kinds"]))
        base = np.zeros(shape, dtype=np.int64)
        at, by = _persons(raw["base"], shape)
        base[at[:, 0], at[:, 1]] = by
        large = tuple((int(place), int(row)) for place, row in map(whole_numbers, raw["at_least_threshold"]))
        if any(not (0 <= p < len(names["places"]) and 0 <= row < len(names["cells"])) for p, row in large):
            raise ValueError("a cell lies outside of the tables")
        return LinkedClaim(
            {str(key): str(value) for key, value in raw["of"].items()},
            names,
            tuple(whole_numbers(raw["thresholds"]).tolist()),
            base,
            tuple(_persons(one, shape) for one in raw["tables"]),
            large,
        )
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no certificate ({type(error).__name__})") from error


def _persons(raw: Sequence[int], shape: tuple[int, int]) -> Change:
    """Department and kind, (entries, 2), and how many persons, (entries,)."""
    pairs = whole_numbers(raw).reshape(-1, 2)
    if ((pairs[:, 0] < 0) | (pairs[:, 0] >= shape[0] * shape[1])).any():
        raise ValueError("persons of no department")
    return np.column_stack(np.divmod(pairs[:, 0], shape[1])), pairs[:, 1]
