"""A release: its files say what the safe cells say, the same in every format, and a changed byte is found."""

import csv
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import datetime

import frictionless
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anonymize.situations import SITUATIONS
from anonymize.tables import Dimension, Drop, Mark, SafeCells
from rnu.errors import DisclosureRisk, ReviewRequired, SettingsError, StoreError
from rnu.release.columns import Columns, plain
from rnu.release.difference import difference
from rnu.release.formats import write_xlsx
from rnu.release.inspect import inspect, inspect_attacked
from rnu.release.manifest import MANIFEST, manifest, verify
from rnu.release.read import read_table
from rnu.release.reports import coarse, design, quality
from rnu.settings import CubeLevel, Name, Programme, Unit
from tests.rnu import release_examples as ex


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "release"
    return folder, ex.build_in(folder)


@pytest.fixture
def copy(release, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(release[0], folder)
    return folder


def rows(folder, name):
    with (folder / "datos" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


# --- what the tables say -----------------------------------------------------------------------------------------


def test_rows_carry_place_names_codes_as_text_and_a_mark_where_there_is_no_number(release):
    header, *body = rows(release[0], "usuarios_distrito")
    assert header == [
        *("periodo", "programa", "nombre_programa", "ubigeo", "departamento", "provincia", "distrito"),
        *("sexo", "usuarios", "marca"),
    ]
    assert body[0] == [
        *("2026-01", "sis", "Seguro Integral de Salud (SIS)", "180101", "Moquegua", "Mariscal Nieto", "Moquegua"),
        *("hombre", "20", ""),
    ]
    contigo = [(r[3], *r[-3:]) for r in body if r[1] == "contigo"]
    assert contigo[:3] == [
        ("180101", "hombre", "", "d"),
        ("180101", "mujer", "", "d"),
        ("180101", "total", "", "c"),
    ]


def test_the_nation_has_code_pe_and_no_name_columns(release):
    header, *body = rows(release[0], "usuarios_nacion")
    assert header == ["periodo", "programa", "nombre_programa", "ubigeo", "sexo", "usuarios", "marca"]
    assert {row[3] for row in body} == {"PE"}
    assert body[2][-3:] == ["total", "86", ""]


def test_zero_is_shown_as_zero(release):
    shown = [
        r for r in rows(release[0], "usuarios_distrito") if r[1:4] == ["sis", r[2], "180102"] and r[-3] == "hombre"
    ]
    assert [r[-2:] for r in shown] == [["0", ""]]


@pytest.mark.parametrize(("level", "places"), [("nacion", ["PE"]), ("provincia", ["1801", "1802"])])
def test_an_undelivered_programme_has_one_marked_row_per_place_and_no_number(release, level, places):
    _, *body = rows(release[0], f"hogares_{level}")
    assert [(r[3], *r[-3:]) for r in body] == [(place, "total", "", "n") for place in places]


def test_csv_is_utf8_without_mark_and_lines_end_in_line_feeds(release):
    data = (release[0] / "datos" / "usuarios_distrito.csv").read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf") and b"\r" not in data and data.endswith(b"\n")
    assert "«la Villa»".encode() in data


def test_parquet_is_typed_and_says_the_same(release):
    table = pq.read_table(release[0] / "datos" / "usuarios_distrito.parquet")
    assert table.schema.field("usuarios").type == pa.int64()
    assert table.schema.field("ubigeo").type == pa.string()
    assert table.schema.metadata is None
    texts = [["" if v is None else str(v) for v in row.values()] for row in table.to_pylist()]
    assert texts == rows(release[0], "usuarios_distrito")[1:]


def test_xlsx_is_typed_with_a_frozen_header_and_a_sheet_of_notes(release):
    book = openpyxl.load_workbook(release[0] / "datos" / "usuarios_distrito.xlsx")
    assert book.sheetnames == ["Datos", "Notas"]
    sheet = book["Datos"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:J19"
    assert sheet["D2"].value == "180101" and sheet["D2"].data_type == "s"
    assert sheet["I2"].value == 20 and sheet["I2"].data_type == "n"
    assert all(len(str(row[0].value)) for row in sheet.iter_rows(max_row=3))
    notes = " ".join(str(cell.value) for row in book["Notas"].iter_rows() for cell in row)
    assert all(word in notes for word in ("Dato reservado", "No entregado", "ODC-BY 1.0", "Ministerio de Prueba"))
    with zipfile.ZipFile(release[0] / "datos" / "usuarios_distrito.xlsx") as archive:
        assert {member.date_time[0] for member in archive.infolist()} == {1980}
    assert book.properties.creator in (None, "") and book.properties.created == datetime(1980, 1, 1)


def test_a_table_longer_than_a_sheet_goes_on_in_the_next(release, tmp_path):
    frame = read_table(release[0], "usuarios", "distrito")
    columns = ex.COLUMNS.of(ex.cube(), "distrito")
    write_xlsx(frame, columns, [("Nota", "Explicación")], tmp_path / "long.xlsx", rows_per_sheet=10)
    book = openpyxl.load_workbook(tmp_path / "long.xlsx")
    assert book.sheetnames == ["Datos", "Datos 2", "Notas"]
    assert [book["Datos"].max_row, book["Datos 2"].max_row] == [11, 9]
    assert book["Datos 2"]["D2"].value == frame["ubigeo"].iloc[10]


def test_read_table_gives_numbers_back_null_where_marked(release):
    frame = read_table(release[0], "usuarios", "distrito")
    assert str(frame["usuarios"].dtype) == "Int64"
    assert (frame["usuarios"].isna() == (frame["marca"] != "")).all()
    with pytest.raises(StoreError):
        read_table(release[0], "usuarios", "barrio")


# --- what stands beside them -------------------------------------------------------------------------------------


def test_frictionless_finds_the_data_package_valid(release):
    report = frictionless.validate(str(release[0] / "datapackage.json"))
    assert report.valid, report.flatten(["title", "note"])
    assert len(report.tasks) == 2 * 4 * 3 + 2  # the tables in three formats, and two certificates


def test_frictionless_finds_a_changed_table(copy):
    with (copy / "datos" / "usuarios_nacion.csv").open("a", encoding="utf-8") as file:
        file.write("2026-01,sis,SIS,PE,otro,7,\n")
    report = frictionless.validate(str(copy / "datapackage.json"))
    assert {error[0] for error in report.flatten(["type"])} >= {"hash-count", "constraint-error"}


def test_the_dictionary_explains_every_column_value_and_mark(release):
    entries = json.loads((release[0] / "diccionario.json").read_text(encoding="utf-8"))
    said = {(e["tabla"], e["columna"], e["valor"]): e["titulo"] for e in entries}
    assert said["usuarios", "sexo", "mujer"] == "Mujer"
    assert said["usuarios", "marca", "c"] == "Dato reservado"
    assert said["hogares", "programa", "juntos"] == "Juntos"
    header = rows(release[0], "usuarios_distrito")[0]
    assert all(("usuarios", column, "") in said for column in header)
    with (release[0] / "diccionario.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == entries


def test_small_figures_of_quality_are_not_told_nor_given_back_by_a_sum(release):
    source, absent = json.loads((release[0] / "calidad.json").read_text(encoding="utf-8"))["fuentes"]
    assert source["duplicadas"] == "<5"
    assert source["apartadas"] == 8
    assert source["filas"] == "al menos 98"  # 89 + 8 + at least 1, not the true 100
    assert source["reglas"] == []  # one has 6 rows: with it the other's 2 would be known
    assert source["otras_reglas_con_pocas_filas"] is True
    assert (source["en_padron_general"], source["porcentaje_en_padron_general"]) == (80, 89.9)
    assert absent == {"fuente": "juntos_padron", "titulo": "Padrón de Juntos", "programa": "juntos", "entregado": False}


def test_a_complement_that_is_small_hides_the_matched_share():
    what = ex.contents()
    told = quality(replace(what, quality=(replace(what.quality[0], matched=87),)))["fuentes"][0]
    assert (told["en_padron_general"], told["porcentaje_en_padron_general"]) == ("no se muestra", None)


def test_quality_does_not_tell_a_national_total_that_the_tables_withhold():
    what = ex.contents()
    hidden = ex.safe(
        [[1, 1], [0, 1], [0, 0]], {(i, j): Mark.WITHHELD if j == 2 else Mark.BELOW for i in range(7) for j in range(3)}
    )
    what = replace(what, tables=(ex.with_cells(what.tables[0], hidden), *what.tables[1:]))
    told = quality(what)["fuentes"][0]
    assert {told[key] for key in ("filas", "peso", "filas_del_padron", "en_padron_general")} == {"no se muestra"}


def found_or_not(unfound: Mark):
    """SIS by whether users meet the rule and were found; those who were not stand at the nation as `unfound` says."""
    what, marks = ex.contents(), np.zeros((7, 5), dtype=np.uint8)
    marks[0, [2, 3]] = unfound
    shown = np.where(marks == Mark.SHOWN, np.full((7, 5), 20), -1)
    safe = SafeCells(ex.GAZETTEER.tree(), (Dimension("situacion", SITUATIONS),), shown, marks, 5)
    return replace(what, tables=(replace(what.tables[0], safe=safe), *what.tables[1:]))


def test_quality_does_not_tell_who_was_found_where_the_tables_withhold_who_was_not():
    told = quality(found_or_not(Mark.WITHHELD))["fuentes"][0]
    assert (told["en_padron_general"], told["porcentaje_en_padron_general"]) == ("no se muestra", None)
    assert (told["sin_documento"], told["filas_del_padron"]) == ("no se muestra", 89)
    told = quality(found_or_not(Mark.SHOWN))["fuentes"][0]
    assert told["en_padron_general"] == 80


def test_coarse_never_touches_zero():
    assert [coarse(n, 5) for n in (0, 1, 4, 5)] == [0, "<5", "<5", 5]


def test_protection_counts_marks_and_tells_why_a_cross_is_missing_only_if_that_is_public(tmp_path):
    what = ex.contents()
    dropped = replace(
        what.tables[0].safe,
        drops=(Drop("180102", "distrito", ("sexo",), "dominance"), Drop("180201", "distrito", ("sexo",), "floor")),
    )
    what = replace(what, tables=(ex.with_cells(what.tables[0], dropped), *what.tables[1:]))
    ex.build_in(tmp_path / "r", what)
    report = json.loads((tmp_path / "r" / "proteccion.json").read_text(encoding="utf-8"))
    users = report["tablas"][0]
    contigo = next(p for p in users["niveles"][3]["programas"] if p["programa"] == "contigo")
    assert contigo == {
        "programa": "contigo",
        "celdas": 9,
        "mostradas": 1,
        "reservadas": 4,
        "no_desagregadas": 4,
        "no_entregadas": 0,
    }
    reasons = {row["lugares"][0]: row["motivo"] for row in users["desgloses_retirados"]}
    assert reasons == {"180102": "protección de las personas", "180201": "población bajo el mínimo del diseño"}
    assert "dominance" not in (tmp_path / "r" / "proteccion.json").read_text(encoding="utf-8")


def test_the_design_is_told_in_words():
    cube = ex.cube(year_month=3)
    assert design(cube, CubeLevel("distrito", 0), {}) == "Solo totales por programa, cada periodo."
    assert design(cube, CubeLevel("distrito", 1, "year"), {}) == (
        "Totales por programa, desglosados por sexo, una vez al año (marzo); los demás periodos, solo totales."
    )
    fewer = replace(cube, coarser={"cunamas": {"distrito": 0}})
    assert design(fewer, CubeLevel("distrito", 1, "year"), {"cunamas": "Cuna Más"}).endswith(
        " Cuna Más: Solo totales por programa, cada periodo."
    )


def test_the_readme_says_how_to_cite_and_which_roster_did_not_come(release):
    text = (release[0] / "LEEME.md").read_text(encoding="utf-8")
    assert "sha256sum -c MANIFIESTO.sha256" in text
    assert "Padrones no entregados para este periodo: Juntos." in text
    assert "Ministerio de Prueba (2026). Registro de Prueba" in text


# --- the same bytes ----------------------------------------------------------------------------------------------


def test_building_again_gives_the_same_bytes_whatever_the_hash_seed_and_the_day(release, tmp_path):
    code = (
        "import sys, time; time.time = lambda: 1e9; from pathlib import Path;"
        "from tests.rnu import release_examples as ex;"
        "print(ex.build_in(Path(sys.argv[1])))"
    )
    environment = {"PYTHONPATH": str(ex.ROOT), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "again")],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == release[1]
    assert manifest(tmp_path / "again") == manifest(release[0])


def test_another_count_is_another_digest(release, tmp_path):
    assert ex.build_in(tmp_path / "other", ex.contents(sis=((20, 31), (0, 12), (15, 9)))) != release[1]


def test_a_release_is_built_in_an_empty_folder_only(copy):
    with pytest.raises(StoreError, match="empty folder"):
        ex.build(ex.contents(), copy, institution=ex.INSTITUTION, gazetteer=ex.GAZETTEER, columns=ex.COLUMNS)


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝"])
def test_a_name_that_starts_like_a_formula_is_refused_with_the_place_it_stands(tmp_path, start):
    districts = list(ex.GAZETTEER.districts)
    districts[1] = replace(districts[1], name=f"{start}HYPERLINK(1)")
    with pytest.raises(SettingsError, match="180102"):
        ex.build_in(tmp_path / "r", gazetteer=replace(ex.GAZETTEER, districts=tuple(districts)))


def test_a_programme_named_like_a_formula_is_refused(tmp_path):
    what = ex.contents()
    evil = Programme("sis", Unit.PERSON, (Name("@SUM(A1)", what.period.last_day()),))
    with pytest.raises(SettingsError, match="sis"):
        ex.build_in(tmp_path / "r", replace(what, tables=(replace(what.tables[0], programme=evil),)))


def test_a_line_break_in_a_text_is_refused():
    with pytest.raises(SettingsError, match="line break"):
        plain("a\nb", "here")


def test_cells_that_hold_a_hidden_value_are_refused(tmp_path):
    what = ex.contents()
    leaky = what.tables[1].safe
    values = leaky.values.copy()
    values[4, 2] = 32
    with pytest.raises(DisclosureRisk, match="do not show"):
        ex.build_in(
            tmp_path / "r", replace(what, tables=(replace(what.tables[1], safe=replace(leaky, values=values)),))
        )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda schema: schema["fields"].pop(0),
        lambda schema: schema["fields"][3].update(type="integer"),
        lambda schema: schema["fields"][0].pop("title"),
        lambda schema: schema["fields"][-1]["categories"].pop(),
    ],
)
def test_a_broken_schema_of_published_tables_is_refused(tmp_path, spoil):
    schema = json.loads((ex.ROOT / "schemas" / "tables" / "conteos.json").read_text(encoding="utf-8"))
    spoil(schema)
    (tmp_path / "conteos.json").write_text(json.dumps(schema), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"conteos\.json"):
        Columns.load(tmp_path / "conteos.json")


def test_a_breakdown_cannot_take_a_fixed_columns_name():
    cube = ex.cube(dimension=(replace(ex.cube().dimension[0], id="marca"),))
    with pytest.raises(SettingsError, match="marca"):
        ex.COLUMNS.of(cube, "nacion")


# --- verify ------------------------------------------------------------------------------------------------------


def test_an_untouched_release_verifies(release):
    verify(*release)


def test_sha256sum_itself_agrees(release):
    subprocess.run(["sha256sum", "-c", "--quiet", MANIFEST], cwd=release[0], check=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: (f / "LEEME.md").write_bytes(b"x" + (f / "LEEME.md").read_bytes()[1:]), "LEEME.md differs"),
        (lambda f: (f / "calidad.json").unlink(), "calidad.json is missing"),
        (lambda f: (f / "datos" / "personas.csv").write_text("a"), "datos/personas.csv is not in the manifest"),
        (lambda f: (f / MANIFEST).write_bytes((f / MANIFEST).read_bytes() + b"\n"), "not the one that was signed"),
        (lambda f: (f / MANIFEST).unlink(), "cannot be read"),
        (lambda f: (f / "enlace").symlink_to(f / "LEEME.md"), "holds a link"),
    ],
)
def test_verify_names_what_changed(release, copy, change, said):
    change(copy)
    with pytest.raises(ReviewRequired, match=said):
        verify(copy, release[1])


