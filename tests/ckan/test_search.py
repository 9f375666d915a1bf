"""Search knows Spanish: stems, accents or none, and what programmes were called before."""

import pytest

from tests.ckan.conftest import ORGANISATION, PREFIX

pytestmark = [pytest.mark.portal, pytest.mark.usefixtures("served")]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("padrón", "usuarios"),
        ("padron", "usuarios"),
        ("PADRONES", "usuarios"),
        ("registros", "usuarios"),
        ("protección", "usuarios"),
        ("proteccion sociales", "usuarios"),
        ("ninos", "usuarios"),
        ("niño", "usuarios"),
        ("hogar", "hogares"),
        ("qali warma", "alumnos"),
        ("wasi mikuna", "alumnos"),
        ("alumno", "alumnos"),
    ],
)
def test_a_visitor_finds_what_they_mean(visitor, asked, found):
    answer = visitor.action.package_search(q=asked, fq=f"organization:{ORGANISATION}")
    assert f"{PREFIX}-{found}" in [live["name"] for live in answer["results"]]


def test_a_word_that_is_nowhere_finds_nothing(visitor):
    assert visitor.action.package_search(q="zanahoria", fq=f"organization:{ORGANISATION}")["count"] == 0
