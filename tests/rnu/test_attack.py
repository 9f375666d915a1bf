"""What an outsider works out of a release, of several, and with other figures: each flaw is planted, and found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from anonymize.certificate import Certificate
from anonymize.tables import Mark
from rnu.cli import main
from rnu.release.model import ProgrammeTable
from rnu.ubigeo import District, Gazetteer
from tests.rnu import release_examples as ex

C, D = Mark.WITHHELD, Mark.BELOW
# Rows of the tree: 0 PE, 1 18, 2 1801, 3 1802, 4 180101, 5 180102, 6 180201. Columns: hombre, mujer, total.
COUNTS = [[3, 20], [10, 12], [15, 40]]
DISTRICTS_WITHHELD = {(4, 0): C, (4, 1): C, (5, 0): C, (5, 1): C}
PROVINCES_WITHHELD = {(row, column): C for row in (2, 3, 4, 6) for column in (0, 1)}


def rnu(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def attacked(*words: object) -> tuple[int, dict]:
    said = rnu("attack", *words, "--json")
    return said.exit_code, json.loads(said.stdout)


def cells_found(told: dict) -> dict[tuple[str, ...], tuple[float, float]]:
    return {
        (one["programme"], f["cell"]["place"], *f["cell"]["categories"]): (f["low"], f["high"])
        for one in told["tables"]
        for f in one["attacked"]["found"]
    }


def build(folder: Path, cells, period="2026-01", revision=1, gazetteer=ex.GAZETTEER) -> Path:
    """A release of SIS alone."""
    what = ex.contents(period, revision)
    ex.build_in(folder, ex.replace(what, tables=(ex.with_cells(what.tables[0], cells),)), gazetteer)
    return folder


# --- one release -----------------------------------------------------------------------------------------------------


def test_nothing_is_found_in_a_protected_release(release):
    code, told = attacked(release)
    assert code == 0
    assert [(one["programme"], one["attacked"]["tried"]) for one in told["tables"]] == [("sis", 0), ("contigo", 8)]
    assert cells_found(told) == {}


def test_a_cell_withheld_alone_is_found_by_subtraction(tmp_path):
    counts = [[1, 2], [30, 9], [3, 40]]
    alone = ex.safe(counts, {(4, 2): C, (4, 0): D, (4, 1): D})
    what = ex.contents()
    forged = ProgrammeTable(what.tables[0].cube, what.tables[0].programme, alone, Certificate(np.array(counts), (), ()))
    ex.build_in(tmp_path / "r", ex.replace(what, tables=(forged,)))
    code, told = attacked(tmp_path / "r")
    assert code == 1
    assert cells_found(told)["sis", "180101", "total"] == (3, 3)


# --- the same period again -------------------------------------------------------------------------------------------


def test_two_revisions_with_other_marks_are_attacked_together(tmp_path):
    """One withholds districts and shows their province, the other the province and one district: 13 less 10."""
    first = build(tmp_path / "1", ex.safe(COUNTS, DISTRICTS_WITHHELD))
    second = build(tmp_path / "2", ex.safe(COUNTS, PROVINCES_WITHHELD), revision=2)
    for one in (first, second):
        assert attacked(one)[0] == 0
    code, told = attacked(second, "--earlier", first)
    assert code == 1
    assert cells_found(told) == {("sis", "180101", "hombre"): (3, 3)}
    assert told["tables"][0]["known"] > 0
    assert told["changes"] == []
    assert cells_found(attacked(first, "--earlier", second)[1]) == {("sis", "180101", "hombre"): (3, 3)}
    said = rnu("attack", second, "--earlier", first)
    assert "180101 hombre: from 3 to 3" in said.output


def test_a_revision_that_corrects_one_person_tells_of_that_person(tmp_path):
    first = build(tmp_path / "1", ex.safe(COUNTS))
    second = build(tmp_path / "2", ex.safe([[3, 20], [10, 13], [15, 40]]), revision=2)
    code, told = attacked(second, "--earlier", first)
    assert code == 1
    assert {(c["kind"], c["place"], *c["categories"], c["by"]) for c in told["changes"]} == {
        ("revision", "1801", "mujer", 1),
        ("revision", "180102", "mujer", 1),
    }
    assert told["allowed"] == 6  # totals from district to nation, and mujer in department and nation
    assert told["changes"][0]["before"] == "2026-01 r1"


# --- another period --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "by", "kinds"),
    [
        ("2026-02", 4, {"difference"}),
        ("2025-02", 4, {"difference"}),
        ("2026-02", 5, set()),  # as many as the threshold
        ("2027-01", 4, set()),  # a year later, as the calendar has it
        ("2025-01", 4, set()),
    ],
)
def test_a_small_difference_of_a_breakdown_within_a_year_is_found(tmp_path, period, by, kinds):
    first = build(tmp_path / "1", ex.safe(COUNTS))
    second = build(tmp_path / "2", ex.safe([[3, 20], [10, 12 + by], [15, 40]]), period)
    code, told = attacked(second, "--earlier", first)
    assert {c["kind"] for c in told["changes"]} == kinds
    assert code == (1 if kinds else 0)
    assert cells_found(told) == {}


def test_totals_may_change_by_one_each_month(tmp_path):
    hidden = {(row, column): Mark.ABSENT for row in range(2, 7) for column in (0, 1)}
    first = build(tmp_path / "1", ex.safe(COUNTS, hidden))
    second = build(tmp_path / "2", ex.safe([[3, 20], [10, 13], [15, 40]], hidden), "2026-02")
    code, told = attacked(second, "--earlier", first)
    assert (code, told["changes"], told["allowed"]) == (0, [], 6)


# --- what else is known ----------------------------------------------------------------------------------------------


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_public_figure_from_elsewhere_gives_the_next_cell_away(release, tmp_path):
    known = write(tmp_path / "known.csv", "programa,ubigeo,sexo,n\ncontigo,1801,hombre,3\n")
    code, told = attacked(release, "--known", known)
    assert code == 1
    assert cells_found(told) == {("contigo", place, "hombre"): (3, 3) for place in ("1801", "1802", "180201")}


def test_a_figure_that_narrows_a_cell_is_found_too(release, tmp_path):
    """All 42 of a province less 40 in one district: two districts of 1 to 41 become one of 40 and one of 2."""
    known = write(tmp_path / "known.csv", "programa,ubigeo,n\ncontigo,180101,40\n")
    assert cells_found(attacked(release, "--known", known)[1])["contigo", "180102", "total"] == (2, 2)


def test_a_figure_that_contradicts_the_release_is_left_out_and_told(release, tmp_path):
    known = write(tmp_path / "known.csv", "programa,ubigeo,n\nsis,PE,85\ncontigo,180101,0\nsis,PE,86\n")
    code, told = attacked(release, "--known", known)
    assert code == 0
    assert [(one["known"], one["disagree"]) for one in told["tables"]] == [(0, 1), (0, 1)]


def test_figures_that_contradict_each_other_with_the_release_are_told(release, tmp_path):
    known = write(tmp_path / "known.csv", "programa,ubigeo,n\ncontigo,180101,40\ncontigo,180102,40\n")
    said = rnu("attack", release, "--known", known)
    assert said.exit_code == 0
    assert "together they contradict it" in said.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("programa,ubigeo,n\ncontigo,999999,3\n", "line 2"),
        ("programa,ubigeo,sexo,n\ncontigo,1801,otro,3\n", "line 2"),
        ("programa,ubigeo,n\ncontigo,1801,-3\n", "whole number"),
        ("programa,n\ncontigo,3\n", "no column 'ubigeo'"),
    ],
)
def test_a_wrong_file_of_figures_is_told(release, tmp_path, text, told):
    said = rnu("attack", release, "--known", write(tmp_path / "known.csv", text))
    assert said.exit_code == 2
    assert told in said.stderr


# --- places that were divided ----------------------------------------------------------------------------------------

OLD = Gazetteer(
    (
        District("180109", "", "Moquegua", "Mariscal Nieto", "Antes entero"),
        District("180201", "170201", "Moquegua", "General Sánchez Cerro", "Omate"),
    )
)


def test_a_district_that_was_divided_is_the_sum_of_its_parts(tmp_path):
    """The old district's 13 men less the 10 of one part are the 3 of the other."""
    marks = {(row, column): C for row in (2, 3, 5) for column in (0, 1)}  # rows: PE, 18, 1801, 1802, 180109, 180201
    old = build(tmp_path / "old", ex.safe([[13, 32], [15, 40]], marks, gazetteer=OLD), gazetteer=OLD)
    new = build(tmp_path / "new", ex.safe(COUNTS, PROVINCES_WITHHELD), revision=2)
    assert attacked(new)[0] == 0
    unnamed = rnu("attack", new, "--earlier", old)
    assert unnamed.exit_code == 2
    assert "--splits" in unnamed.stderr
    splits = write(tmp_path / "splits.csv", "old,new\n180109,180101\n180109,180102\n")
    code, told = attacked(new, "--earlier", old, "--splits", splits)
    assert code == 1
    assert cells_found(told) == {("sis", "180101", "hombre"): (3, 3)}


def test_a_part_that_kept_the_old_code_is_counted_in_the_whole(tmp_path):
    """180101 lost 180102: in the old figures its code means both."""
    new = build(tmp_path / "new", ex.safe(COUNTS, PROVINCES_WITHHELD))
    known = write(tmp_path / "known.csv", "programa,ubigeo,sexo,n\nsis,180101,hombre,13\n")
    splits = write(tmp_path / "splits.csv", "old,new\n180101,180101\n180101,180102\n")
    told = attacked(new, "--known", known, "--splits", splits)[1]
    assert cells_found(told) == {("sis", "180101", "hombre"): (3, 3)}


def test_a_folder_that_is_no_release_or_cannot_be_read(release, tmp_path):
    assert rnu("attack", tmp_path / "nowhere").exit_code == 2
    assert rnu("attack", release, "--earlier", tmp_path / "nowhere").exit_code == 2
    assert rnu("attack", release, "--known", tmp_path / "nowhere.csv").exit_code == 2
