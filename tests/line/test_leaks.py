"""Nothing that leaves the store tells who somebody is; and the scanner that says so finds whoever is planted."""

import gzip
import io
import shutil
import sqlite3
import zipfile
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.line.leaks import Leak, opened, scan
from tests.line.persons import Persons, pseudonyms

TOKEN = bytes(range(201, 217))
SOMEBODY = Persons(
    documents=frozenset({"87654321", "05016281", "001234567"}),
    names=frozenset({"QUISPE MAMANI JUAN", "NAUPARI DIAZ"}),
    pseudonyms=frozenset({TOKEN, TOKEN[::-1]}),
)


def kinds(data: bytes) -> set[str]:
    return {leak.kind for leak in scan(data, "planted", SOMEBODY)}


# --- what leaves the store ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wanted(published, persons) -> Persons:
    return replace(persons, pseudonyms=pseudonyms(published.home))


def test_there_is_somebody_to_look_for(wanted):
    assert min(len(wanted.documents), len(wanted.names), len(wanted.pseudonyms)) > 5_000


@pytest.mark.parametrize("place", ["store/releases", "ledger.sqlite", "portal", "config", "schemas"])
def test_nobody_is_in_what_leaves_the_store(published, wanted, place):
    assert scan(published.home / place, place, wanted) == ()


def test_every_kind_of_container_was_opened(published):
    files = [p for p in (published.home / "portal" / "current").rglob("*") if p.is_file()]
    inside = {p.suffix: sum(1 for _ in opened(p.read_bytes(), p.name)) for p in files}
    assert inside[".xlsx"] > 8
    assert inside[".parquet"] > 8
    assert {".csv", ".json", ".jsonld", ".html", ".md"} <= inside.keys()
    ledger = {at for at, _ in opened((published.home / "ledger.sqlite").read_bytes(), "ledger")}
    assert {f"ledger:table {t}" for t in ("delivery", "intake", "release", "decision", "publication")} <= ledger


@pytest.mark.parametrize("inside", ["store/rosters", "store/deliveries"])
def test_the_store_itself_is_full_of_persons(published, wanted, inside):
    """So that finding nobody elsewhere means something."""
    found = {leak.kind for leak in scan(published.home / inside, inside, wanted)}
    assert found >= ({"pseudonym"} if inside == "store/rosters" else {"document", "name"})


@pytest.mark.parametrize("kind", ["document", "name", "pseudonym"])
@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".json"])
def test_one_person_hidden_in_a_release_is_found(published, wanted, tmp_path, suffix, kind):
    release = tmp_path / "release"
    shutil.copytree(published.store.release(published.digest()), release)
    target = next(p for p in sorted(release.rglob(f"*{suffix}")) if "distrito" in p.name or suffix == ".json")
    target.chmod(0o600)
    value = {
        "document": max(wanted.documents),
        "name": max(wanted.names, key=len).title(),
        "pseudonym": max(wanted.pseudonyms).hex(),
    }[kind]
    plant(target, value)
    places = {leak.where.split(":")[0] for leak in scan(release, "release", wanted) if leak.kind == kind}
    assert places == {f"release/{target.relative_to(release).as_posix()}"}


def plant(path, value: str) -> None:
    """Put a value into the last of a table's texts, or at a text's end."""
    if path.suffix == ".xlsx":
        book = openpyxl.load_workbook(path)
        sheet = book.worksheets[0]
        sheet.cell(sheet.max_row, 5).value = value
        book.save(path)
    elif path.suffix == ".parquet":
        table = pq.read_table(path)
        index = table.schema.names.index("distrito")
        column = [*table.column(index).to_pylist()[:-1], value]
        pq.write_table(table.set_column(index, "distrito", pa.array(column)), path, compression="zstd")
    else:
        path.write_text(path.read_text() + f"\n{value}\n")


def test_one_person_hidden_in_the_ledger_is_found(published, wanted, tmp_path):
    copy = tmp_path / "ledger.sqlite"
    shutil.copy(published.home / "ledger.sqlite", copy)
    with sqlite3.connect(copy) as ledger:
        ledger.execute(
            "insert into decision (at, digest, role, public_key, signature, note) values ('', '', '', '', '', ?)",
            [f"asked {max(wanted.documents)}"],
        )
    ledger.close()
    assert Leak("ledger:table decision", "document") in scan(copy, "ledger", wanted)


