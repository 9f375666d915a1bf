"""Made-up people: the same seed gives the same bytes, and the truth is what anybody can count in the files."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rnu.settings import Kind, Period, load
from rnu.synthetic import generate
from rnu.synthetic.layouts import LAYOUTS
from rnu.synthetic.truth import RULED, dimensions
from rnu.ubigeo import Gazetteer
from tests.synthetic import recount

HOME = Path(__file__).parents[2]
SETTINGS = load(HOME)
GAZETTEER = Gazetteer.load(SETTINGS.gazetteer_path)
PERIODS = (Period(2026, 1), Period(2026, 2))
DELIVERED = [s.id for s in SETTINGS.sources if s.kind is not Kind.OPEN]
ROSTERS = [s.id for s in recount.rosters(SETTINGS)]


def make(out, regions=("18", "23"), persons=2_000, seed=7, periods=PERIODS, rows=None, broken=0.03):
    return generate(out, regions, persons, seed, periods, GAZETTEER, SETTINGS.sources, rows, broken=broken)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Two departments, two periods, ten times as many broken rows as usual."""
    folder = tmp_path_factory.mktemp("made-up")
    make(folder, persons=6_000)
    return folder


@pytest.fixture(scope="module")
def truth(out):
    return json.loads((out / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def counted(out):
    """What the small reader counts, by period and source."""
    return {
        (period, id): recount.count(SETTINGS.source(id), recount.rows(HOME, out, SETTINGS.source(id), period))
        for period in PERIODS
        for id in DELIVERED
    }


# --- the same seed -----------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    for name, seed in (("a", 7), ("again", 7), ("other", 8)):
        make(tmp_path / name, seed=seed)
    assert digests(tmp_path / "a") == digests(tmp_path / "again")
    assert digests(tmp_path / "a").keys() == digests(tmp_path / "other").keys()
    same = digests(tmp_path / "a").items() & digests(tmp_path / "other").items()
    assert not same


def test_departments_of_an_earlier_run_do_not_stay_in_a_delivery(tmp_path):
    make(tmp_path, regions=("18", "23"))
    make(tmp_path, regions=("18",))
    assert [p.name for p in (tmp_path / "sis/2026-01").iterdir()] == ["SIS_18.txt"]


# --- the truth ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", PERIODS, ids=str)
@pytest.mark.parametrize("id", DELIVERED)
def test_truth_is_what_a_small_reader_and_frictionless_count(truth, counted, period, id):
    expected = dict(truth["sources"][str(period)][id])
    expected["set_aside"] = {(b["field"], b["rule"]): b["rows"] for b in expected["set_aside"]}
    found = counted[period, id].facts
    assert found == {name: expected[name] for name in found}


@pytest.mark.parametrize("period", PERIODS, ids=str)
@pytest.mark.parametrize("id", ROSTERS)
def test_every_inner_cell_is_what_a_small_reader_counts(out, truth, counted, period, id):
    source = SETTINGS.source(id)
    inei = {row["reniec"]: row["ubigeo"] for row in recount.places(HOME)}
    found, matched = recount.inner_cells(SETTINGS, source, counted[period, id], counted[period, "pgh"], period, inei)
    named = list(dimensions(source.programme, SETTINGS.programme(source.programme).unit))
    cells = pq.read_table(out / "truth_cells.parquet").to_pylist()
    mine = [c for c in cells if (c["period"], c["programme"]) == (str(period), source.programme)]
    assert found == Counter({(c["ubigeo"], *(c[d] for d in named)): c["n"] for c in mine})
    assert matched == truth["sources"][str(period)][id]["matched"]
    assert sum(found.values()) == truth["totals"][str(period)][source.programme]


@pytest.mark.parametrize("period", PERIODS, ids=str)
@pytest.mark.parametrize("programme", RULED)
def test_who_is_eligible_and_no_user_is_what_a_small_reader_counts(out, counted, period, programme):
    id = next(s.id for s in SETTINGS.sources if s.programme == programme)
    found = recount.eligible(SETTINGS, programme, counted[period, id], counted[period, "pgh"], period)
    rows = pq.read_table(out / "truth_eligible.parquet").to_pylist()
    mine = {r["ubigeo"]: r["n"] for r in rows if (r["period"], r["programme"]) == (str(period), programme)}
    assert found == mine
    assert sum(mine.values()) > 40


def test_every_kind_of_defect_happens_somewhere(truth):
    for id in DELIVERED:
        kinds = {defect.reported for defect in LAYOUTS[id].habits.defects if not defect.rule.ragged}
        found = [b for period in PERIODS for b in truth["sources"][str(period)][id]["set_aside"]]
        if sum(truth["sources"][str(p)][id]["rows"] for p in PERIODS) > 1_000:
            assert kinds <= {(b["field"], b["rule"]) for b in found}, id
    rules = {b["rule"] for sources in truth["sources"].values() for s in sources.values() for b in s["set_aside"]}
    assert rules == {"type-error", "constraint-error", "foreign-key", "extra-cell", "missing-cell"}


def test_rows_are_doubled_disagree_are_retired_and_lack_documents(truth):
    totals = Counter()
    for sources in truth["sources"].values():
        for source in sources.values():
            totals.update({k: v for k, v in source.items() if isinstance(v, int)})
    assert min(totals[k] for k in ("duplicates", "duplicates_disagreeing", "inactive", "without_document")) > 0
    assert totals["duplicates_disagreeing"] < totals["duplicates"]


def test_at_the_usual_rate_no_source_comes_near_its_tolerance(tmp_path):
    truth = generate(tmp_path, ["23"], 20_000, 7, PERIODS[:1], GAZETTEER, SETTINGS.sources)
    for (_, id), source in truth.sources.items():
        if source.rows > 400:
            assert sum(source.set_aside.values()) < SETTINGS.source(id).tolerance * source.rows, id


# --- what time changes -------------------------------------------------------------------------------------------


def test_most_users_stay_and_some_come_and_go(counted):
    before, after = ({d for _, d in counted[period, "sis"].kept if d} for period in PERIODS)
    stay = len(before & after) / len(before)
    assert 0.90 < stay < 0.99
    assert after - before


def test_a_cut_of_two_months_stands_for_both(tmp_path):
    truth = make(tmp_path, regions=("18",), periods=(Period(2026, 2), Period(2026, 3)))
    assert [p.name for p in (tmp_path / "juntos").iterdir()] == ["juntos_hogares_2026-02.csv"]
    february, march = (truth.sources[period, "juntos"] for period in ("2026-02", "2026-03"))
    assert (february.cut, february.rows) == (march.cut, march.rows) == ("2026-02", february.rows)


# --- the numbers asked for ---------------------------------------------------------------------------------------


def test_rows_are_exactly_as_many_as_asked_for(tmp_path):
    truth = generate(tmp_path, ["18", "23"], None, 3, PERIODS, GAZETTEER, SETTINGS.sources, rows=4_321)
    assert sum(truth.sources["2026-01", id].rows for id in ROSTERS) == 4_321


def test_population_is_as_large_as_asked_for_and_heavy_tailed(out):
    with (out / "population.csv").open(newline="") as file:
        people = sorted((int(row["poblacion"]) for row in csv.DictReader(file)), reverse=True)
    assert sum(people) == 6_000
    assert len(people) == sum(d.code[:2] in {"18", "23"} for d in GAZETTEER.districts)
    assert people[0] > 5 * people[len(people) // 2]
    assert sum(people[: len(people) // 5]) > sum(people) / 2


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"regions": ("26",)}, "no department"),
        ({"persons": 10}, "at least as many people"),
        ({"rows": 5_000, "persons": 2_000}, "make more people"),
        ({"rows": 60, "persons": 2_000}, "more rows than asked for"),
        ({"periods": ()}, "at least one period"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(tmp_path, arguments, what):
    with pytest.raises(ValueError, match=what):
        make(tmp_path, **arguments)


# --- what the files look like ------------------------------------------------------------------------------------


def first_bytes(out, id):
    return next(iter(sorted(out.glob(recount.where(SETTINGS.source(id), PERIODS[0]))))).read_bytes()


def test_sectors_deliver_in_their_own_encodings(out):
    assert first_bytes(out, "juntos").startswith(b'\xef\xbb\xbf"id_corte","c_depa"')
    assert first_bytes(out, "cunamas").startswith("\ufeffUbigeo\tServicio".encode("utf-16-le"))
    assert b"\r\n" in first_bytes(out, "pension65")
    with pytest.raises(UnicodeDecodeError):
        first_bytes(out, "pension65").decode("utf-8")
    assert "Ñ" in first_bytes(out, "sis").decode("utf-8")
    assert first_bytes(out, "contigo").startswith(b"PK")


def test_documents_have_eight_digits_leading_zeros_among_them(out):
    numbers = {
        cells[5]
        for period in PERIODS
        for table in recount.tables(out, SETTINGS.source("juntos"), period)
        for cells in table[1:]
        if cells[5].isdigit()
    }
    assert {len(n) for n in numbers} == {8}
    assert any(n.startswith("0") for n in numbers)


def test_the_sheet_of_contigo_holds_real_dates_and_numbers_that_lost_their_zeros(tmp_path):
    import openpyxl

    make(tmp_path, regions=("18",), persons=20_000, periods=PERIODS[:1])
    sheet = openpyxl.load_workbook(tmp_path / "contigo/Padron_Contigo_2026-01.xlsx").worksheets[0]
    header, *rows = list(sheet.iter_rows(min_row=5, values_only=True))
    assert header[0] == "N°"
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert {type(row[9]).__name__ for row in rows} <= {"datetime", "str"}
    numbers = [row[6] for row in rows if isinstance(row[6], int)]
    assert min(numbers) < 10_000_000 < max(numbers)


def test_vaso_de_leche_is_numbered_as_reniec_does(out):
    reniec = {row["reniec"]: row for row in recount.places(HOME) if row["reniec"]}
    rows = [
        row
        for table in recount.tables(out, SETTINGS.source("vasoleche"), PERIODS[0])
        for row in table[1:]
        if row[7] != "999999"
    ]
    assert all(row[7] in reniec for row in rows)
    assert all(reniec[row[7]]["departamento"] in {"Moquegua", "Tacna"} for row in rows)
    assert not any(row[7].startswith(("18", "23")) and reniec[row[7]]["ubigeo"] == row[7] for row in rows)


def test_schools_feed_few_or_many_pupils(tmp_path):
    make(tmp_path, persons=60_000, periods=PERIODS[:1], broken=0.0)
    (table,) = recount.tables(tmp_path, SETTINGS.source("qaliwarma"), PERIODS[0])
    header, *rows = table
    pupils = [int(row[header.index("NroUsuarios")]) for row in rows]
    assert min(pupils) >= 1
    assert any(n <= 5 for n in pupils)
    assert max(pupils) > 200
    assert {len(row[header.index("CodigoLocalMinedu")]) for row in rows} == {0, 6, 7}
    assert all(row[header.index("UnidadTerritorial")].startswith(" ") for row in rows)


def test_infomidis_writes_thousands_with_a_comma_and_nothing_for_none(tmp_path):
    truth = make(tmp_path, regions=("07",), persons=60_000, periods=PERIODS[:1])
    (table,) = recount.tables(tmp_path, SETTINGS.source("infomidis"), PERIODS[0])
    header, *rows = table
    pupils = header.index("QALI WARMA - N° de Niños y niñas atendidos")
    assert any("," in row[pupils] for row in rows)
    assert sum(int(row[pupils].replace(",", "") or 0) for row in rows) == truth.totals()["2026-01"]["qaliwarma"]
    assert not any("0" in row[2:] for row in rows)


# --- frictionless on the files themselves ------------------------------------------------------------------------


@pytest.mark.parametrize("id", [s.id for s in SETTINGS.rosters() if s.format.type == "delimited"])
def test_frictionless_finds_in_the_files_exactly_the_rules_that_truth_says(out, truth, tmp_path, id):
    report = Counter()
    for path in recount.unpacked(out, SETTINGS.source(id), PERIODS[0], tmp_path):
        report += recount.validated(HOME, SETTINGS.source(id), path)
    expected = {(b["field"], b["rule"]): b["rows"] for b in truth["sources"][str(PERIODS[0])][id]["set_aside"]}
    assert report == expected
