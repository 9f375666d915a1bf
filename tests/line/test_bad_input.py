"""Whatever comes in wrong: a clear error that says who must act, and nothing half-done or told of anybody."""

import re
import socket
import zipfile

import pytest
import sqlalchemy as sa

from rnu.errors import (
    Busy,
    PortalRefused,
    RosterRejected,
    SettingsError,
    SourceUnavailable,
    StoreError,
)
from rnu.ledger import intake_table
from tests.line.institution import LATE_FILE, PERIODS, ROSTER, SENTINEL_DOCUMENT, SENTINEL_NAME

FIRST, SECOND = PERIODS
SIS = "entregas/sis/2026-01/SIS_24.txt"
PGH = "entregas/pgh/PGH_202601.zip"
VASOLECHE = "entregas/vasoleche/2026-01/PVL_24.csv"
RUN = ("run", "--period", FIRST)


def refused(said, error, *words: str) -> None:
    """The command ended with this error, and its message has these words."""
    assert said.code == error.exit_code, said.out + said.err
    told = said.out + said.err
    assert [word for word in words if word not in told] == [], told
    assert "Traceback" not in told


# --- configuration -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (
            "sources",
            "[source.fetch]\nhow",
            "[source.fetch]\nuseragent = 'x'\nhow",
            ["fetch.useragent", "'user_agent'?"],
        ),
        ("sources", "tolerance = 0.2", "tolerancia = 0.2", ["unknown key 'source[pgh].tolerancia'", "'tolerance'?"]),
        ("sources", "tolerance = 0.2", "tolerance = 'poca'", ["source[pgh].tolerance"]),
        ("sources", 'how = "folder"', 'how = "carpeta"', ["source[pgh].fetch.how"]),
        ("sources", 'programme = "sis"', 'programme = "siss"', ["'siss' is not known", "'sis'?"]),
        ("sources", 'schema = "rosters/pgh.json"', 'schema = "rosters/phg.json"', ["rosters/phg.json", "schemas/"]),
        ("sources", 'title = "Usuarios de Contigo"\n', "", ["source[contigo].title", "missing"]),
        ("cubes", "dominance = 0.9", "dominanse = 0.9", ["cube[usuarios].dominanse", "'dominance'?"]),
        ("cubes", "threshold = 5", "threshold = 2", ["protects nobody", "usuarios.threshold"]),
        ("cubes", 'column = "sex"', 'colum = "sex"', ["dimension[sexo].colum", "'column'?"]),
        ("programmes", "unit = ", "unidad = ", ["unidad"]),
        ("portals", "[institution]\nname", "[institution]\nnombre", ["institution.nombre", "'name'?"]),
        ("portals", 'how = "folder"', 'how = "ftp"', ["portal[sitio].how"]),
        ("stewards", "\npublic_key = ", "\npublik_key = ", ["steward[builder].publik_key", "'public_key'?"]),
        ("stewards", "since = 2020-01-01", "since = 'ayer'", ["steward[builder].since"]),
        ("stewards", "\n[[steward]]", "\n[[steward", ["not valid TOML", "line"]),
    ],
)
def test_a_wrong_key_is_refused_with_file_key_and_a_suggestion(at, file, old, new, words):
    house = at("fresh")
    house.edit(f"config/{file}.toml", old, new)
    refused(house.rnu(*RUN), SettingsError, f"config/{file}.toml", *words)
    assert not (house.home / "store" / "deliveries").exists() or not any(
        (house.home / "store" / "deliveries").iterdir()
    )


@pytest.mark.parametrize("period", ["2026-13", "2026", "26-01", "2026-1", "enero", "2026-01-01", ""])
def test_a_period_that_is_none_is_refused(at, period):
    refused(at("fresh").rnu("run", "--period", period), SettingsError, f"'{period}' is no period", "YYYY-MM")


def test_a_folder_that_is_no_institution_says_how_to_make_one(at, tmp_path):
    refused(at("fresh").rnu("status", "--home", str(tmp_path)), SettingsError, "rnu init")
    assert list(tmp_path.glob("store")) == []


