"""Configuration is read once; what is wrong is named with file, key and a suggestion."""

import json
import re
import shutil
from datetime import date

import pytest

from rnu import defaults
from rnu.errors import SettingsError
from rnu.intake import load_schema
from rnu.settings import IDENTIFIER, Kind, Period, load


@pytest.fixture
def home(tmp_path):
    defaults.copy(tmp_path / "rnu")
    return tmp_path / "rnu"


def change(home, file, old, new):
    path = home / "config" / file
    words = path.read_text(encoding="utf-8")
    assert old in words
    path.write_text(words.replace(old, new, 1), encoding="utf-8")


def test_the_defaults_load_and_name_the_nine_programmes_and_the_register(home):
    settings = load(home)
    assert {s.programme for s in settings.sources if s.kind is Kind.ROSTER} == {p.id for p in settings.programmes}
    assert len(settings.programmes) == 9
    assert [s.id for s in settings.sources if s.kind is Kind.REGISTER] == ["pgh"]


def test_the_defaults_come_in_six_really_different_shapes(home):
    shapes = {
        (s.format.type, s.format.encoding, s.format.delimiter, s.format.zip, "*" in s.fetch.where)
        for s in load(home).rosters()
    }
    assert len(shapes) >= 6


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("programmes.toml", "unit =", "unti =", "did you mean 'unit'"),
        ("sources.toml", 'id = "sis"', 'id = "sis"\ntolerence = 0.1', "unknown key 'source[sis].tolerence'"),
        ("sources.toml", 'how = "folder"', 'how = "ftp"', "'folder' or 'http'"),
        ("sources.toml", 'programme = "sis"', 'programme = "siss"', "did you mean 'sis'"),
        ("sources.toml", "rosters/sis.json", "rosters/zis.json", "is not in schemas/"),
        ("sources.toml", 'kind = "register"', 'kind = "register"\nprogramme = "sis"', "has no programme"),
        ("sources.toml", "quorum = []", 'quorum = ["siz"]', "did you mean 'sis'"),
        ("sources.toml", 'encoding = "latin-1"', 'encoding = "latn-1"', "did you mean 'latin-1'"),
        ("sources.toml", 'encoding = "latin-1"', 'encoding = "hex"', "known are: cp1252"),
        ("sources.toml", 'delimiter = "|"', 'delimiter = ""', "format.delimiter"),
        ("sources.toml", 'delimiter = "|"', 'delimiter = "\\n"', "a delimiter is one or more characters"),
        ("sources.toml", 'delimiter = "|"', "delimiter = '\"|\"'", "no quote"),
        ("sources.toml", 'delimiter = "|"', 'delimiter = "|"\nquote = "<<"', "a quote is one character"),
        ("sources.toml", "skip_rows = 4", "skip_rows = -4", "skip_rows is 0 or more"),
        ("cubes.toml", "threshold = 5", "threshold = 2", "protects nobody"),
        ("cubes.toml", "threshold = 5", "threshold = 'cinco'", "valid integer"),
        ("cubes.toml", "contigo = 10", "contigo = 4", "can only be higher"),
        ("cubes.toml", "population_floor = 0", "population_floor = 500", "needs a population file"),
        ("cubes.toml", "year_month = 1", "year_month = 13", "a month is 1-12"),
        ("cubes.toml", 'cunamas = { grupo_edad = ["0_5"]', 'cunamas = { grupo_edad = ["0_55"]', "did you mean '0_5'"),
        ("cubes.toml", 'unit = "person"', 'unit = "household"', "counts another unit"),
        ("portals.toml", 'how = "folder"', 'how = "carpeta"', "folder"),
        ("portals.toml", "[institution]", "[institution", "not valid TOML"),
        ("cubes.toml", 'programmes = ["qaliwarma"]', 'programmes = ["sis"]', "'sis' stands in cube 'usuarios' already"),
        ("cubes.toml", 'programmes = ["qaliwarma"]', 'programmes = ["qaliwarma", "qaliwarma"]', "'alumnos' already"),
        ("cubes.toml", 'column = "sex"', 'column = "sexo"', "did you mean 'sex'"),
        ("cubes.toml", 'column = "NivelEducativo"', 'column = "nivel"', "known are: NivelEducativo, age, cse, sex"),
        ("cubes.toml", "threshold = 5", "threshold = 60", "at most 50"),
        ("cubes.toml", "contigo = 10", "contigo = 51", "at most 50"),
        ("cubes.toml", "dominance = 0.9", "dominance = 7.0", "a share above 0"),
        ("cubes.toml", "dominance = 0.9", "dominance = -1.0", "a share above 0"),
        ("cubes.toml", "dominance = 0.9", "dominance = nan", "a share above 0"),
        ("cubes.toml", 'id = "grupo_edad"', 'id = "Grupo edad"', "is no id"),
        ("programmes.toml", 'id = "sis"', 'id = "o\'higgins"', "is no id"),
        ("sources.toml", 'id = "pgh"', 'id = "../pgh"', "is no id"),
        ("sources.toml", "PGH_{cut_compact}.zip", "x_{periodo}.zip", "'{periodo}' stands for nothing"),
        ("sources.toml", "PGH_{cut_compact}.zip", "x_{cut_compat}.zip", "did you mean 'cut_compact'"),
        ("sources.toml", "PGH_{cut_compact}.zip", "x_{cut:>9}.zip", "'{cut}' stands for nothing"),
        ("sources.toml", "PGH_{cut_compact}.zip", "x_{cut.zip", "close every {"),
        ("sources.toml", '"pgh/PGH', '"/mnt/pgh/PGH', "`root`, which may be absolute"),
        ("sources.toml", '"pgh/PGH', '"**pgh/PGH', "whole folders"),
        ("sources.toml", 'place = ["co_ubigeo"]', "place = []", "no column says the place"),
        (
            "sources.toml",
            'keep = ["NivelEducativo"]',
            'keep = ["NivelEducativo", "DireccionIIEE"]',
            "tells who somebody",
        ),
        (
            "sources.toml",
            'programme = "pca"',
            'programme = "pca"\nkeep = ["numero_documento"]',
            "tells who somebody is",
        ),
        ("sources.toml", 'programme = "pca"', 'programme = "pca"\nkeep = ["nombres"]', "tells who somebody is"),
        (
            "sources.toml",
            'programme = "pca"',
            'programme = "pca"\nkeep = ["fecha_nacimiento"]',
            "tells who somebody is",
        ),
        ("sources.toml", 'programme = "pca"', 'programme = "pca"\nkeep = ["tipo_documento"]', "tells who somebody is"),
        ("sources.toml", 'programme = "sis"', 'programme = "sis"\nkeep = ["CSE"]', "every roster has its own 'cse'"),
        ("stewards.toml", "# Quiénes", "steward = 3\n# Quiénes", "key 'steward'"),
    ],
)
def test_what_is_wrong_is_named(home, file, old, new, said):
    change(home, file, old, new)
    with pytest.raises(SettingsError) as caught:
        load(home)
    assert said in str(caught.value)
    assert file in caught.value.where


