"""From deliveries to a portal by one command after the other; what was done is not done again."""

import json
import subprocess
import time
import urllib.request

import pytest

from rnu import ledger
from rnu.errors import ReviewRequired, RosterRejected, SettingsError, SourceUnavailable
from rnu.release.manifest import verify
from tests.line.institution import LATE, LATE_FILE, PERIODS, ROSTER, SENTINEL_NAME

FIRST, SECOND = PERIODS
TABLES = tuple(getattr(ledger, f"{n}_table") for n in ("delivery", "intake", "release", "decision", "publication"))


def test_the_whole_line_goes_through_command_by_command(at):
    house = at("built")
    assert house.rnu("status", "--json").json["next"] == [f"rnu show {house.digest()[:12]}"]
    assert house.digest()[:12] in house.rnu("review").out
    shown = house.rnu("show", house.digest()[:12])
    assert (shown.code, f"Release {FIRST} r1" in shown.out) == (0, True)
    approved = house.rnu("approve", house.digest()[:12], "--note", "todo en orden", by="approver")
    assert (approved.code, "approved" in approved.out) == (0, True)
    assert house.rnu("status", "--json").json["next"] == ["rnu publish sitio"]
    published = house.rnu("publish")
    assert (published.code, "1 release(s) published" in published.out) == (0, True)
    assert house.rnu("status", "--json").json["next"] == []
    site = house.home / "portal" / "current"
    verify(site / "releases" / house.digest(), house.digest())
    assert (site / "index.html").is_file()


def test_the_same_commands_again_do_nothing_new_and_say_so(at):
    house = at("published")
    ran = house.rnu("run", "--period", FIRST)
    assert (ran.code, "is there already: nothing new" in ran.out) == (0, True)
    assert {facts for name, _, facts in ran.steps if name in ("check", "build")} == {
        "state unchanged",
        f"state unchanged · digest {house.digest()[:16]}",
    }
    assert all("state unchanged" in facts for name, _, facts in ran.steps if name == "harvest")
    assert "was approved by you before" in house.rnu("approve", house.digest(), by="approver").out
    assert "nothing new" in house.rnu("publish").out


def test_a_second_run_writes_no_row_and_no_file(at):
    house = at("published")

    def everything() -> dict:
        files = (house.home / "store").rglob("*")
        rows = {table.name: house.ledger._rows(table) for table in TABLES}
        return {str(p): p.stat().st_mtime_ns for p in files if p.is_file() and p.name != "lock"} | rows

    before = everything()
    for arguments in (["run", "--period", FIRST], ["publish"], ["status"], ["show", house.digest()], ["review"]):
        assert house.rnu(*arguments).code == 0
    assert everything() == before


def test_every_command_speaks_json_when_all_is_well(at):
    house = at("built")
    digest = house.digest()
    source = str(house.home / "entregas" / "pca" / FIRST / "pca.csv")
    commands = [
        ["run", "--period", FIRST],
        ["status"],
        ["review"],
        ["show", digest],
        ["report", "pca", "--period", FIRST],
        ["check", "pca", source],
        ["approve", digest],
        ["publish"],
        ["return", digest, "--note", "falta la revisión de enero"],
    ]
    for arguments in commands:
        by = "approver" if arguments[0] in ("approve", "return") else "builder"
        said = house.rnu(*arguments, "--json", by=by)
        assert (arguments[0], said.code, said.err) == (arguments[0], 0, "")
        assert said.json is not None


