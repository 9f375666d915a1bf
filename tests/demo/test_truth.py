"""The demo's line found exactly what the people drawn say, and shows nothing else."""

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from rnu.ledger import Ledger
from rnu.settings import load

DEMO = Path(__file__).parents[2] / "demo"
SITUATIONS = ["cumple", "no_cumple", "sin_cse", "no_encontrado"]
PERIODS = ("2026-01", "2026-02")

pytestmark = pytest.mark.demo


@pytest.fixture(scope="module")
def truth():
    return json.loads((DEMO / "entregas" / "truth.json").read_text())


@pytest.fixture(scope="module")
def ledger():
    return Ledger.beside(DEMO)


@pytest.mark.parametrize("period", PERIODS)
def test_every_source_was_counted_right(truth, ledger, period):
    settings, intakes = load(DEMO), ledger.intakes(period)
    for source in settings.rosters():
        expected, report = truth["sources"][period][source.id], intakes[source.id].report
        found = {k: report[k] for k in ("inactive", "duplicates", "duplicates_disagreeing", "without_document")}
        found |= {"rows": report["check"]["rows"], "roster_rows": report["roster_rows"], "weight": report["weight"]}
        assert found == {k: expected[k] for k in found}, source.id
        assert intakes[source.id].cut == expected["cut"]


@pytest.mark.parametrize("period", PERIODS)
def test_every_broken_rule_was_found_and_no_other(truth, ledger, period):
    for source, expected in truth["sources"][period].items():
        if source not in ledger.intakes(period):
            continue
        check = ledger.intakes(period)[source].report["check"]
        found = Counter()
        for broken in check["broken"]:
            found[broken["field"], broken["rule"]] += broken["rows"]
        assert found == Counter({(b["field"], b["rule"]): b["rows"] for b in expected["set_aside"]}), source
        assert check["set_aside"] == sum(b["rows"] for b in expected["set_aside"]), source
        assert check["uncompiled"] == [], "a shipped schema has a rule that is not compiled"


@pytest.mark.parametrize("period", PERIODS)
def test_people_were_found_in_the_register(truth, ledger, period):
    release = ledger.releases(period=period)[-1]
    private = json.loads((DEMO / "store" / "private" / release.digest / "report.json").read_text())
    for quality in private["quality"]:
        if quality["programme"]:
            assert quality["matched"] == truth["sources"][period][quality["source"]]["matched"], quality["source"]


def published(period: str, cube: str, level: str, ledger: Ledger) -> pd.DataFrame:
    folder = DEMO / "store" / "releases" / ledger.releases(period=period)[-1].digest
    return pd.read_csv(folder / "datos" / f"{cube}_{level}.csv", dtype=str, keep_default_na=False)


@pytest.mark.parametrize("period", PERIODS)
def test_every_number_shown_is_the_truth(ledger, period):
    settings = load(DEMO)
    files = {"users": "truth_cells.parquet", "eligible": "truth_eligible.parquet"}
    shown = 0
    for cube in settings.cubes:
        cells = pd.read_parquet(DEMO / "entregas" / files[cube.counts])
        cells = cells[cells["period"] == period]
        dims = [d.id for d in cube.dimension]
        here = cells[cells["programme"].isin(cube.programmes)]
        for level, digits in (("nacion", 0), ("departamento", 2), ("provincia", 4), ("distrito", 6)):
            place = here["ubigeo"].str[:digits] if digits else pd.Series("PE", index=here.index)
            rows = published(period, cube.id, level, ledger)
            for broken_down in sorted({tuple(d for d in dims if r[d] != "total") for r in rows.to_dict("records")}):
                keys = ["programme", "ubigeo", *broken_down]
                counted = here.assign(ubigeo=place).groupby(keys)["n"].sum()
                mine = rows
                for d in dims:
                    mine = mine[mine[d].ne("total") if d in broken_down else mine[d].eq("total")]
                index = pd.MultiIndex.from_frame(mine[["programa", "ubigeo", *broken_down]], names=keys)
                expected = counted.reindex(index, fill_value=0).to_numpy()
                numbers = mine[cube.measure].to_numpy()
                is_shown = mine["marca"].to_numpy() == ""
                assert (numbers[is_shown].astype(int) == expected[is_shown]).all()
                assert (numbers[~is_shown] == "").all()
                threshold = pd.Series(mine["programa"].to_numpy()).map(
                    lambda p, c=cube: c.thresholds.get(p, c.threshold)
                )
                assert not ((expected > 0) & (expected < threshold) & is_shown).any(), "a cell at risk is shown"
                assert (expected[mine["marca"].to_numpy() == "c"] > 0).all(), "a zero is withheld"
                shown += int(is_shown.sum())
    assert shown > 1000


