"""What is asked in the ledger is done once, told to whoever asked, and survives whatever ends a worker."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rnu import worker
from rnu.announcement import announced
from rnu.ledger import Receipt, Request, State
from rnu.request import Build, Harvest, Publish, ask, open_requests, receipt_of
from tests.line.institution import LATE, LATE_FILE, PERIODS, SENTINEL_DOCUMENT, SENTINEL_NAME, House
from tests.line.test_kills import nothing_is_half_written

FIRST = PERIODS[0]

pytestmark = pytest.mark.slow


@contextmanager
def at_work(house: House, *arguments: str) -> Iterator[subprocess.Popen]:
    """A worker in a process of its own, which is gone afterwards."""
    with house.started(*arguments) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def asked(house: House, *wanted) -> list[int]:
    return [ask(house.ledger, what, "rosa") for what in wanted]


def answered(house: House, *wanted) -> list[Receipt]:
    """What the worker says of these, asked one after the other and done at once."""
    numbers = asked(house, *wanted)
    said = house.rnu("worker", "--once")
    assert said.code == 0, said.err
    return [receipt_of(house.ledger, number) for number in numbers]


def test_the_last_delivery_of_the_quorum_brings_the_build_and_no_other_does(at):
    house = at("taken")
    (late,) = answered(house, Harvest(LATE, FIRST))
    assert (late.state, late.facts["state"], late.facts["period"]) == (State.DONE, "new", FIRST)
    (build,) = house.ledger.requests(kind="build")
    assert build.asked_by == worker.ITSELF
    assert receipt_of(house.ledger, build.id).facts["digest"] == house.digest()
    again, other = answered(house, Harvest(LATE, FIRST), Harvest("sis", FIRST))
    assert [again.facts["state"], other.facts["state"]] == ["unchanged", "unchanged"]
    assert len(house.ledger.requests(kind="build")) == 1
    assert len(house.ledger.releases()) == 1


def test_a_build_waits_for_the_quorum_unless_a_steward_says_go(at):
    house = at("taken")
    waiting, built = answered(house, Build(FIRST), Build(FIRST, go=True))
    assert (waiting.state, waiting.facts["waiting_for"]) == (State.REFUSED, [LATE])
    assert (built.state, built.facts["new"]) == (State.DONE, True)


def test_what_is_approved_is_published_when_asked(at):
    house = at("built")
    assert house.rnu("approve", house.digest(), by="approver").code == 0
    first, again = answered(house, Publish("sitio"), Publish())
    assert first.facts == {"portals": {"sitio": {"releases": [house.digest()], "changed": True}}}
    assert again.facts["portals"]["sitio"]["changed"] is False


def test_a_returned_delivery_is_told_by_rule_and_never_by_value(at):
    house = at("fresh")
    spoil = f"NOMBRE;{SENTINEL_NAME}\n{SENTINEL_DOCUMENT};x\n".encode()  # no column of the schema's
    house.rewrite("entregas/pension65/2026-01/PENSION65_202601.csv", lambda _: spoil)
    (found,) = answered(house, Harvest("pension65", FIRST))
    assert (found.state, found.facts["state"]) == (State.REFUSED, "returned")
    assert "se devuelve a su responsable" in found.said
    assert SENTINEL_DOCUMENT not in str(found)


def test_what_cannot_be_done_is_told_and_stops_nobody_else(at):
    house = at("taken")
    (house.home / LATE_FILE).unlink()
    for kind, what in (("erase", {}), ("harvest", {"source": "sis"}), ("build", ["x"]), ("publish", {"portal": 7})):
        house.ledger.add_request(Request(kind, "rosa", what))
    found = answered(house, Harvest(LATE, FIRST), Harvest("siss", FIRST), Harvest("sis", "2026-13"), Publish("otro"))
    states = [receipt_of(house.ledger, r.id).state for r in house.ledger.requests()]
    assert states == [State.REFUSED] * 4 + [State.FAILED] + [State.REFUSED] * 3
    assert found[0].facts["error"]["kind"] == "SourceUnavailable"
    assert all(f.said.endswith(".") for f in found)
    assert open_requests(house.ledger) == ()


def test_a_failure_nobody_foresaw_is_told_without_a_value(at, monkeypatch):
    def fails(*_):
        raise ValueError(SENTINEL_NAME)

    monkeypatch.setattr(worker, "HANDLERS", {Build: fails})
    (found,) = answered(at("taken"), Build(FIRST))
    assert (found.state, found.facts["error"]["what"]) == (State.FAILED, "unexpected ValueError")
    assert SENTINEL_NAME not in str(found)


def test_a_request_that_ends_every_worker_is_answered_with_that(at):
    house = at("taken")
    (number,) = asked(house, Build(FIRST))
    for _ in range(worker.TRIES):
        house.ledger.add_receipt(Receipt(number, State.TAKEN, "", {}))
    assert house.rnu("worker", "--once").code == 0
    assert receipt_of(house.ledger, number).state is State.FAILED


def test_a_worker_killed_at_its_work_is_followed_by_one_that_finishes_it(at, built):
    house = at("taken")
    (number,) = asked(house, Harvest(LATE, FIRST))
    for taken in (1, 2):
        with at_work(house, "worker", "--once") as process:
            until(lambda n=taken: len(house.ledger.receipts(number)) >= n)
            os.killpg(process.pid, signal.SIGKILL)
        nothing_is_half_written(house)
    assert house.rnu("worker", "--once").code == 0
    states = [r.state for r in house.ledger.receipts(number)]
    assert states[:-1] == [State.TAKEN] * (len(states) - 1)
    assert states[-1] is State.DONE
    assert house.digest() == built.digest()


def test_while_another_run_is_at_work_a_request_waits(at):
    house = at("taken")
    (number,) = asked(house, Harvest(LATE, FIRST))
    with house.store.locked(), at_work(house, "worker", "--once") as process:
        time.sleep(6)
        assert process.poll() is None
        assert house.ledger.receipts(number) == ()
    with at_work(house, "worker", "--once") as process:
        process.wait(timeout=120)
    assert receipt_of(house.ledger, number).state is State.DONE


def test_two_workers_share_what_is_asked(at):
    house = at("fresh")
    numbers = asked(house, *(Harvest(source, FIRST) for source in ("pgh", "juntos", "pension65", "cunamas", "pca")))
    with at_work(house, "worker", "--once") as one, at_work(house, "worker", "--once") as other:
        assert (one.wait(timeout=120), other.wait(timeout=120)) == (0, 0)
    for number in numbers:
        assert [r.state for r in house.ledger.receipts(number)] == [State.TAKEN, State.DONE]


def test_a_worker_told_to_stop_ends_at_once_and_well(at):
    house = at("taken")
    with at_work(house, "worker") as process:
        until(lambda: house.ledger.announced() is not None)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    (number,) = asked(house, Build(FIRST, go=True))
    with at_work(house, "worker") as process:
        until(lambda: house.ledger.receipts(number))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert [r.state for r in house.ledger.receipts(number)] == [State.TAKEN]
    nothing_is_half_written(house)


def test_a_portal_learns_of_a_changed_configuration_and_of_nothing_else_in_it(at):
    house = at("taken")
    answered(house)
    assert announced(house.ledger).source("sis").owner == "Seguro Integral de Salud"
    house.edit("config/sources.toml", 'owner = "Seguro Integral de Salud"', 'owner = "SIS"')
    answered(house, Build(FIRST))
    assert announced(house.ledger).source("sis").owner == "SIS"
    assert "entregas" not in str(house.ledger.announced())


def until(holds, within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
