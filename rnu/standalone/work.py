"""Protect a table, check what was published of one, and attack it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from anonymize.errors import Unprotectable
from anonymize.policy import Policy
from anonymize.secure import secure
from anonymize.tables import Mark
from rnu.errors import BadTable, CannotBeProtected
from rnu.public.attack import Attacked, Known
from rnu.public.attack import attack as attack_table
from rnu.public.table import Public, counted, verify
from rnu.standalone import folder
from rnu.standalone.spec import must_show, read_spec
from rnu.standalone.table import read_table

NEVER = 2.0  # a share that no category can have: what dominates a place is the owner's to say


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a table: counts of cells."""

    shown: int
    withheld: int
    not_broken_down: int
    crosses_not_shown: int
    proven: int
    at_least_threshold: int


def protect(table_path: Path, spec_path: Path, out: Path, key: bytes = b"") -> Outcome:
    """Protect a table and write it with its certificate; CannotBeProtected if none holds.

    What is withheld hangs on the key, so that nobody without it can replay the choice.
    """
    table = read_table(table_path, read_spec(spec_path), spec_path)
    shown = must_show(table.spec, table.axes, str(spec_path))
    weights = table.policy_weights()
    policy = Policy(table.spec.threshold, table.crosses, dominance=NEVER, must_show=shown, weights=weights)
    with folder.new(out) as half:
        try:
            made = secure(table.cells(), policy, key=key, cores=os.cpu_count() or 1)
        except Unprotectable as error:
            raise CannotBeProtected(
                str(error),
                where=str(table_path),
                remedy="lower [crosses] in the spec, merge categories, or ask less of [[show]]",
            ) from error
        folder.write(half, table, made.safe, made.certificate, made.private())
        verdict = verify(folder.read(half))
        if verdict.problems:
            raise CannotBeProtected(verdict.problems[0], where=str(table_path), remedy="report it; nothing was written")
    marks = made.safe.marks
    return Outcome(
        verdict.shown,
        verdict.withheld,
        int((marks == Mark.BELOW).sum()),
        len(made.safe.drops),
        verdict.proven,
        verdict.large,
    )


def attack(release: Path, known: Sequence[Path] = ()) -> Attacked:
    """Attack a folder by its public files alone, with other known counts of its cells if any.

    `known` are files like cells.csv, of an earlier release or from elsewhere: what they show is taken for true.
    """
    public = folder.read(release)
    return attack_table(public, [one for path in known for one in _known(public, path)])


def _known(public: Public, path: Path) -> Iterator[Known]:
    """The counts of a file."""
    claim = public.claim
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        index = [{code: i for i, code in enumerate(axis.tree.codes)} for axis in claim.axes]
        for row in frame[frame[claim.count] != ""].to_dict("records"):
            cell = tuple(of[row[axis.column]] for of, axis in zip(index, claim.axes, strict=True))
            yield Known((cell,), counted(row[claim.count]))
    except (OSError, ValueError) as error:
        raise BadTable(f"the known counts cannot be read ({type(error).__name__})", where=str(path)) from error
    except KeyError as error:
        raise BadTable(f"there is no column or code {error}", where=str(path)) from error
