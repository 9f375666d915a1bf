"""Each side channel that finished files could have: planted, and found by `rnu inspect`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from anonymize.tables import Drop, Mark
from rnu.cli import main
from rnu.release.inspect import look
from rnu.release.inspection.texts import looks_like_a_person
from tests.rnu import release_examples as ex

DISTRICTS = "datos/usuarios_distrito"


def found(folder: Path) -> str:
    """All findings, one a line."""
    return "\n".join(f"{one.what} [{one.where}]" for one in look(folder).found)


def edit_lines(folder: Path, change: Callable[[list[str]], None], name: str = DISTRICTS) -> None:
    path = folder / f"{name}.csv"
    lines = path.read_text("utf-8").splitlines()
    change(lines)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def edit_json(path: Path, change: Callable[[dict], None]) -> None:
    value = json.loads(path.read_text("utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_finds_nothing_in_an_honest_release(release):
    said = CliRunner().invoke(main, ["inspect", str(release), "--json"])
    assert said.exit_code == 0
    told = json.loads(said.stdout)
    assert told["found"] == []
    assert told["files"] == len([p for p in release.rglob("*") if p.is_file()])


def test_the_command_lists_all_that_it_finds(copy):
    (copy / "nota.txt").write_text("DNI 40506070")
    edit_lines(copy, lambda lines: lines.insert(1, lines.pop(2)))
    said = CliRunner().invoke(main, ["inspect", str(copy)])
    assert said.exit_code == 1
    for what in ("order of their codes", "document number", "does not tell of"):
        assert what in said.output
    assert "40506070" not in said.output


def test_a_folder_that_is_no_release_is_told(tmp_path):
    assert CliRunner().invoke(main, ["inspect", str(tmp_path / "nowhere")]).exit_code == 2
    assert CliRunner().invoke(main, ["inspect", str(tmp_path)]).exit_code == 2


@pytest.mark.parametrize("data", [None, b"", b"{}", b"\xff\xfe\x00"])
@pytest.mark.parametrize(
    "name",
    [
        *("datapackage.json", "proteccion.json", "calidad.json", "certificados/usuarios_sis.json"),
        *(f"{DISTRICTS}.{format}" for format in ("csv", "parquet", "xlsx")),
    ],
)
def test_a_file_that_cannot_be_read_is_a_finding(copy, name, data):
    (copy / name).unlink()
    if data is not None:
        (copy / name).write_bytes(data)
    assert CliRunner().invoke(main, ["inspect", str(copy)]).exit_code == 1


# --- rows ------------------------------------------------------------------------------------------------------------


def test_rows_sorted_by_what_they_hide_are_found(copy):
    edit_lines(copy, lambda lines: lines.insert(11, lines.pop(13)))
    assert "rows do not stand in the order of their codes [datos/usuarios_distrito.csv, row 1" in found(copy)


def test_a_zero_that_is_left_out_is_found(copy):
    edit_lines(copy, lambda lines: lines.remove(next(line for line in lines if "Carumas,hombre,0," in line)))
    assert "a row of a breakdown is missing [datos/usuarios_distrito.csv, row 5]" in found(copy)


def test_a_breakdown_missing_at_one_place_without_a_reason_is_found(copy):
    edit_lines(
        copy,
        lambda lines: [lines.remove(line) for line in [*lines] if "(SIS),180102" in line and ",total," not in line],
    )
    assert "sis: 180102 has no rows of sexo, and no report says so" in found(copy)


def test_a_breakdown_that_the_report_says_is_missing_is_no_finding(tmp_path):
    what = ex.contents()
    marks = {(row, column): Mark.ABSENT for row in (4, 5) for column in (0, 1)}
    safe = ex.replace(
        ex.safe([[20, 31], [0, 12], [15, 8]], marks), drops=(Drop("1801", "distrito", ("sexo",), "dominance"),)
    )
    ex.build_in(tmp_path / "r", ex.replace(what, tables=(ex.with_cells(what.tables[0], safe), *what.tables[1:])))
    assert found(tmp_path / "r") == ""


def test_a_category_that_nobody_announced_is_found(copy):
    edit_json(
        copy / "datapackage.json",
        lambda v: v["resources"][0]["schema"]["fields"][-3]["constraints"].update(enum=["hombre", "total"]),
    )
    assert "category that the data package does not list" in found(copy)


# --- Parquet ---------------------------------------------------------------------------------------------------------


def rewrite(folder: Path, change: Callable[[pa.Table], pa.Table] = lambda table: table, **options) -> None:
    path = folder / f"{DISTRICTS}.parquet"
    table = change(pq.read_table(path))
    text = [name for name in table.column_names if name != "usuarios"]
    pq.write_table(table, path, **{"store_schema": False, "use_dictionary": text, **options})


def with_column(name: str, change: Callable[[list], list]) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        return table.set_column(at, name, pa.array(change(table[name].to_pylist()), pa.string()))

    return changed


def test_groups_that_divide_the_rows_otherwise_are_found(copy):
    rewrite(copy, row_group_size=4)
    assert "rows are grouped otherwise than by their number" in found(copy)


def test_a_declared_order_of_rows_is_found(copy):
    rewrite(copy, sorting_columns=[pq.SortingColumn(8)])
    assert "says that it is sorted" in found(copy)


def test_a_null_text_beside_empty_ones_is_found(copy):
    rewrite(copy, with_column("marca", lambda marks: [None if i == 3 else m for i, m in enumerate(marks)]))
    assert "a text is null, which is not the same as empty [datos/usuarios_distrito.parquet]" in found(copy)


def test_a_word_in_a_dictionary_that_no_row_has_is_found(copy):
    def with_word(table: pa.Table) -> pa.Table:
        words = [*dict.fromkeys(table["marca"].to_pylist()), "2"]
        column = pa.DictionaryArray.from_arrays([words.index(w) for w in table["marca"].to_pylist()], words)
        return table.set_column(table.column_names.index("marca"), "marca", column)

    rewrite(copy, with_word)
    assert "a dictionary lists a text that no row has" in found(copy)


def test_statistics_of_a_text_that_no_row_has_are_found(copy):
    """Patched in the bytes behind the rows: the greatest category of sexo, total, is told as totam."""
    rewrite(copy)
    path = copy / f"{DISTRICTS}.parquet"
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    assert b"total" in data[footer:]
    path.write_bytes(data[:footer] + data[footer:].replace(b"total", b"totam"))
    assert "statistics of a text column say something else than its rows" in found(copy)


# --- workbooks -------------------------------------------------------------------------------------------------------


def rezip(folder: Path, change: Callable[[str, bytes], bytes] = lambda _, data: data, more=(), **attributes) -> None:
    """Write the workbook's ZIP again, part by part, as XlsxWriter does but for what is planted."""
    path = folder / f"{DISTRICTS}.xlsx"
    with zipfile.ZipFile(path) as archive:
        parts = [(name, change(name, archive.read(name))) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*parts, *more]:
            info = zipfile.ZipInfo(name, (1980, 1, 31, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.writestr(info, data)


def in_part(part: str, old: str, new: str) -> Callable[[str, bytes], bytes]:
    def changed(name: str, data: bytes) -> bytes:
        if name != part:
            return data
        assert old.encode() in data
        return data.replace(old.encode(), new.encode(), 1)

    return changed


def test_the_same_parts_written_again_are_no_finding(copy):
    rezip(copy)
    assert found(copy) in ("", "its size or digest is not what the data package tells [datos/usuarios_distrito.xlsx]")


@pytest.mark.parametrize("at", ["front", "back"])
def test_bytes_around_the_zip_are_found(copy, at):
    path = copy / f"{DISTRICTS}.xlsx"
    data = path.read_bytes()
    path.write_bytes(b"40506070" + data if at == "front" else data + b"40506070")
    assert "the workbook's parts [datos/usuarios_distrito.xlsx]" in found(copy) or "cannot be read" in found(copy)


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ({"date_time": (2026, 1, 2, 3, 4, 5)}, "bears a time"),
        ({"extra": b"\x99\x99\x04\x00nota"}, "bytes between the workbook's parts"),
    ],
)
def test_what_a_zip_says_of_its_parts_is_found(copy, planted, said):
    rezip(copy, **planted)
    assert said in found(copy)


