"""Configuration is read once; what is wrong is named with file, key and a suggestion."""

import shutil

import pytest

from rnu import defaults
from rnu.errors import SettingsError
from rnu.intake import load_schema
from rnu.settings import Kind, Period, load


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
        ("cubes.toml", "threshold = 5", "threshold = 2", "protects nobody"),
        ("cubes.toml", "threshold = 5", "threshold = 'cinco'", "valid integer"),
        ("cubes.toml", "contigo = 10", "contigo = 4", "can only be higher"),
        ("cubes.toml", "population_floor = 0", "population_floor = 500", "needs a population file"),
        ("cubes.toml", "year_month = 1", "year_month = 13", "a month is 1-12"),
        ("cubes.toml", '"65_mas"]', '"65_mass"]', "did you mean '65_mas'"),
        ("cubes.toml", 'unit = "person"', 'unit = "household"', "counts another unit"),
        ("portals.toml", 'how = "folder"', 'how = "carpeta"', "folder"),
        ("portals.toml", "[institution]", "[institution", "not valid TOML"),
        ("stewards.toml", "# Quiénes", "steward = 3\n# Quiénes", "key 'steward'"),
    ],
)
def test_what_is_wrong_is_named(home, file, old, new, said):
    change(home, file, old, new)
    with pytest.raises(SettingsError) as caught:
        load(home)
    assert said in str(caught.value)
    assert file in caught.value.where


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


@pytest.mark.parametrize("wrong", ["2026", "2026-13", "2026-1", "26-01", "enero", "２０２６-01"])
def test_a_period_is_a_year_and_a_month(wrong):
    with pytest.raises(SettingsError, match="is no period"):
        Period.parse(wrong)
