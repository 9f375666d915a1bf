"""Institutions at each point of the line, made once and copied for every test that changes them."""

import shutil
from dataclasses import replace

import pytest

from tests.line.institution import LATE_FILE, PERIODS, House, found
from tests.line.leaks import scan
from tests.line.persons import Persons, delivered_persons, pseudonyms, sentinels


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> House:
    """Deliveries have come; nothing has been run."""
    return found(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="session")
def persons(fresh) -> Persons:
    """Everybody in the deliveries, and the values that tests put into broken cells."""
    return delivered_persons(fresh.home) | sentinels()


@pytest.fixture(scope="session")
def taken(fresh, tmp_path_factory) -> House:
    """Every roster of the first period is in but one."""
    house = fresh.copy(tmp_path_factory.mktemp("taken") / "x")
    (house.home / LATE_FILE).unlink()
    assert house.rnu("run", "--period", PERIODS[0]).code == 3
    shutil.copy(fresh.home / LATE_FILE, house.home / LATE_FILE)
    return house


@pytest.fixture(scope="session")
def built(taken, tmp_path_factory) -> House:
    """The first period's release waits for a steward."""
    house = taken.copy(tmp_path_factory.mktemp("built") / "x")
    said = house.rnu("run", "--period", PERIODS[0])
    assert said.code == 0, said.err
    return house


@pytest.fixture(scope="session")
def published(built, tmp_path_factory) -> House:
    """The first period is approved and on the portal."""
    house = built.copy(tmp_path_factory.mktemp("published") / "x")
    assert house.rnu("approve", house.digest(), by="approver").code == 0
    assert house.rnu("publish").code == 0
    return house


@pytest.fixture
def at(request, tmp_path, persons):
    """`at("built")` gives a copy of that institution. Afterwards nobody is named in what it said, noted or released."""
    given: list[tuple[House, set[str]]] = []

    def copied(moment: str) -> House:
        house = request.getfixturevalue(moment).copy(tmp_path / f"{moment}{len(given)}")
        given.append((house, {r.name for r in house.store.releases.iterdir()} if house.store.root.is_dir() else set()))
        return house

    yield copied
    for house, before in given:
        wanted = replace(persons, pseudonyms=pseudonyms(house.home))
        assert scan("\n".join(house.heard).encode(), "output", wanted) == ()
        made = [f"store/releases/{r.name}" for r in house.store.releases.iterdir() if r.name not in before]
        outward = ("ledger.sqlite", "store/private", *made)
        assert [leak for name in outward for leak in scan(house.home / name, name, wanted)] == []
