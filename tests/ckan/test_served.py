"""What visitors of a real CKAN get of a release."""

import html
import re
import subprocess
import sys

import pytest
import requests
from ckanapi import NotAuthorized, NotFound

from tests.ckan.conftest import NAMES, ORGANISATION, PREFIX, shown

pytestmark = pytest.mark.portal


def test_a_release_is_served_as_it_was_signed_and_has_the_same_digest_on_both_portals(served, visitor):
    assert sorted(shown(visitor)) == sorted(NAMES)
    compared = [served.rnu("verify-portal", portal, "--json").json for portal in ("sitio", "ckan")]
    assert [c["differences"] for c in compared] == [[], []]
    assert compared[0]["digest"] == compared[1]["digest"]
    # a dataset that is certified has its proof beside the tables
    assert (compared[1]["files"], compared[1]["tables"]) == (91, 28)


@pytest.mark.usefixtures("served")
def test_a_table_has_declared_types_a_dictionary_and_a_name_for_good(visitor):
    asked = {"resource_id": f"{PREFIX}_usuarios_distrito", "filters": {"ubigeo": "240101"}, "limit": 5}
    found = visitor.call_action("datastore_search", asked)
    types = {field["id"]: field["type"] for field in found["fields"]}
    assert (types["ubigeo"], types["usuarios"]) == ("text", "int8")
    assert all(field["info"]["label"] and field["info"]["notes"] for field in found["fields"][1:])
    assert {row["ubigeo"] for row in found["records"]} == {"240101"}


def test_published_again_nothing_changes(served, visitor):
    before = shown(visitor)
    said = served.rnu("publish", "ckan")
    assert (said.code, "nothing new" in said.out) == (0, True)
    assert shown(visitor) == before


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(("call", "program"), [("api-curl", ["sh", "-c"]), ("api-python", [sys.executable, "-c"])])
def test_the_calls_that_a_page_offers_can_be_copied_and_run(portal, call, program):
    page = requests.get(f"{portal.url}/dataset/{NAMES[0]}", timeout=60).text
    code = html.unescape(re.search(rf'id="{call}">(.*?)</pre>', page, re.DOTALL)[1])
    said = subprocess.run([*program, code], capture_output=True, text=True, check=True).stdout
    assert "240101" in said


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("path", ["/", "/dataset/", f"/dataset/{NAMES[0]}", "/about"])
def test_a_visitors_pages_are_there_and_in_spanish(portal, path):
    page = requests.get(f"{portal.url}{path}", timeout=60)
    assert page.status_code == 200
    assert '<html lang="es"' in page.text
    assert not {"Followers", "There is no description", "Powered by", "Welcome"} & set(
        re.findall(r"[A-Z][\w ]+", page.text)
    )


def table_page(portal, visitor, level: str = "distrito", cube: str = "usuarios", **asked) -> str:
    """The page of a level's table, as a visitor asks for it."""
    resources = visitor.action.package_show(id=f"{PREFIX}-{cube}")["resources"]
    own = next(r["id"] for r in resources if r["rnu_nivel"] == level and r["rnu_papel"] == "serie")
    page = requests.get(f"{portal.url}/dataset/{PREFIX}-{cube}/resource/{own}", params=asked, timeout=60)
    assert page.status_code == 200
    return page.text


def rows(page: str) -> list[list[str]]:
    body = re.search(r'<table class="[^"]*rnu-data">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    found = re.findall(r"<tr[^>]*>(.*?)</tr>", body[1], re.DOTALL) if body else []
    return [[html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)] for row in found]


@pytest.mark.usefixtures("served")
def test_a_table_is_shown_from_its_totals_and_narrowed_by_place(portal, visitor):
    first = rows(table_page(portal, visitor))
    assert len(first) == 20
    assert {row[2] for row in first} == {"Tumbes"}  # programme, ubigeo, department, province, district, count
    # what is the same in every row is not repeated: ubigeo, department, province, district, count
    (zorritos,) = rows(table_page(portal, visitor, lugar="zorritos", nombre_programa="Pensión 65"))
    totals = dict.fromkeys(("sexo", "grupo_edad", "cse", "situacion"), "total")
    asked = {"ubigeo": zorritos[0], "programa": "pension65", **totals}
    found = visitor.call_action("datastore_search", {"resource_id": f"{PREFIX}_usuarios_distrito", "filters": asked})
    (answer,) = found["records"]
    assert zorritos[:4] == [answer[c] for c in ("ubigeo", "departamento", "provincia", "distrito")]
    assert re.sub(r"\D", "", zorritos[4]) == ("" if answer["marca"] else str(answer["usuarios"]))
    by_sex = rows(
        table_page(portal, visitor, "nacion", sexo="todos", nombre_programa="Pensión 65")
    )  # ubigeo, sex, count
    assert [row[1] for row in by_sex] == ["Hombre", "Mujer", "Total"]