# --- inspect -----------------------------------------------------------------------------------------------------


def test_an_honest_release_passes_inspection(release):
    inspect(release[0])


def edit_csv(folder, old, new, name="usuarios_distrito"):
    path = folder / "datos" / f"{name}.csv"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


CARUMAS = "180102,Moquegua,Mariscal Nieto,Carumas"
OMATE = '180201,Moquegua,General Sánchez Cerro,"Omate, «la Villa»"'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            f"Contigo,{CARUMAS},total,,c",
            f"Contigo,{CARUMAS},total,10,c",
            r"marked row has a value .*distrito\.csv, row 16",
        ),
        (f"Contigo,{CARUMAS},total,,c", f"Contigo,{CARUMAS},total,,x", "unknown mark"),
        (f"Contigo,{CARUMAS},total,,c", f"Contigo,{CARUMAS},total,,", "neither a whole number nor a mark"),
        (
            f"Contigo,{CARUMAS},mujer,,d",
            f"Contigo,{CARUMAS},mujer,9,",
            r"breakdown by sexo of a withheld total.*row 15",
        ),
        (f"Contigo,{CARUMAS},mujer,,d", f"Contigo,{CARUMAS},hombre,,d", "stands twice"),
        (f"Contigo,{OMATE},mujer,,c", f"Contigo,{OMATE},mujer,40,", r"place of a withheld place is shown.*row 18"),
        (f"(SIS),{CARUMAS},hombre,0,", f"(SIS),{CARUMAS},hombre,3,", r"below its programme's threshold .*row 5"),
        (f"(SIS),{CARUMAS},hombre,0,", f"(SIS),{CARUMAS},=hombre,0,", "formula"),
    ],
)
def test_inspection_finds_planted_rows_in_csv(copy, old, new, said):
    edit_csv(copy, old, new)
    with pytest.raises(DisclosureRisk, match=said):
        inspect(copy)


