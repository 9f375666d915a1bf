"""A backup of the portal that runs: whole, private, and refused where it is not what was written."""

import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.native import backup
from deploy.native.machine import Failed, postgres_program
from deploy.native.processes import Supervisor

pytestmark = pytest.mark.portal


@pytest.fixture(scope="module")
def saved(portal, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("backup") / "today"
    backup.backup(portal, target)
    return target


def names(archive: Path) -> set[str]:
    with tarfile.open(archive) as file:
        return {member.name for member in file}


def listed(dump: Path) -> str:
    command = [postgres_program("pg_restore"), "--list", str(dump)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_it_holds_every_database_and_every_file_that_cannot_be_made_again(portal, saved):
    assert "TABLE DATA public package " in listed(saved / "ckan.dump")
    assert "VIEW public rnu_usuarios_distrito" in listed(saved / "datastore.dump")
    assert "TABLE DATA public decision" in listed(saved / "rnu.dump")
    institution = names(saved / "institution.tar.gz")
    assert {"institution/secrets/pseudonym.key", "institution/config/cubes.toml"} <= institution
    releases = {f"releases/{path.name}" for path in portal.releases.iterdir()}
    assert releases and releases <= institution
    assert {"ckan/ckan.ini", "secrets/password-admin", "ckan/storage"} <= names(saved / "portal.tar.gz")


def test_nobody_else_reads_it(saved):
    assert {path.stat().st_mode & 0o077 for path in (saved, *saved.iterdir())} == {0}


@pytest.mark.usefixtures("saved")
def test_the_worker_works_again_afterwards(portal):
    assert Supervisor(portal).states()["worker"] in ("RUNNING", "STARTING")


def test_a_folder_that_is_there_is_left_alone(portal, saved):
    before = sorted(saved.iterdir())
    with pytest.raises(Failed, match="is there already"):
        backup.backup(portal, saved)
    assert sorted(saved.iterdir()) == before


def test_a_damaged_backup_is_refused_before_anything_is_changed(saved, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in saved.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert backup.read(copy) == backup.read(saved)
    (copy / "rnu.dump").write_bytes((saved / "rnu.dump").read_bytes()[:-1])
    with pytest.raises(Failed, match=r"rnu\.dump is damaged"):
        backup.read(copy)
    (copy / backup.RECORD).unlink()
    with pytest.raises(Failed, match="no backup of a portal"):
        backup.read(copy)


def test_a_portal_that_is_there_is_not_written_over(portal, saved):
    with pytest.raises(Failed, match="holds a portal already"):
        backup.place_files(portal, saved, backup.read(saved))


def test_files_come_back_with_the_addresses_of_where_they_are_now(portal, saved, tmp_path):
    elsewhere = replace(portal, root=tmp_path / "elsewhere", first_port=portal.first_port + 100)
    elsewhere.root.mkdir()
    backup.place_files(elsewhere, saved, backup.read(saved))
    ledger = (elsewhere.institution / "secrets" / "ledger.address").read_text()
    assert f"@127.0.0.1:{elsewhere.port('postgres')}/" in ledger
    portals = (elsewhere.institution / "config" / "portals.toml").read_text(encoding="utf-8")
    assert elsewhere.url in portals and portal.url not in portals
    link = elsewhere.institution / "store" / "releases"
    assert link.readlink() == elsewhere.releases
    for path in ("institution/secrets/pseudonym.key", "ckan/ckan.ini", "secrets/password-admin"):
        there, here = (home.root / path for home in (elsewhere, portal))
        assert there.read_bytes() == here.read_bytes()
        assert there.stat().st_mode == here.stat().st_mode
        assert there.owner() == here.owner()
