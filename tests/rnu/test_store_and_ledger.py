"""What is kept is whole, and history can't be rewritten."""

import os
import stat
import subprocess

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from harvesters.delivery import keep
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


@pytest.mark.usefixtures("ledger")
def test_every_table_is_append_only(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with engine.connect() as connection:
        triggers = {r[0] for r in connection.execute(sa.text("select name from sqlite_master where type = 'trigger'"))}
    assert triggers == {f"{t.name}_no_{verb}" for t in metadata.sorted_tables for verb in ("update", "delete")}


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
