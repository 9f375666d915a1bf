"""Linking rosters: who counts where, what keys allow, what becomes of a programme that did not come."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anonymize.pseudonym import Key
from anonymize.tables import Mark
from rnu import linkage
from rnu.errors import SettingsError
from rnu.ledger import Intake
from rnu.settings import Period, load
from rnu.store import Store
from rnu.ubigeo import District, Gazetteer

ROOT = Path(__file__).parents[2]
PERIOD = Period(2026, 2)
GAZETTEER = Gazetteer(
    (
        District("180101", "170101", "Moquegua", "Mariscal Nieto", "Moquegua"),
        District("240101", "230101", "Tumbes", "Tumbes", "Tumbes"),
    )
)
PLACE = {"18": "180101", "24": "240101"}
KEY = Key(b"secret")
LINKED = ("sis", "pension65", "contigo")


@pytest.fixture(scope="module")
def settings():
    known = load(ROOT)
    return replace(
        known,
        overlaps=replace(known.overlaps, programmes=LINKED),
        flows=replace(known.flows, programmes=("sis", "contigo")),
    )


@pytest.fixture
def store(tmp_path) -> Store:
    made = Store(tmp_path / "store")
    made.create()
    return made


def put(settings, store, period, rosters, key="k1") -> dict[str, Intake]:
    """Rosters of (person or None, department) in the store; their intakes."""
    intakes = {}
    for programme, rows in rosters.items():
        source = next(s for s in settings.sources if s.programme == programme)
        table = pa.table(
            {
                "programme": pa.array([programme] * len(rows)),
                "pseudonym": pa.array(
                    [None if who is None else f"{who:016d}".encode() for who, _ in rows], pa.binary()
                ),
                "place": pa.array([PLACE[department] for _, department in rows]),
            }
        ).replace_schema_metadata({"key_id": key})
        path = store.roster(str(period), programme)
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table, path)
        intakes[source.id] = Intake(source.id, str(period), str(period), "d", "f", True, programme, {})
    return intakes


def shown(rosters, marks=None) -> linkage.Shown:
    """The programmes' own totals, all shown but where said."""
    counts = {}
    for programme, rows in rosters.items():
        for _, department in rows:
            for place in ("PE", department):
                counts[programme, place] = counts.get((programme, place), 0) + 1
    given = {(p, place): Mark.SHOWN for p in rosters for place in ("PE", "18", "24")}
    return linkage.Shown(counts, given | (marks or {}))


def people(start, n, department):
    return [(start + i, department) for i in range(n)]


# 0-99 in Moquegua, 100-199 in Tumbes; SIS has all of them
SIS = people(0, 100, "18") + people(100, 100, "24")
ROSTERS = {
    "sis": SIS + [(None, "18")] * 7,
    "pension65": people(0, 30, "18") + people(100, 40, "24") + people(900, 20, "24"),
    "contigo": people(10, 20, "18") + people(120, 12, "24") + [(50, "24")],  # 50 lives in two places
}


def rows(made, cube, programme="todos"):
    table = next(t for t in made.tables if t.cube.id == cube and t.programme.id == programme)
    frame = pd.concat(table.safe.frame(level) for level in ("nacion", "departamento"))
    return {(r[0], r[1]): r[2] if r[3] == "" else r[3] for r in frame.itertuples(index=False)}


def test_everybody_counts_once_and_pairs_are_of_persons(settings, store):
    intakes = put(settings, store, PERIOD, ROSTERS)
    made = linkage.overlaps(settings, intakes, PERIOD, store, GAZETTEER, shown(ROSTERS), KEY)
    number = rows(made, "personas")
    assert number["PE", "total"] == 200 + 20 + 7, "seven without a document are seven persons"
    assert number["18", "total"] + number["24", "total"] == number["PE", "total"]
    assert sum(number["PE", str(j)] for j in (1, 2, 3)) == 227
    assert sum(j * number["PE", str(j)] for j in (1, 2, 3)) == sum(map(len, ROSTERS.values()))
    pairs = rows(made, "cruces", "contigo")
    assert pairs["PE", "sis"] == 33
    assert pairs["24", "sis"] == 13, "who is in Contigo in Tumbes counts there, wherever SIS has them"


def test_the_programme_with_the_highest_threshold_comes_first_and_each_pair_once(settings, store):
    intakes = put(settings, store, PERIOD, ROSTERS)
    made = linkage.overlaps(settings, intakes, PERIOD, store, GAZETTEER, shown(ROSTERS), KEY)
    cruces = [t for t in made.tables if t.cube.id == "cruces"]
    assert [t.programme.id for t in cruces] == ["contigo", "sis"]
    assert [t.safe.threshold for t in cruces] == [10, 5]
    assert [set(t.safe.frame("nacion")["otro_programa"]) for t in cruces] == [{"sis", "pension65"}, {"pension65"}]
    assert "en este orden: Contigo, Seguro Integral de Salud (SIS), Pensión 65" in cruces[0].cube.description