@pytest.mark.parametrize(
    ("part", "old", "new", "said"),
    [
        ("docProps/core.xml", "<dc:creator></dc:creator>", "<dc:creator>Rosa</dc:creator>", "who made it, or when"),
        ("docProps/core.xml", "1980-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "who made it, or when"),
        ("xl/worksheets/sheet1.xml", '<c r="B5" t="inlineStr">', '<c r="B5" s="1" t="inlineStr">', "differ in style"),
        ("xl/worksheets/sheet1.xml", '</row><row r="6">', '<c r="J5" s="2"/></row><row r="6">', "a place of its own"),
    ],
)
def test_what_is_planted_in_a_workbooks_parts_is_found(copy, part, old, new, said):
    rezip(copy, in_part(part, old, new))
    assert said in found(copy)


def test_a_string_that_no_cell_shows_is_found(copy):
    kept = '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>dos</t></si></sst>'
    rezip(copy, more=[("xl/sharedStrings.xml", kept)])
    assert "a string is kept that no cell shows" in found(copy)


def test_a_sheet_that_the_workbook_does_not_name_is_found(copy):
    with zipfile.ZipFile(copy / f"{DISTRICTS}.xlsx") as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    rezip(copy, more=[("xl/worksheets/sheet9.xml", sheet)])
    assert "a sheet that the workbook does not name" in found(copy)


def test_a_workbook_saved_by_another_program_is_found(copy):
    path = copy / f"{DISTRICTS}.xlsx"
    book = openpyxl.load_workbook(path)
    book.save(path)
    assert "datos/usuarios_distrito.xlsx" in found(copy)


# --- texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "could"),
    [
        ("Moquegua", False),
        ("2026-01", False),
        ("180101", False),
        ("deadbeefdeadbeef", False),  # letters alone: a word
        ("40506070", True),
        ("DNI: 40506070.", True),
        ("0123456789abcdef", True),
        ("d41d8cd98f00b204e9800998ecf8427e", True),
        ("x40506070", False),
    ],
)
def test_what_looks_like_a_person(text, could):
    assert looks_like_a_person(text) is could


