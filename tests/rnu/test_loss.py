"""What another design would cost: what can be tried, and how the comparison is drawn."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from anonymize.protect import LevelFacts
from rnu import defaults
from rnu.errors import SettingsError
from rnu.loss.chart import chart
from rnu.loss.history import as_anybody_counts, as_the_steward_knows, history
from rnu.loss.measure import Comparison, Measured
from rnu.loss.trial import parse
from rnu.settings import Settings, load
from rnu.ubigeo import LEVELS

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def today(tmp_path_factory) -> Settings:
    home: Path = tmp_path_factory.mktemp("home")
    defaults.copy(home)
    return load(home)


def tried(today: Settings, *words: str) -> Settings:
    (trial,) = parse(words)
    return trial.settings(today)


def crosses(settings: Settings, programme: str) -> tuple[int, ...]:
    return next(cube.crosses(programme) for cube in settings.cubes if programme in cube.programmes)


def test_a_threshold_is_that_of_all_cubes_and_never_lowers_a_programme_that_has_a_higher_one(today):
    settings = tried(today, "threshold=8")
    assert {cube.threshold for cube in settings.cubes} == {8}
    assert next(c for c in settings.cubes if c.id == "usuarios").thresholds == {"contigo": 10}
    assert next(c for c in tried(today, "threshold=15").cubes if c.id == "usuarios").thresholds == {"contigo": 15}


def test_a_programme_alone_can_have_a_higher_threshold(today):
    settings = tried(today, "sis.threshold=12")
    assert next(c for c in settings.cubes if c.id == "usuarios").thresholds == {"contigo": 10, "sis": 12}
    assert {cube.threshold for cube in settings.cubes} == {5}


def test_fewer_crosses_at_a_level_are_no_more_below_it(today):
    assert crosses(tried(today, "provincia=0"), "sis") == (3, 3, 0, 0)
    assert crosses(tried(today, "sis.provincia=0"), "sis") == (3, 3, 0, 0)
    assert crosses(tried(today, "sis.provincia=0"), "vasoleche") == crosses(today, "vasoleche")


def test_a_cube_with_one_dimension_never_shows_two_crosses(today):
    settings = tried(today, "distrito=2")
    assert crosses(settings, "sis") == (3, 3, 2, 2)
    assert next(c for c in settings.cubes if len(c.dimension) == 1).level[-1].crosses == 1


def test_several_values_are_several_trials_and_several_keys_are_tried_together(today):
    assert [str(t) for t in parse(["threshold=3,8", "distrito=0"])] == [
        "threshold=3 distrito=0",
        "threshold=8 distrito=0",
    ]
    both = tried(today, "threshold=8", "distrito=0")
    assert (both.cubes[0].threshold, crosses(both, "sis")[-1]) == (8, 0)


def test_what_is_tried_leaves_todays_configuration_as_it_is(today):
    before = replace(today)
    tried(today, "threshold=8", "sis.distrito=0")
    assert today == before


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("treshold=8", "did you mean 'threshold'"),
        ("threshold", "KEY=NUMBER"),
        ("threshold=8,", "KEY=NUMBER"),
        ("threshold=-1", "KEY=NUMBER"),
        ("threshold=2", "below 3"),
        ("threshold=51", "at most 50"),
        ("sys.threshold=8", "did you mean 'sis'"),
        ("sis.threshold=4", "only be higher"),
        ("sis.distrito=3", "at most 1 at distrito"),
        ("sis.population_floor=100", "a cube's"),
        ("population_floor=100", "needs a population file"),
    ],
)
def test_what_cannot_be_tried_is_said_with_what_can(today, word, problem):
    with pytest.raises(SettingsError, match=problem):
        tried(today, word)


def level(name: str, unshown: int) -> LevelFacts:
    return LevelFacts(name, 10, 0, 0, 0, 0, value=100, value_unshown=unshown)


def test_the_drawing_has_a_panel_for_each_level_and_a_line_for_each_programme():
    def measured(programme: str, unshown: int) -> Measured:
        return Measured("usuarios", programme, tuple(level(name, unshown) for name in LEVELS))

    found = Comparison(
        "2026-01",
        ("today", "threshold=3", "threshold=8"),
        tuple((measured("sis", by), Measured("usuarios", "pca", None)) for by in (5, 1, 9)),
    )
    root = ET.fromstring(chart(found))
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert [words.count(w) for w in ("Distrito", "hoy", "3", "8", "sis", "pca")] == [1, 4, 4, 4, 4, 0]
    lines = [line.get("points").split() for line in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [2] * 4  # today's is a circle beside them
    (_, low), (_, high) = (map(float, point.split(",")) for point in lines[0])
    assert low > high  # more is not shown: further up


def told(threshold: int, share: float) -> dict:
    return {"threshold": threshold, "levels": [{"level": level, "share_unshown": share} for level in LEVELS]}


def test_releases_are_drawn_beside_each_other_with_the_thresholds_that_each_had():
    months = (("2026-01", told(5, 0.1)), ("2026-02", told(8, 0.2)))
    pasts = [
        as_the_steward_knows(month, {"usuarios/sis": one, "usuarios/contigo": told(10, 0.3)}) for month, one in months
    ]
    drawn = ET.fromstring(history(pasts, "los usuarios"))
    words = [text.text for text in drawn.iter(f"{SVG}text")]
    assert words.count("sis (5 → 8)") == words.count("contigo (10)") == len(LEVELS)
    assert [words.count(month) for month, _ in months] == [len(LEVELS)] * 2
    lines = [line.get("points").split() for line in drawn.iter(f"{SVG}polyline")]
    assert {len(points) for points in lines} == {2}, "from release to release, the first as well"


def test_a_programme_that_did_not_come_once_has_no_point_there():
    first = as_the_steward_knows("2026-01", {"usuarios/sis": told(5, 0.1)})
    second = as_the_steward_knows("2026-02", {"usuarios/sis": told(5, 0.1), "usuarios/pca": told(5, 0.2)})
    drawn = ET.fromstring(history([first, second], "los usuarios"))
    assert sorted(len(line.get("points").split()) for line in drawn.iter(f"{SVG}polyline")) == [1] * 4 + [2] * 4


def test_what_anybody_counts_is_the_share_of_rows_without_a_number():
    rows = {"celdas": 8, "mostradas": 6, "reservadas": 1, "no_desagregadas": 1, "no_entregadas": 0}
    late = {**rows, "mostradas": 0, "no_entregadas": 8}
    programmes = [{"programa": "sis", **rows}, {"programa": "pca", **late}]
    levels = [{"nivel": level, "programas": programmes} for level in LEVELS]
    cube = {"tabla": "usuarios", "umbrales": {"sis": 5, "pca": 5}, "niveles": levels}
    linked = {**cube, "tabla": "cruces", "niveles": levels[:2]}
    found = as_anybody_counts("2026-01", {"tablas": [cube, linked]}).tables
    assert {table: (loss.threshold, dict(loss.shares)) for table, loss in found.items()} == {
        "usuarios/sis": (5, dict.fromkeys(LEVELS, 0.25))
    }