def test_an_institution_is_never_made_over_another(at):
    house = at("fresh")
    house.edit("config/portals.toml", "MIDIS", "OTRA")
    refused(house.rnu("init", str(house.home)), SettingsError, "an institution's already")
    assert "OTRA" in (house.home / "config" / "portals.toml").read_text()


@pytest.mark.parametrize("words", [["init"], ["demo"], ["generate", "--persons", "100", "--regions", "24", "--out"]])
def test_a_folder_that_cannot_be_made_is_told(at, tmp_path, words):
    (tmp_path / "file").write_text("no es una carpeta")
    refused(
        at("fresh").rnu(*words, str(tmp_path / "file" / "x")), SettingsError, "the folder cannot be used (Not a dir"
    )


def test_a_port_that_is_none_is_told(at):
    said = at("fresh").rnu("serve", "--port", "70000")
    assert (said.code, "70000 is not in the range" in said.err) == (2, True)


@pytest.mark.parametrize("file", ["secrets/pseudonym.key", "../builder.pem"])
def test_a_key_that_others_can_read_is_not_used(at, file):
    house = at("fresh")
    (house.home / file).chmod(0o644)
    refused(house.rnu(*RUN), SettingsError, "others can read this key", "chmod 600")


@pytest.mark.parametrize("text", ["", "zz" * 32, "00" * 16])
def test_a_pseudonym_key_that_is_none_is_refused_without_showing_it(at, text):
    house = at("fresh")
    house.rewrite("secrets/pseudonym.key", lambda _: text.encode())
    said = house.rnu(*RUN)
    refused(said, SettingsError, "64 or more hex digits")
    assert not text or text not in said.err


def test_a_wrong_place_coding_is_recognised_by_the_districts_names(at):
    """RENIEC's codes are valid INEI codes of other districts: only the names tell."""
    house = at("taken")
    house.edit("config/sources.toml", 'place_coding = "reniec"', 'place_coding = "inei"')
    house.edit("config/cubes.toml", 'departments = ["24"]', 'departments = ["23", "24"]')
    said = house.rnu(*RUN)
    refused(said, RosterRejected, "fit RENIEC codes, not INEI", 'place_coding = "reniec"')
    assert house.ledger.releases() == ()


# --- deliveries --------------------------------------------------------------------------------------------------


def row(house, path: str, change, encoding: str = "latin-1") -> None:
    """Change the lines of a delivery below its header."""
    file = house.home / path
    head, *lines = file.read_text(encoding=encoding).splitlines(keepends=True)
    file.write_text("".join([head, *change(lines)]), encoding=encoding)


def test_a_delivery_over_its_tolerance_is_returned_whole_and_the_report_names_rules_and_rows(at):
    house = at("taken")

    def broken(lines):
        half = len(lines) // 2
        spoilt = re.compile(r"^((?:[^;]*;){4})[^;]*;[^;]*;")
        return [
            spoilt.sub(rf"\g<1>{SENTINEL_DOCUMENT}X;{SENTINEL_NAME};", line) if i < half else line
            for i, line in enumerate(lines)
        ]

    row(house, ROSTER, broken)
    refused(house.rnu(*RUN), RosterRejected, "over the tolerance of 20.0%", "Programa Pensión 65", "rnu report")
    report = house.rnu("report", "pension65", "--period", FIRST)
    assert report.code == 0
    assert re.search(r"^pension65: returned\. 129 rows, \d+ set aside", report.out)
    assert re.search(r"DNI: .*pattern +PENSION65_202601.csv rows 1, 2, 3, 4, 5", report.out)
    facts = house.rnu("report", "pension65", "--period", FIRST, "--json").json
    assert (facts["accepted"], facts["roster_rows"]) == (False, 0)
    assert len(list((house.home / "store" / "rosters").rglob("pension65-*"))) == 1, "only the one of the first delivery"
    state = {s["source"]: s["state"] for s in house.rnu("status", "--period", FIRST, "--json").json["sources"]}
    assert (state["pension65"], state["sis"]) == ("returned", "accepted")


