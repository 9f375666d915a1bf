"""What is asked is answered once, by one worker, on either engine."""

import subprocess
import sys
import time

import pytest

from deploy.native import postgres
from rnu.errors import SettingsError
from rnu.ledger import Ledger, Request, State
from rnu.request import Approve, Build, Harvest, answer, ask, open_requests, receipt_of, take, what


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.portal)])
def address(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return postgres.url(request.getfixturevalue("database"), "rnu_worker", "rnu")


@pytest.fixture
def ledger(address) -> Ledger:
    ledger = Ledger(address)
    ledger.upgrade()
    return ledger


def test_what_is_asked_is_read_back_in_its_type(ledger):
    for wanted in (Harvest("sis", "2026-01"), Build("2026-01", go=True), Approve("d" * 64, "sí", {"id": "x"})):
        number = ask(ledger, wanted, "rosa")
        (found,) = ledger.requests(id=number)
        assert (what(found), found.asked_by) == (wanted, "rosa")


@pytest.mark.parametrize(
    ("kind", "asked"),
    [("harvest", {"source": "sis"}), ("build", {"period": "2026-01", "more": 1}), ("approve", []), ("erase", {})],
)
def test_what_is_no_request_is_refused_without_being_repeated(ledger, kind, asked):
    ledger.add_request(Request(kind, "rosa", asked))
    with pytest.raises(SettingsError) as error:
        what(ledger.open_requests()[0])
    assert "more" not in str(error.value)


def test_a_request_is_open_until_it_is_answered(ledger):
    first, second = (ask(ledger, Build(period), "rosa") for period in ("2026-01", "2026-02"))
    assert receipt_of(ledger, first) is None
    with take(ledger) as taken:
        assert taken.id == first
        assert receipt_of(ledger, first).state is State.TAKEN
        answer(ledger, first, State.DONE, "Listo.", {"digest": "d"})
    assert [r.id for r in open_requests(ledger)] == [second]
    assert (receipt_of(ledger, first).said, receipt_of(ledger, first).facts) == ("Listo.", {"digest": "d"})
    assert open_requests(ledger, Harvest) == ()


def test_what_a_worker_did_not_answer_is_taken_again(ledger):
    number = ask(ledger, Build("2026-01"), "rosa")
    for _ in range(2):
        with take(ledger) as taken:
            assert taken.id == number
    assert [r.state for r in ledger.receipts(number)] == [State.TAKEN, State.TAKEN]


HOLD = """
import sys
from rnu.ledger import Ledger
from rnu.request import take

with take(Ledger(sys.argv[1])) as taken:
    print(taken.id if taken else None, flush=True)
    sys.stdin.read()
"""


def test_two_workers_are_never_at_the_same_request_and_a_killed_ones_is_free_at_once(ledger, address):
    number = ask(ledger, Build("2026-01"), "rosa")
    other = [sys.executable, "-c", HOLD, address]
    with subprocess.Popen(other, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == f"{number}\n"
        with take(ledger) as taken:
            assert taken is None
        process.kill()
    deadline = time.monotonic() + 30  # the database notices a closed connection in its own time
    while time.monotonic() < deadline:
        with take(ledger) as taken:
            if taken is not None:
                break
        time.sleep(0.05)
    assert taken is not None
    assert taken.id == number


def test_the_history_of_a_folder_moves_into_a_database_and_goes_on_there(ledger, tmp_path):
    former = Ledger.beside(tmp_path / "former")
    (tmp_path / "former").mkdir()
    former.upgrade()
    ask(former, Build("2026-01"), "rosa")
    ask(former, Build("2026-02"), "rosa")
    for _ in range(2):  # the same again changes nothing
        assert ledger.take_over(former) == 2
    assert ledger.requests() == former.requests()
    assert ask(ledger, Build("2026-03"), "rosa") == 3
    with pytest.raises(Exception, match="a history of its own"):
        ledger.take_over(former)


def test_a_secret_in_an_address_is_told_nowhere():
    address = "postgresql://rnu:geheim@127.0.0.1:1/rnu"
    with pytest.raises(Exception) as error:
        Ledger(address).releases()
    assert "geheim" not in str(error.value)
