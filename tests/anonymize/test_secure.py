"""What is protected comes with its public proof, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonymize.certificate import certify, check
from anonymize.errors import Unprotectable
from anonymize.policy import Policy
from anonymize.secure import secure, unproven, whole
from anonymize.tables import Cells, Dimension, Mark, Places, indices_of, names_of
from tests.anonymize import trees

PATHS = [("PE", "0", f"0{i}") for i in range(3)] + [("PE", "1", f"1{i}") for i in range(3)]
DIMENSIONS = (Dimension("sexo", ("h", "m")), Dimension("edad", ("a", "b", "c")))
POLICY = Policy(5, (2, 2, 1))


def country(seed: int, mean: float = 6.0, dimensions: tuple[Dimension, ...] = DIMENSIONS) -> Cells:
    rng = np.random.default_rng(seed)
    size = rng.lognormal(0, 1, (len(PATHS), 1, 1)) * mean
    places = Places.of(PATHS, ("nacion", "departamento", "provincia"))
    return Cells(places, dimensions, rng.poisson(size, (len(PATHS), 2, 3)))


@settings(deadline=None, max_examples=16, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from([2.0, 6.0, 20.0]), st.binary(max_size=8), trees.dimensions((2, 3)))
def test_the_certificate_holds_and_lists_no_cell_at_risk_whatever_the_key(seed, mean, key, dimensions):
    cells = country(seed, mean, dimensions)
    made = secure(cells, POLICY, key=key)
    verdict = check(made.safe, made.certificate)
    assert verdict.problems == ()
    assert verdict.proven + verdict.large == verdict.withheld
    values = cells.with_margins()
    assert all(values[at] >= 5 for at in indices_of(cells.places, dimensions, made.certificate.large))


def test_a_cell_at_risk_on_the_list_is_named():
    cells = country(3)
    made = secure(cells, POLICY)
    assert unproven(cells, made.safe, made.certificate) == ()
    values = cells.with_margins()
    small = names_of(cells.places, DIMENSIONS, (made.safe.marks == Mark.WITHHELD) & (values < 5))
    unseen = names_of(cells.places, DIMENSIONS, (made.safe.marks == Mark.BELOW) & (values > 0) & (values < 5))
    assert small and unseen
    assert unproven(cells, made.safe, replace(made.certificate, large=unseen[:2])) == unseen[:2]
    # what is unseen is on the list for the sake of what is withheld: dropping a cross there would be for nothing
    assert unproven(cells, made.safe, replace(made.certificate, large=(*unseen, small[0]))) == (small[0],)


def test_a_cell_that_was_named_is_coarsened_away():
    """As often as a cell is named beforehand, the cross in its way goes."""
    cells = country(3)
    made = secure(cells, POLICY)
    named = names_of(cells.places, DIMENSIONS, made.safe.marks == Mark.WITHHELD)[:1]
    assert len(secure(cells, POLICY, exposed=named).safe.drops) > len(made.safe.drops)


def test_a_certificate_that_does_not_hold_is_none():
    made = secure(country(3), POLICY)
    assert whole(made.safe, made.certificate) is made.certificate
    with pytest.raises(Unprotectable, match="does not hold"):
        whole(made.safe, replace(made.certificate, tables=()))


def test_the_certificate_is_the_one_that_anybody_would_make_of_the_safe_cells():
    made = secure(country(3), POLICY, key=b"secret")
    again = certify(made.safe)
    assert (again.base == made.certificate.base).all()
    assert again.large == made.certificate.large
