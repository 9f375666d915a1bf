"""Any delivered format becomes the same columns of text."""

import csv
import io
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from harvesters import read as reading
from harvesters.delivery import Fetched
from harvesters.errors import Unreadable
from harvesters.read import Layout, _by_csv, _by_duckdb, _header, _lines_above, read


def deliver(folder: Path, name: str, content: bytes) -> Fetched:
    path = folder / name
    path.write_bytes(content)
    return Fetched(name, path, "", len(content))


def rows_of(member) -> list[list[str | None]]:
    table = pq.read_table(member.path)
    return [list(row.values()) for row in table.drop_columns("extra").to_pylist()]


def read_one(tmp_path: Path, content: bytes, name: str = "padron.csv", **layout):
    work = tmp_path / "work"
    work.mkdir()
    (member,) = read([deliver(tmp_path, name, content)], Layout(**{"type": "delimited"} | layout), work)
    return member


@pytest.mark.parametrize(
    ("encoding", "delimiter", "quote", "end"),
    [
        ("utf-8", ",", '"', "\n"),
        ("utf-8-sig", ";", '"', "\r\n"),
        ("latin-1", "|", "'", "\n"),
        ("cp1252", "\t", '"', "\r\n"),
        ("utf-16", "\t", '"', "\r\n"),
        ("utf-8", "; ", '"', "\n"),
        ("latin-1", "||", "'", "\r\n"),
        ("latin-1", "¦", '"', "\n"),
        ("utf-8", " <fin> ", '"', "\n"),
    ],
)
def test_every_encoding_and_delimiter_gives_the_same_text(tmp_path, encoding, delimiter, quote, end):
    lines = [["Niño", "código"], ["Ñusta", f"a{delimiter}b"], ["", "00123"]]
    text = end.join(delimiter.join(f"{quote}{c}{quote}" for c in line) for line in lines) + end
    member = read_one(tmp_path, text.encode(encoding), encoding=encoding, delimiter=delimiter, quote=quote)
    assert member.labels == ("Niño", "código")
    assert rows_of(member) == [["Ñusta", f"a{delimiter}b"], ["", "00123"]]


def test_a_short_row_has_null_and_a_long_row_is_marked(tmp_path):
    member = read_one(tmp_path, b"a,b\n1\n1,2,3\n,\n")
    assert rows_of(member) == [["1", None], ["1", "2"], ["", ""]]
    assert pq.read_table(member.path)["extra"].to_pylist() == [False, True, False]


def test_junk_above_the_header_is_skipped(tmp_path):
    member = read_one(tmp_path, b"Padron de usuarios\nal 31/01\na;b\n1;2\n", delimiter=";", skip_rows=2)
    assert (member.labels, rows_of(member)) == (("a", "b"), [["1", "2"]])


@pytest.mark.parametrize(
    "above",
    ["\n", "Padron\n\n", "Padron\n\n\n", 'El "Padron\nal 31/01\n', '"Padron\nal 31/01"\n', "Padron\r\n\r\n"],
)
def test_no_line_above_the_header_counts_as_a_row(tmp_path, above):
    skip = above.rstrip("\r\n").count("\n") + 1 if above.strip() else 0
    member = read_one(tmp_path, f"{above}a;b\n1;2\n".encode(), delimiter=";", skip_rows=skip)
    assert (member.labels, member.rows, rows_of(member)) == (("a", "b"), 1, [["1", "2"]])


@pytest.mark.parametrize("line", ['"x" ;2', ' "x";2', '1; "x"', '1;"x" ', '1; ""', '"x" "y";2', '1;" "x'])
def test_a_blank_beside_a_quote_is_read_as_python_reads_it(tmp_path, line):
    member = read_one(tmp_path, f"a;b\n{line}\n1;\x01\n".encode(), delimiter=";")
    (expected,) = csv.reader([line], delimiter=";")
    assert rows_of(member) == [expected, ["1", "\x01"]]