# --- the scanner -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x,87654321,y", "document"),
        ("DNI:87654321.", "document"),
        ("5016281", "document"),  # a number lost its zero
        ("1234567.0 5016281.0", "document"),  # a spreadsheet's number
        ("ce=001234567", "document"),
        ("<!-- 8765&#52;321 -->", "document"),
        ('{"a": "8765\\u0034321"}', "document"),
        ("?dni=8765%34321", "document"),
        (b64encode(b"dni 87654321").decode(), "document"),
        ("Quispe Mamani, Juan", "name"),
        ("<b>ÑAUPARI</b> <i>Díaz</i>", "name"),
        ('<a title="Ñaupari Díaz"></a>', "name"),
        ("&Ntilde;aupari D&iacute;az", "name"),
        ('"\\u00d1aupari D\\u00edaz"', "name"),
        ("?q=%C3%91aupari+D%C3%ADaz", "name"),
        (TOKEN.hex(), "pseudonym"),
        (f"sha:0{TOKEN.hex().upper()}ff", "pseudonym"),
        (b64encode(TOKEN).decode(), "pseudonym"),
        (urlsafe_b64encode(TOKEN).decode().rstrip("="), "pseudonym"),
    ],
)
def test_a_person_is_found_in_any_disguise_of_text(text, kind):
    assert kinds(text.encode()) == {kind}
    assert kinds(text.encode("latin-1")) == {kind}
    assert kind in kinds(text.encode("utf-16"))


@pytest.mark.parametrize(
    "text",
    [
        "187654321",  # a longer number
        "0.87654321",  # a fraction
        "a87654321f",  # part of a digest
        "87654320 JUAN QUISPE, MAMANI",  # somebody else
        "Ñaupari, provincia de Díaz",
        TOKEN.hex()[:-2],
    ],
)
def test_what_only_looks_like_a_person_is_left_alone(text):
    assert kinds(text.encode()) == set()


def packed(name: str, content: bytes, comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.comment = comment
        archive.writestr(info, content)
    return out.getvalue()


def workbook(**places: str) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active["B7"] = places.get("cell", "")
    book.properties.creator = places.get("author", "openpyxl")
    hidden = book.create_sheet("notas")
    hidden.sheet_state = "hidden"
    hidden["A1"] = places.get("hidden", "")
    book.save(out)
    return out.getvalue()


def parquet(column: pa.Array, metadata: dict[str, str] | None = None, **options) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"x": column}).replace_schema_metadata(metadata), out, **options)
    return out.getvalue()


def ledger(value: object) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (a)")
    connection.execute("insert into t values (?)", [value])
    connection.commit()
    return connection.serialize()


CONTAINERS = {
    "zip member": (packed("a.csv", b"x;87654321"), "document"),
    "zip in a zip": (packed("b.zip", packed("a.csv", b"87654321")), "document"),
    "zip member's name": (packed("padron 87654321.csv", b""), "document"),
    "zip comment": (packed("a.csv", b"", b"dni 87654321"), "document"),
    "gzip": (gzip.compress(b"Quispe Mamani Juan"), "name"),
    "xlsx cell": (workbook(cell="Ñaupari Díaz"), "name"),
    "xlsx hidden sheet": (workbook(hidden="87654321"), "document"),
    "xlsx author": (workbook(author="QUISPE MAMANI JUAN"), "name"),
    "parquet texts": (parquet(pa.array(["a", "Ñaupari Díaz"] * 9), compression="zstd"), "name"),
    "parquet numbers": (parquet(pa.array([5016281, 3]), compression="gzip"), "document"),
    "parquet floats": (parquet(pa.array([87654321.0, 3.5])), "document"),
    "parquet bytes": (parquet(pa.array([b"x", TOKEN]), compression="brotli"), "pseudonym"),
    "parquet metadata": (parquet(pa.array([1]), {"by": "QUISPE MAMANI, JUAN"}), "name"),
    "sqlite text": (ledger("nota: 87654321"), "document"),
    "sqlite number": (ledger(87654321), "document"),
    "sqlite blob": (ledger(TOKEN), "pseudonym"),
    "raw bytes": (b"\x00\x01" + TOKEN + b"\x02", "pseudonym"),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_person_is_found_in_any_container(container):
    data, kind = CONTAINERS[container]
    assert kinds(data) == {kind}


def test_without_the_person_the_same_containers_are_clean():
    nobody = replace(SOMEBODY, documents=frozenset({"11111111"}), names=frozenset({"A B C"}), pseudonyms=frozenset())
    assert [name for name, (data, _) in CONTAINERS.items() if scan(data, name, nobody)] == []


def test_a_leak_is_told_by_place_and_kind_never_by_value():
    (leak,) = scan(packed("a.csv", b"87654321"), "z", SOMEBODY)
    assert (leak, "87654321" in repr((leak, SOMEBODY))) == (Leak("z:a.csv", "document"), False)
