"""What a portal's role may do with the ledger, on a real PostgreSQL: read its views, add requests, and nothing else."""

import pytest
import sqlalchemy as sa

from deploy.native import postgres
from rnu.announcement import announced
from rnu.ledger import Delivery, Intake, Ledger, Receipt, Release, State, metadata
from rnu.request import Harvest, ask, open_requests, receipt_of
from rnu.signing import Role, Signature
from tests.rnu.conftest import emptied

pytestmark = pytest.mark.portal

FORESEEN = {"against": ["a" * 64], "unread": [], "tables": []}
ROSTER, FILE = "sis-0123456789abcdef", "PADRON_SECRETO.csv"


@pytest.fixture(scope="module")
def worker(cluster) -> Ledger:
    database = emptied(cluster)
    ledger = Ledger(postgres.url(database, "rnu_worker", "rnu"))
    ledger.upgrade()
    postgres.open_desk(database)
    ledger.add_delivery(Delivery("sis", "2026-01", "aa", ((FILE, "h", 1),), {"etag": "secreto"}))
    ledger.add_intake(Intake("sis", "2026-01", "2026-01", "aa", "ff", True, ROSTER, {"rejected": "x", "where": "y"}))
    built = Signature(Role.BUILD, "d" * 64, "key", "sig")
    facts = {"programmes": ["sis"], "missing": [], "foresight": FORESEEN, "at_risk": "celda secreta"}
    ledger.add_release(Release("2026-01", 1, "d" * 64, "fp", built, facts))
    return ledger


@pytest.fixture(scope="module")
def desk(worker, cluster) -> Ledger:
    del worker
    return Ledger(postgres.url(cluster, "rnu_ckan", "rnu"))


def run(ledger: Ledger, statement: str) -> list:
    with ledger._engine.begin() as connection:
        found = connection.execute(sa.text(statement))
        return found.all() if found.returns_rows else []


def test_the_same_reading_code_works_on_the_desk(worker, desk):
    assert [r.digest for r in desk.releases()] == ["d" * 64]
    assert desk.delivery("sis", "2026-01").digest == "aa"
    assert desk.intakes("2026-01")["sis"].report == worker.intakes("2026-01")["sis"].report
    assert (desk.decision("d" * 64), desk.publications("ckan"), announced(desk).sources) == (None, (), ())


def test_the_desk_names_no_roster_no_file_and_no_fact_but_what_a_release_says(desk):
    shown = " ".join(str(run(desk, f"select * from {table.name}")) for table in metadata.sorted_tables)
    assert "2026-01" in shown
    assert not [word for word in (ROSTER, FILE, "secret") if word in shown]
    assert desk.releases()[0].facts == {"programmes": ["sis"], "missing": [], "foresight": FORESEEN}


def test_the_desk_asks_and_reads_the_answer(worker, desk):
    number = ask(desk, Harvest("sis", "2026-01"), "rosa")
    (asked,) = [r for r in open_requests(worker) if r.id == number]
    assert asked.at.endswith("+00:00")
    worker.add_receipt(Receipt(number, State.DONE, "Listo.", {"rows": 3}))
    assert receipt_of(desk, number).facts == {"rows": 3}


def test_the_desk_does_not_say_when_it_asked_nor_under_which_number(desk):
    run(desk, "insert into request (at, kind, asked_by, what) values ('1999', 'build', 'x', '{}')")
    assert min(r.at for r in desk.requests()) > "2020"
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        run(desk, "insert into request (id, kind, asked_by, what) values (9, 'build', 'x', '{}')")


def test_the_desk_cannot_fill_the_disk_with_one_request(desk):
    with pytest.raises(sa.exc.DBAPIError, match="a request is shorter"):
        run(desk, "insert into request (kind, asked_by, what) values ('build', 'x', to_json(repeat('x', 100000)))")


@pytest.mark.parametrize(
    "statement",
    [
        "select * from public.{table}",
        "insert into public.{table} select * from {table}",
        "update {table} set at = ''",
        "delete from {table}",
        "truncate public.{table}",
        "drop view {table}",
    ],
)
@pytest.mark.parametrize("table", [t.name for t in metadata.sorted_tables])
def test_the_desk_may_nothing_else(desk, statement, table):
    with pytest.raises(sa.exc.DBAPIError, match=r"permission denied|must be owner"):
        run(desk, statement.format(table=table))


@pytest.mark.parametrize("table", [t.name for t in metadata.sorted_tables if t.name != "request"])
def test_the_desk_adds_nothing_but_requests(desk, table):
    with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        run(desk, f"insert into {table} (at) values ('')")


@pytest.mark.parametrize(
    "statement", ["create table desk.x (a int)", "create temp table x (a int)", "select * from public.alembic_version"]
)
def test_the_desk_makes_nothing_of_its_own(desk, statement):
    with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        run(desk, statement)


def test_another_database_is_closed_to_the_desk(cluster, desk):
    with pytest.raises(sa.exc.OperationalError, match="permission denied for database"):
        run(Ledger(postgres.url(cluster, "rnu_ckan", "ckan")), "select 1")
    with pytest.raises(sa.exc.OperationalError, match="permission denied for database"):
        run(Ledger(postgres.url(cluster, "datastore_reader", "rnu")), "select 1")
    assert run(desk, "select 1") == [(1,)]


@pytest.mark.parametrize("statement", ["update {table} set at = ''", "delete from {table}", "truncate {table} cascade"])
@pytest.mark.parametrize("table", ["delivery", "intake", "release"])
def test_not_even_the_worker_rewrites_history(worker, statement, table):
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        run(worker, statement.format(table=table))


def test_every_table_is_append_only(worker):
    found = run(
        worker,
        "select event_object_table, event_manipulation from information_schema.triggers "
        "where trigger_schema = 'public'",
    )
    kept = run(worker, "select tgrelid::regclass::text from pg_trigger where tgname like '%_no_truncate'")
    names = {t.name for t in metadata.sorted_tables}
    assert set(found) == {(name, verb) for name in names for verb in ("UPDATE", "DELETE")}
    assert {name.strip('"') for (name,) in kept} == names


def test_the_migrations_make_what_the_code_expects(worker):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with worker._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