@pytest.mark.usefixtures("served")
def test_rates_are_shown_with_their_parts_and_the_dataset_says_by_which_rule(portal, visitor):
    first = rows(table_page(portal, visitor, "nacion", "tasas", nombre_programa="Pensión 65"))
    found = visitor.call_action("datastore_search", {"resource_id": f"{PREFIX}_tasas_nacion", "limit": 1})
    (answer,) = found["records"]
    kinds = {field["id"]: field["type"] for field in found["fields"]}
    assert [kinds[name] for name in ("tasa", "numerador", "porcentaje")] == ["text", "int8", "numeric"]
    assert re.sub(r"\D", "", first[0][-2]) == str(answer["denominador"])
    assert first[0][-1].replace(",", ".") == str(answer["porcentaje"])
    page = html.unescape(requests.get(f"{portal.url}/dataset/{PREFIX}-tasas", timeout=60).text)
    for words in ("La regla de cada programa", "Decreto Supremo 081-2011-PCM", "Sin tasas.", "De cada 100"):
        assert words in page


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    "asked",
    [
        {"lugar": "'; drop table x; --"},
        {"lugar": "<script>alert(1)</script>"},
        {"pagina": "-1"},
        {"pagina": "²"},
        {"pagina": "99999999999999999999"},
        {"sexo": "otro", "periodo": "ayer", "nombre_programa": "<b>"},
        {"nada": "x" * 3000},
    ],
)
def test_whatever_is_asked_of_a_table_its_page_is_there_and_shows_no_markup_of_the_askers(portal, visitor, asked):
    page = table_page(portal, visitor, **asked)
    assert "<script>alert" not in page
    assert "Ver los datos" in page


@pytest.mark.usefixtures("served")
def test_the_page_of_a_table_says_what_its_columns_are_how_to_cite_it_and_what_releases_changed(portal, visitor):
    page = html.unescape(table_page(portal, visitor))
    live = visitor.action.package_show(id=NAMES[0])
    for words in (
        *("Diccionario", "Cómo citar", "Cómo se protegen los datos", "Historial", "Usar la API"),
        *("De 0 a 5 años", "Conserva los ceros iniciales", "primera publicación", live["rnu_cita"]),
        f"{PREFIX}_usuarios_distrito",
    ):
        assert words in page, words
    for placeholder in ("Todavía no existen vistas", "None", "unknown", "desconocido", "placeholder-"):
        assert placeholder not in page, placeholder


@pytest.mark.usefixtures("served")
def test_an_organisations_page_is_calm(portal):
    page = requests.get(f"{portal.url}/organization/{ORGANISATION}", timeout=60).text
    assert "Usuarios de los programas sociales" in page
    for noise in ("placeholder-organization", "Seguidores", "Miembros", "Flujo", "no tiene descripción"):
        assert noise not in page, noise


@pytest.mark.usefixtures("served")
def test_nothing_of_the_preparation_is_seen_or_left(visitor, admin):
    beside = f"{PREFIX}-usuarios-en-preparacion"
    with pytest.raises((NotAuthorized, NotFound)):
        visitor.action.package_show(id=beside)
    assert admin.action.package_show(id=beside)["resources"] == []


def test_ckans_user_reads_nothing_of_the_institution(portal):
    if not portal.users.apart:
        pytest.skip("without root CKAN and the worker are one user")

    def reads(user: str) -> bool:
        listing = ["/usr/sbin/runuser", "-u", user, "--", "ls", str(portal.institution / "store" / "rosters")]
        return subprocess.run(listing, capture_output=True, check=False).returncode == 0

    assert reads(portal.users.worker)
    assert not reads(portal.users.web)
