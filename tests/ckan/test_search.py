"""Search knows Spanish: stems, accents or none, and what programmes were called before."""

import html
import re

import pytest
import requests

from tests.ckan.conftest import CUBES, OF_DISTRICTS, ORGANISATION, PREFIX

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
        ("filtraciones", "tasas"),
        ("subcobertura", "elegibles"),
    ],
)
def test_a_visitor_finds_what_they_mean(visitor, asked, found):
    answer = visitor.action.package_search(q=asked, fq=f"organization:{ORGANISATION}")
    assert f"{PREFIX}-{found}" in [live["name"] for live in answer["results"]]


def test_a_word_that_is_nowhere_finds_nothing(visitor):
    assert visitor.action.package_search(q="zanahoria", fq=f"organization:{ORGANISATION}")["count"] == 0


@pytest.mark.parametrize(
    ("facet", "value", "found"),
    [
        ("vocab_rnu_programas", "Wasi Mikuna", ["alumnos"]),
        ("vocab_rnu_programas", "Juntos", ["hogares", "hogares-elegibles", "tasas"]),
        ("vocab_rnu_niveles", "Distritos", sorted(OF_DISTRICTS)),
        ("vocab_rnu_periodos", "2026-01", sorted(CUBES)),
        ("vocab_rnu_periodos", "2020-01", []),
        ("tags", "educación", ["alumnos"]),
    ],
)
def test_a_search_is_narrowed_by_programme_level_period_and_topic(visitor, facet, value, found):
    answer = visitor.action.package_search(fq=f'organization:{ORGANISATION} AND {facet}:"{value}"')
    assert sorted(live["name"] for live in answer["results"]) == [f"{PREFIX}-{name}" for name in found]


def test_what_narrows_a_search_reads_as_people_say_it(portal):
    page = requests.get(f"{portal.url}/organization/{ORGANISATION}", timeout=60).text
    labels = [html.unescape(label) for label in re.findall(r'<span class="item-label">(.*?)</span>', page)]
    assert labels[-30:].count("educación") == 1
    levels = labels.index("Todo el país")
    assert labels[levels : levels + 4] == ["Todo el país", "Departamentos", "Provincias", "Distritos"]
    assert "Periodos" not in re.findall(r'<h2 class="module-heading">(.*?)</h2>', page)  # one period narrows nothing


def test_a_period_is_a_month_in_words(visitor):
    answer = visitor.action.package_search(
        fq=f"organization:{ORGANISATION}", **{"facet.field": ["vocab_rnu_periodos"], "rows": 0}
    )
    (item,) = answer["search_facets"]["vocab_rnu_periodos"]["items"]
    assert (item["name"], item["display_name"], item["count"]) == ("2026-01", "enero de 2026", len(CUBES))
