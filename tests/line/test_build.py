"""Building from what is in, and trying another design without a trace."""

import hashlib
import json
from pathlib import Path

from tests.line.institution import PERIODS


def everything(home: Path) -> dict[str, str]:
    return {
        path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


def private(house) -> dict:
    return json.loads((house.store.private(house.digest()) / "report.json").read_text(encoding="utf-8"))


def test_a_trial_leaves_no_trace_and_says_of_todays_design_what_the_build_said(at):
    house = at("built")
    before = everything(house.home)
    said = house.rnu("build", "--period", PERIODS[0], "--try", "threshold=5,10", "--json")
    assert said.code == 0, said.err
    assert everything(house.home) == before
    today, same, higher = said.json["designs"]
    assert [d["design"] for d in (today, same, higher)] == ["today", "threshold=5", "threshold=10"]
    assert today["programmes"] == same["programmes"]
    built = private(house)["protection"]
    for programme in today["programmes"]:
        mine = built[f"{programme['cube']}/{programme['programme']}"]
        assert [{k: level[k] for k in mine["levels"][0]} for level in programme["levels"]] == mine["levels"]

    def shown(design) -> int:
        return sum(level["shown"] for p in design["programmes"] for level in p["levels"])

    assert shown(higher) < shown(today)


def test_a_trial_can_be_drawn_into_a_file_of_the_stewards(at, tmp_path):
    house, drawing = at("built"), tmp_path / "umbrales.svg"
    said = house.rnu("build", "--period", PERIODS[0], "--try", "threshold=5,8", "--plot", str(drawing))
    assert said.code == 0, said.err
    assert "threshold=8" in said.out
    assert "<svg" in drawing.read_text(encoding="utf-8")


def test_a_trial_of_a_period_without_rosters_says_what_to_do(at):
    said = at("built").rnu("build", "--period", "2026-05", "--try", "threshold=8")
    assert said.code == 3
    assert "rnu run --period 2026-05" in said.err


def test_build_waits_for_the_quorum_and_fetches_nothing(at):
    house = at("taken")
    said = house.rnu("build", "--period", PERIODS[0])
    assert said.code == 3
    assert "qaliwarma" in said.out  # its delivery lies there, and nobody took it in
    said = house.rnu("build", "--period", PERIODS[0], "--go", "--json")
    assert said.code == 0, said.err
    assert said.json["digest"] == house.digest()


def test_show_names_the_dearest_cells_to_the_steward_and_the_release_does_not(at):
    house = at("built")
    dearest = [cell for table in private(house)["protection"].values() for cell in table["dearest"]]
    assert dearest
    assert all(cell["value_unshown"] >= 5 for cell in dearest)
    assert "dearest:" in house.rnu("show", house.digest()).out
    public = house.store.release(house.digest())
    assert not any(b"dearest" in path.read_bytes() for path in public.rglob("*.json"))