def test_inspection_finds_an_undelivered_programme_broken_down(copy):
    edit_csv(copy, "PE,total,,n", "PE,mujer,,n", "hogares_nacion")
    with pytest.raises(DisclosureRisk, match="undelivered"):
        inspect(copy)


def parquet(folder):
    path = folder / "datos" / "usuarios_distrito.parquet"
    return path, pq.read_table(path)


def write_plain(table, path, **options):
    pq.write_table(table, path, **{"store_schema": False, "use_dictionary": False, **options})


def test_inspection_finds_a_hidden_value_in_parquet(copy):
    path, table = parquet(copy)
    numbers = table["usuarios"].to_pylist()
    numbers[14] = 10
    write_plain(table.set_column(8, "usuarios", pa.array(numbers, pa.int64())), path)
    with pytest.raises(DisclosureRisk, match=r"usuarios differs from the CSV .*parquet, row 16"):
        inspect(copy)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"use_dictionary": ["usuarios"]}, "dictionary"), ({"store_schema": True}, "metadata")],
)
def test_inspection_finds_side_channels_in_parquet(copy, options, said):
    path, table = parquet(copy)
    write_plain(table.replace_schema_metadata({"nota": "32"} if "store_schema" in options else None), path, **options)
    with pytest.raises(DisclosureRisk, match=said):
        inspect(copy)


