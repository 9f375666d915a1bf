"""A release is checked by anybody: its files, its certificates, and what simple exchanges prove beside them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rnu.cli import main
from rnu.errors import DisclosureRisk
from rnu.provenance import file_digest
from rnu.publish.proof import write_proof
from rnu.release.manifest import MANIFEST, seal
from tests.rnu import release_examples as ex

CONTIGO = "certificados/usuarios_contigo.json"
SIS = "certificados/usuarios_sis.json"


def rnu(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def verified(folder: Path) -> tuple[int, dict]:
    said = rnu("verify", folder, "--json")
    return said.exit_code, json.loads(said.stdout)


def edit(folder: Path, name: str, **changes) -> None:
    """Change a certificate and seal the release again, as somebody would who wants it to pass."""
    raw = json.loads((folder / name).read_text("utf-8"))
    (folder / name).write_text(json.dumps(raw | changes), encoding="utf-8")
    seal(folder)


def certificate(folder: Path, name: str = CONTIGO) -> dict:
    return json.loads((folder / name).read_text("utf-8"))


# --- a whole release -------------------------------------------------------------------------------------------------


def test_every_delivered_table_has_a_certificate_that_holds(release):
    code, found = verified(release)
    assert code == 0
    assert [(t["cube"], t["programme"]) for t in found["tables"]] == [("usuarios", "sis"), ("usuarios", "contigo")]
    contigo = found["tables"][1]
    assert contigo["withheld"] == 8
    assert contigo["proven"] + contigo["at_least_threshold"] == 8
    assert contigo["unshown"] == 4  # the marks d
    assert all(t["problems"] == [] for t in found["tables"])
    said = rnu("verify", release).output
    assert "all 2 certificates hold" in said
    assert found["digest"] in said


def test_a_certificate_says_the_release_and_the_table_it_is_of(release):
    of = {"period": "2026-01", "revision": "1", "cube": "usuarios", "programme": "contigo"}
    assert certificate(release)["of"] == of


def test_a_copy_without_a_manifest_is_checked_and_said_to_have_none(copy):
    (copy / MANIFEST).unlink()
    (copy / "LEEME.md").unlink()
    said = rnu("verify", copy)
    assert said.exit_code == 0
    assert "there is no manifest" in said.output


def test_a_dataset_alone_is_checked_by_its_own_files(copy, tmp_path):
    for name in ("datapackage.json", SIS, CONTIGO, *(f"datos/{p.name}" for p in copy.glob("datos/usuarios_*.csv"))):
        (tmp_path / "one" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(copy / name, tmp_path / "one" / name)
    assert verified(tmp_path / "one")[0] == 0
    (tmp_path / "one" / SIS).unlink()
    missing = rnu("verify", tmp_path / "one")
    assert missing.exit_code == 2
    assert "no certificate of sis" in missing.stderr


def test_what_a_portal_gives_of_one_dataset_is_checked_against_the_signed_manifest(copy, tmp_path):
    """The ZIP of a dataset, unpacked: a part of the release, of which no byte may be another."""
    part, packed = tmp_path / "part", tmp_path / "usuarios_certificados.zip"
    write_proof(copy, "usuarios", packed)
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(part)
    names = {p.relative_to(part).as_posix() for p in part.rglob("*") if p.is_file()}
    levels = ("nacion", "departamento", "provincia", "distrito")
    assert names == {
        *(MANIFEST, "datapackage.json", "proteccion.json", SIS, CONTIGO),
        *(f"datos/usuarios_{level}.csv" for level in levels),
    }
    said = rnu("verify", part, "--part")
    assert said.exit_code == 0
    assert f"digest {file_digest(copy / MANIFEST)}" in said.output
    assert rnu("verify", part).exit_code == 1, "it is no whole release"
    (part / SIS).write_text((part / SIS).read_text() + " ")
    assert rnu("verify", part, "--part").exit_code == 1
    again = tmp_path / "again.zip"
    write_proof(copy, "usuarios", again)
    assert again.read_bytes() == packed.read_bytes()


def test_a_table_without_certificate_is_not_built(tmp_path):
    what = ex.contents()
    bare = ex.replace(what, tables=(ex.replace(what.tables[0], certificate=None), *what.tables[1:]))
    with pytest.raises(DisclosureRisk, match="no certificate"):
        ex.build_in(tmp_path / "r", bare)


def test_who_checks_needs_no_solver_and_no_engine(release):
    code = "import sys; from rnu.cli import main; main(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code, "verify", str(release)], capture_output=True, text=True, check=True
    )
    loaded = set(said.stdout.splitlines()[-1].split())
    assert "anonymize.verify" in loaded
    assert loaded & {"highspy", "scipy", "duckdb", "ibis", "anonymize.protect", "anonymize.attack"} == set()


# --- what must be refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["datos/usuarios_distrito.csv", CONTIGO, "LEEME.md", "datos/usuarios_nacion.xlsx"])
def test_one_changed_byte_anywhere_is_named(copy, name):
    path = copy / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    code, found = verified(copy)
    assert code == 1
    assert found["problems"] == [f"{name} differs"]


def test_a_missing_and_a_strange_file_are_named(copy):
    (copy / CONTIGO).unlink()
    (copy / "extra.txt").write_text("x")
    code, found = verified(copy)
    assert code == 1
    assert found["problems"] == [f"{CONTIGO} is missing", "extra.txt is not in the manifest"]


def test_a_changed_count_is_found_though_the_release_was_sealed_again(copy):
    path = copy / "datos" / "usuarios_nacion.csv"
    text = path.read_text("utf-8")
    assert text.count("PE,total,86,") == 1
    path.write_text(text.replace("PE,total,86,", "PE,total,87,"), encoding="utf-8")
    seal(copy)
    code, found = verified(copy)
    assert code == 1
    assert found["tables"][0]["problems"] == ["the base is not possible: PE × total would count 86"]


def test_a_count_below_the_threshold_is_found_though_it_is_true(copy):
    path = copy / "datos" / "usuarios_distrito.csv"
    text = path.read_text("utf-8")
    carumas = "(SIS),180102,Moquegua,Mariscal Nieto,Carumas,hombre,"
    assert f"{carumas}0," in text
    path.write_text(text.replace(f"{carumas}0,", f"{carumas}3,"), encoding="utf-8")
    seal(copy)
    code, found = verified(copy)
    assert code == 1
    assert any("shown and below the threshold" in p for p in found["tables"][0]["problems"])


@pytest.mark.parametrize("size", [0, 1, 200, -1])
def test_a_truncated_certificate_is_refused(copy, size):
    text = (copy / CONTIGO).read_text("utf-8").rstrip()
    (copy / CONTIGO).write_text(text[:size], encoding="utf-8")
    assert verified(copy)[1]["problems"] == [f"{CONTIGO} differs"]
    seal(copy)
    said = rnu("verify", copy)
    assert said.exit_code == 2
    assert "certificate of contigo" in said.stderr


def test_the_certificate_of_another_release_is_refused(copy, tmp_path):
    ex.build_in(tmp_path / "other", ex.contents("2026-02"))
    shutil.copy(tmp_path / "other" / CONTIGO, copy / CONTIGO)
    seal(copy)
    code, found = verified(copy)
    assert code == 1
    assert found["tables"][1]["problems"] == ["the certificate is of another table: usuarios, 2026-02, contigo, 1"]


def test_the_certificate_of_another_programme_is_refused(copy):
    shutil.copy(copy / SIS, copy / CONTIGO)
    seal(copy)
    code, found = verified(copy)
    assert code == 1
    problems = found["tables"][1]["problems"]
    assert problems[0] == "the certificate is of another table: usuarios, 2026-01, sis, 1"
    assert any("the base is not possible" in problem for problem in problems)


def test_a_lower_threshold_than_the_published_one_proves_nothing(copy):
    edit(copy, CONTIGO, threshold=3)
    code, found = verified(copy)
    assert code == 1
    assert "the certificate proves values up to 3, and the threshold is 5" in found["tables"][1]["problems"]


def test_a_certificate_that_leaves_tables_out_does_not_hold(copy):
    edit(copy, CONTIGO, tables=[])
    code, found = verified(copy)
    assert code == 1
    assert any("shown to be possible only as" in problem for problem in found["tables"][1]["problems"])


def test_an_invented_district_gives_no_room(copy):
    """With a place that is not there, of which nothing is shown, everything would be possible."""
    raw = certificate(copy)
    places = raw["dimensions"][0]
    places["codes"].append("180299")
    places["parents"].append(places["codes"].index("1802"))
    edit(copy, CONTIGO, dimensions=raw["dimensions"], base=[*raw["base"], 0, 0])
    code, found = verified(copy)
    assert code == 1
    assert "the certificate has other places than the release" in found["tables"][1]["problems"]


def test_a_district_cannot_be_moved_to_another_province(copy):
    raw = certificate(copy)
    places = raw["dimensions"][0]
    places["parents"][places["codes"].index("180102")] = places["codes"].index("1802")
    edit(copy, CONTIGO, dimensions=raw["dimensions"])
    assert "the certificate has a place below another than the release" in verified(copy)[1]["tables"][1]["problems"]


def test_an_invented_category_gives_no_room(copy):
    raw = certificate(copy)
    raw["dimensions"][1]["codes"].append("otro")
    raw["dimensions"][1]["parents"].append(0)
    base = [n for i in range(0, len(raw["base"]), 2) for n in (*raw["base"][i : i + 2], 0)]
    edit(copy, CONTIGO, dimensions=raw["dimensions"], base=base, tables=[])
    assert "the certificate has other categories than the release" in verified(copy)[1]["tables"][1]["problems"]


def test_a_certificate_of_other_columns_is_refused(copy):
    """What is proven of the places' codes, which are numbers too, would say nothing of persons."""
    edit(copy, CONTIGO, count="ubigeo")
    said = rnu("verify", copy)
    assert said.exit_code == 2
    assert "other columns" in said.stderr


@pytest.mark.parametrize("data", [b"\xff\xfe", b"", b"{}", b"[]", b"a,b\n1,2\n"])
@pytest.mark.parametrize("name", ["datapackage.json", "proteccion.json", "datos/usuarios_provincia.csv", SIS])
def test_what_cannot_be_read_is_no_verdict(copy, name, data):
    (copy / name).write_bytes(data)
    (copy / MANIFEST).unlink()
    said = rnu("verify", copy)
    assert said.exit_code == 2
    assert "Traceback" not in said.output + said.stderr
