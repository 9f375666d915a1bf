"""Two keys for one release, over exactly its bytes: anything else is not published."""

import html
import json
import re
import shutil
import sqlite3
import subprocess
from datetime import UTC, datetime

import pytest

from rnu.errors import PortalRefused, ReviewRequired, SettingsError
from rnu.secrets import public_half, signing_key
from rnu.signing import Role, sign
from tests.line.institution import PERIODS
from tests.line.test_bad_input import refused

FIRST = PERIODS[0]


def insert(house, table: str, **values: str) -> None:
    """Put a row into the ledger behind the program's back."""
    connection = sqlite3.connect(house.home / "ledger.sqlite")
    names, marks = ", ".join(values), ", ".join("?" for _ in values)
    with connection:
        connection.execute(f"insert into {table} ({names}) values ({marks})", list(values.values()))
    connection.close()


def approval(house, signature) -> None:
    insert(
        house, "decision", at="2026-02-01T00:00:00+00:00", digest=signature.digest, role="approve",
        public_key=signature.public_key, signature=signature.signature, note="",
    )  # fmt: skip


def test_nothing_is_published_before_somebody_approved_it(at):
    house = at("built")
    refused(house.rnu("publish"), ReviewRequired, "no release is approved", "rnu review")
    assert not (house.home / "portal").exists()


def test_who_built_a_release_cannot_approve_it(at):
    house = at("built")
    refused(house.rnu("approve", house.digest()), ReviewRequired, "cannot approve", "another steward")
    assert house.ledger.decision(house.digest()) is None


def test_a_key_that_is_not_registered_neither_builds_nor_approves(at):
    house = at("built")
    assert house.rnu("key", "signing", str(house.key("stranger"))).code == 0
    refused(house.rnu("run", "--period", FIRST, by="stranger"), ReviewRequired, "not registered", "stewards.toml")
    refused(house.rnu("approve", house.digest(), by="stranger"), ReviewRequired, "not registered")


def test_a_steward_whose_term_is_over_signs_nothing_more(at):
    house = at("built")
    config = "config/stewards.toml"
    house.edit(config, "since = 2020-01-01", "since = 2020-01-01\nuntil = 2025-12-31", times=2)
    refused(house.rnu("approve", house.digest(), by="approver"), ReviewRequired, "not on this day")


def test_without_a_key_nothing_is_signed(at):
    house = at("built")
    house.key("approver").unlink()
    refused(house.rnu("approve", house.digest(), by="approver"), SettingsError, "the key cannot be read")


def test_a_returned_release_is_not_published_and_its_note_says_why(at):
    house = at("built")
    refused(house.rnu("return", house.digest(), "--note", "  ", by="approver"), ReviewRequired, "with a reason")
    assert house.rnu("return", house.digest(), "--note", "el SIS bajó a la mitad", by="approver").code == 0
    refused(house.rnu("publish"), ReviewRequired, "no release is approved")
    (release,) = house.rnu("status", "--json").json["releases"]
    assert (release["state"], release["note"]) == ("returned", "el SIS bajó a la mitad")


