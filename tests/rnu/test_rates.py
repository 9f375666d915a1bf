"""A rate is arithmetic on published rows: it stands where all its cells are shown, and nowhere else."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import frictionless
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonymize.situations import SITUATIONS
from anonymize.tables import Dimension, Mark, SafeCells, add_margins
from rnu.errors import DisclosureRisk, SettingsError
from rnu.release.attack import attack_release
from rnu.release.build import build
from rnu.release.columns import Columns
from rnu.release.formats import write_csv, write_parquet, write_xlsx
from rnu.release.inspect import inspect, inspect_attacked
from rnu.release.model import Contents, ProgrammeTable
from rnu.release.rates import percentage, rates
from rnu.release.read import cubes, rates_of, read_table, read_text_table
from rnu.release.table import published
from rnu.settings import Category, CubeDimension, Rates, Rule
from rnu.ubigeo import LEVELS
from tests.rnu import release_examples as ex

SCHEMAS = ex.ROOT / "schemas" / "tables"
COLUMNS = Columns.load(SCHEMAS / "conteos.json", SCHEMAS / "tasas.json")
WORDS = Rates("tasas", "Filtración y subcobertura", "Hecho a mano.", ("filtración",))
RULE = Rule(date(2011, 10, 19), "Norma de prueba", "Personas mayores y pobres", note="No dice más.")
SITUATION = CubeDimension("situacion", "Situación", "situation", tuple(Category(s, s) for s in SITUATIONS))
BY_SITUATION = (Dimension("situacion", SITUATIONS),)
PENSION = replace(ex.programme("pension", "Pensión"), rule=(RULE,))
OTHER = replace(ex.programme("sis", "SIS"), why_not="No se sabe.")
PLACES = len(ex.GAZETTEER.tree())
MARKS = st.sampled_from([Mark.SHOWN, Mark.SHOWN, Mark.WITHHELD, Mark.BELOW, Mark.ABSENT])


def safe(counts, marks=None, dimensions=BY_SITUATION) -> SafeCells:
    """Safe cells of the three districts, marked as told (all shown where nothing is)."""
    places = ex.GAZETTEER.tree()
    values = add_margins(np.array(counts, dtype=np.int64), places, dimensions)
    held = np.zeros(values.shape, dtype=np.uint8) if marks is None else np.array(marks, dtype=np.uint8)
    return SafeCells(places, dimensions, np.where(held == Mark.SHOWN, values, -1), held, 5)


def contents(
    users: SafeCells, eligible: SafeCells, period: str = "2026-01", *, certified: bool = True, **changes
) -> Contents:
    counted = ex.cube("usuarios", programmes=("pension", "sis"), dimension=(SITUATION,))
    counted = replace(counted, dimension=(replace(SITUATION, programmes=("pension",)),))
    left = ex.cube("elegibles", programmes=("pension",), dimension=(), counts="eligible")
    table = ex.delivered if certified else ProgrammeTable
    tables = (
        table(counted, PENSION, users),
        table(counted, OTHER, safe([20, 30, 40], dimensions=())),
        table(left, PENSION, eligible),
    )
    return ex.contents(period, tables=tables, quality=(), **{"rates": WORDS, **changes})


def written(folder: Path, what: Contents) -> Path:
    folder.mkdir(parents=True)
    build(what, folder, institution=ex.INSTITUTION, gazetteer=ex.GAZETTEER, columns=COLUMNS)
    return folder


# districts × (cumple, no_cumple, sin_cse, no_encontrado), and who is eligible
USERS = [[60, 20, 10, 10], [7, 0, 0, 0], [0, 0, 6, 5]]
LEFT = [40, 0, 9]


@pytest.fixture
def release(tmp_path):
    return written(tmp_path / "release", contents(safe(USERS), safe(LEFT, dimensions=())))


def told(folder: Path, level: str) -> dict[tuple[str, str], tuple[str, ...]]:
    return by_place(read_text_table(folder / "datos" / f"tasas_{level}.csv"))


def by_place(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[str, ...]]:
    cells = frame[["numerador", "denominador", "porcentaje", "marca"]].itertuples(index=False, name=None)
    return dict(zip(zip(frame["ubigeo"], frame["tasa"], strict=True), cells, strict=True))


def made(what: Contents, level: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """The rates of one level, as text, without a file."""
    frames = {
        (cube.id, level): published(
            [t for t in what.tables if t.cube.id == cube.id], level, what.period, ex.GAZETTEER, COLUMNS.of(cube, level)
        )
        for cube in (what.tables[0].cube, what.tables[-1].cube)
    }
    found = rates(what, frames, level, COLUMNS.of_rates(level))
    return by_place(found.astype("string").fillna("").astype(str))


def test_rates_stand_beside_their_numerators_and_denominators(release):
    assert told(release, "nacion") == {
        ("PE", "filtracion"): ("20", "87", "23.0", ""),
        ("PE", "subcobertura"): ("49", "116", "42.2", ""),
        ("PE", "encontrados"): ("103", "118", "87.3", ""),
        ("PE", "sin_cse"): ("16", "103", "15.5", ""),
    }
    assert read_text_table(release / "datos" / "tasas_nacion.csv")["programa"].unique().tolist() == ["pension"]


def test_of_nobody_there_is_no_rate(release):
    here = told(release, "distrito")
    assert here["180102", "filtracion"] == ("0", "7", "0.0", "")
    assert ("180201", "filtracion") not in here
    assert here["180201", "subcobertura"] == ("9", "9", "100.0", "")


def test_the_release_with_rates_is_one_that_inspection_and_frictionless_accept(release):
    inspect(release)
    inspect_attacked(release, contents(safe(USERS), safe(LEFT, dimensions=())).tables)
    package = json.loads((release / "datapackage.json").read_text(encoding="utf-8"))
    for resource in package["resources"]:
        if resource["tabla"] == "tasas" and resource["format"] == "csv":
            described = {k: resource[k] for k in ("path", "schema", "encoding", "name")}
            assert frictionless.Resource.from_descriptor(described, basepath=str(release)).validate().valid
    assert (cubes(release), rates_of(release)) == (("usuarios", "elegibles"), "tasas")
    assert read_table(release, "tasas", "nacion")["porcentaje"].tolist() == [23.0, 42.2, 87.3, 15.5]


def test_the_release_says_by_which_rule_and_for_which_programme_there_is_none(release):
    readme = (release / "LEEME.md").read_text(encoding="utf-8")
    assert "- Pensión: Personas mayores y pobres (Norma de prueba). No dice más.\n" in readme
    assert "- SIS: No se sabe.\n" in readme
    (table,) = (t for t in json.loads((release / "datapackage.json").read_text())["tablas"] if t.get("clase"))
    assert table["reglas"] == [
        {
            **{"programa": "pension", "nombre": "Pensión", "regla": "Personas mayores y pobres"},
            **{"norma": "Norma de prueba", "desde": "2011-10-19", "nota": "No dice más."},
        },
        {"programa": "sis", "nombre": "SIS", "sin_regla": "No se sabe."},
    ]


@pytest.mark.parametrize("changes", [{"rates": None}, {"period": "2010-01"}])
def test_without_words_for_them_or_without_a_rule_in_force_there_are_no_rates(tmp_path, changes):
    what = contents(safe(USERS), safe(LEFT, dimensions=()), **changes)
    folder = written(tmp_path / "release", what)
    assert not list((folder / "datos").glob("tasas*"))
    assert rates_of(folder) == ""
    inspect(folder)


PARTS = {
    "filtracion": (("no_cumple",), ("cumple", "no_cumple")),
    "subcobertura": (("elegibles",), ("cumple", "elegibles")),
    "encontrados": (("cumple", "no_cumple", "sin_cse"), ("total",)),
    "sin_cse": (("sin_cse",), ("cumple", "no_cumple", "sin_cse")),
}
SHOWN_FOR = {"encontrados": ("total", "no_encontrado"), "sin_cse": ("total", "no_encontrado", "sin_cse")}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 40), min_size=5, max_size=5), min_size=3, max_size=3),
    st.lists(st.lists(MARKS, min_size=6, max_size=6), min_size=PLACES, max_size=PLACES),
)
def test_a_rate_is_shown_where_all_its_cells_are_and_is_what_they_say(counts, marks):
    users = safe([row[:4] for row in counts], [row[:5] for row in marks])
    left = safe([row[4] for row in counts], [row[5] for row in marks], ())
    what = contents(users, left, certified=False)
    true = add_margins(np.array([row[:4] for row in counts]), ex.GAZETTEER.tree(), BY_SITUATION)
    beside = add_margins(np.array([row[4] for row in counts]), ex.GAZETTEER.tree(), ())
    expected: dict[str, dict] = {level: {} for level in LEVELS}
    for place, code in enumerate(ex.GAZETTEER.tree().codes):
        count = {
            **dict(zip(SITUATIONS, true[place], strict=False)),
            "total": true[place, 4],
            "elegibles": beside[place],
        }
        mark = dict(zip((*SITUATIONS, "total", "elegibles"), marks[place], strict=True))
        for rate, (above, below) in PARTS.items():
            own = {mark[cell] for cell in SHOWN_FOR.get(rate, (*above, *below))}
            whole = sum(count[cell] for cell in below)
            if Mark.ABSENT in own or (own == {Mark.SHOWN} and not whole):
                continue
            level = LEVELS[int(ex.GAZETTEER.tree().level[place])]
            row = ("", "", "", "c" if Mark.WITHHELD in own else "d")
            if own == {Mark.SHOWN}:
                part = sum(count[cell] for cell in above)
                row = (str(part), str(whole), f"{(2000 * part + whole) // (2 * whole) / 10:.1f}", "")
            expected[level][code, rate] = row
    assert {level: made(what, level) for level in LEVELS} == expected


def test_halves_are_rounded_upwards_in_whole_numbers():
    parts, wholes = ([1, 1, 2, 999_999, 0], [2_000, 3, 3, 1_000_000, 7])
    found = percentage(pd.Series(parts, dtype="Int64"), pd.Series(wholes, dtype="Int64"))
    assert found.tolist() == [0.1, 33.3, 66.7, 100.0, 0.0]


def spoilt(folder: Path, change) -> None:
    """The same wrong rates in all three formats."""
    frame = read_text_table(folder / "datos" / "tasas_nacion.csv")
    for name, kind in (("numerador", "Int64"), ("denominador", "Int64"), ("porcentaje", "Float64")):
        frame[name] = pd.to_numeric(frame[name].replace("", pd.NA)).astype(kind)
    frame = change(frame)
    columns = COLUMNS.of_rates("nacion")
    write_csv(frame, folder / "datos" / "tasas_nacion.csv")
    write_parquet(frame, columns, folder / "datos" / "tasas_nacion.parquet")
    write_xlsx(frame, columns, (("Nota", "Explicación"),), folder / "datos" / "tasas_nacion.xlsx")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.assign(porcentaje=f["porcentaje"] + 0.1), "not what the shown cells make it"),
        (lambda f: f.assign(numerador=f["numerador"] + 1), "not what the shown cells make it"),
        (lambda f: f.iloc[1:], "missing"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "twice"),
        (lambda f: f.assign(programa="sis"), "not what the shown cells make it"),
    ],
)
def test_inspection_works_every_rate_out_again(release, change, said):
    spoilt(release, change)
    with pytest.raises(DisclosureRisk, match=said):
        inspect(release)


def test_a_rate_of_a_withheld_cell_is_found(tmp_path):
    marks = np.zeros((PLACES, 5), dtype=int)
    marks[4:6, 0:2] = Mark.WITHHELD  # of the two districts of one province
    users = safe([[60, 20, 10, 10], [7, 3, 0, 0], [0, 0, 6, 5]], marks)
    folder = written(tmp_path / "release", contents(users, safe(LEFT, dimensions=())))
    inspect(folder)
    assert told(folder, "distrito")["180101", "filtracion"] == ("", "", "", "c")
    path = folder / "datos" / "tasas_distrito.csv"
    path.write_text(path.read_text().replace("filtracion,,,,c", "filtracion,20,80,25.0,"))
    with pytest.raises(DisclosureRisk, match="not what the shown cells make it"):
        inspect(folder)


def test_a_figure_of_one_cube_is_none_of_another(tmp_path):
    """An earlier release's count of who is eligible is not one of users: held against them it would contradict."""
    again = [
        written(tmp_path / name, contents(safe(USERS), safe(LEFT, dimensions=()), revision=revision))
        for name, revision in (("first", 1), ("second", 2))
    ]
    found = attack_release(again[1], earlier=again[:1])
    assert [(one.cube, one.programme, one.disagree) for one in found.tables] == [
        ("usuarios", "pension", 0),
        ("usuarios", "sis", 0),
        ("elegibles", "pension", 0),
    ]
    assert found.stands
    known = tmp_path / "known.csv"
    known.write_text("programa,ubigeo,n\npension,PE,118\n")
    assert [one.disagree for one in attack_release(again[1], known=[known]).tables] == [0, 0, 0]


def test_formats_that_disagree_are_found(release):
    frame = read_text_table(release / "datos" / "tasas_nacion.csv").assign(porcentaje=1.5, numerador=1, denominador=2)
    write_parquet(frame, COLUMNS.of_rates("nacion"), release / "datos" / "tasas_nacion.parquet")
    with pytest.raises(DisclosureRisk, match="differs from the CSV"):
        inspect(release)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"numerador"', '"parte"', "columns must be"),
        ('"number"', '"integer"', "type cannot be changed"),
        ('"filtracion"', '"fuga"', "rates are"),
    ],
)
def test_the_columns_of_rates_keep_their_names_types_and_values(tmp_path, old, new, said):
    words = (SCHEMAS / "tasas.json").read_text(encoding="utf-8").replace(old, new, 1)
    (tmp_path / "tasas.json").write_text(words, encoding="utf-8")
    with pytest.raises(SettingsError, match=said):
        Columns.load(SCHEMAS / "conteos.json", tmp_path / "tasas.json")
