"""Publishing on a real CKAN: what visitors see before, during and after, whatever goes wrong."""

import os
import signal
import time

import pytest
import requests
from ckanapi import NotFound

from rnu.errors import Busy, PortalRefused
from tests.ckan.conftest import LATER, NAMES, ORGANISATION, PREFIX, addresses, shown, write_token
from tests.line.institution import PERIODS

FIRST, SECOND = PERIODS

pytestmark = pytest.mark.portal


def test_the_next_period_comes_in_under_the_same_addresses(house, visitor):
    house.rnu("publish", "ckan")
    before = shown(visitor)[f"{PREFIX}-usuarios"]
    house.rnu("approve", house.digest(SECOND), by="approver")
    assert house.rnu("publish", "ckan").code == 0
    after = shown(visitor)[f"{PREFIX}-usuarios"]
    assert addresses(after) == addresses(before)
    assert (before["rnu_periodos"], after["rnu_periodos"]) == ([FIRST], [FIRST, SECOND])
    assert house.rnu("verify-portal", "ckan").code == 0


def test_a_dataset_changed_by_hand_is_not_written_over_unasked(house, admin):
    house.rnu("publish", "ckan")
    admin.action.package_patch(id=NAMES[0], notes="Otra descripción.")
    assert "changed by hand" in house.rnu("verify-portal", "ckan").out
    said = house.rnu("publish", "ckan")
    assert (said.code, "changed this dataset by hand" in said.err) == (PortalRefused.exit_code, True)
    assert admin.action.package_show(id=NAMES[0])["notes"] == "Otra descripción."
    assert house.rnu("publish", "ckan", "--overwrite").code == 0
    assert house.rnu("verify-portal", "ckan").code == 0


def test_a_name_that_is_taken_is_left_alone(house, admin):
    admin.action.package_create(name=NAMES[0], title="Ajeno", notes="Ajeno.", owner_org=ORGANISATION)
    said = house.rnu("publish", "ckan")
    assert (said.code, "belongs to another dataset" in said.err) == (PortalRefused.exit_code, True)
    assert admin.action.package_show(id=NAMES[0])["title"] == "Ajeno"


def test_a_token_that_is_not_valid_is_told(house, visitor):
    write_token(house, "no-token")
    said = house.rnu("publish", "ckan")
    assert said.code == PortalRefused.exit_code
    assert "make a new token" in said.err
    assert shown(visitor) == {}


def test_a_portal_that_is_down_is_told(house, portal):
    house.edit("config/portals.toml", portal.url, "http://localhost:1")
    said = house.rnu("publish", "ckan")
    assert (said.code, "does not answer" in said.err) == (PortalRefused.exit_code, True)


def test_a_publication_killed_at_any_moment_leaves_the_former_release_and_the_next_one_finishes(house, visitor):
    house.rnu("publish", "ckan")
    before = {name: live["rnu_digest"] for name, live in shown(visitor).items()}
    house.rnu("approve", house.digest(SECOND), by="approver")
    for after in (1.5, 3.0, 4.5, 6.0):
        with house.started("publish", "ckan") as process:
            time.sleep(after)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        for name, live in shown(visitor).items():
            assert live["rnu_digest"] in {before[name], house.digest(SECOND)}
            assert all(requests.get(url, timeout=60).status_code == 200 for _, url in addresses(live))
    assert house.rnu("publish", "ckan").code == 0
    assert house.rnu("verify-portal", "ckan").code == 0


def test_two_publications_at_once_do_not_mix(house):
    with house.started("publish", "ckan") as first:
        deadline = time.monotonic() + 60
        while first.poll() is None and time.monotonic() < deadline:
            said = house.child("publish", "ckan")
            if said.code == Busy.exit_code:
                break
        first.wait(timeout=120)
    assert {first.returncode, said.code} == {0, Busy.exit_code}  # whichever of the two came first
    assert house.rnu("verify-portal", "ckan").code == 0


def test_a_withdrawn_release_leaves_files_tables_and_search_and_a_note(house, visitor):
    house.rnu("publish", "ckan")
    files = [url for live in shown(visitor).values() for _, url in addresses(live)]
    assert house.rnu("return", house.digest(FIRST), "--note", "un error en el SIS", by="approver").code == 0
    assert house.rnu("publish", "ckan").code == 0
    assert shown(visitor) == {}
    assert {requests.get(url, timeout=60).status_code for url in files} == {404}
    with pytest.raises(NotFound):
        visitor.call_action("datastore_search", {"resource_id": f"{PREFIX}_usuarios_distrito"})
    assert "retiradas" in visitor.action.package_show(id=NAMES[0])["notes"]
    house.rnu("approve", house.digest(SECOND), by="approver")
    assert house.rnu("publish", "ckan").code == 0
    assert sorted(shown(visitor)) == sorted([*NAMES, *(f"{PREFIX}-{cube}" for cube in LATER)])
