"""Anybody's table, by the command line: protected, proven, checked and attacked; and all that can be wrong with it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from anonymize.secure import secure
from rnu import secrets
from rnu.cli import main
from rnu.standalone import work

SPEC = """
count = "n"
threshold = 5

[[dimension]]
column = "lugar"
hierarchy = "lugar.csv"

[[dimension]]
column = "sexo"
total = "Total"

[[dimension]]
column = "edad"
total = "Total"

[crosses]
distrito = 1
"""
PLACES = """code,parent,level
18,,region
1801,18,provincia
1802,18,provincia
180101,1801,distrito
180102,1801,distrito
180103,1801,distrito
180201,1802,distrito
180202,1802,distrito
"""
DISTRICTS = ("180101", "180102", "180103", "180201", "180202")


def rnu(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def write_rows(path: Path, rows: list[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


WEIGHED = """
count = "n"
threshold = 5
weight = "antes"
[[dimension]]
column = "lugar"
total = "Total"
"""


def counts(seed: int = 1) -> list[tuple[object, ...]]:
    rng = np.random.default_rng(seed)
    rows: list[tuple[object, ...]] = [("lugar", "sexo", "edad", "n")]
    for i, place in enumerate(DISTRICTS):
        for sex in ("H", "M"):
            for age in ("joven", "adulta", "mayor"):
                count = int(rng.poisson((i + 1) * (0.6 if age == "mayor" else 5)))
                if count:
                    rows.append((place, sex, age, count))
    return rows


def inner() -> dict[tuple[str, ...], int]:
    return {(str(r[0]), str(r[1]), str(r[2])): int(str(r[3])) for r in counts()[1:]}


def inside(one: tuple[str, ...], cell: tuple[str, ...]) -> bool:
    """Whether an inner cell is counted in a cell."""
    return one[0].startswith(cell[0]) and cell[1] in ("Total", one[1]) and cell[2] in ("Total", one[2])


@pytest.fixture
def given(tmp_path: Path) -> Path:
    (tmp_path / "spec.toml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "lugar.csv").write_text(PLACES, encoding="utf-8")
    write_rows(tmp_path / "table.csv", counts())
    return tmp_path


def protect(folder: Path, out: str = "out") -> Result:
    return rnu("protect", folder / "table.csv", "--spec", folder / "spec.toml", "--out", folder / out)


def cells(folder: Path) -> dict[tuple[str, ...], tuple[str, str]]:
    with (folder / "cells.csv").open(encoding="utf-8") as file:
        return {(r["lugar"], r["sexo"], r["edad"]): (r["n"], r["mark"]) for r in csv.DictReader(file)}


# --- the way through -------------------------------------------------------------------------------------------------


def test_a_table_is_protected_proven_and_stands_an_attack(given):
    assert protect(given).exit_code == 0
    out = given / "out"
    assert sorted(p.name for p in out.iterdir()) == ["cells.csv", "certificate.json", "private", "report.json"]
    shown = cells(out)
    for cell, (value, mark) in shown.items():
        true = sum(n for one, n in inner().items() if inside(one, cell))
        assert value == (str(true) if not mark else "")
        assert not (value and 0 < true < 5)
    assert any(mark == "c" for _, mark in shown.values())
    assert not any(len(place) == 6 and "Total" not in (sex, age) for place, sex, age in shown)
    checked = rnu("verify", out, "--json")
    assert checked.exit_code == 0
    told = json.loads(checked.output)
    assert told["proven"] > 0
    assert 0 < told["unshown_proven"] <= told["unshown"]
    assert rnu("attack", out).exit_code == 0


def test_the_same_table_gives_the_same_bytes(given):
    protect(given, "one")
    protect(given, "two")
    for name in ("cells.csv", "certificate.json", "report.json"):
        assert (given / "one" / name).read_bytes() == (given / "two" / name).read_bytes()


def test_what_is_withheld_hangs_on_the_key_and_is_proven_with_any(given):
    path = given / "noise.key"
    seen = set()
    for number in range(6):
        path.unlink(missing_ok=True)
        secrets.write_private(path, f"a secret of its own, number {number}")
        made = rnu(
            "protect", given / "table.csv", "--spec", given / "spec.toml", "--out", given / str(number),
            "--key-file", path,
        )  # fmt: skip
        assert made.exit_code == 0
        assert rnu("verify", given / str(number)).exit_code == 0
        seen.add((given / str(number) / "cells.csv").read_bytes())
    assert len(seen) > 1
    assert b"secret" not in b"".join(p.read_bytes() for p in (given / "0").rglob("*") if p.is_file())


def test_a_key_is_private_and_long_enough(given):
    path = given / "noise.key"
    words = ("protect", given / "table.csv", "--spec", given / "spec.toml", "--out", given / "out", "--key-file", path)
    secrets.write_private(path, "short")
    assert "16 bytes or more" in rnu(*words).stderr
    path.chmod(0o644)
    assert "chmod 600" in rnu(*words).stderr


def test_what_is_withheld_hangs_on_public_weights_and_not_on_what_the_counts_are(given):
    """Of three partners that are large enough the one with the least weight is withheld, whatever it counts."""
    (given / "spec.toml").write_text(WEIGHED, encoding="utf-8")
    withheld = []
    for dear, cheap in ((90, 30), (30, 90)):
        rows = [("lugar", "n", "antes"), ("a", 3, 5), ("b", dear, 80), ("c", 60, 70), ("d", cheap, 60)]
        write_rows(given / "table.csv", rows)
        out = given / f"out{dear}"
        assert rnu("protect", given / "table.csv", "--spec", given / "spec.toml", "--out", out).exit_code == 0
        with (out / "cells.csv").open(encoding="utf-8") as file:
            withheld.append([r["lugar"] for r in csv.DictReader(file) if r["mark"] == "c"])
    assert withheld == [["a", "d"], ["a", "d"]]


def test_a_weight_that_is_no_figure_is_named_with_its_line(given):
    (given / "spec.toml").write_text(WEIGHED, encoding="utf-8")
    write_rows(given / "table.csv", [("lugar", "n", "antes"), ("a", 3, 5), ("b", 9, "poco")])
    made = protect(given)
    assert made.exit_code == 2
    assert "a weight is a whole number" in made.stderr
    assert "line 3" in made.stderr


def test_public_files_say_nothing_that_the_cells_do_not(given):
    """Made anew of a table in which only what is not shown differs, the certificate is the same."""
    protect(given)
    report = (given / "out" / "report.json").read_text("utf-8")
    assert "primary" not in report
    assert "primary" in (given / "out" / "private" / "report.json").read_text("utf-8")


def test_a_branch_that_ends_early_and_a_table_without_a_tree(given):
    (given / "lugar.csv").write_text(PLACES + "1803,18,provincia\n", encoding="utf-8")
    write_rows(given / "table.csv", [*counts(), ("1803", "H", "joven", 30), ("1803", "M", "mayor", 3)])
    assert protect(given).exit_code == 0
    assert rnu("verify", given / "out").exit_code == 0
    shown = cells(given / "out")
    assert shown["1803", "Total", "Total"] == ("33", "")
    assert shown.get(("1803", "M", "Total"), ("", "c"))[0] == ""  # withheld, or a cross that is not shown
    plain = SPEC.replace('hierarchy = "lugar.csv"', 'total = "Total"').replace("[crosses]\ndistrito = 1\n", "")
    (given / "spec.toml").write_text(plain, encoding="utf-8")
    assert protect(given, "flat").exit_code == 0
    assert rnu("verify", given / "flat").exit_code == 0


def test_totals_may_be_there_and_are_checked(given):
    rows = counts()
    total = sum(int(r[3]) for r in rows[1:])
    write_rows(given / "table.csv", [*rows, ("18", "Total", "Total", total)])
    assert protect(given).exit_code == 0
    write_rows(given / "table.csv", [*rows, ("18", "Total", "Total", total + 1)])
    wrong = protect(given, "wrong")
    assert wrong.exit_code == 2
    assert f"line {len(rows) + 1}" in wrong.stderr
    assert not (given / "wrong").exists()


def test_what_else_is_known_is_put_in_and_found(given):
    """Two columns and three rows, of which two are withheld: one number from elsewhere, and all four fall."""
    spec = 'count = "n"\nthreshold = 5\n' + "".join(
        f'[[dimension]]\ncolumn = "{column}"\ntotal = "Total"\n' for column in ("lugar", "sexo")
    )
    (given / "spec.toml").write_text(spec, encoding="utf-8")
    rows = [("A", "H", 2), ("A", "M", 9), ("B", "H", 8), ("B", "M", 7), ("C", "H", 30), ("C", "M", 40)]
    write_rows(given / "table.csv", [("lugar", "sexo", "n"), *rows])
    assert protect(given).exit_code == 0
    assert rnu("attack", given / "out").exit_code == 0
    write_rows(given / "known.csv", [("lugar", "sexo", "n"), rows[2]])
    found = rnu("attack", given / "out", "--known", given / "known.csv", "--json")
    assert found.exit_code == 1
    assert [(f["cell"]["place"], f["low"], f["high"]) for f in json.loads(found.output)["found"]] == [("A", 2, 2)]


# --- several trees ---------------------------------------------------------------------------------------------------

AGES = """code,parent,level
Todas,,todas
menor,Todas,grupo
adulta,Todas,grupo
mayor,Todas,grupo
0-5,menor,banda
6-17,menor,banda
18-29,adulta,banda
30-59,adulta,banda
"""
GROUP = {"0-5": "menor", "6-17": "menor", "18-29": "adulta", "30-59": "adulta", "mayor": "mayor"}  # no band of its own
BY_TREES = SPEC.replace('column = "edad"\ntotal = "Total"', 'column = "edad"\nhierarchy = "edad.csv"')


def by_trees(seed: int = 1) -> dict[tuple[str, str, str], int]:
    """Inner counts by places, sex and bands of age."""
    rng = np.random.default_rng(seed)
    return {
        (place, sex, age): int(rng.poisson((i + 1) * (0.6 if age == "0-5" else 4)))
        for i, place in enumerate(DISTRICTS)
        for sex in ("H", "M")
        for age in GROUP
    }


def counted_in(one: tuple[str, ...], cell: tuple[str, ...]) -> bool:
    """Whether an inner cell is counted in a cell."""
    place, sex, age = cell
    return one[0].startswith(place) and sex in ("Total", one[1]) and age in ("Todas", one[2], GROUP[one[2]])


@pytest.fixture
def trees(given: Path) -> Path:
    (given / "spec.toml").write_text(BY_TREES, encoding="utf-8")
    (given / "edad.csv").write_text(AGES, encoding="utf-8")
    rows = [(*cell, count) for cell, count in by_trees().items() if count]
    write_rows(given / "table.csv", [("lugar", "sexo", "edad", "n"), *rows])
    return given


def test_a_table_of_two_trees_is_protected_proven_and_stands_an_attack(trees):
    assert protect(trees).exit_code == 0
    out, true = trees / "out", by_trees()
    shown = cells(out)
    assert {age for _, _, age in shown} == {*GROUP, *GROUP.values(), "Todas"}
    for cell, (value, mark) in shown.items():
        count = sum(n for one, n in true.items() if counted_in(one, cell))
        assert value == (str(count) if not mark else "")
        assert not (value and 0 < count < 5)
    for place, sex, age in shown:
        if GROUP.get(age, age) != age and shown.get((place, sex, GROUP[age]), ("", ""))[1]:
            assert shown[place, sex, age][1] == "d"  # nothing is shown below a group that is not
    assert any(mark == "c" and age in ("menor", "adulta") for (_, _, age), (_, mark) in shown.items())
    checked = rnu("verify", out, "--json")
    assert checked.exit_code == 0
    told = json.loads(checked.output)
    assert told["proven"] > 0
    assert told["unshown_proven"] > 0
    assert rnu("attack", out).exit_code == 0


def test_a_group_that_is_known_from_elsewhere_is_put_in(trees):
    protect(trees)
    shown, true = cells(trees / "out"), by_trees()
    place, sex, age = next(c for c, (_, mark) in shown.items() if mark == "c" and c[2] in ("menor", "adulta"))
    count = sum(n for one, n in true.items() if counted_in(one, (place, sex, age)))
    write_rows(trees / "known.csv", [("lugar", "sexo", "edad", "n"), (place, sex, age, count)])
    found = rnu("attack", trees / "out", "--known", trees / "known.csv", "--json")
    assert found.exit_code in (0, 1)
    assert "agree" not in found.stderr
    write_rows(trees / "known.csv", [("lugar", "sexo", "edad", "n"), (place, sex, "nadie", count)])
    assert "'nadie'" in rnu("attack", trees / "out", "--known", trees / "known.csv").stderr


def test_totals_of_groups_are_checked_and_the_line_is_named(trees):
    true = by_trees()
    rows = [("lugar", "sexo", "edad", "n"), *((*cell, count) for cell, count in true.items())]
    young = sum(n for one, n in true.items() if counted_in(one, ("1801", "H", "menor")))
    write_rows(trees / "table.csv", [*rows, ("1801", "H", "menor", young)])
    assert protect(trees).exit_code == 0
    write_rows(trees / "table.csv", [*rows, ("1801", "H", "menor", young + 1)])
    wrong = protect(trees, "wrong")
    assert wrong.exit_code == 2
    assert f"a total is {young + 1}, and what it sums up is {young}" in wrong.stderr
    assert f"line {len(rows) + 1}" in wrong.stderr


def test_a_group_that_must_be_shown_is_shown(trees):
    (trees / "spec.toml").write_text(f'{BY_TREES}\n[[show]]\nlugar = "180103"\nedad = "adulta"\n', encoding="utf-8")
    assert protect(trees).exit_code == 0
    assert cells(trees / "out")["180103", "Total", "adulta"][1] == ""


def test_a_tree_stands_alone_and_trees_stand_in_any_order(trees):
    alone = 'count = "n"\nthreshold = 5\n[[dimension]]\ncolumn = "edad"\nhierarchy = "edad.csv"\n'
    (trees / "spec.toml").write_text(alone, encoding="utf-8")
    write_rows(trees / "table.csv", [("edad", "n"), ("0-5", 2), ("6-17", 8), ("18-29", 7), ("30-59", 9), ("mayor", 6)])
    assert protect(trees).exit_code == 0
    assert rnu("verify", trees / "out").exit_code == 0
    sex, age = '[[dimension]]\ncolumn = "sexo"\ntotal = "Total"\n', alone[alone.index("[[") :]
    place = '[[dimension]]\ncolumn = "lugar"\nhierarchy = "lugar.csv"\n'
    (trees / "spec.toml").write_text(f'count = "n"\nthreshold = 5\n{sex}{age}{place}[crosses]\nbanda = 1\n', "utf-8")
    rows = [(*cell, count) for cell, count in by_trees().items() if count]
    write_rows(trees / "table.csv", [("lugar", "sexo", "edad", "n"), *rows])
    assert protect(trees, "other").exit_code == 0  # the first tree is the ages now
    assert rnu("verify", trees / "other").exit_code == 0
    bands = {age for age, group in GROUP.items() if age != group}
    assert not any(a in bands and s != "Total" and p != "18" for p, s, a in cells(trees / "other"))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("edad.csv", "18-29,adulta", "18-29,adultas", "line 8"),
        ("edad.csv", "menor,Todas,", "menor,0-5,", "above itself"),
        ("edad.csv", "mayor,Todas", "mayor,", "one root, this has 2"),
        ("edad.csv", "mayor,Todas,grupo", "total,Todas,grupo", "'total' is a code of 'edad' below its total"),
        ("edad.csv", AGES[AGES.index("menor") :], "", "no code but its root"),
        ("table.csv", ",mayor,", ",vieja,", "'vieja' is no code of 'edad'"),
        ("spec.toml", "distrito = 1", "banda = 1", "no level 'banda'"),
    ],
)
def test_a_wrong_second_tree_is_told(trees, file, old, new, said):
    path = trees / file
    path.write_text(path.read_text("utf-8").replace(old, new, 1), encoding="utf-8")
    wrong = protect(trees)
    assert wrong.exit_code == 2
    assert said in wrong.stderr


# --- what a check must refuse ----------------------------------------------------------------------------------------


def test_a_changed_number_breaks_the_certificate(given):
    protect(given)
    path = given / "out" / "cells.csv"
    lines = path.read_text("utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("18,Total,Total"))
    parts = lines[at].split(",")
    lines[at] = ",".join([*parts[:3], str(int(parts[3]) + 1), parts[4]])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    checked = rnu("verify", given / "out")
    assert checked.exit_code == 1
    assert "the base is not possible: 18 × Total × Total" in checked.output


@pytest.mark.parametrize(
    ("key", "value"),
    [("tables", []), ("at_least_threshold", [[0, 0, 0]]), ("base", [0] * 30)],
)
def test_a_certificate_that_leaves_something_out_does_not_hold(given, key, value):
    protect(given)
    path = given / "out" / "certificate.json"
    raw = json.loads(path.read_text("utf-8"))
    assert raw[key] != value
    path.write_text(json.dumps(raw | {key: value}), encoding="utf-8")
    assert rnu("verify", given / "out").exit_code == 1


@pytest.mark.parametrize(
    "raw",
    [
        "{}",
        "[",
        '{"dimensions": 3}',
        '{"at_least_threshold": [[99, 0, 0]]}',
        '{"base": [1, 2]}',
        '{"tables": [[99, 1]]}',
        '{"tables": [[0, 1.5]]}',
        '{"threshold": 2}',
    ],
)
def test_a_folder_that_is_not_one_of_ours_is_no_verdict(given, raw):
    protect(given)
    path = given / "out" / "certificate.json"
    good = json.loads(path.read_text("utf-8"))
    try:
        path.write_text(json.dumps(good | json.loads(raw)) if raw != "{}" else raw, encoding="utf-8")
    except json.JSONDecodeError:
        path.write_text(raw, encoding="utf-8")
    checked = rnu("verify", given / "out")
    assert checked.exit_code == 2
    assert "Traceback" not in checked.output + checked.stderr


# --- what can be wrong with a table ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("180101", "X", "joven", -1), "whole number"),
        (("180101", "X", "joven", "1.5"), "whole number"),
        (("180101", "X", "joven", ""), "whole number"),
        (("999999", "H", "joven", 3), "'999999' is no code of 'lugar'"),
        (("180101", "H", "adulta", 3), "stands in line"),
        (("180101", "H"), "2 values for 4 columns"),
    ],
)
def test_a_wrong_line_is_named(given, row, said):
    rows = [*counts(), row]
    write_rows(given / "table.csv", rows)
    wrong = protect(given)
    assert wrong.exit_code == 2
    assert said in wrong.stderr
    assert f"line {len(rows)}" in wrong.stderr
    assert not (given / "out").exists()


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("lugar.csv", "180101,1801", "180101,1899", "line 5"),
        ("lugar.csv", "1801,18,", "1801,,", "one root, this has 2"),
        ("lugar.csv", "18,,region", "18,1801,region", "one root, this has 0"),
        ("lugar.csv", "1802,18,provincia", "1802,180201,provincia", "above itself"),
        ("lugar.csv", "180102,1801", "180101,1801", "stands twice"),
        ("lugar.csv", "180103,1801,distrito", "180103,1801,barrio", "two names"),
        ("lugar.csv", "code,parent", "codigo,padre", "columns code and parent"),
        ("spec.toml", "threshold = 5", "threshold = 2", "from 3 to 50"),
        ("spec.toml", "threshold = 5", "treshold = 5", "did you mean 'threshold'"),
        ("spec.toml", 'count = "n"', 'count = "personas"', "no column 'personas'"),
        ("spec.toml", 'column = "edad"', 'column = "sexo"', "same column"),
        ("spec.toml", 'column = "edad"', 'column = "mark"', "column of marks"),
        ("spec.toml", "distrito = 1", "distritos = 1", "no level 'distritos'"),
        ("spec.toml", "distrito = 1", "provincia = 1\ndistrito = 2", "from 0 to 1 crosses"),
        ("spec.toml", 'hierarchy = "lugar.csv"', 'hierarchy = "nada.csv"', "cannot be read"),
        ("spec.toml", 'hierarchy = "lugar.csv"', "", "either `hierarchy` or `total`"),
    ],
)
def test_a_wrong_tree_or_spec_is_told(given, file, old, new, said):
    path = given / file
    path.write_text(path.read_text("utf-8").replace(old, new, 1), encoding="utf-8")
    wrong = protect(given)
    assert wrong.exit_code == 2
    assert said in wrong.stderr


def test_a_column_of_the_name_that_a_row_has_for_its_count_is_told(given):
    spec = 'count = "personas"\nthreshold = 5\n' + "".join(
        f'[[dimension]]\ncolumn = "{column}"\ntotal = "Total"\n' for column in ("place", "n")
    )
    (given / "spec.toml").write_text(spec, encoding="utf-8")
    write_rows(given / "table.csv", [("place", "n", "personas"), ("A", "x", 20), ("B", "y", 30)])
    wrong = protect(given)
    assert wrong.exit_code == 2
    assert "can be called 'n'" in wrong.stderr
    (given / "spec.toml").write_text(spec.replace('"n"', '"sexo"'), encoding="utf-8")
    write_rows(given / "table.csv", [("place", "sexo", "personas"), ("A", "x", 20), ("B", "y", 30)])
    assert protect(given).exit_code == 0


def test_a_table_of_three_persons_cannot_be_protected(given):
    write_rows(
        given / "table.csv", [("lugar", "sexo", "edad", "n"), ("180101", "H", "joven", 3), ("180102", "M", "mayor", 0)]
    )
    wrong = protect(given)
    assert wrong.exit_code == 1
    assert not (given / "out").exists()


def with_shown(folder: Path, cell: dict[str, str]) -> None:
    """Ask in the spec for a cell to be shown."""
    asked = "\n".join(["[[show]]", *(f'{column} = "{code}"' for column, code in cell.items())])
    (folder / "spec.toml").write_text(f"{SPEC}\n{asked}\n", encoding="utf-8")


def test_a_cell_that_must_not_be_withheld_is_shown_and_others_in_its_place(given):
    protect(given)
    before = cells(given / "out")
    withheld = [
        cell
        for cell, (_, mark) in before.items()
        if mark == "c" and sum(n for one, n in inner().items() if inside(one, cell)) >= 5
    ]
    for number, (place, sex, age) in enumerate(withheld):
        with_shown(given, {"lugar": place, "sexo": sex, "edad": age})
        made = protect(given, f"other{number}")
        if made.exit_code == 0:
            break
    assert made.exit_code == 0
    assert cells(given / f"other{number}")[place, sex, age][1] == ""
    assert rnu("verify", given / f"other{number}").exit_code == 0


def test_a_cell_that_must_be_shown_and_is_at_risk_is_named(given):
    at_risk = next(
        cell for cell in cells_of_lines() if 0 < sum(n for one, n in inner().items() if inside(one, cell)) < 5
    )
    with_shown(given, dict(zip(("lugar", "sexo", "edad"), at_risk, strict=True)))
    wrong = protect(given)
    assert wrong.exit_code == 1
    assert at_risk[0] in wrong.stderr
    assert not (given / "out").exists()


def cells_of_lines() -> list[tuple[str, str, str]]:
    """Cells of one district and one category."""
    return [(d, "Total", age) for d in DISTRICTS for age in ("joven", "adulta", "mayor")]


@pytest.mark.parametrize(
    ("cell", "said"), [({"lugar": "189999"}, "no code of 'lugar'"), ({"barrio": "1"}, "no dimension 'barrio'")]
)
def test_a_cell_that_must_be_shown_and_is_none_is_told(given, cell, said):
    with_shown(given, cell)
    wrong = protect(given)
    assert wrong.exit_code == 2
    assert said in wrong.stderr


def test_a_folder_that_holds_something_is_left_alone(given):
    (given / "out").mkdir()
    (given / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    assert protect(given).exit_code != 0
    assert [p.name for p in (given / "out").iterdir()] == ["mine.txt"]


def test_a_file_that_is_not_there(given):
    (given / "table.csv").unlink()
    assert protect(given).exit_code == 2
    assert rnu("verify", given / "nowhere").exit_code == 2
    assert rnu("attack", given / "nowhere").exit_code == 2


def test_what_does_not_verify_is_not_written(given, monkeypatch):
    def forged(*args: object, **words: object) -> object:
        made = secure(*args, **words)
        base = made.certificate.base.copy()
        base.flat[0] += 1
        return replace(made, certificate=replace(made.certificate, base=base))

    monkeypatch.setattr(work, "secure", forged)
    wrong = protect(given)
    assert wrong.exit_code == 1
    assert not [path for path in given.iterdir() if "out" in path.name]