def test_every_error_speaks_json_with_who_must_act_and_what_to_do(at):
    house = at("built")
    house.edit(ROSTER, "DNI", "DNI_X", encoding="latin-1")
    expected = {
        ("run", "--period", "enero"): SettingsError,
        ("show", "0" * 64): ReviewRequired,
        ("approve", house.digest()): ReviewRequired,
        ("publish", "sitoi"): SettingsError,
        ("report", "sis", "--period", "2031-01"): SettingsError,
        ("publish",): ReviewRequired,
    }
    for arguments, kind in expected.items():
        said = house.rnu(*arguments, "--json")
        assert (arguments, said.code) == (arguments, kind.exit_code)
        assert said.json["error"]["kind"] == kind.__name__
        assert all(said.json["error"][fact] for fact in ("what", "remedy"))
    returned = house.rnu("run", "--period", FIRST, "--json")
    assert returned.code == RosterRejected.exit_code
    (problem,) = returned.json["problems"]
    assert (problem["kind"], returned.json["waiting_for"]) == ("RosterRejected", ["pension65"])
    assert "rnu report pension65" in problem["remedy"]


@pytest.mark.slow
def test_a_missing_roster_holds_the_period_back_until_a_steward_says_go(at):
    house = at("taken")
    (house.home / LATE_FILE).unlink()
    waiting = house.rnu("run", "--period", FIRST)
    assert waiting.code == SourceUnavailable.exit_code
    assert f"the quorum waits for {LATE}" in waiting.out
    assert house.ledger.releases() == ()
    gone = house.rnu("run", "--period", FIRST, "--go", "--json")
    assert (gone.code, gone.json["waiting_for"]) == (0, [LATE]), "the steward knew of it, and it is told again"
    release = house.store.release(gone.json["digest"])
    rows = [line.split(",") for line in (release / "datos" / "alumnos_nacion.csv").read_text().splitlines()]
    header, body = rows[0], [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert header[-1] == "marca"
    assert body
    assert {(row["marca"], row[header[-2]]) for row in body} == {("n", "")}, (
        "not delivered is no number, and never zero"
    )
    people = (release / "datos" / "usuarios_nacion.csv").read_text().splitlines()[1:]
    assert people
    assert not any(line.endswith(",n") for line in people)


@pytest.mark.slow
def test_only_the_changed_roster_is_taken_in_again_and_the_second_revision_follows_approval(at):
    house = at("published")
    house.edit(ROSTER, "FEMENINO", "MASCULINO", encoding="latin-1", times=9)
    ran = house.rnu("run", "--period", FIRST)
    assert ran.code == 0, ran.err
    redone = [subject for name, subject, facts in ran.steps if name == "check" and "unchanged" not in facts]
    assert redone == ["pension65"]
    assert f"Release {FIRST} r2 built and signed." in ran.out
    first, second = house.ledger.releases(period=FIRST)
    assert (first.revision, second.revision) == (1, 2)
    notes = (house.store.release(second.digest) / "LEEME.md").read_text()
    assert "2026-01" in notes
    changes = house.rnu("show", second.digest, "--json").json
    assert changes["before"]["digest"] == first.digest
    assert {c["programme"] for c in changes["changes"]} <= {"pension65"}
    assert house.rnu("approve", second.digest, by="approver").code == 0
    assert house.rnu("publish").code == 0
    site = house.home / "portal" / "current" / "releases"
    assert {first.digest, second.digest} <= {p.name for p in site.iterdir()}


def test_anybody_can_check_what_the_portal_shows(at):
    house = at("published")
    shown = house.home / "portal" / "current" / "releases" / house.digest()
    for command in ("verify", "inspect", "attack"):
        said = house.rnu(command, str(shown), "--json")
        assert said.code == 0, said.out + said.err
    told = house.rnu("verify", str(shown), "--json").json
    assert told["digest"] == house.digest()
    delivered = json.loads((shown / "proteccion.json").read_text(encoding="utf-8"))["tablas"]
    package = json.loads((shown / "datapackage.json").read_text(encoding="utf-8"))
    linked = {table["id"] for table in package["tablas"] if table.get("enlazada")}  # their proofs are the owner's alone
    assert linked == {"personas", "cruces"}
    certified = {p for table in delivered if table["tabla"] not in linked for p in table["umbrales"]}
    assert {t["programme"] for t in told["tables"]} == certified
    assert sum(t["proven"] for t in told["tables"]) > 0
    page = (house.home / "portal" / "current" / "datos" / "usuarios" / "index.html").read_text(encoding="utf-8")
    assert f"releases/{house.digest()}/certificados/usuarios_sis.json" in page


@pytest.mark.slow
def test_a_build_that_nobody_approved_is_replaced_by_the_same_revision(at):
    house = at("built")
    house.edit(ROSTER, "FEMENINO", "MASCULINO", encoding="latin-1", times=9)
    assert house.rnu("run", "--period", FIRST).code == 0
    first, second = house.ledger.releases(period=FIRST)
    assert (first.revision, second.revision) == (1, 1)
    assert first.digest != second.digest
    assert [r["digest"] for r in house.rnu("review", "--json").json] == [second.digest]


def test_last_months_bytes_sent_again_are_stored_once_and_flagged(at):
    house = at("built")
    old, new = (house.home / f"entregas/pca/{p}/pca.csv" for p in PERIODS)
    new.write_bytes(old.read_bytes())
    (house.home / LATE_FILE.replace(FIRST, SECOND)).unlink()
    ran = house.rnu("run", "--period", SECOND)
    assert f"warning same bytes as the cut of {FIRST}" in ran.out


def test_checking_a_file_keeps_nothing_of_it(at):
    house = at("built")
    file = house.home / "try.csv"
    file.write_bytes(
        (house.home / f"entregas/pca/{FIRST}/pca.csv").read_bytes().replace(b"240101", SENTINEL_NAME.encode())
    )
    before = sorted(p for p in (house.home / "store").rglob("*"))
    said = house.rnu("check", "pca", str(file))
    assert said.code == RosterRejected.exit_code
    assert "pca: returned." in said.out
    assert sorted(p for p in (house.home / "store").rglob("*")) == before


@pytest.mark.slow
def test_the_bytes_depend_on_nothing_but_the_inputs(at, built, tmp_path):
    """Another folder, process, moment, hash seed, time zone and language; the same key."""
    house, elsewhere = at("fresh"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    time.sleep(1.1)  # the ledger's stamps differ
    environment = {"PYTHONHASHSEED": "4242", "TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "C"}
    said = house.child("run", "--period", FIRST, "--json", cwd=elsewhere, env=environment)
    assert said.code == 0, said.err
    codes = {_provenance(h)["programa"]["codigo_sha256"] for h in (house, built)}
    assert len(codes) == 1, "somebody changed the code while the tests ran: run them again"
    assert house.digest() == built.digest()
    one, other = (_bytes(h.store.release(h.digest())) for h in (house, built))
    assert one == other
    assert house.ledger.releases()[0].build.signature == built.ledger.releases()[0].build.signature


def _provenance(house) -> dict:
    return json.loads((house.store.release(house.digest()) / "procedencia.json").read_text())


def _bytes(folder) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_another_threshold_gives_another_digest_without_another_intake(at, built):
    house = at("built")
    house.edit("config/cubes.toml", "threshold = 5", "threshold = 6")
    ran = house.rnu("run", "--period", FIRST)
    assert ran.code == 0, ran.err
    assert house.digest() != built.digest()
    assert {facts for name, _, facts in ran.steps if name == "check"} == {"state unchanged"}


@pytest.mark.slow
def test_another_key_is_another_line_and_says_so(at, built):
    house = at("taken")
    (house.home / "secrets" / "pseudonym.key").unlink()
    assert house.rnu("key", "pseudonym").code == 0
    ran = house.rnu("run", "--period", FIRST)
    assert ran.code == 0, ran.err
    assert len({_provenance(h)["clave_de_seudonimos"] for h in (house, built)}) == 2
    assert house.digest() != built.digest()


def test_serving_shows_the_published_site(at):
    house = at("published")
    with house.started("serve", "--port", "0") as process:
        try:
            line = process.stdout.readline()
            address = next(word for word in line.split() if word.startswith("http://")).rstrip("/")
            with urllib.request.urlopen(f"{address}/data.json", timeout=20) as answer:
                assert json.load(answer)["conformsTo"]
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
