"""What ships as configuration hangs together: sources, schemas, cubes, places, and the made-up deliveries."""

import importlib.util
import json
from datetime import date
from pathlib import Path

import pytest
from frictionless import Schema

from rnu.settings import Ages, Kind, Unit, load
from rnu.synthetic.layouts import LAYOUTS
from rnu.synthetic.truth import BAND_STARTS, RULED, dimensions
from tests.synthetic import recount

HOME = Path(__file__).parents[2]
SETTINGS = load(HOME)
SOURCES = {s.id: s for s in SETTINGS.sources}
RECORDED = {"pgh", "juntos", "vasoleche", "qaliwarma", "infomidis"}  # layouts that somebody has published

COMPILED = {
    "string": {"required", "enum", "pattern", "minLength", "maxLength"},
    "integer": {"required", "enum", "minimum", "maximum"},
    "number": {"required"},
    "date": {"required", "enum", "minimum", "maximum"},
}


def schema(source):
    return json.loads((HOME / "schemas" / source.schema).read_text(encoding="utf-8"))


@pytest.fixture(params=list(SOURCES), name="source")
def each_source(request):
    return SOURCES[request.param]


def test_a_source_names_a_valid_schema(source):
    found = Schema.from_descriptor(schema(source))
    assert not list(Schema.metadata_validate(found.to_descriptor()))


def test_a_schema_uses_only_rules_that_compile(source):
    descriptor = schema(source)
    assert "primaryKey" not in descriptor
    for field in descriptor["fields"]:
        assert set(field.get("constraints", {})) <= COMPILED[field["type"]], field["name"]
        assert "\\" not in field.get("constraints", {}).get("pattern", "")
        assert not field["constraints"].get("unique") if "constraints" in field else True


def test_a_schema_speaks_spanish_of_every_field_and_owns_up_to_assumptions(source):
    descriptor = schema(source)
    assert all(field["title"] and field["description"].endswith(".") for field in descriptor["fields"])
    assert descriptor["title"] and descriptor["description"]
    assert descriptor.get("rnu:supuesto", False) is (source.id not in RECORDED)


def test_places_are_held_against_the_reference_list(source):
    (key,) = schema(source)["foreignKeys"]
    assert tuple(key["fields"]) == source.fields.place
    expected = {
        1: [source.place_coding.replace("inei", "ubigeo")],
        3: ["cod_departamento", "cod_provincia", "cod_distrito"],
    }
    assert key["reference"] == {"resource": "ubigeo", "fields": expected[len(source.fields.place)]}


def test_every_column_a_source_names_is_in_its_schema(source):
    names = {field["name"] for field in schema(source)["fields"]}
    fields = source.fields
    used = {fields.document_type, fields.document_number, fields.sex, fields.birth_date, fields.place_name, fields.cse}
    used |= {
        fields.cse_from,
        fields.cse_until,
        fields.weight,
        fields.active,
        fields.household,
        *fields.place,
        *source.keep,
    }
    assert used - {""} <= names


@pytest.mark.parametrize("what", ["document_type", "sex", "cse", "active"])
def test_codes_mean_all_that_a_schema_allows_and_nothing_else(source, what):
    column = getattr(source.fields, what)
    if not column:
        assert not getattr(source.codes, what)
        return
    constraints = next(f["constraints"] for f in schema(source)["fields"] if f["name"] == column)
    assert set(getattr(source.codes, what)) == set(constraints["enum"])


def test_sex_and_birth_date_are_required_of_persons(source):
    if source.kind is Kind.OPEN or LAYOUTS[source.id].unit is not Unit.PERSON:
        return
    required = {f["name"] for f in schema(source)["fields"] if f.get("constraints", {}).get("required")}
    assert {source.fields.sex, source.fields.birth_date} <= required
    assert source.fields.document_number not in required


def test_sources_come_in_really_different_shapes():
    forms = {(s.format.type, s.format.delimiter, s.format.encoding, s.format.zip) for s in SETTINGS.rosters()}
    assert len(forms) >= 9
    assert len({json.dumps(s.codes.sex, sort_keys=True) for s in SETTINGS.rosters() if s.fields.sex}) >= 5
    assert {s.format.encoding for s in SETTINGS.rosters()} >= {"utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"}


def test_made_up_deliveries_keep_to_what_the_configuration_says():
    assert set(LAYOUTS) == {s.id for s in SETTINGS.rosters()}
    for source in recount.rosters(SETTINGS):
        assert LAYOUTS[source.id].unit is SETTINGS.programme(source.programme).unit
    for source in SETTINGS.rosters():
        names = {field["name"] for field in schema(source)["fields"]}
        assert {d.column for d in LAYOUTS[source.id].habits.defects} - {""} <= names


def test_the_truth_has_the_cubes_own_categories():
    for cube in SETTINGS.cubes:
        for programme in cube.programmes:
            known = dimensions(programme, cube.unit)
            own = {d.id: tuple(c.id for c in d.category) for d in cube.dimensions(programme)}
            assert own == {id: known[id] for id in own}
    ages = next(d for c in SETTINGS.cubes for d in c.dimension if d.column == "age")
    assert tuple(c.low for c in ages.category) == (0, *BAND_STARTS)
    assert [c.high for c in ages.category] == [low - 1 for low in BAND_STARTS] + [None]


def test_the_truth_judges_by_the_rules_in_force():
    """What the truth knows of rules, it knows by heart: here is where the two are held against each other."""
    day = date(2026, 1, 31)
    rules = {p.id: rule for p in SETTINGS.programmes if (rule := p.rule_on(day))}
    assert set(rules) == set(RULED)
    assert (rules["pension65"].cse, rules["pension65"].age, rules["pension65"].member) == (
        ("pobre_extremo",),
        Ages(low=65),
        None,
    )
    assert (rules["juntos"].cse, rules["juntos"].age, rules["juntos"].member) == (
        ("pobre_extremo", "pobre_no_extremo"),
        None,
        Ages(high=18),
    )


def test_every_programme_has_a_rule_or_says_why_not():
    for programme in SETTINGS.programmes:
        assert programme.rule_on(date(2026, 1, 31)) or programme.why_not.endswith("."), programme.id


def test_the_list_of_places_is_what_the_script_makes_of_the_package():
    folder = HOME / "config/reference"
    spec = importlib.util.spec_from_file_location("make_ubigeo", folder / "make_ubigeo.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (folder / "ubigeo.csv").read_text(encoding="utf-8") == script.table()


def test_every_reniec_code_stands_for_one_district():
    places = recount.places(HOME)
    reniec = [p["reniec"] for p in places if p["reniec"]]
    assert len(places) == len({p["ubigeo"] for p in places}) == 1_893
    assert len(reniec) == len(set(reniec)) == 1_839
    assert {p["reniec"]: p["ubigeo"] for p in places}["140101"] == "150101"  # Lima


def test_many_reniec_codes_pass_for_another_district():
    places = recount.places(HOME)
    inei = {p["ubigeo"] for p in places}
    assert sum(p["reniec"] in inei and p["reniec"] != p["ubigeo"] for p in places) > 900