def test_a_delimiter_of_several_characters_is_told_from_its_parts(tmp_path):
    member = read_one(tmp_path, b'a; b; c\n1;2; ""; "3; 4"\n"5";6; ; 7\n', delimiter="; ")
    assert rows_of(member) == [["1;2", "", "3; 4"], ["5;6", "", "7"]]


cells = st.text(st.sampled_from('ab 1ñ"\n,|;'), max_size=4)
written = st.tuples(cells, st.booleans(), st.sampled_from(["", "", "", " ", "  "]), st.sampled_from(["", "", "", " "]))
blank_lines = st.integers(0, 2).map(lambda n: "\n" * n)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(blank_lines, st.lists(written, min_size=1, max_size=4)), max_size=6),
    st.sampled_from(["", "\n", "\n\n", "junk\n", 'j"unk\n', "junk\n\n"]),
    st.sampled_from([",", "|", "; ", "||"]),
)
def test_the_fast_reader_agrees_with_the_tolerant_one(tmp_path_factory, table, above, delimiter):
    """Whatever the fast reader takes it reads as Python's csv does; the rest it leaves."""
    folder = tmp_path_factory.mktemp("read")

    def line(row) -> str:
        return delimiter.join(
            before + '"' + cell.replace('"', '""') + '"' + after
            if quoted or set(cell) & set('"\n' + delimiter)
            else cell
            for cell, quoted, before, after in row
        )

    path = folder / "t.csv"
    body = "".join(f"{blank}{line(row)}\n" for blank, row in table)
    path.write_text(f"{above}{delimiter.join('xyz')}\n{body}", newline="", encoding="utf-8")
    layout = Layout("delimited", delimiter=delimiter, skip_rows=1 if above.strip() else 0)
    layout = replace(layout, skip_rows=_lines_above(path, layout))
    assert _header("t.csv", path, layout) == ("x", "y", "z")
    fast, slow = folder / "fast.parquet", folder / "slow.parquet"
    taken = _by_duckdb(path, layout, ("x", "y", "z"), fast)
    _by_csv("t.csv", path, layout, 3, slow)
    if taken is not None:
        assert pq.read_table(fast).to_pylist() == pq.read_table(slow).to_pylist()


def test_plain_text_is_read_by_the_fast_reader(tmp_path):
    """Also with blank lines above, blanks inside quotes, and cells of blanks."""
    path = tmp_path / "t.csv"
    path.write_text('junk\n\n"a","b"\n"x "," "\n"  "," y""z"\n', encoding="utf-8")
    assert _by_duckdb(path, Layout("delimited", skip_rows=2), ("a", "b"), tmp_path / "t.parquet") == 2


def test_text_that_the_fast_reader_refuses_is_read_all_the_same(tmp_path):
    member = read_one(tmp_path, b'a,b\n"1"x,2\n1,2,3,4,5\n"two\nlines",2\n')
    assert rows_of(member) == [["1x", "2"], ["1", "2"], ["two\nlines", "2"]]


