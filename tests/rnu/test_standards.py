"""Catalogues of the static portal are valid by their standards, and say the same as CKAN's."""

import json
from dataclasses import replace

import frictionless
import numpy as np
import pytest
from rdflib import Graph
from rdflib.compare import isomorphic
from rdflib.namespace import DCTERMS, RDF

from anonymize.tables import Dimension, SafeCells, add_margins
from rnu.publish import catalogue, machine
from rnu.publish.ckan_dataset import package
from rnu.publish.ckan_entry import entry_of, is_ours
from rnu.publish.dataset import write_datasets
from rnu.publish.entry import site_catalogue, site_entries
from rnu.publish.folder import FolderPortal
from rnu.publish.portal import Publication
from rnu.publish.series import series_schema, write_series
from rnu.settings import Category, CubeDimension, Portal
from tests.rnu import release_examples as ex
from tests.rnu import standards
from tests.rnu.test_publish_folder import PORTAL, publication

CKAN = Portal("ckan", "ckan", "https://ckan.prueba.invalid", "CKAN", organization="mp")


@pytest.fixture(scope="module")
def releases(tmp_path_factory) -> tuple[Publication, ...]:
    base = tmp_path_factory.mktemp("releases")
    february = ex.contents("2026-02", sis=((22, 31), (0, 12), (1500, 800)), notes=("Datos <inventados>.",))
    return publication(base / "a", ex.contents()), publication(base / "b", february)


@pytest.fixture(scope="module")
def site(releases, tmp_path_factory):
    portal = FolderPortal(tmp_path_factory.mktemp("portal"), PORTAL, ex.INSTITUTION)
    portal.publish(releases)
    return portal.site


@pytest.fixture(scope="module")
def datasets(releases, tmp_path_factory):
    return write_datasets(releases, tmp_path_factory.mktemp("work"))


def read(site, path):
    return json.loads((site / path).read_text(encoding="utf-8"))


def graph_of(site, path):
    return Graph().parse(site / path, format="turtle" if path.endswith("ttl") else "json-ld")


def test_data_json_is_valid_project_open_data(site):
    data = read(site, "data.json")
    standards.check_pod(data)
    users = data["dataset"][0]
    assert users["identifier"] == "https://datos.prueba.invalid/padron/datos/usuarios/"
    assert (users["modified"], users["temporal"]) == ("2026-03-04", "2026-01-01/2026-02-28")
    assert "Datos <inventados>." in users["description"]
    assert len({file["downloadURL"] for file in users["distribution"]}) == 4 * 4 + 1  # and the certificates


@pytest.mark.parametrize("name", ["catalogo", "datos/usuarios/dcat", "datos/hogares/dcat"])
def test_dcat_has_what_is_mandatory_and_recommended_and_turtle_says_the_same_as_json_ld(site, name):
    turtle, json_ld = graph_of(site, f"{name}.ttl"), graph_of(site, f"{name}.jsonld")
    standards.check_dcat(turtle)
    assert isomorphic(turtle, json_ld)
    assert len(set(turtle.subjects(RDF.type, standards.DCAT.Dataset))) == (2 if name == "catalogo" else 1)


def test_a_datasets_own_dcat_is_a_part_of_the_catalogues(site):
    whole = graph_of(site, "catalogo.ttl")
    part = graph_of(site, "datos/usuarios/dcat.ttl")
    assert len(part) > 100
    assert [triple for triple in part if triple not in whole] == []


def test_the_feed_tells_every_release_newest_first(site):
    titles = standards.check_atom((site / "publicaciones.atom").read_text(encoding="utf-8"))
    assert titles == ["Febrero de 2026, revisión 1", "Enero de 2026, revisión 1"]


def test_an_empty_portals_catalogues_say_so(tmp_path):
    portal = FolderPortal(tmp_path, PORTAL, ex.INSTITUTION)
    portal.publish(())
    graph = graph_of(portal.site, "catalogo.ttl")
    assert list(graph.objects(None, DCTERMS.title))
    assert "<entry>" not in (portal.site / "publicaciones.atom").read_text(encoding="utf-8")


@pytest.mark.parametrize("cube", ["usuarios", "hogares"])
def test_a_datasets_data_package_holds_for_every_row(site, cube):
    report = frictionless.Package(str(site / "datos" / cube / "datapackage.json")).validate()
    assert report.valid, report.flatten(["title", "message"])
    assert len(report.tasks) == 4
    assert all(task.stats["rows"] > 0 for task in report.tasks)