def test_inspection_finds_parquet_statistics_that_say_more(copy):
    """Statistics are patched in the bytes: the greatest shown count, 40, is told as 41."""
    path, table = parquet(copy)
    write_plain(table, path)
    data = path.read_bytes()
    most = max(n for n in table["usuarios"].to_pylist() if n is not None).to_bytes(8, "little")
    footer = data.rindex(most)
    path.write_bytes(data[:footer] + (41).to_bytes(8, "little") + data[footer + 8 :])
    with pytest.raises(DisclosureRisk, match="statistics"):
        inspect(copy)


@pytest.mark.parametrize("gap", [b"12345678", b"\0" * 64])
def test_inspection_finds_bytes_between_the_pages_and_the_footer_of_parquet(copy, gap):
    path, _ = parquet(copy)
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    path.write_bytes(data[:footer] + gap + data[footer:])
    with pytest.raises(DisclosureRisk, match="belong to no column"):
        inspect(copy)


def workbook(folder, change):
    path = folder / "datos" / "usuarios_distrito.xlsx"
    book = openpyxl.load_workbook(path)
    change(book)
    book.save(path)


def hide_row(book):
    book["Datos"].row_dimensions[3].hidden = True


def hide_sheet(book):
    book["Notas"].sheet_state = "hidden"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda book: book["Datos"].__setitem__("I16", 10), r"usuarios differs from the CSV .*xlsx, row 16"),
        (lambda book: book["Datos"].__setitem__("I16", "=5+5"), "a formula"),
        (lambda book: book["Datos"].__setitem__("D2", 180101), "ubigeo differs"),
        (lambda book: book["Datos"].append(["2026-01"]), "number of rows"),
        (lambda book: book.create_sheet("Verdad"), "other sheets"),
        (lambda book: setattr(book["Datos"]["A2"], "comment", openpyxl.comments.Comment("32", "x")), "unexpected part"),
        (hide_row, "hidden row"),
        (hide_sheet, "hidden sheet"),
    ],
)
def test_inspection_finds_what_is_planted_in_a_workbook(copy, change, said):
    workbook(copy, change)
    with pytest.raises(DisclosureRisk, match=said):
        inspect(copy)


