"""What a release changed for readers, and the places that a word means."""

import json

import pytest

from rnu.publish.changes import Changed, changes
from rnu.publish.places import places
from rnu.publish.portal import Publication
from rnu.settings import Period

HEADER = "periodo,programa,nombre_programa,ubigeo,sexo,usuarios,marca\n"


def release(folder, period: str, revision: int, rows: str) -> Publication:
    """The two files of a release that are read here."""
    (folder / "datos").mkdir(parents=True)
    tables = [{"id": "usuarios", "dimensiones": ["sexo"]}]
    (folder / "datapackage.json").write_text(json.dumps({"tablas": tables}))
    (folder / "datos" / "usuarios_nacion.csv").write_text(HEADER + rows)
    return Publication(Period.parse(period), revision, f"{period}{revision}", folder, ())


@pytest.fixture
def history(tmp_path) -> list[Publication]:
    first = "2026-01,sis,SIS,PE,total,100,\n2026-01,sis,SIS,PE,hombre,40,\n2026-01,pca,PCA,PE,total,7,\n"
    second = "2026-02,sis,SIS,PE,total,103,\n2026-02,pca,PCA,PE,total,7,\n2026-02,contigo,Contigo,PE,total,,c\n"
    third = "2026-02,sis,SIS,PE,total,103,\n2026-02,contigo,Contigo,PE,total,,c\n"
    return [
        release(tmp_path / "c", "2026-02", 2, third),
        release(tmp_path / "b", "2026-02", 1, second),
        release(tmp_path / "a", "2026-01", 1, first),
    ]


def test_each_release_tells_national_totals_that_are_others_than_before(history):
    revised, next_period, first = changes(history, "usuarios")
    assert next_period == (Changed("SIS", 100, 103), Changed("Contigo", None, "c"))
    assert revised == (Changed("PCA", 7, None),)
    assert first == ()


def test_a_cube_that_is_new_changed_nothing(history):
    assert changes(history, "hogares") == ((), (), ())


@pytest.mark.parametrize(
    ("asked", "level", "found"),
    [
        ("Madre de Dios", "departamento", ("17",)),
        ("madre", "provincia", ("1701", "1702", "1703")),
        ("Ñahuimpuquio", "distrito", ("090710",)),
        ("nahuimpuquio", "distrito", ("090710",)),
        ("17", "provincia", ("1701", "1702", "1703")),
        ("170101", "provincia", ("1701",)),
        ("  ", "distrito", ()),
        ("zzz", "distrito", ()),
        ("'; drop table", "distrito", ()),
    ],
)
def test_a_place_is_found_by_its_name_or_code(asked, level, found):
    assert places(asked, level)[:3] == found[:3]