STEWARD = '[[steward]]\nname = "rosa"\npublic_key = "{}"\nsince = 2026-01-01\n'


@pytest.mark.parametrize("key", ["", "AAAA", "A" * 44, "ñ", f"{'A' * 42}B=", f" {'A' * 43}="])
def test_a_stewards_key_is_the_one_spelling_of_32_bytes(home, key):
    path = home / "config" / "stewards.toml"
    path.write_text(STEWARD.format(f"{'A' * 43}="), encoding="utf-8")
    assert len(load(home).stewards) == 1
    path.write_text(STEWARD.format(key), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"rosa.public_key.*\n.*rnu key signing"):
        load(home)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ({"resource": "ubigeos", "fields": ["ubigeo"]}, "did you mean 'ubigeo'"),
        ({"resource": "ubigeo", "fields": ["ubigeoo"]}, "did you mean 'ubigeo'"),
        ({"resource": "ubigeo", "fields": ["ubigeo", "reniec"]}, "as many fields"),
        ({}, "not a Table Schema in JSON"),
    ],
)
def test_a_foreign_key_to_anything_but_the_list_of_places_is_refused(home, key, said):
    path = home / "schemas" / "rosters" / "pca.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["foreignKeys"] = [{"fields": ["ubigeo"], "reference": key}]
    path.write_text(json.dumps(schema), encoding="utf-8")
    with pytest.raises(SettingsError, match=said) as caught:
        load(home)
    assert "schemas/rosters/pca.json" in caught.value.where


