"""A delivery becomes a roster, and every row of it is accounted for."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from anonymize.pseudonym import Key
from harvesters.delivery import Fetched
from rnu.check.report import CheckReport
from rnu.errors import SettingsError
from rnu.intake import take_in
from rnu.report import IntakeReport, lines
from rnu.settings import load
from rnu.ubigeo import Gazetteer

HOME = Path(__file__).parents[2]
SETTINGS = load(HOME)
SOURCE = replace(SETTINGS.source("qaliwarma"), tolerance=0.99)
GAZETTEER = Gazetteer.load(SETTINGS.gazetteer_path)
SCHOOL = {
    **{"FechaActualizacion": "31/01/2026", "Ubigeo": "010101", "Distrito": "Chachapoyas", "CodigoIIEEQW": "1"},
    **{"CodigoModularIIEE": "1234567", "NivelEducativo": "INICIAL", "NroUsuarios": "7"},
}
LABELS = (
    "FechaActualizacion;Departamento;Provincia;Distrito;Ubigeo;CentroPoblado;UnidadTerritorial;CodigoIIEEQW;"
    "CodigoModularIIEE;CodigoAnexoIIEE;InstitucionEducativa;NivelEducativo;CodigoLocalMinedu;DireccionIIEE;NroUsuarios;"
    "ComiteCompra;Item;ModalidadAtencion"
)


def taken_in(tmp_path: Path, schools: list[dict], source=SOURCE, gazetteer=GAZETTEER, **changed):
    """The intake's report and its roster's weights."""
    file, work = tmp_path / "iiee.csv", tmp_path / "work"
    work.mkdir()
    rows = [";".join((SCHOOL | school).get(label, "") for label in LABELS.split(";")) for school in schools]
    file.write_text("\n".join([LABELS, *rows, ""]), encoding="utf-8")
    arguments = {
        "schema_path": SETTINGS.schema_path(source),
        "gazetteer": gazetteer,
        "references": {"ubigeo": SETTINGS.gazetteer_path},
        "cut": date(2026, 1, 31),
        "key": Key(bytes(32)),
        "work": work,
        "roster": tmp_path / "roster.parquet",
    }
    report = take_in(source, [Fetched(file.name, file, "", 0)], **(arguments | changed))
    return report, pq.read_table(tmp_path / "roster.parquet")["weight"].to_pylist()


@pytest.mark.parametrize(
    ("weight", "rule"),
    [
        ("99999999999999999999", "out-of-range"),
        ("999999999999999999", "weight-out-of-bounds"),
        ("1000001", "weight-out-of-bounds"),
        ("", "constraint-error"),
        ("-5", "constraint-error"),
    ],
)
def test_a_row_whose_weight_cannot_be_is_set_aside_and_counted(tmp_path, weight, rule):
    report, weights = taken_in(tmp_path, [{}, {"NroUsuarios": weight}, {"NroUsuarios": "1000000"}])
    assert (report.check.set_aside, report.roster_rows, report.weight) == (1, 2, 1_000_007)
    assert [(b.field, b.rule, b.rows) for b in report.check.broken] == [("NroUsuarios", rule, 1)]
    assert sorted(weights) == [7, 1_000_000]


def test_a_weight_that_the_schema_lets_be_empty_is_set_aside_too(tmp_path):
    schema = tmp_path / "schema.json"
    words = SETTINGS.schema_path(SOURCE).read_text(encoding="utf-8")
    before, after = words.split('"NroUsuarios"')
    schema.write_text(f'{before}"NroUsuarios"' + after.replace('"required": true', '"required": false', 1))
    report, weights = taken_in(tmp_path, [{}, {"NroUsuarios": ""}], schema_path=schema)
    assert [(b.rule, b.rows) for b in report.check.broken] == [("weight-out-of-bounds", 1)]
    assert (weights, report.check.set_aside) == ([7], 1)


def test_rows_that_would_be_counted_twice_stop_the_intake(tmp_path):
    first, second, *others = GAZETTEER.districts
    twice = Gazetteer((first, replace(second, reniec=first.reniec), *others))
    source = replace(SOURCE, place_coding="reniec", fields=replace(SOURCE.fields, place_name=""))
    with pytest.raises(SettingsError, match="1 rows came, 2 are accounted for"):
        taken_in(tmp_path, [{}], source, twice)


def test_a_report_tells_what_frictionless_had_to_run():
    checked = CheckReport("x", 10, 0, 0.02, uncompiled=("correo: format email", "codigo: pattern"), by_frictionless=7)
    assert lines("x", IntakeReport(checked))[1:] == [
        "  run by frictionless, slowly: correo: format email, codigo: pattern",
        "         7  distinct cells read by frictionless itself",
    ]
    assert len(lines("x", IntakeReport(CheckReport("x", 10, 0, 0.02)))) == 1