@pytest.mark.parametrize("cube", ["usuarios", "hogares"])
def test_croissant_keeps_its_rules_and_names_the_columns_as_they_stand(site, cube):
    node = read(site, f"datos/{cube}/croissant.json")
    standards.check_croissant(node)
    for one in node["recordSet"]:
        header = (site / "datos" / cube / f"{one['name']}.csv").read_text(encoding="utf-8").splitlines()[0]
        assert [field["name"] for field in one["field"]] == header.split(",")


def test_schema_org_has_what_search_engines_ask_for(datasets):
    for entry in site_entries(datasets, PORTAL, ex.INSTITUTION):
        standards.check_schema_org(machine.schema_org(entry))


# --- the same words on CKAN --------------------------------------------------------------------------------------


def as_ckan_gives_it(target):
    """A dataset's fields as `package_show` gives them back."""
    files = [
        {**r, "url": f"{CKAN.url}/dataset/x/resource/{r['id']}/download/{r['url']}", "size": str(r["size"])}
        for r in target["resources"]
    ]
    return {**target, "organization": {"name": "mp"}, "resources": files}


def words_of(file):
    """What a file's entry says, but for its addresses."""
    schema = json.dumps(file.schema, sort_keys=True)
    return file.title, file.description, file.format, file.media_type, file.bytes, file.sha256, schema


def test_ckan_says_of_a_dataset_what_the_static_portal_says(datasets):
    for dataset, ours in zip(datasets, site_entries(datasets, PORTAL, ex.INSTITUTION), strict=True):
        shown = as_ckan_gives_it(package(dataset, CKAN, ex.INSTITUTION))
        assert is_ours(shown)
        theirs = entry_of(shown, CKAN.url)
        places = {name: getattr(ours, name) for name in ("uri", "page", "name", "datapackage", "files")}
        same = replace(theirs, **places, publisher=replace(theirs.publisher, uri=ours.publisher.uri))
        assert replace(same, citation=theirs.citation.replace(theirs.page, ours.page)) == ours
        assert {words_of(file) for file in theirs.files} < {words_of(file) for file in ours.files}
        standards.check_pod(catalogue.pod(site_catalogue(PORTAL, ex.INSTITUTION), [theirs]))
        standards.check_croissant(machine.croissant(theirs))
        node = catalogue.dcat_dataset(theirs)
        standards.check_dcat(Graph().parse(data=json.dumps(node), format="json-ld"))


@pytest.mark.parametrize("emptied", ["rnu_digest", "provenance", "temporal_coverage", "contact"])
def test_a_dataset_of_ckan_with_a_field_emptied_by_hand_is_in_no_catalogue(datasets, emptied):
    shown = as_ckan_gives_it(package(datasets[0], CKAN, ex.INSTITUTION))
    assert not is_ours({**shown, emptied: None})
    assert not is_ours({**shown, "resources": []})


# --- schemas over all periods ------------------------------------------------------------------------------------


def test_a_schema_over_all_periods_knows_columns_and_values_that_only_older_ones_have(tmp_path):
    """January knew «otro», February does not."""
    sexes = CubeDimension("sexo", "Sexo", "sex", (*ex.SEXES, Category("otro", "Otro")))
    table = ex.contents().tables[0]
    old = ex.with_cells(table, _by_three_sexes(), cube=ex.cube(dimension=(sexes,), title="Antes"))
    ex.build_in(tmp_path / "a", replace(ex.contents(), tables=(old,)))
    ex.build_in(tmp_path / "b", replace(ex.contents("2026-02"), tables=(table,)))
    folders = [tmp_path / "a", tmp_path / "b"]
    schema = series_schema(folders, "usuarios", "distrito")
    fields = {field["name"]: field for field in schema["fields"]}
    assert fields["sexo"]["constraints"]["enum"] == ["hombre", "mujer", "total", "otro"]
    assert [c["label"] for c in fields["sexo"]["categories"]][-1] == "Otro"
    write_series(folders, "usuarios", "distrito", tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_text(encoding="utf-8").splitlines()[0] == ",".join(fields)
    table = frictionless.Resource(path="all.csv", basepath=str(tmp_path), schema=frictionless.Schema(schema))
    assert table.validate().valid


def _by_three_sexes():
    places = ex.GAZETTEER.tree()
    sexes = (Dimension("sexo", ("hombre", "mujer", "otro")),)
    values = add_margins(np.array([[20, 31, 9]] * 3, dtype=np.int64), places, sexes)
    held = np.zeros(values.shape, dtype=np.uint8)
    return SafeCells(places, sexes, values, held, 5)