@pytest.mark.slow
def test_broken_rows_below_the_tolerance_are_set_aside_and_the_rest_goes_on(at):
    house = at("taken")
    spoilt = re.compile(r"^((?:[^;]*;){4})[^;]*;[^;]*;")
    row(
        house,
        ROSTER,
        lambda ls: [spoilt.sub(rf"\g<1>{SENTINEL_DOCUMENT}X;{SENTINEL_NAME};", line) for line in ls[:9]] + ls[9:],
    )
    said = house.rnu(*RUN)
    assert said.code == 0, said.err
    (told,) = [facts for name, subject, facts in said.steps if (name, subject) == ("check", "pension65")]
    assert re.search(r"rows 129 · set aside 1[012] ", told)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("MODALIDAD PAGO", "MODALIDAD PAGO;TELEFONO", ["column 13: extra-label"]),
        (";MODALIDAD PAGO", "", ["MODALIDAD PAGO: missing-label"]),
        ("MODALIDAD PAGO", "DNI", ["duplicate-label"]),
    ],
)
def test_a_header_that_is_not_the_schemas_returns_the_delivery(at, old, new, words):
    house = at("taken")
    house.edit(ROSTER, old, new, encoding="latin-1")
    refused(house.rnu(*RUN), RosterRejected, "its header is not the schema's", *words)


def test_a_file_without_a_header_shows_nobody_of_its_first_row(at):
    house = at("taken")
    house.rewrite(ROSTER, lambda data: data.split(b"\n", 1)[1])
    refused(house.rnu(*RUN), RosterRejected, "its header is not the schema's")