def test_an_approval_can_be_taken_back_and_the_next_publication_leaves_the_release_out(at):
    house = at("published")
    site = house.home / "portal" / "current"
    assert house.rnu("return", house.digest(), "--note", "error en el padrón", by="approver").code == 0
    told = house.rnu("status", "--json").json
    assert "rnu publish sitio" in told["next"]
    assert [(r["state"], r["portals"]) for r in told["releases"]] == [("returned", ["sitio"])]
    withdrawn = house.rnu("publish")
    assert (withdrawn.code, "0 release(s) published" in withdrawn.out) == (0, True)
    assert [str(p) for p in site.rglob("*") if house.digest() in str(p)] == []
    assert house.digest() not in "".join(p.read_text() for p in site.rglob("*") if p.is_file())
    told = house.rnu("status", "--json").json
    assert "rnu publish sitio" not in told["next"]
    assert "nothing new" in house.rnu("publish").out
    assert house.rnu("approve", house.digest(), by="approver").code == 0, "within the same second"
    assert "rnu publish sitio" in house.rnu("status", "--json").json["next"]
    assert house.rnu("publish").code == 0
    assert (site / "releases" / house.digest()).is_dir()


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "Etc/GMT-14"])
def test_the_day_on_which_a_steward_signs_is_the_same_for_approving_and_publishing(at, zone):
    """A first and last day in UTC, by which the ledger counts, wherever the machine's clock stands."""
    house = at("built")
    day = datetime.now(UTC).date().isoformat()
    config = house.home / "config" / "stewards.toml"
    head, builder, approver = config.read_text().rsplit("[[steward]]", 2)
    approver = approver.replace("since = 2020-01-01", f"since = {day}\nuntil = {day}")
    config.write_text("[[steward]]".join((head, builder, approver)))
    said = house.child("approve", house.digest(), by="approver", env={"TZ": zone})
    assert said.code == 0, said.err
    assert house.child("publish", env={"TZ": zone}).code == 0
    made = house.child("key", "signing", str(house.key(f"new{zone[-3:]}")), env={"TZ": zone})
    assert f"since = {day}" in made.out


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl here")
def test_anybody_can_verify_the_signatures_with_the_commands_on_the_page(at, tmp_path):
    house = at("published")
    site = house.home / "portal" / "current"
    page = (site / "publicaciones" / f"{FIRST}-r1" / "index.html").read_text()
    sums, *commands = (html.unescape(text) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL))

    def visitor(command: str) -> str:
        done = subprocess.run(["sh", "-ec", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert visitor(f"cd {site / 'releases' / house.digest()}; {sums}").splitlines()[-1].startswith(house.digest())
    given = json.loads((site / "releases" / f"{house.digest()}.firmas.json").read_text())["firmas"]
    assert len(commands) == len(given) == 2
    for command, said in zip(commands, given, strict=True):
        assert "Signature Verified Successfully" in visitor(command)
        assert (tmp_path / "mensaje").read_text() == said["message"]
        assert house.digest() in said["message"]
        assert said["public_key"] in command
        other = command.replace(house.digest(), "0" * 64)
        assert "Signature Verified Successfully" not in visitor(other)


@pytest.mark.parametrize("file", ["datos/usuarios_distrito.csv", "datos/usuarios_nacion.xlsx", "MANIFIESTO.sha256"])
def test_a_byte_changed_before_or_after_signing_is_found_and_the_file_named(at, file):
    house = at("built")
    digest = house.digest()
    target = house.store.release(digest) / file
    whole = target.read_bytes()
    changed = whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:]
    target.chmod(0o600)
    target.write_bytes(changed)
    refused(house.rnu("approve", digest, by="approver"), ReviewRequired, file, "not what was signed")
    refused(house.rnu("show", digest), ReviewRequired, file)
    target.write_bytes(whole)
    assert house.rnu("approve", digest, by="approver").code == 0
    target.write_bytes(changed)
    refused(house.rnu("publish"), ReviewRequired, file, "publish nothing")
    assert not (house.home / "portal").exists()


@pytest.mark.parametrize("change", ["remove", "add"])
def test_a_file_too_few_or_too_many_is_found(at, change):
    house = at("built")
    folder = house.store.release(house.digest())
    if change == "remove":
        (folder / "LEEME.md").unlink()
    else:
        (folder / "datos" / "extra.csv").write_text("a,b\n")
    words = "LEEME.md is missing" if change == "remove" else "datos/extra.csv is not in the manifest"
    refused(house.rnu("approve", house.digest(), by="approver"), ReviewRequired, words)


def test_a_forged_signature_in_the_ledger_publishes_nothing(at):
    house = at("built")
    key = signing_key(house.key("approver"), {})
    other = sign(key, Role.APPROVE, "0" * 64)
    approval(house, type(other)(Role.APPROVE, house.digest(), public_half(key), other.signature))
    refused(house.rnu("publish"), ReviewRequired, "a signature does not fit its release")


def test_the_builders_own_approval_written_into_the_ledger_publishes_nothing(at):
    house = at("built")
    approval(house, sign(signing_key(house.key("builder"), {}), Role.APPROVE, house.digest()))
    refused(house.rnu("publish"), ReviewRequired, "cannot approve it")


def test_a_strangers_approval_written_into_the_ledger_publishes_nothing(at):
    house = at("built")
    assert house.rnu("key", "signing", str(house.key("stranger"))).code == 0
    approval(house, sign(signing_key(house.key("stranger"), {}), Role.APPROVE, house.digest()))
    refused(house.rnu("publish"), ReviewRequired, "not registered")


def test_a_published_file_that_was_changed_is_put_back_by_publishing_again(at):
    house = at("published")
    target = house.home / "portal" / "current" / "releases" / house.digest() / "datos" / "usuarios_nacion.csv"
    whole = target.read_bytes()
    target.unlink()
    target.write_bytes(whole.replace(b",", b";"))
    said = house.rnu("publish")
    assert (said.code, "published" in said.out) == (0, True)
    assert target.read_bytes() == whole


def test_serving_before_publishing_says_what_to_do(at):
    refused(at("built").rnu("serve"), PortalRefused, "nothing has been published", "rnu publish")
