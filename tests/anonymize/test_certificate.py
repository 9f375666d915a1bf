"""A certificate is found from what is published, holds, and is refused where a byte of it lies."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anonymize.verify
from anonymize.certificate import Certificate, Witnesses, certify, check
from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.protection.proofs import Proofs
from anonymize.tables import CellRef, Cells, Dimension, Mark, Places, SafeCells
from tests.anonymize import trees

LEVELS = ("nacion", "departamento", "provincia")
SEX = Dimension("sexo", ("hombre", "mujer"))
AGE = Dimension("edad", ("joven", "adulta", "mayor"))


def country(seed: int, mean: float = 4.0, dimensions: tuple[Dimension, ...] = (SEX, AGE)) -> Cells:
    """Two departments of some provinces each, with heavy tails."""
    rng = np.random.default_rng(seed)
    paths = [("PE", "0", f"0{i}") for i in range(4)] + [("PE", "1", f"1{i}") for i in range(3)]
    size = rng.lognormal(0, 1, (len(paths), 1, 1)) * mean
    return Cells(Places.of(paths, LEVELS), dimensions, rng.poisson(size, (len(paths), 2, 3)))


@pytest.fixture(scope="module")
def proven() -> tuple[SafeCells, Certificate]:
    safe = protect(country(3), Policy(5, (2, 2, 1)))
    return safe, certify(safe)


def test_every_withheld_cell_is_proven_or_known_to_be_large(proven):
    safe, certificate = proven
    verdict = check(safe, certificate)
    assert verdict.problems == ()
    assert verdict.withheld == int((safe.marks == Mark.WITHHELD).sum()) > 0
    assert verdict.proven + verdict.large == verdict.withheld
    assert verdict.proven > 0


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1.0, 4.0, 12.0]),
    st.sampled_from([(2, 2, 1), (2, 1, 1), (1, 1, 0)]),
    trees.dimensions((2, 3)),
)
def test_a_certificate_is_found_for_whatever_is_protected_and_lists_no_cell_at_risk(seed, mean, crosses, dimensions):
    cells = country(seed, mean, dimensions)
    if 0 < cells.counts.sum() < 5:
        return
    safe = protect(cells, Policy(5, crosses))
    certificate = certify(safe)
    assert check(safe, certificate).problems == ()
    values = cells.with_margins()
    for ref in certificate.large:
        assert values[at(cells, ref)] >= 5


def test_a_list_that_contradicts_what_is_shown_is_searched_for_once_more_far_and_wide(monkeypatch: pytest.MonkeyPatch):
    """With no search at first, every withheld cell comes on the list, and that can't be."""
    cells = country(3)
    safe = protect(cells, Policy(5, (2, 2, 1)))
    monkeypatch.setattr(Witnesses, "_walk", lambda *_: False)
    monkeypatch.setattr(Proofs, "around", lambda *_: iter(()))
    certificate = certify(safe)
    assert check(safe, certificate).problems == ()
    values = cells.with_margins()
    assert all(values[at(cells, ref)] >= 5 for ref in certificate.large)


def at(cells: Cells, ref: CellRef) -> tuple[int, ...]:
    place = next(
        i
        for i, code in enumerate(cells.places.codes)
        if code == ref.place and cells.places.levels[int(cells.places.level[i])] == ref.level
    )
    return (place, *(d.nodes.index(c) for d, c in zip(cells.dimensions, ref.categories, strict=True)))


def test_it_is_made_of_what_is_published_alone(proven):
    safe, certificate = proven
    others = replace(safe, values=np.where(safe.marks == Mark.SHOWN, safe.values, 10**6))
    again = certify(others)
    assert (again.base == certificate.base).all()
    assert again.large == certificate.large
    assert all(
        (a == c).all() and (b == d).all() for (a, b), (c, d) in zip(again.tables, certificate.tables, strict=True)
    )


# --- what a check must find ----------------------------------------------------------------------------------------


def test_a_base_that_is_not_what_is_shown_is_refused(proven):
    safe, certificate = proven
    base = certificate.base.copy()
    base[0, 0, 0] += 1
    assert any("the base is not possible" in p for p in check(safe, replace(certificate, base=base)).problems)


def test_a_count_below_zero_is_refused(proven):
    # one person more and one fewer in the same shown margins: only the sign of an unshown cell gives it away
    safe, certificate = proven
    where, by = certificate.tables[0]
    forged = ((where, by * 10_000), *certificate.tables[1:])
    assert any("table 0 is not possible" in p for p in check(safe, replace(certificate, tables=forged)).problems)


def test_a_table_that_changes_what_is_shown_is_refused(proven):
    safe, certificate = proven
    forged = ((np.array([[0, 0, 0]]), np.array([1])), *certificate.tables)
    assert any("table 0 is not possible: PE" in p for p in check(safe, replace(certificate, tables=forged)).problems)


def test_a_missing_table_leaves_its_cells_unproven(proven):
    safe, certificate = proven
    verdict = check(safe, replace(certificate, tables=()))
    assert any("is withheld, and is shown to be possible only as" in p for p in verdict.problems)
    assert verdict.proven < check(safe, certificate).proven


def test_a_cell_taken_off_the_list_is_unproven():
    safe = protect(country(3), Policy(5, (2, 2, 1)))
    certificate = certify(safe)
    assert certificate.large
    verdict = check(safe, replace(certificate, large=certificate.large[1:]))
    assert len(verdict.problems) == 1


def test_a_list_that_names_a_cell_at_risk_binds_every_table(proven):
    safe, certificate = proven
    values = country(3).with_margins()
    small = np.argwhere((safe.marks == Mark.WITHHELD) & (values < 5))[0].tolist()
    names = [d.nodes for d in safe.dimensions]
    ref = CellRef(
        LEVELS[int(safe.places.level[small[0]])],
        safe.places.codes[small[0]],
        tuple(n[i] for n, i in zip(names, small[1:], strict=True)),
    )
    verdict = check(safe, replace(certificate, large=(*certificate.large, ref)))
    assert any("is not possible" in problem for problem in verdict.problems)


def test_a_number_below_a_withheld_total_is_refused(proven):
    safe, certificate = proven
    marks, values = safe.marks.copy(), safe.values.copy()
    below = tuple(np.argwhere(marks == Mark.BELOW)[0].tolist())
    marks[below], values[below] = Mark.SHOWN, country(3).with_margins()[below]
    verdict = check(replace(safe, marks=marks, values=values), certificate)
    assert any("is shown below a withheld cell" in problem for problem in verdict.problems)


def test_who_checks_needs_nothing_of_ours():
    tree = ast.parse(Path(anonymize.verify.__file__).read_text("utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"__future__", "collections.abc", "dataclasses", "numpy", "numpy.typing", "typing"}