@pytest.mark.parametrize(
    ("path", "spoil", "words"),
    [
        (SIS, lambda data: data.decode().replace("\t", "\tÑ", 60).encode("latin-1"), ["not utf-8", "SIS_24.txt"]),
        (ROSTER, lambda data: data.decode("latin-1").encode(), ["UTF-8 text, though the source says latin-1"]),
        (ROSTER, lambda _: b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", ["an HTML page"]),
        (ROSTER, lambda _: b"", ["empty", "PENSION65_202601.csv"]),
        (ROSTER, lambda data: data.split(b"\n", 1)[0] + b"\n", ["no rows"]),
        (PGH, lambda data: data[: len(data) // 2], ["not a whole ZIP", "PGH_202601.zip"]),
        (PGH, lambda data: data[:-1], ["not a whole ZIP"]),
        (PGH, lambda _: b"", ["not a whole ZIP"]),
        (PGH, lambda data: data.replace(b"pgh_24.txt", b"hgp_24.txt"), ["no member like 'pgh_*.txt'"]),
        ("entregas/contigo/Padron_Contigo_2026-01.xlsx", lambda data: data[:2000], ["not a whole XLSX"]),
        ("entregas/cunamas/2026-01/CunaMas_202601.txt", lambda data: data[:-1], ["not utf-16"]),
    ],
)
def test_bytes_that_are_not_what_the_source_says_go_back_to_their_owner(at, path, spoil, words):
    house = at("taken")
    house.rewrite(path, spoil)
    said = house.rnu(*RUN)
    refused(said, RosterRejected, *words)
    assert "mends it" in said.out or "delivers it again" in said.out
    assert house.ledger.releases() == ()
    assert house.rnu(*RUN).code == RosterRejected.exit_code, "the same bytes again are refused again"


def test_a_damaged_member_of_a_zip_is_found(at):
    house = at("taken")
    with zipfile.ZipFile(house.home / PGH) as archive:
        (info,) = archive.infolist()
    middle = info.header_offset + info.compress_size // 2
    house.rewrite(
        PGH, lambda data: data[:middle] + bytes(b ^ 255 for b in data[middle : middle + 9]) + data[middle + 9 :]
    )
    refused(house.rnu(*RUN), RosterRejected, "not a whole ZIP")


@pytest.mark.slow
def test_a_mended_delivery_is_taken_in_and_the_line_goes_on(at):
    house = at("taken")
    whole = (house.home / ROSTER).read_bytes()
    house.rewrite(ROSTER, lambda data: data[:60])
    assert house.rnu(*RUN).code == RosterRejected.exit_code
    house.rewrite(ROSTER, lambda _: whole)
    assert house.rnu(*RUN).code == 0


def test_a_dead_server_is_unavailable_and_stops_only_its_own_source(at):
    house = at("taken")
    (house.home / LATE_FILE).unlink()  # so that nothing is built
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    house.edit(
        "config/sources.toml",
        'how = "folder"\nwhere = "pension65/{cut}/PENSION65_{cut_compact}.csv"',
        f'how = "http"\nwhere = "http://user:secreto@127.0.0.1:{port}/p65_{{cut}}.csv?token=secreto"\nretries = 0',
    )
    said = house.rnu(*RUN)
    refused(said, SourceUnavailable, "the server cannot be reached", f"127.0.0.1:{port}", "try again later")
    assert "secreto" not in said.out + said.err
    assert "check      vasoleche" in said.out


def test_a_missing_delivery_names_the_place_and_its_owner(at):
    house = at("taken")
    (house.home / ROSTER).unlink()
    (house.home / LATE_FILE).unlink()  # so that nothing is built
    refused(house.rnu(*RUN), SourceUnavailable, "no file there yet", "PENSION65_202601.csv", "Programa Pensión 65")


def test_public_figures_with_a_column_of_documents_are_refused(at):
    house = at("fresh")
    file = house.home / "cobertura.csv"
    file.write_bytes(f"FECHA_CORTE;UBIGEO;DNI\n20260131;240101;{SENTINEL_DOCUMENT}\n".encode())
    refused(house.rnu("check", "infomidis", str(file)), RosterRejected, "column 3 looks like a document number")


def test_people_who_fit_no_category_stop_the_build(at):
    house = at("taken")
    house.edit("config/cubes.toml", '  { id = "mujer", label = "Mujer" },\n', "")
    refused(house.rnu(*RUN), SettingsError, "config/cubes.toml: usuarios.dimension", "sin_dato")
    assert house.ledger.releases() == ()


# --- the store and the machine -----------------------------------------------------------------------------------


def test_what_is_in_the_store_is_its_owners_alone_and_cannot_be_written(published):
    files = [p for p in (published.home / "store").rglob("*") if p.is_file() and p.name != "lock"]
    assert len(files) > 50
    assert {oct(p.stat().st_mode & 0o777) for p in files} == {"0o400"}
    assert oct(published.store.root.stat().st_mode & 0o777) == "0o700"
    assert list((published.store.root / "work").iterdir()) == []


@pytest.mark.slow
def test_a_second_run_is_told_that_one_is_at_work_and_harms_nothing(at, built):
    house = at("taken")
    with house.started(*RUN) as process:
        first = process.stdout.readline()
        assert first.startswith("harvest"), process.stderr.read()
        refused(house.rnu(*RUN), Busy, "another run is at work", "wait for it")
        refused(house.rnu("publish"), Busy)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert house.digest() == built.digest()
    assert len(house.ledger.releases()) == 1


def test_a_ledger_that_is_none_is_told(at):
    house = at("built")
    house.rewrite("ledger.sqlite", lambda data: b"not a database" + data[14:])
    refused(house.rnu("status"), StoreError, "ledger")


def test_no_row_of_the_ledger_can_be_changed_or_removed(at):
    ledger = at("built").ledger
    for statement in (intake_table.update().values(accepted=False), intake_table.delete()):
        with pytest.raises(sa.exc.DatabaseError), ledger._engine.begin() as connection:
            connection.execute(statement)


def test_a_portal_without_room_or_rights_refuses_and_keeps_the_former_site(at):
    house = at("built")
    assert house.rnu("approve", house.digest(), by="approver").code == 0
    (house.home / "portal").write_text("a file where the folder should be")
    refused(house.rnu("publish"), PortalRefused, "portal", "publish again")
    (house.home / "portal").unlink()
    assert house.rnu("publish").code == 0
    assert house.rnu("status", "--json").json["next"] == []