def test_a_zip_gives_a_member_for_each_file_in_order(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("b.csv", "a\n2\n")
        archive.writestr("a.csv", "a\n1\n")
        archive.writestr("LEEME.txt", "no soy un padrón")
    work = tmp_path / "work"
    work.mkdir()
    file = deliver(tmp_path, "padron.zip", packed.getvalue())
    members = read([file], Layout("delimited", zip=True, members="*.csv"), work)
    assert [(m.name, rows_of(m)) for m in members] == [("padron.zip/a.csv", [["1"]]), ("padron.zip/b.csv", [["2"]])]
    assert sorted(p.suffix for p in work.iterdir()) == [".parquet", ".parquet"], "unpacked text is removed"


def packed(compression: int = zipfile.ZIP_DEFLATED, **members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


def test_members_of_one_name_are_told_apart_by_their_folders(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    content = packed(**{"lima/a.csv": "a\n1\n", "puno/a.csv": "a\n2\n", "../../x\x1b[2J.csv": "a\n3\n"})
    members = read([deliver(tmp_path, "p.zip", content)], Layout("delimited", zip=True), work)
    assert [m.name for m in members] == ["p.zip/../../x?[2J.csv", "p.zip/lima/a.csv", "p.zip/puno/a.csv"]
    assert [rows_of(m) for m in members] == [[["3"]], [["1"]], [["2"]]]
    assert {p.parent for p in tmp_path.rglob("*") if p.is_file()} == {tmp_path, work}


def test_the_same_zip_twice_in_a_delivery_is_read_twice(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    content = packed(**{f"{i}.csv": "a\n" + "1\n" * 1000 for i in range(20)})
    files = [deliver(tmp_path, name, content) for name in ("a.zip", "b.zip")]
    members = read(files, Layout("delimited", zip=True), work)
    assert [m.rows for m in members] == [1000] * 40
    assert len({m.name for m in members}) == 40


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_refused_however_it_is_packed(tmp_path, compression):
    whole = packed(compression, **{"a.csv": "a\n" + "".join(f"{i * i}\n" for i in range(20_000))})
    for place in range(40, len(whole) - 100, len(whole) // 25):
        work = tmp_path / f"w{place}"
        work.mkdir()
        broken = whole[:place] + bytes(b ^ 0xFF for b in whole[place : place + 20]) + whole[place + 20 :]
        with pytest.raises(Unreadable, match="not a whole ZIP"):
            read([deliver(tmp_path, "p.zip", broken)], Layout("delimited", zip=True), work)


def test_a_full_disk_is_no_damaged_zip(tmp_path):
    (tmp_path / "0000.unpacked").symlink_to("/dev/full")
    file = deliver(tmp_path, "p.zip", packed(**{"a.csv": "a\n" + "1\n" * 100_000}))
    with pytest.raises(OSError, match="No space left"):
        read([file], Layout("delimited", zip=True), tmp_path)


def workbook(rows: list[list[object]]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"default_date_format": "dd/mm/yyyy"})
    sheet = book.add_worksheet()
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            sheet.write(i, j, value)
    book.close()
    return out.getvalue()


def test_a_workbook_becomes_the_text_a_person_would_type(tmp_path):
    from datetime import datetime

    content = workbook(
        [
            ["PROGRAMA"],
            [],
            ["dni", "nacido", "n", "sí"],
            [1234567, datetime(1980, 2, 1), 1.5, True],
            ["x", "", 2, False],
        ]
    )
    member = read_one(tmp_path, content, "p.xlsx", type="xlsx", skip_rows=2)
    assert member.labels == ("dni", "nacido", "n", "sí")
    assert rows_of(member) == [["1234567", "1980-02-01", "1.5", "true"], ["x", "", "2", "false"]]


def test_a_workbook_over_its_limit_is_refused(tmp_path):
    content = workbook([["a"], ["1"], ["2"], ["3"]])
    with pytest.raises(Unreadable, match="more than 2 rows"):
        read_one(tmp_path, content, "p.xlsx", type="xlsx", max_rows=2)


def sheet(rows: str, above: str = "") -> bytes:
    """A workbook whose only sheet has these rows, as XML."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook([["a"]]))) as whole, zipfile.ZipFile(out, "w") as changed:
        for info in whole.infolist():
            part = whole.read(info)
            if info.filename == "xl/worksheets/sheet1.xml":
                main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
                part = (
                    f'<?xml version="1.0"?>{above}<worksheet xmlns="{main}"><dimension ref="A1:B2"/>'
                    f"<sheetData>{rows}</sheetData></worksheet>"
                ).encode()
            changed.writestr(info.filename, part)
    return out.getvalue()


HEADER = '<row r="1"><c r="A1"><v>1</v></c></row>'


@pytest.mark.parametrize(
    "rows",
    [
        '<row r="60000"><c r="XFD60000"><v>1</v></c></row>',
        "<row r='60000'><c t='inlineStr' r='XFD60000'><is><t>x</t></is></c></row>",
        '<row><c r="XFC2"/><c><v>1</v></c></row><row r="60000"><c><v>1</v></c></row>',
    ],
)
def test_a_stray_cell_far_away_is_refused_and_not_made_room_for(tmp_path, rows):
    with pytest.raises(Unreadable, match="row 60000, column 16384 is too large"):
        read_one(tmp_path, sheet(HEADER + rows), "p.xlsx", type="xlsx")
    assert list((tmp_path / "work").iterdir()) == []


def test_cells_that_are_only_formatted_take_no_room(tmp_path):
    far = '<row r="2"><c r="A2"><v>7</v></c></row><row r="1048576"><c r="XFD1048576" s="1"/></row>'
    assert rows_of(read_one(tmp_path, sheet(HEADER + far), "p.xlsx", type="xlsx")) == [["7"]]


def test_a_workbook_with_entities_or_too_many_bytes_is_refused(tmp_path, monkeypatch):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    with pytest.raises(Unreadable, match="not a whole XLSX"):
        read_one(tmp_path, sheet(HEADER, above=bomb), "p.xlsx", type="xlsx")
    monkeypatch.setattr(reading, "XLSX_BYTES", 5_000)
    (tmp_path / "work").rmdir()
    with pytest.raises(Unreadable, match="unpacks to more than 5000 bytes"):
        read_one(tmp_path, sheet(HEADER), "p.xlsx", type="xlsx")


def test_a_part_that_is_larger_than_the_zip_states_is_never_read_to_its_end(tmp_path):
    whole = sheet(HEADER + "<!-- -->" * 50 + '<row r="60000"><c r="XFD60000"><v>1</v></c></row>')
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        info = archive.getinfo("xl/worksheets/sheet1.xml")
        seen = archive.read(info)[:300]
    stated = [n.to_bytes(4, "little") for n in (info.CRC, info.compress_size, info.file_size)]
    forged = [zlib.crc32(seen).to_bytes(4, "little"), stated[1], len(seen).to_bytes(4, "little")]
    assert whole.count(b"".join(stated)) == 2, "before the part, and in the directory"
    with pytest.raises(Unreadable, match="XLSX"):
        read_one(tmp_path, whole.replace(b"".join(stated), b"".join(forged)), "p.xlsx", type="xlsx")


@pytest.mark.parametrize(
    ("content", "layout", "said"),
    [
        (b"<!DOCTYPE html><html>error 500</html>", {}, "HTML page"),
        (b"\xef\xbb\xbf \n<html>", {}, "HTML page"),
        (b"", {}, "empty"),
        ("a,b\nñ,2\n".encode("latin-1"), {}, "not utf-8"),
        ("a,b\nñ,2\n".encode(), {"encoding": "latin-1"}, "UTF-8 text, though"),
        ("a,b\nñ,2\n".encode(), {"encoding": "latin1"}, "UTF-8 text, though"),
        (b"a,b\n", {"encoding": "latin-99"}, "no encoding"),
        ("a,b\nñ,2\n".encode("utf-16")[:-1], {"encoding": "utf-16"}, "not utf-16"),
        (b"PK\x03\x04cut", {"zip": True}, "not a whole ZIP"),
        (b"PK\x03\x04cut", {"type": "xlsx"}, "not a whole XLSX"),
    ],
)
def test_bytes_that_are_not_what_the_source_says_are_refused(tmp_path, content, layout, said):
    with pytest.raises(Unreadable) as caught:
        read_one(tmp_path, content, **layout)
    assert said in caught.value.what
    assert "ñ" not in caught.value.what


def test_a_zip_cut_short_is_refused(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "a\n" + "1\n" * 10_000)
    whole = packed.getvalue()
    broken = whole[:40] + b"\0\0\0\0" + whole[44:]  # the directory is whole, the member is not
    for content in (whole[:-30], broken):
        work = tmp_path / f"w{len(content)}{content[41]}"
        work.mkdir()
        with pytest.raises(Unreadable, match="not a whole ZIP"):
            read([deliver(tmp_path, "p.zip", content)], Layout("delimited", zip=True), work)