def test_inspection_finds_a_file_smuggled_into_a_workbook(copy):
    with zipfile.ZipFile(copy / "datos" / "usuarios_nacion.xlsx", "a") as archive:
        archive.writestr("xl/media/nota.txt", "32")
    with pytest.raises(DisclosureRisk, match=r"nota\.txt"):
        inspect(copy)


def test_the_files_hold_the_rows_that_were_attacked(release):
    inspect_attacked(release[0], ex.contents().tables)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"(SIS),{CARUMAS},hombre,0,", f"(SIS),{CARUMAS},hombre,7,"),
        (f"Contigo,{CARUMAS},total,,c", f"Contigo,{CARUMAS},total,,d"),
    ],
)
def test_inspection_finds_rows_that_were_not_attacked(copy, old, new):
    edit_csv(copy, old, new)
    with pytest.raises(DisclosureRisk, match="not those that were attacked"):
        inspect_attacked(copy, ex.contents().tables)


def test_inspection_finds_a_missing_format_and_a_stray_file(copy):
    (copy / "datos" / "usuarios_nacion.parquet").unlink()
    with pytest.raises(DisclosureRisk, match=r"usuarios_nacion\.parquet"):
        inspect(copy)


def edit_json(path, change):
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def test_inspection_finds_a_protection_report_that_counts_otherwise(copy):
    edit_json(
        copy / "proteccion.json",
        lambda v: v["tablas"][0]["niveles"][3]["programas"][1].update(primarias=2, reservadas=4),
    )
    with pytest.raises(DisclosureRisk, match=r"proteccion\.json: usuarios, distrito"):
        inspect(copy)