@pytest.mark.parametrize("rows", ["010101", "010101,", "010101,doce", "010101,-1", ""])
def test_a_population_file_that_cannot_be_read_is_told_at_once(home, rows):
    change(home, "cubes.toml", '# population = "poblacion.csv"', 'population = "poblacion.csv"')
    file = home / "config" / "poblacion.csv"
    file.write_text("ubigeo,poblacion\n010101,12\n", encoding="utf-8")
    assert load(home).inhabitants() == {"010101": 12}
    file.write_text(f"ubigeo,poblacion\n{rows}\n" if rows else "codigo,personas\n1,2\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"poblacion\.csv"):
        load(home)


PERSONAL = re.compile(
    r"apellid|nombre|\bap_|document|dni|direcci|domicilio|tel[eé]f|celular|correo|e-?mail|cuenta|hogar\b"
)
NOT_PERSONS = {"nombre_programa", "estado"}  # of a programme; of a household


def test_columns_that_name_somebody_are_marked_so_that_none_is_ever_kept(home):
    """A document's type is refused by its role, and names nobody alone; the open figures count and have no persons."""
    looking, marked = set(), set()
    for path in (home / "schemas").rglob("*.json"):
        for field in json.loads(path.read_text(encoding="utf-8"))["fields"]:
            words = f"{field['name']} {field['title']}".lower()
            if PERSONAL.search(words) and "tipo" not in words and field["type"] == "string":
                looking.add((path.name, field["name"]))
            if field.get(IDENTIFIER):
                marked.add((path.name, field["name"]))
    assert {(f, c) for f, c in looking if c not in NOT_PERSONS} - marked == set()
    assert {c for _, c in marked - looking} == {"observacion"}, "free text"
    assert len(marked) > 30


@pytest.mark.parametrize("delimiter", ["; ", "||", "¦", " "])
def test_a_delimiter_may_be_any_characters(home, delimiter):
    change(home, "sources.toml", 'delimiter = "|"', f'delimiter = "{delimiter}"')
    assert delimiter in {s.format.delimiter for s in load(home).sources}


def test_a_folder_that_is_none_says_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match="rnu init"):
        load(tmp_path)


def test_an_institution_is_never_written_over(home):
    with pytest.raises(SettingsError, match="already"):
        defaults.copy(home)


def test_what_was_copied_is_whole_and_no_more(home):
    assert sorted(p.name for p in home.iterdir()) == ["config", "schemas"]
    shutil.rmtree(home / "config")
    with pytest.raises(SettingsError):
        defaults.copy(home)


def test_every_shipped_schema_is_a_valid_table_schema_of_a_source(home):
    settings = load(home)
    used = {settings.schema_path(s) for s in settings.sources}
    assert used == set((home / "schemas" / "rosters").glob("*.json"))
    for path in used:
        load_schema(path)


@pytest.mark.parametrize(("period", "cut"), [("2026-01", "2025-12"), ("2026-02", "2026-02"), ("2026-03", "2026-02")])
def test_a_bimonthly_source_stands_for_the_months_after_its_cut(home, period, cut):
    juntos = load(home).source("juntos")
    assert str(juntos.cut(Period.parse(period))) == cut


@pytest.mark.parametrize(
    "wrong", ["2026", "2026-13", "2026-1", "26-01", "enero", "２０２６-01", "0000-01", "1899-12", "9999-12"]
)
def test_a_period_is_a_year_and_a_month(wrong):
    with pytest.raises(SettingsError, match="is no period"):
        Period.parse(wrong)


@pytest.mark.parametrize(
    ("fewer", "said"),
    [
        ("{ distito = 0 }", "distrito"),
        ("{ provincia = 0 }", "level above"),
        ("{ distrito = -1 }", "level above"),
        ('{ distrito = ["sexx"] }', "did you mean 'sexo'"),
        ('{ provincia = ["sexo", "sexo"] }', "stands twice"),
        ('{ distrito = { by = ["sexx"], crosses = 1 } }', "did you mean 'sexo'"),
        ('{ distrito = ["situacion"] }', "'situacion' is not known"),
        ('{ distrito = "sexo" }', r"contigo\.distrito': input"),
        ('{ distrito = ["sexo", 3] }', r"contigo\.distrito': input"),
        ('{ provincia = ["sexo"], distrito = ["cse"] }', "breaks down by 'cse', and the level above does not"),
    ],
)
def test_a_programme_that_shows_fewer_crosses_must_still_be_a_design(home, fewer, said):
    change(home, "cubes.toml", "contigo = { provincia = 1, distrito = 0 }", f"contigo = {fewer}")
    with pytest.raises(SettingsError, match=said):
        load(home)


