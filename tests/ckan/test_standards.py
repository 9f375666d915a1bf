"""What programs get of a real CKAN: catalogues by their standards, in the static portal's words, once."""

import json

import pytest
import requests
from frictionless import Package
from rdflib import Graph, Namespace
from rdflib.compare import isomorphic
from rdflib.namespace import RDF

from tests.ckan.conftest import NAMES, ORGANISATION, shown
from tests.rnu import standards

pytestmark = [pytest.mark.portal, pytest.mark.usefixtures("served")]

HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
CATALOGUES = ("/data.json", "/catalog.ttl", "/catalog.jsonld", f"/feeds/organization/{ORGANISATION}.atom")
OF_A_DATASET = (".ttl", ".jsonld", "/datapackage.json", "/croissant.jsonld")
EVERYTHING = [*CATALOGUES, *(f"/dataset/{NAMES[0]}{ending}" for ending in OF_A_DATASET)]


@pytest.fixture
def get(portal):
    """What an address of the portal answers a visitor."""

    def asked(path, **headers):
        url = path if path.startswith("http") else f"{portal.url}{path}"
        return requests.get(url, headers=headers, timeout=60)

    return asked


def graph_of(answer, kind="turtle"):
    assert answer.status_code == 200
    graph = Graph().parse(data=answer.text, format=kind)
    for page in list(graph.subjects(RDF.type, HYDRA.PagedCollection)):  # names the very address that was asked
        graph.remove((page, None, None))
    return graph


def test_data_json_is_valid_and_says_what_the_static_portal_says(get, served):
    found = get("/data.json").json()
    standards.check_pod(found)
    ours = {d["title"]: d for d in found["dataset"] if d["identifier"].rpartition("/")[2] in NAMES}
    static = json.loads((served.home / "portal" / "current" / "data.json").read_text(encoding="utf-8"))
    places = {"identifier", "landingPage", "describedBy", "distribution"}
    assert sorted(ours) == sorted(d["title"] for d in static["dataset"])
    for dataset in static["dataset"]:
        same = ours[dataset["title"]]
        assert {k: v for k, v in dataset.items() if k not in places} == {
            k: v for k, v in same.items() if k not in places
        }
        assert [f["title"] for f in dataset["distribution"] if f["format"] != "csv"] == [
            f["title"] for f in same["distribution"] if f["format"] != "csv"
        ]
        assert all(get(f["downloadURL"]).status_code == 200 for f in same["distribution"])


@pytest.mark.parametrize("path", ["/catalog", *(f"/dataset/{name}" for name in NAMES)])
def test_dcat_has_what_is_mandatory_and_recommended_in_turtle_and_json_ld(get, path):
    turtle, json_ld = graph_of(get(f"{path}.ttl")), graph_of(get(f"{path}.jsonld"), "json-ld")
    standards.check_dcat(turtle)
    assert isomorphic(turtle, json_ld)
    described = {uri.rpartition("/")[2] for uri in turtle.subjects(RDF.type, standards.DCAT.Dataset)}
    assert ({path.rpartition("/")[2]} if path.startswith("/dataset") else set(NAMES)) <= described


def test_a_data_package_can_be_loaded_from_its_address_and_holds_for_every_row(get):
    answer = get(f"/dataset/{NAMES[1]}/datapackage.json")
    report = Package(answer.json()).validate()
    assert report.valid, report.flatten(["title", "message"])
    assert len(report.tasks) == 4


@pytest.mark.parametrize("name", NAMES)
def test_croissant_and_schema_org_keep_their_rules(get, name):
    standards.check_croissant(get(f"/dataset/{name}/croissant.jsonld").json())
    page = get(f"/dataset/{name}")
    embedded = page.text.partition('<script type="application/ld+json">')[2].partition("</script>")[0]
    standards.check_schema_org(json.loads(embedded))
    described = {link["url"] for link in requests.utils.parse_header_links(page.headers["Link"])}
    assert described == {f"{page.url}/datapackage.json", f"{page.url}/croissant.jsonld"}


def test_feeds_are_valid_and_spanish(portal, get, visitor):
    feed = get(f"/feeds/organization/{ORGANISATION}.atom").text
    titles = standards.check_atom(feed)
    assert f"<id>{portal.url}/feeds/organization/" in feed
    assert sorted(titles) == sorted(live["title"] for live in shown(visitor).values())
    for path in ("/feeds/dataset.atom", f"/feeds/custom.atom?organization={ORGANISATION}"):
        feed = get(path).text
        standards.check_atom(feed)
        assert "Recently" not in feed and "Custom query" not in feed and "**" not in feed


@pytest.mark.parametrize("path", EVERYTHING)
def test_what_a_program_has_already_is_not_sent_again(get, path):
    first = get(path)
    assert first.status_code == 200
    assert first.headers["Last-Modified"]
    again = get(path, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert get(path, **{"If-None-Match": '"otro"'}).status_code == 200


def test_a_download_that_is_there_already_is_not_sent_again(get, visitor):
    (url, *_) = [r["url"] for r in shown(visitor)[NAMES[0]]["resources"]]
    first = get(url)
    for known in ({"If-None-Match": first.headers["ETag"]}, {"If-Modified-Since": first.headers["Last-Modified"]}):
        assert get(url, **known).status_code == 304


@pytest.mark.parametrize("path", [*EVERYTHING, "/api/3/action/package_list"])
def test_pages_of_other_sites_may_read(get, path):
    assert get(path, Origin="https://otro.invalid").headers["Access-Control-Allow-Origin"] == "*"


def test_a_dataset_with_a_field_emptied_by_hand_takes_no_page_down(get, admin):
    admin.action.package_patch(id=NAMES[2], provenance="", rnu_cita="")
    try:
        assert get(f"/dataset/{NAMES[2]}").status_code == 200
        assert get(f"/dataset/{NAMES[2]}.ttl").status_code == 200
        assert get(f"/dataset/{NAMES[2]}/datapackage.json").status_code == 404
        assert NAMES[2] not in get("/data.json").text
        standards.check_pod(get("/data.json").json())
    finally:
        admin.action.package_patch(id=NAMES[2], notes="Lo que sea.")


@pytest.mark.parametrize("ending", OF_A_DATASET)
def test_what_a_visitor_may_not_see_is_not_described(get, ending):
    assert get(f"/dataset/{NAMES[0]}-en-preparacion{ending}").status_code in (403, 404)
    assert get(f"/dataset/no-existe{ending}").status_code == 404