def test_inspection_finds_a_quality_report_that_gives_a_withheld_total_away(tmp_path):
    what = ex.contents()
    marks = {(i, j): Mark.WITHHELD if j == 2 else Mark.BELOW for i in range(7) for j in range(3)}
    what = replace(
        what, tables=(ex.with_cells(what.tables[0], ex.safe([[1, 1], [0, 1], [0, 0]], marks)), *what.tables[1:])
    )
    ex.build_in(tmp_path / "r", what)
    inspect(tmp_path / "r")
    edit_json(tmp_path / "r" / "calidad.json", lambda v: v["fuentes"][0].update(peso=3))
    with pytest.raises(DisclosureRisk, match="sis_padron"):
        inspect(tmp_path / "r")


# --- difference --------------------------------------------------------------------------------------------------


def test_difference_compares_published_totals_biggest_change_first(release, tmp_path):
    what = ex.contents("2026-02", sis=((20, 31), (0, 10), (15, 8)))
    homes = ex.safe([[10, 10], [10, 10], [10, 10]])
    contigo_gone = ex.safe(
        [[1, 1], [0, 1], [0, 0]], {(i, j): Mark.WITHHELD if j == 2 else Mark.BELOW for i in range(7) for j in range(3)}
    )
    tables = (what.tables[0], ex.with_cells(what.tables[1], contigo_gone), ex.with_cells(what.tables[2], homes))
    ex.build_in(tmp_path / "next", replace(what, tables=tables))
    found = difference(release[0], tmp_path / "next")
    said = [(c.programme, c.level, c.place, c.before, c.after, c.by) for c in found.changes]
    assert said == [
        ("sis", "departamento", "Moquegua", 86, 84, -2),
        ("sis", "nacion", "Perú", 86, 84, -2),
        ("juntos", "departamento", "Moquegua", "n", 60, None),
        ("juntos", "nacion", "Perú", "n", 60, None),
        ("contigo", "departamento", "Moquegua", 85, "c", None),
        ("contigo", "nacion", "Perú", 85, "c", None),
    ]
    assert found.unchanged == 0