@pytest.mark.parametrize("period", PERIODS)
def test_every_rate_shown_is_the_truth(ledger, period):
    cells, left = (
        pd.read_parquet(DEMO / "entregas" / name).query(f"period == '{period}'")
        for name in ("truth_cells.parquet", "truth_eligible.parquet")
    )
    shown = 0
    for level, digits in (("nacion", 0), ("departamento", 2), ("provincia", 4), ("distrito", 6)):
        rows = published(period, "tasas", level, ledger)
        for row in rows[rows["marca"] == ""].to_dict("records"):
            here = row["ubigeo"] if digits else ""
            mine = cells[(cells["programme"] == row["programa"]) & cells["ubigeo"].str.startswith(here)]
            n = mine.groupby("situacion")["n"].sum().reindex(SITUATIONS, fill_value=0)
            eligible = left[(left["programme"] == row["programa"]) & left["ubigeo"].str.startswith(here)]["n"].sum()
            found = n.sum() - n["no_encontrado"]
            part, whole = {
                "filtracion": (n["no_cumple"], n["cumple"] + n["no_cumple"]),
                "subcobertura": (eligible, eligible + n["cumple"]),
                "encontrados": (found, n.sum()),
                "sin_cse": (n["sin_cse"], found),
            }[row["tasa"]]
            assert (int(row["numerador"]), int(row["denominador"])) == (part, whole), row
            assert abs(float(row["porcentaje"]) - 100 * part / whole) < 0.0501
            shown += 1
    assert shown > 30


def test_the_people_are_made_so_that_rates_are_of_this_world(ledger):
    rates = published(PERIODS[0], "tasas", "nacion", ledger).set_index(["programa", "tasa"])["porcentaje"].astype(float)
    assert set(rates.index.get_level_values(0)) == {"pension65", "juntos"}
    assert 5 < rates["pension65", "filtracion"] < 30
    assert 10 < rates["pension65", "subcobertura"] < 50
    assert 5 < rates["juntos", "filtracion"] < 30
    assert rates["juntos", "subcobertura"] > 50, "a third of poor households with children gets Juntos"


def linked(period: str, table: str, ledger: Ledger) -> pd.DataFrame:
    """A linked table's rows of both levels, of which only those shown have a number."""
    both = pd.concat([published(period, table, level, ledger) for level in ("nacion", "departamento")])
    return both[both["marca"].isin(["", "c", "d"])]


@pytest.mark.parametrize("period", PERIODS)
def test_every_overlap_shown_is_the_truth(truth, ledger, period):
    settings = load(DEMO)
    order = sorted(settings.overlaps.programmes, key=lambda p: -settings.threshold(p))
    persons = Counter()  # (place, programmes)
    for words, n in truth["together"][period].items():
        at = dict(word.split(":") for word in words.split())
        at = {p: at[p] for p in order if p in at}
        for place in ("PE", next(iter(at.values()))):
            persons[place, frozenset(at)] += n
    for programme, places in truth["unlinked"][period].items():
        for place, n in places.items():
            persons[place, frozenset([programme])] += n
            persons["PE", frozenset([programme])] += n
    assert len(persons) > 100
    shown = 0
    for row in linked(period, "personas", ledger).itertuples(index=False):
        own = {s: n for (place, s), n in persons.items() if place == row.ubigeo}
        true = sum(n for s, n in own.items() if row.programas in ("total", str(len(s))))
        assert row.personas == (str(true) if row.marca == "" else "") and (row.marca != "c" or true)
        assert row.marca or true == 0 or true >= 10
        shown += row.marca == ""
    for row in linked(period, "cruces", ledger).itertuples(index=False):
        both = {row.programa, row.otro_programa}
        true = sum(n for (place, s), n in persons.items() if place == row.ubigeo and both <= s)
        assert row.personas == (str(true) if row.marca == "" else "") and (row.marca != "c" or true)
        assert row.marca or true == 0 or true >= max(map(settings.threshold, both))
        shown += row.marca == ""
    assert shown > 40


def test_every_movement_shown_is_the_truth(truth, ledger):
    settings, period = load(DEMO), PERIODS[1]
    rows = linked(period, "movimientos", ledger)
    assert (rows["marca"] == "").sum() > 20
    for row in rows[rows["marca"] == ""].itertuples(index=False):
        moves = Counter()
        for words, n in truth["moves"][period][row.programa].items():
            was, now = words.split(">")
            if row.ubigeo == "PE":
                moves[(bool(was), bool(now))] += n
                moves["moved"] += n if was and now and was != now else 0
            else:
                moves[(was == row.ubigeo, now == row.ubigeo)] += n
        places = truth["unlinked"]
        more = [
            [places[p][row.programa].get(d, 0) for p in PERIODS]
            for d in truth["unlinked"][period][row.programa] | truth["unlinked"][PERIODS[0]][row.programa]
            if row.ubigeo in ("PE", d)
        ]
        moves[False, True] += sum(max(now - was, 0) for was, now in more)
        moves[True, False] += sum(max(was - now, 0) for was, now in more)
        true = {"altas": moves[False, True], "bajas": moves[True, False], "traslados": moves["moved"]}[row.movimiento]
        assert int(row.personas) == true, (row.programa, row.ubigeo, row.movimiento)
        assert true == 0 or true >= settings.threshold(row.programa)


def test_a_first_period_has_nothing_to_compare_with(ledger):
    folder = DEMO / "store" / "releases" / ledger.releases(period=PERIODS[0])[-1].digest
    assert not list(folder.glob("datos/movimientos_*"))


def test_nothing_is_waiting(ledger):
    from rnu.status import status

    now = status(load(DEMO), ledger, None)
    assert now.next == ()
    assert [r.state for r in now.releases] == ["approved", "approved"]
