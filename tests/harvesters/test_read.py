"""Any delivered format becomes the same columns of text."""

import csv
import io
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from harvesters.delivery import Fetched
from harvesters.errors import Unreadable
from harvesters.read import Layout, _by_csv, _by_duckdb, read


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


cells = st.text(st.sampled_from('ab 1ñ"\n,|'), max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(cells, min_size=1, max_size=5), max_size=6), st.booleans())
def test_the_fast_reader_agrees_with_the_tolerant_one(tmp_path_factory, table, quoted):
    """Whatever the fast reader takes it reads as Python's csv does; the rest it leaves."""
    folder = tmp_path_factory.mktemp("read")
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator="\n").writerows(
        [["x", "y", "z"], *table]
    )
    path = folder / "t.csv"
    path.write_text(out.getvalue(), newline="", encoding="utf-8")
    fast, slow = folder / "fast.parquet", folder / "slow.parquet"
    taken = _by_duckdb(path, Layout("delimited"), 3, fast)
    _by_csv("t.csv", path, Layout("delimited"), 3, slow)
    if taken is not None:
        assert pq.read_table(fast).to_pylist() == pq.read_table(slow).to_pylist()


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


@pytest.mark.parametrize(
    ("content", "layout", "said"),
    [
        (b"<!DOCTYPE html><html>error 500</html>", {}, "HTML page"),
        (b"\xef\xbb\xbf \n<html>", {}, "HTML page"),
        (b"", {}, "empty"),
        ("a,b\nñ,2\n".encode("latin-1"), {}, "not utf-8"),
        ("a,b\nñ,2\n".encode(), {"encoding": "latin-1"}, "UTF-8 text, though"),
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
