"""What is kept is whole, and history can't be rewritten."""

import os
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from harvesters.delivery import keep
from rnu import migrations
from rnu.errors import Busy, StoreError
from rnu.ledger import Decision, Delivery, Ledger, Publication, Release, metadata
from rnu.signing import Role, Signature
from rnu.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.create()
    return store


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger.beside(tmp_path)
    ledger.upgrade()
    return ledger


def test_the_store_is_its_owners_alone(store):
    for folder in (store.root, *(p for p in store.root.iterdir() if p.is_dir())):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_same_delivery_is_kept_once_and_never_changes(store):
    for _ in range(2):
        with store.work("t") as work:
            file = keep([b"dni\n1\n"], work / "a.csv")
            store.keep_delivery(file)
    kept = store.delivery(file.sha256)
    assert kept.read_bytes() == b"dni\n1\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o400
    assert len(list((store.root / "deliveries").iterdir())) == 1


def test_two_runs_are_kept_apart(store):
    other = Store(store.root)
    with store.locked(), pytest.raises(Busy), other.locked():
        pass
    with other.locked():
        pass


def test_what_a_killed_run_left_is_removed(store):
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = store.root / "work" / f"{gone.pid}-intake-sis-x"
    left.mkdir()
    (left / "roster.parquet").write_bytes(b"half")
    with store.work("mine") as mine, Store(store.root).work("other") as other:
        assert set((store.root / "work").iterdir()) == {mine, other}


def test_what_a_killed_run_left_is_removed_though_its_process_id_is_in_use_again(store):
    """As in a container, where every run is the same process."""
    left = store.root / "work" / f"{os.getpid()}-intake-sis-x"
    left.mkdir()
    with store.work("mine") as mine:
        assert set((store.root / "work").iterdir()) == {mine}


def test_what_somebody_else_put_among_the_work_stops_nothing_and_stays(store):
    foreign = store.root / "work" / "lost+found"
    foreign.mkdir()
    with store.work("mine") as mine:
        assert set((store.root / "work").iterdir()) == {mine, foreign}


def test_what_is_kept_is_on_the_disk_under_its_name(store, monkeypatch):
    """A rename counts after a power failure only if the folder was synced after it."""
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(Path(f"/proc/self/fd/{fd}").readlink()), fsync(fd)))
    with store.work("t") as work:
        file = keep([b"dni\n1\n"], work / "a.csv")
        store.keep_delivery(file)
        assert synced == [work / "a.csv", store.root / "deliveries"]
        synced.clear()
        (work / "r.parquet").write_bytes(b"r")
        store.keep_roster(work / "r.parquet", "2026-01", "sis")
        assert synced == [store.root / "rosters", work / "r.parquet", store.root / "rosters" / "2026-01"]
        synced.clear()
        (work / "r" / "datos").mkdir(parents=True)
        (work / "r" / "datos" / "f").write_text("x")
        store.keep_folder(work / "r", store.release("abc"))
        assert set(synced[:-1]) == {work / "r" / "datos" / "f", work / "r" / "datos", work / "r"}
        assert synced[-1] == store.releases


def test_a_folder_appears_whole_and_a_second_one_does_not_replace_it(store):
    for content in ("first", "second"):
        with store.work("t") as work:
            (work / "r").mkdir()
            (work / "r" / "f").write_text(content)
            store.keep_folder(work / "r", store.release("abc"))
    assert (store.release("abc") / "f").read_text() == "first"


def test_a_full_disk_is_told_as_such(store):
    with pytest.raises(StoreError, match="disk is full"), store.work("t"):
        raise OSError(28, os.strerror(28))


def signature(role=Role.BUILD, digest="d" * 64):
    return Signature(role, digest, "key", "sig")


def test_states_are_read_from_rows_that_were_added(ledger):
    ledger.add_delivery(Delivery("sis", "2026-01", "aa", (("f", "h", 1),), {"etag": "1"}))
    ledger.add_delivery(Delivery("sis", "2026-01", "bb", (("f", "h", 1),), {}))
    assert ledger.delivery("sis", "2026-01").digest == "bb"
    assert ledger.delivery("sis", "2026-02") is None
    ledger.add_release(Release("2026-01", 1, "d" * 64, "fp", signature(), {"missing": []}))
    assert ledger.decision("d" * 64) is None
    ledger.add_decision(Decision(signature(Role.RETURN), "no"))
    ledger.add_decision(Decision(signature(Role.APPROVE), "sí"))
    assert ledger.decision("d" * 64).signature.role is Role.APPROVE
    ledger.add_publication(Publication("sitio", "d" * 64, "", whole=False))
    assert [p.whole for p in ledger.publications("sitio")] == [False]