@pytest.mark.parametrize("text", ["40506070", "0123456789abcdef0123456789abcdef"])
def test_a_pseudonym_or_document_in_a_table_is_found(copy, text):
    edit_lines(copy, lambda lines: lines.__setitem__(3, lines[3].replace("Mariscal Nieto", text)))
    assert "column provincia: what could be a hash or a document number" in found(copy)


def test_one_in_a_sheet_of_notes_is_found(copy):
    rezip(copy, in_part("xl/worksheets/sheet2.xml", "Mesa de datos", "40506070"))
    assert "sheet Notas: what could be a hash or a document number" in found(copy)


@pytest.mark.parametrize(
    "plant",
    [
        lambda f: (f / "LEEME.md").write_text("Vea el DNI 40506070.\n"),
        lambda f: edit_json(f / "calidad.json", lambda v: v["fuentes"][0].update(nota="40506070")),
        lambda f: edit_json(f / "proteccion.json", lambda v: v.update({"0123456789abcdef": 1})),
        lambda f: edit_json(f / "certificados/usuarios_sis.json", lambda v: v["of"].update(nota="d41d8cd98f00b204")),
        lambda f: edit_json(f / "datapackage.json", lambda v: v.update(nota="d41d8cd98f00b204e980")),
    ],
)
def test_one_in_any_other_file_is_found(copy, plant):
    plant(copy)
    assert "what could be a hash or a document number" in found(copy)


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_that_nobody_speaks_of_is_found(copy):
    (copy / "certificados" / "nota.json").write_text("{}")
    assert "does not tell of [certificados/nota.json]" in found(copy)


def test_a_file_of_another_size_or_digest_is_found(copy):
    path = copy / f"{DISTRICTS}.csv"
    path.write_text(
        path.read_text("utf-8").replace("Moquegua,Mariscal Nieto,Moquegua", "Moquegua,Mariscal Nieto,Mosquegua")
    )
    assert "its size or digest is not what the data package tells [datos/usuarios_distrito.csv]" in found(copy)


def test_a_certificate_that_is_missing_or_does_not_hold_is_found(copy):
    path = copy / "certificados" / "usuarios_contigo.json"
    edit_json(path, lambda v: v.update(tables=[]))
    assert "shown to be possible only as" in found(copy)
    path.unlink()
    assert "there is no certificate of contigo" in found(copy)
