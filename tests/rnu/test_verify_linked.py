"""Linked tables of a release are checked and attacked by anybody, from their rows and the programmes' own tables."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from rnu.cli import main
from rnu.errors import DisclosureRisk
from rnu.publish.proof import is_proven, write_proof
from rnu.release.inspect import inspect
from rnu.release.manifest import MANIFEST, seal
from rnu.release.verify import verify_release
from tests.rnu import linked_examples as ex
from tests.rnu.release_examples import replace

PERSONS = "certificados/personas_todos.json"
FLOWS = "certificados/movimientos_sis.json"


@pytest.fixture(scope="module")
def linked(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "linked"
    ex.build_in(folder)
    return folder


@pytest.fixture
def copy(linked, tmp_path) -> Path:
    shutil.copytree(linked, tmp_path / "copy")
    return tmp_path / "copy"


def rnu(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def told(command: str, folder: Path, *more: object) -> tuple[int, dict]:
    said = rnu(command, folder, *more, "--json")
    return said.exit_code, json.loads(said.stdout)


def problems(folder: Path, table: str = "personas") -> list[str]:
    """What is wrong with linked tables, after the release was sealed again by somebody who wants it to pass."""
    seal(folder)
    code, found = told("verify", folder)
    assert code == 1
    return next(one["problems"] for one in found["linked"] if one["cube"] == table)


def found_linked(attacked: dict) -> list[list[str]]:
    return [one["name"] for table in attacked["linked"] for one in table["found"]]


def edit(folder: Path, name: str, **changes) -> None:
    raw = json.loads((folder / name).read_text("utf-8"))
    (folder / name).write_text(json.dumps(raw | changes), encoding="utf-8")


def rewrite(folder: Path, table: str, old: str, new: str) -> None:
    path = folder / "datos" / f"{table}.csv"
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_both_certificates_hold_and_say_how_many_cells_are_proven(linked):
    code, found = told("verify", linked)
    assert code == 0
    assert [(one["cube"], one["programme"]) for one in found["linked"]] == [
        ("personas", "todos"),
        ("movimientos", "sis"),
    ]
    assert all(one["withheld"] == one["proven"] + one["at_least_threshold"] for one in found["linked"])
    assert all(one["proven"] >= 2 for one in found["linked"]), (
        "the four in both, and the four who arrive, have partners"
    )
    said = rnu("verify", linked).output
    assert "personas todos" in said
    assert "all 4 certificates hold" in said


def test_nothing_is_found_by_inspection_nor_by_attack(linked):
    inspect(linked)
    code, found = told("attack", linked)
    assert code == 0
    assert [(one["cube"], one["found"]) for one in found["linked"]] == [("personas", []), ("movimientos", [])]
    assert all(one["tried"] for one in found["linked"])


def test_the_certificate_of_distinct_persons_is_said_to_speak_of_the_pairs(linked):
    package = json.loads((linked / "datapackage.json").read_text("utf-8"))
    one = next(r for r in package["resources"] if r["path"] == PERSONS)
    assert "Vale también para el cuadro cruces" in one["description"]
    assert next(t for t in package["tablas"] if t["id"] == "cruces")["probada_con"] == "personas"


def test_the_same_tables_give_the_same_bytes(linked, tmp_path):
    ex.build_in(tmp_path / "again")
    for name in (PERSONS, FLOWS, MANIFEST):
        assert (tmp_path / "again" / name).read_bytes() == (linked / name).read_bytes()


@pytest.mark.parametrize("table", [2, 4])
def test_without_a_certificate_nothing_is_built(tmp_path, table):
    what = ex.contents()
    tables = list(what.tables)
    tables[table] = replace(tables[table], certificate=None)
    with pytest.raises(DisclosureRisk, match="no certificate"):
        ex.build_in(tmp_path / "r", replace(what, tables=tuple(tables)))


# --- what must be found ----------------------------------------------------------------------------------------------


def test_a_certificate_that_leaves_tables_out_does_not_hold(copy):
    edit(copy, PERSONS, tables=[])
    assert any("shown to be possible only as" in problem for problem in problems(copy))
    with pytest.raises(DisclosureRisk, match="personas_todos"):
        inspect(copy)


def test_another_base_is_not_possible(copy):
    raw = json.loads((copy / FLOWS).read_text("utf-8"))
    edit(copy, FLOWS, base=[*raw["base"], 0, 1000])
    assert any(problem.startswith("the base is not possible") for problem in problems(copy, "movimientos"))


def test_a_changed_row_is_found(copy):
    rewrite(copy, "cruces_nacion", "PE,sis,24,", "PE,sis,25,")
    assert any("contigo and sis × PE" in problem for problem in problems(copy))


def test_a_withheld_pair_that_is_shown_is_found(copy):
    rewrite(copy, "cruces_departamento", "18,Moquegua,sis,,c", "18,Moquegua,sis,4,")
    assert "contigo and sis × 18 is shown and below the threshold" in problems(copy)


def test_other_users_in_a_programme_s_own_table_are_found(copy):
    """Persons of the linked tables are users of the programmes: their tables hang together."""
    raw = json.loads((copy / PERSONS).read_text("utf-8"))
    users = 3 * 2 - 2  # the SIS's users at the second department
    base = np.array(raw["base"]).reshape(-1, 2)
    assert base[base[:, 0] == 5 + users].tolist() == [[9, 70]]
    base[base[:, 0] == 9, 1] = 71
    edit(copy, PERSONS, base=base.reshape(-1).tolist())
    assert any("users of sis × 24 would be 71" in problem for problem in problems(copy))


def test_a_certificate_of_other_names_or_thresholds_proves_nothing(copy):
    raw = json.loads((copy / PERSONS).read_text("utf-8"))
    edit(copy, PERSONS, kinds=[*raw["kinds"][:2], "nobody", *raw["kinds"][3:]], thresholds=[5] * 4)
    found = problems(copy)
    assert "the certificate has other kinds than the release" in found
    assert "the certificate proves values up to other thresholds than the published ones" in found


def test_the_certificate_of_another_release_is_found(copy, tmp_path):
    ex.build_in(tmp_path / "other", ex.contents("2026-03"))
    shutil.copy(tmp_path / "other" / FLOWS, copy / FLOWS)
    assert problems(copy, "movimientos") == ["the certificate is of another table: movimientos, 2026-03, sis, 1"]


@pytest.mark.parametrize("name", [PERSONS, FLOWS])
@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"base": [1.5]}', None])
def test_one_that_cannot_be_read_is_no_verdict(copy, name, data):
    (copy / MANIFEST).unlink()
    if data is None:
        (copy / name).unlink()
    else:
        (copy / name).write_bytes(data)
    said = rnu("verify", copy)
    assert said.exit_code == 2
    assert "Traceback" not in said.output + said.stderr
    with pytest.raises(DisclosureRisk):
        inspect(copy)


def test_an_outsider_finds_a_pair_that_was_withheld_alone(copy):
    rewrite(copy, "cruces_departamento", "24,Tumbes,sis,,c", "24,Tumbes,sis,20,")
    code, found = told("attack", copy)
    assert code == 1
    assert ["contigo", "sis", "18"] in found_linked(found)
    narrow = [one for table in found["linked"] for one in table["found"]]
    assert (["contigo", "sis", "18"], 4.0, 4.0) in [(n["name"], round(n["low"]), round(n["high"])) for n in narrow]
    assert "18 contigo sis: from 4 to 4" in rnu("attack", copy).output


def test_who_holds_the_period_before_knows_how_many_more_arrived_than_left(copy, tmp_path):
    """Users of both periods and departures shown: the arrivals are their difference, though their row is withheld."""
    before = ex.contents("2026-01")
    ex.build_in(tmp_path / "before", replace(before, tables=before.tables[:2]))
    rewrite(copy, "movimientos_departamento", "18,Moquegua,bajas,,c", "18,Moquegua,bajas,4,")
    for movement in ("altas", "bajas"):
        rewrite(copy, "movimientos_nacion", f"PE,{movement},30,", f"PE,{movement},,c")
    arrivals = ["", "altas", "18"]
    assert arrivals not in found_linked(told("attack", copy)[1]), "nothing tells without the other release"
    assert arrivals in found_linked(told("attack", copy, "--earlier", tmp_path / "before")[1])


@pytest.mark.parametrize("cube", ["personas", "cruces", "movimientos"])
def test_what_a_portal_gives_of_a_linked_dataset_holds_all_that_it_is_proven_with(linked, tmp_path, cube):
    assert is_proven(linked, cube)
    write_proof(linked, cube, tmp_path / "part.zip")
    with zipfile.ZipFile(tmp_path / "part.zip") as archive:
        archive.extractall(tmp_path / "part")
    found = verify_release(tmp_path / "part", part=True)
    assert found.holds
    assert {one.cube for one in found.linked} == {"personas", "movimientos"}