def test_a_programme_shows_fewer_crosses_than_the_others_where_its_design_says_so(home):
    cube = next(c for c in load(home).cubes if c.id == "usuarios")
    assert cube.crosses("contigo") == (3, 3, 1, 0)
    assert cube.crosses("sis") == tuple(level.crosses for level in cube.level)
    assert cube.crosses("pension65") == (2, 2, 1, 1)


def test_a_level_may_show_several_breakdowns_of_a_programme_each_alone(home):
    shown = 'contigo = { provincia = { by = ["sexo", "cse"], crosses = 1 } }'
    change(home, "cubes.toml", "contigo = { provincia = 1, distrito = 0 }", shown)
    cube = next(c for c in load(home).cubes if c.id == "usuarios")
    assert cube.crosses("contigo") == (3, 3, 1, 1)
    assert cube.broken_down("contigo")[2:] == (("sexo", "cse"),) * 2


def test_a_period_takes_the_rule_in_force_on_its_cut_date(home):
    programmes = {p.id: p for p in load(home).programmes}
    assert [programmes["sis"].rule_on(day) is None for day in (date(2019, 11, 27), date(2019, 11, 28))] == [False, True]
    assert [programmes["pension65"].rule_on(day) is None for day in (date(2011, 10, 18), date(2011, 10, 19))] == [
        True,
        False,
    ]


RULE = 'since = 2011-10-19\nnorm = "Decreto Supremo 081-2011-PCM y sus modificatorias"'


@pytest.mark.parametrize(
    ("former", "latter", "said"),
    [
        (RULE, RULE + "\nuntil = 2025-12-31", "nothing tells readers why"),
        (RULE, RULE + "\nuntil = 2001-01-01", "ends before it begins"),
        ("age = { low = 65 }", "age = { low = 65, high = 64 }", "fit nobody"),
        ("age = { low = 65 }", "age = { lowest = 65 }", "did you mean 'low'"),
        ('cse = ["pobre_extremo"]', 'cse = ["pobre_extrema"]', "did you mean 'pobre_extremo'"),
        ('cse = ["pobre_extremo"]\nage = { low = 65 }', "", "asks for nothing"),
    ],
)
def test_a_rule_that_cannot_be_is_named(home, former, latter, said):
    change(home, "programmes.toml", former, latter)
    with pytest.raises(SettingsError, match=said):
        load(home)


def test_no_day_has_two_rules(home):
    second = 'age = { low = 65 }\n[[programme.rule]]\nsince = 2026-01-01\nnorm = "x"\ntext = "x"\nage = { low = 66 }'
    change(home, "programmes.toml", "age = { low = 65 }", second)
    with pytest.raises(SettingsError, match="two rules are in force on 2026-01-01"):
        load(home)


@pytest.mark.parametrize(
    ("former", "latter", "said"),
    [
        ('programmes = ["pension65"]\ncategory', 'programmes = ["contigo"]\ncategory', "'contigo' is not known"),
        ('{ id = "sin_cse"', '{ id = "sin_clase"', "categories are"),
    ],
)
def test_situation_is_told_only_where_a_rule_is(home, former, latter, said):
    change(home, "cubes.toml", former, latter)
    with pytest.raises(SettingsError, match=said):
        load(home)


def test_situation_takes_the_place_of_what_the_rule_asks_for(home):
    users, homes = load(home).cubes[:2]
    assert [d.id for d in users.dimensions("sis")] == ["sexo", "grupo_edad", "cse"]
    assert [d.id for d in users.dimensions("pension65")] == ["sexo", "situacion"]
    assert [[d.id for d in homes.dimensions(id)] for id in ("juntos", "foncodes")] == [["situacion"], ["cse"]]


def test_a_programme_is_broken_down_by_what_its_design_names_and_by_no_more_further_down(home):
    cube = next(c for c in load(home).cubes if c.id == "usuarios")
    assert cube.broken_down("sis") == (("sexo", "grupo_edad", "cse"),) * 4
    assert cube.broken_down("pension65") == (("sexo", "situacion"),) * 4
    assert cube.broken_down("cunamas")[2:] == (("sexo", "cse"), ("sexo", "cse"))


def test_what_a_level_names_is_all_that_is_crossed_further_down(home):
    change(home, "cubes.toml", "contigo = { provincia = 1, distrito = 0 }", 'contigo = { nacion = ["sexo", "cse"] }')
    cube = next(c for c in load(home).cubes if c.id == "usuarios")
    assert cube.crosses("contigo") == (2, 2, 2, 1)
    assert cube.broken_down("contigo") == (("sexo", "cse"),) * 4