def test_the_same_bytes_for_another_month_are_noticed(ledger):
    ledger.add_delivery(Delivery("sis", "2026-01", "aa", (), {}))
    again = Delivery("sis", "2026-02", "aa", (), {})
    ledger.add_delivery(again)
    assert ledger.same_elsewhere(again) == "2026-01"


@pytest.mark.parametrize("statement", ["update delivery set source = 'x'", "delete from delivery"])
def test_history_cannot_be_rewritten(ledger, tmp_path, statement):
    ledger.add_delivery(Delivery("sis", "2026-01", "aa", (), {}))
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text(statement))


def test_a_row_cannot_be_put_in_anothers_place(ledger, tmp_path):
    """INSERT OR REPLACE removes a row without asking the triggers on DELETE."""
    ledger.add_decision(Decision(signature(Role.RETURN), "no"))
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    for verb in ("insert or replace into", "replace into", "insert into"):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(f"{verb} decision values (1, '', '{'d' * 64}', 'approve', 'key', 'sig', 'sí')")
    connection.close()
    assert ledger.decision("d" * 64).note == "no"
    ledger.add_decision(Decision(signature(Role.APPROVE), "sí"))
    assert ledger.decision("d" * 64).note == "sí"


def test_the_ledger_and_its_journal_are_their_owners_alone(tmp_path):
    (tmp_path / "ledger.sqlite").touch(mode=0o644)
    (tmp_path / "ledger.sqlite").chmod(0o644)
    for home in (tmp_path, tmp_path / "new"):
        home.mkdir(exist_ok=True)
        Ledger.beside(home).upgrade()
        with sqlite3.connect(home / "ledger.sqlite") as connection:
            connection.execute("insert into decision values (null, '', '', '', '', '', '')")
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in home.glob("ledger.sqlite*")}
        connection.close()
        assert modes == {"ledger.sqlite": 0o600, "ledger.sqlite-journal": 0o600}


def test_a_ledger_of_the_oldest_version_is_upgraded_with_its_rows(tmp_path):
    ledger = Ledger.beside(tmp_path)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with ledger._engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.text("insert into publication values (1, '', 'sitio', 'dd', '', 1)"))
    ledger.add_decision(Decision(signature(Role.RETURN), "no"))
    ledger.upgrade()
    assert [(p.digest, p.releases) for p in ledger.publications("sitio")] == [("dd", ())]
    assert ledger.decision("d" * 64).note == "no"
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), ledger._engine.begin() as connection:
        connection.execute(sa.text("replace into decision select * from decision"))


def test_a_ledger_of_a_newer_version_is_told(ledger):
    with ledger._engine.begin() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StoreError, match="not of a version that this program knows"):
        ledger.upgrade()


def test_a_release_is_told_once_where_it_was_last_built(ledger):
    one, other = "1" * 64, "2" * 64
    for digest in (one, other, one):
        ledger.add_release(Release("2026-01", 1, digest, "fp", signature(digest=digest), {}))
    assert [r.digest for r in ledger.releases()] == [other, one]


def test_a_revision_that_was_ever_approved_stays_used(ledger):
    for digest, revision in (("1" * 64, 1), ("2" * 64, 2)):
        ledger.add_release(Release("2026-01", revision, digest, "fp", signature(digest=digest), {}))
    assert ledger.highest_approved("2026-01") == 0
    for role in (Role.APPROVE, Role.RETURN):
        ledger.add_decision(Decision(signature(role, "1" * 64), "x"))
        assert ledger.highest_approved("2026-01") == 1
    assert ledger.highest_approved("2026-01", but="1" * 64) == 0
    assert ledger.highest_approved("2026-02") == 0
    assert ledger.approved() == frozenset()


@pytest.mark.usefixtures("ledger")
def test_every_table_is_append_only(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with engine.connect() as connection:
        triggers = {r[0] for r in connection.execute(sa.text("select name from sqlite_master where type = 'trigger'"))}
    assert triggers == {
        f"{t.name}_no_{verb}" for t in metadata.sorted_tables for verb in ("update", "delete", "replace")
    }


@pytest.mark.usefixtures("ledger")
def test_the_migrations_make_what_the_code_expects(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_ledger_that_is_none_says_so(tmp_path):
    (tmp_path / "ledger.sqlite").write_text("no soy una base de datos" * 100)
    with pytest.raises(StoreError, match="ledger cannot be opened"):
        Ledger.beside(tmp_path).upgrade()
    with pytest.raises(StoreError, match="cannot be read"):
        Ledger(f"sqlite:///{tmp_path / 'nothing.sqlite'}").releases()