def test_a_small_pair_is_withheld_and_nothing_is_shown_below_withheld_users(settings, store):
    few = ROSTERS | {"contigo": people(27, 20, "18") + people(138, 15, "24")}  # 3 and 2 of them have Pensión 65
    intakes = put(settings, store, PERIOD, few)
    said = rows(linkage.overlaps(settings, intakes, PERIOD, store, GAZETTEER, shown(few), KEY), "cruces", "contigo")
    assert said["PE", "pension65"] == "c" and said["18", "pension65"] == said["24", "pension65"] == "d"
    hidden = shown(few, {("contigo", "24"): Mark.WITHHELD})
    said = rows(linkage.overlaps(settings, intakes, PERIOD, store, GAZETTEER, hidden, KEY), "cruces", "contigo")
    assert said["24", "sis"] == "d"


def test_a_roster_that_did_not_come_is_not_delivered_and_the_others_are_linked(settings, store):
    came = {p: rows_ for p, rows_ in ROSTERS.items() if p != "contigo"}
    intakes = put(settings, store, PERIOD, came)
    made = linkage.overlaps(settings, intakes, PERIOD, store, GAZETTEER, shown(came), KEY)
    tables = {(t.cube.id, t.programme.id): t.safe for t in made.tables}
    assert tables["cruces", "contigo"] is None and tables["cruces", "sis"] is not None
    assert tables["personas", "todos"] is not None
    assert "Contigo" in made.notes[0]


def test_rosters_with_other_keys_do_not_link(settings, store):
    intakes = put(settings, store, PERIOD, {"sis": ROSTERS["sis"]}) | put(
        settings, store, PERIOD, {"contigo": ROSTERS["contigo"]}, key="k2"
    )
    with pytest.raises(SettingsError, match="different keys"):
        linkage.overlaps(settings, intakes, PERIOD, store, GAZETTEER, shown(ROSTERS), KEY)


def test_arrivals_and_departures_follow_persons(settings, store):
    before = {"sis": people(0, 100, "18") + people(100, 100, "24") + [(None, "18")] * 5, "contigo": ROSTERS["contigo"]}
    now = {
        # 40 leave Moquegua of whom 15 go to Tumbes, 30 are new there, 10 leave Tumbes for good
        "sis": people(0, 60, "18") + people(500, 30, "18") + people(60, 15, "24") + people(100, 90, "24")
        + [(None, "18")] * 12,
        "contigo": ROSTERS["contigo"],
    }  # fmt: skip
    earlier = put(settings, store, PERIOD.minus(1), before)
    intakes = put(settings, store, PERIOD, now)
    made = linkage.flows(settings, intakes, earlier, PERIOD, store, GAZETTEER, shown(now), KEY)
    assert rows(made, "movimientos", "sis") == {
        ("PE", "altas"): 30 + 7,  # of twelve without a document five are taken to have stayed
        ("PE", "bajas"): 35,
        ("PE", "traslados"): 15,
        ("18", "altas"): 30 + 7,
        ("18", "bajas"): 40,
        ("24", "altas"): 15,
        ("24", "bajas"): 10,
    }
    assert set(rows(made, "movimientos", "contigo").values()) == {0}


def test_without_an_earlier_period_there_are_no_flows_and_with_another_key_they_are_not_delivered(settings, store):
    intakes = put(settings, store, PERIOD, ROSTERS)
    assert linkage.flows(settings, intakes, {}, PERIOD, store, GAZETTEER, shown(ROSTERS), KEY).tables == ()
    earlier = put(settings, store, PERIOD.minus(1), ROSTERS, key="k0")
    made = linkage.flows(settings, intakes, earlier, PERIOD, store, GAZETTEER, shown(ROSTERS), KEY)
    assert [t.safe for t in made.tables] == [None, None]


def test_users_of_every_place_are_those_before_and_after_what_was_counted(settings, store):
    rng = np.random.default_rng(1)
    drawn = [[(int(i), "18" if rng.random() < 0.6 else "24") for i in rng.choice(900, 400, False)] for _ in range(2)]
    earlier = put(settings, store, PERIOD.minus(1), {"sis": drawn[0]})
    intakes = put(settings, store, PERIOD, {"sis": drawn[1]})
    said = rows(linkage.flows(settings, intakes, earlier, PERIOD, store, GAZETTEER, shown({"sis": drawn[1]}), KEY),
                "movimientos", "sis")  # fmt: skip
    users = [{d: sum(1 for _, at in one if at == d) for d in ("18", "24")} for one in drawn]
    for d in ("18", "24"):
        assert users[1][d] - users[0][d] == said[d, "altas"] - said[d, "bajas"]
    assert said["PE", "traslados"] == sum(1 for who, at in drawn[1] if dict(drawn[0]).get(who, at) != at)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('[overlaps]\nprogrammes = ["sis"', '[overlaps]\nprogrammes = ["juntos"', "does not count persons"),
        ('[flows]\nprogrammes = ["sis"', '[flows]\nprogrammes = ["qaliwarma"', "does not count persons"),
        ('id = "cruces"', 'id = "usuarios"', "stands twice"),
        ('[overlaps]\nprogrammes = ["sis", "pension65"', '[overlaps]\nprogrammes = ["sis", "sis"', "stands twice"),
    ],
)
def test_what_cannot_be_linked_is_refused_by_name(tmp_path, old, new, words):
    import shutil

    for part in ("config", "schemas"):
        shutil.copytree(ROOT / part, tmp_path / part)
    cubes = tmp_path / "config" / "cubes.toml"
    text = cubes.read_text(encoding="utf-8")
    assert old in text
    cubes.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError, match=words):
        load(tmp_path)
