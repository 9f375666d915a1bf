"""The example for journalists: its tables, and its picture, are what protection makes of its counts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.tables import Cells, Dimension, Mark, Places
from tests.docs.pages import ROOT

PAGE, PICTURE = ROOT / "docs" / "como-se-protege.md", ROOT / "docs" / "dibujos" / "proteccion.svg"
ALL = "Todos"


def tables(page: Path) -> list[list[list[str]]]:
    """Rows of cells of every table of a page, without its head."""
    found = re.findall(r"((?:^\|.*\n)+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|").split("|")] for row in one.splitlines()[2:]] for one in found]


@pytest.fixture(scope="module")
def example():
    true, published, possible, *_ = tables(PAGE)
    return true, published, possible


def cells(rows: list[list[str]]) -> Cells:
    places = [row[0] for row in rows if row[0] != ALL]
    counts = np.array([[int(n) for n in row[1:3]] for row in rows if row[0] != ALL])
    tree = Places.of([(ALL, place) for place in places], ("nacion", "distrito"))
    return Cells(tree, (Dimension("sexo", ("hombre", "mujer")),), counts)


def test_what_is_published_is_what_protection_makes_of_the_counts(example):
    true, published, _ = example
    made = cells(true)
    safe = protect(made, Policy(5, (1, 1)))
    index = {code: i for i, code in enumerate(made.places.codes)}
    for row in published:
        marks, values = safe.marks[index[row[0]]], safe.values[index[row[0]]]
        assert row[1:] == ["c" if m == Mark.WITHHELD else str(v) for m, v in zip(marks, values, strict=True)]
    assert [row[1:] for row in true] == [
        [str(n) for n in made.with_margins()[index[row[0]]]] for row in true
    ]  # totals too


def test_every_table_said_to_be_possible_gives_what_is_published(example):
    true, published, possible = example
    assert [int(row[0]) for row in possible] == [1, 2, 3, 4, 5]
    for men_a, women_a, men_b, women_b in ([int(n) for n in row] for row in possible):
        rows = [["A", str(men_a), str(women_a)], ["B", str(men_b), str(women_b)], true[2]]
        values = cells(rows).with_margins()
        shown = {row[0]: row[1:] for row in published}
        for code, here in zip((ALL, "A", "B", "C"), values, strict=True):
            assert all(said in ("c", str(n)) for said, n in zip(shown[code], here, strict=True))


@pytest.mark.parametrize(("number", "name"), [(0, "padron"), (1, "publicado"), (2, "pos")])
def test_the_picture_shows_the_tables_of_the_page(example, number, name):
    drawn = re.findall(rf'class="{name}"[^>]*>([^<]*)<', PICTURE.read_text(encoding="utf-8"))
    assert drawn == [cell for row in example[number] for cell in row]