def test_difference_goes_down_to_the_level_asked_for(release, tmp_path):
    ex.build_in(tmp_path / "next", ex.contents("2026-02", sis=((20, 31), (0, 10), (15, 8))))
    found = difference(release[0], tmp_path / "next", "distrito")
    changed = {(c.level, c.place, c.by) for c in found.changes if c.programme == "sis" and c.level != "nacion"}
    assert changed >= {("departamento", "Moquegua", -2)}
    assert {level for level, _, _ in changed} == {"departamento", "provincia", "distrito"}
    names = {place for level, place, _ in changed if level == "distrito"}
    assert names <= {"Moquegua", "Carumas", "Omate, «la Villa»"}
    assert names


def test_a_release_does_not_differ_from_itself(release):
    found = difference(release[0], release[0])
    assert (found.changes, found.unchanged, found.breaks) == ((), 6, ())


def test_another_design_is_a_break_in_the_series(release, tmp_path):
    what = ex.contents("2026-02")
    by_nothing = tuple(replace(level, crosses=0) for level in what.tables[0].cube.level)
    alone = replace(what.tables[0].cube, level=by_nothing, programmes=("sis",))
    sis = ex.with_cells(replace(what.tables[0], cube=alone), _totals_only(what.tables[0].safe))
    ex.build_in(tmp_path / "next", replace(what, tables=(sis,)))
    threshold, *designs = difference(release[0], tmp_path / "next").breaks
    assert threshold == "El umbral de Seguro Integral de Salud (SIS) era 5 y ahora es 8."
    assert [text.split(",")[0] for text in designs] == ["Todo el país", "Departamentos", "Provincias", "Distritos"]
    assert designs[-1].endswith("Ahora: «Solo totales por programa, cada periodo.»")


def _totals_only(safe: SafeCells) -> SafeCells:
    marks = np.where(np.arange(safe.marks.shape[1]) == safe.marks.shape[1] - 1, safe.marks, Mark.ABSENT)
    values = np.where(marks == Mark.SHOWN, safe.values, -1)
    return replace(safe, marks=marks.astype(np.uint8), values=values, threshold=8)


def test_a_programme_that_is_new_had_nothing_before(release, tmp_path):
    only = replace(ex.contents(), tables=ex.contents().tables[:1])
    ex.build_in(tmp_path / "only", only)
    found = difference(tmp_path / "only", release[0])
    assert {(c.programme, c.before) for c in found.changes} == {("contigo", None), ("juntos", None)}


def test_published_rows_match_the_safe_cells(release):
    frame = read_table(release[0], "usuarios", "provincia")
    own = frame[frame["programa"] == "contigo"].set_index(["ubigeo", "sexo"])["usuarios"]
    assert pd.isna(own["1801", "hombre"]) and own["1801", "total"] == 42 and own["1802", "total"] == 43
