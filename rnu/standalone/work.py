"""Protect a table, check what was published of one, and attack it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from anonymize.attack import Finding, Published
from anonymize.attack.intervals import intervals
from anonymize.attack.recovery import recover
from anonymize.attack.system import System
from anonymize.certificate import Certificate, certify
from anonymize.errors import Unprotectable
from anonymize.policy import Policy
from anonymize.secure import secure
from anonymize.tables import LETTERS, TOTAL, CellRef, Mark, SafeCells, indices_of
from anonymize.verify import BELOW, SHOWN, WITHHELD, Verdict
from anonymize.verify import verify as check
from rnu.errors import BadTable, CannotBeProtected
from rnu.standalone import folder
from rnu.standalone.folder import Public
from rnu.standalone.spec import read_spec
from rnu.standalone.table import dimensions, lowest, places, read_table

NEVER = 2.0  # a share that no category can have: what dominates a place is the owner's to say
ROUNDS = 4  # of coarsening for a cell at risk that no public proof was found for


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
    cells = table.cells()
    policy = Policy(table.spec.threshold, table.crosses, dominance=NEVER)
    exposed: tuple[CellRef, ...] = ()
    try:
        for _ in range(ROUNDS):
            made = secure(cells, policy, exposed, key)
            certificate = certify(made.safe)
            at_risk = _at_risk(certificate, cells.with_margins(), made.safe, policy.threshold)
            if not at_risk:
                break
            exposed += at_risk
        else:
            raise Unprotectable(f"no public proof was found for {len(at_risk)} cells")
    except Unprotectable as error:
        raise CannotBeProtected(
            str(error), where=str(table_path), remedy="lower [crosses] in the spec, or merge categories"
        ) from error
    folder.write(out, table, made.safe, certificate, made.private())
    verdict = verify(out)
    if verdict.problems:
        raise CannotBeProtected(verdict.problems[0], where=str(out), remedy="report it; do not publish the folder")
    marks = made.safe.marks
    return Outcome(
        verdict.shown,
        verdict.withheld,
        int((marks == Mark.BELOW).sum()),
        len(made.safe.drops),
        verdict.proven,
        verdict.large,
    )


def _at_risk(certificate: Certificate, values: np.ndarray, safe: SafeCells, threshold: int) -> tuple[CellRef, ...]:
    """Cells on a certificate's list that are at risk for all that: the process did not find their proof."""
    at = indices_of(safe.places, safe.dimensions, certificate.large)
    return tuple(ref for ref, cell in zip(certificate.large, at, strict=True) if values[cell] < threshold)


def verify(release: Path) -> Verdict:
    """Check a folder by what is public in it."""
    public = folder.read(release)
    return check(public.trees, public.state, public.values, public.threshold, public.base, public.tables, public.large)


@dataclass(frozen=True, slots=True)
class Attacked:
    """What an outsider works out of a folder's public files."""

    tried: int  # withheld cells
    found: tuple[Finding, ...]


def attack(release: Path, known: Sequence[Path] = ()) -> Attacked:
    """Attack a folder by its public files alone, with other known counts of its cells if any.

    `known` are files like cells.csv, of an earlier release or from elsewhere: what they show is taken for true.
    """
    public = folder.read(release)
    for path in known:
        public = _with_known(public, path)
    published = Published(places(public.axes[0].tree), dimensions(public.axes), _frames(public))
    system = System.of(published)
    recovered = recover(system, public.threshold)
    table = _table(public)
    withheld = [ref for ref, state in _named(public) if state == WITHHELD]
    if not system.agrees(table):
        return Attacked(len(withheld), recovered)  # the base does not know what is known from elsewhere
    listed = set(_listed(public))
    found = {finding.cell for finding in recovered}
    narrow = intervals(system, [r for r in withheld if r not in listed and r not in found], public.threshold, table)
    return Attacked(len(withheld), (*recovered, *narrow))


def _with_known(public: Public, path: Path) -> Public:
    """With the counts of a file shown."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        index = [{code: i for i, code in enumerate(axis.tree.codes)} for axis in public.axes]
        state, values = public.state.copy(), public.values.copy()
        for row in frame[frame[public.count] != ""].to_dict("records"):
            at = tuple(of[row[axis.column]] for of, axis in zip(index, public.axes, strict=True))
            state[at], values[at] = SHOWN, int(row[public.count])
    except (OSError, ValueError) as error:
        raise BadTable(f"the known counts cannot be read ({type(error).__name__})", where=str(path)) from error
    except KeyError as error:
        raise BadTable(f"there is no column or code {error}", where=str(path)) from error
    return dataclasses.replace(public, state=state, values=values)


def _named(public: Public) -> list[tuple[CellRef, int]]:
    """Every cell's name in the terms of `anonymize`, and its state."""
    return [
        (_ref(public, tuple(at)), int(public.state[tuple(at)])) for at in np.argwhere(public.state >= SHOWN).tolist()
    ]


def _ref(public: Public, at: tuple[int, ...]) -> CellRef:
    tree = public.axes[0].tree
    categories = (TOTAL if i == 0 else axis.tree.codes[i] for i, axis in zip(at[1:], public.axes[1:], strict=True))
    return CellRef(tree.levels[tree.depth[at[0]]], tree.codes[at[0]], tuple(categories))


def _listed(public: Public) -> list[CellRef]:
    return [_ref(public, cell) for cell in public.large]


def _frames(public: Public) -> tuple[pd.DataFrame, ...]:
    """The rows of each level, as `SafeCells.frame` gives them."""
    letters = {WITHHELD: LETTERS[Mark.WITHHELD], BELOW: LETTERS[Mark.BELOW], SHOWN: ""}
    names = [axis.column for axis in public.axes[1:]]
    tree = public.axes[0].tree
    rows: dict[str, list[dict[str, object]]] = {level: [] for level in tree.levels}
    for at in np.argwhere(public.state >= SHOWN).tolist():
        ref, state = _ref(public, tuple(at)), int(public.state[tuple(at)])
        value = int(public.values[tuple(at)]) if state == SHOWN else pd.NA
        row: dict[str, object] = {
            "place": ref.place,
            **dict(zip(names, ref.categories, strict=True)),
            "n": value,
            "mark": letters[state],
        }
        rows[ref.level].append(row)
    columns = ["place", *names, "n", "mark"]
    return tuple(pd.DataFrame(rows[level], columns=columns).astype({"n": "Int64"}) for level in tree.levels)


def _table(public: Public) -> np.ndarray:
    """The certificate's base, in the order of the places of `anonymize`."""
    return public.base[lowest(public.axes[0].tree)].reshape(-1).astype(float)
