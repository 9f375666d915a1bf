"""Releases on a real CKAN: what visitors see before, during and after a publication."""

import os
import signal
import time

import pytest
import requests
from ckanapi import NotAuthorized, NotFound

from rnu.errors import Busy, PortalRefused
from tests.ckan.conftest import CUBES, ORGANISATION, PREFIX, write_token
from tests.line.institution import PERIODS

FIRST, SECOND = PERIODS
NAMES = [f"{PREFIX}-{cube}" for cube in CUBES]

pytestmark = pytest.mark.portal


def shown(visitor) -> dict[str, dict]:
    """What a visitor's search finds of the tests' organisation."""
    found = visitor.action.package_search(fq=f"organization:{ORGANISATION}", rows=100)["results"]
    return {live["name"]: live for live in found}


def addresses(live: dict) -> list[tuple[str, str]]:
    return [(r["id"], r["url"]) for r in live["resources"]]


def test_a_release_is_served_as_it_was_signed_and_has_the_same_digest_on_both_portals(house, visitor):
    assert house.rnu("publish").code == 0
    assert sorted(shown(visitor)) == sorted(NAMES)
    compared = [house.rnu("verify-portal", portal, "--json").json for portal in ("sitio", "ckan")]
    assert [c["differences"] for c in compared] == [[], []]
    assert compared[0]["digest"] == compared[1]["digest"]
    assert (compared[1]["files"], compared[1]["tables"]) == (36, 12)


def test_a_table_has_declared_types_a_dictionary_and_a_name_for_good(house, visitor):
    house.rnu("publish", "ckan")
    asked = {"resource_id": f"{PREFIX}_usuarios_distrito", "filters": {"ubigeo": "240101"}, "limit": 5}
    found = visitor.call_action("datastore_search", asked)
    types = {field["id"]: field["type"] for field in found["fields"]}
    assert (types["ubigeo"], types["usuarios"]) == ("text", "int8")
    assert all(field["info"]["label"] and field["info"]["notes"] for field in found["fields"][1:])
    assert {row["ubigeo"] for row in found["records"]} == {"240101"}


def test_published_again_nothing_changes(house, visitor):
    house.rnu("publish", "ckan")
    before = shown(visitor)
    said = house.rnu("publish", "ckan")
    assert (said.code, "nothing new" in said.out) == (0, True)
    assert shown(visitor) == before


def test_the_next_period_comes_in_under_the_same_addresses(house, visitor):
    house.rnu("publish", "ckan")
    before = shown(visitor)[f"{PREFIX}-usuarios"]
    house.rnu("approve", house.digest(SECOND), by="approver")
    assert house.rnu("publish", "ckan").code == 0
    after = shown(visitor)[f"{PREFIX}-usuarios"]
    assert addresses(after) == addresses(before)
    assert (before["rnu_periodos"], after["rnu_periodos"]) == ([FIRST], [FIRST, SECOND])
    assert house.rnu("verify-portal", "ckan").code == 0


def test_nothing_of_the_preparation_is_seen_or_left(house, visitor, admin):
    house.rnu("publish", "ckan")
    beside = f"{PREFIX}-usuarios-en-preparacion"
    with pytest.raises((NotAuthorized, NotFound)):
        visitor.action.package_show(id=beside)
    assert admin.action.package_show(id=beside)["resources"] == []


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


def test_a_portal_that_is_down_is_told(house):
    house.edit("config/portals.toml", "http://127.0.0.1:88", "http://127.0.0.1:1", times=2)
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
    assert said.code == Busy.exit_code
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
    assert sorted(shown(visitor)) == sorted(NAMES)


def test_ckans_user_reads_nothing_of_the_institution(portal):
    if not portal.users.apart:
        pytest.skip("without root CKAN and the worker are one user")
    inside = portal.institution / "store" / "rosters"
    assert os.system(f"/usr/sbin/runuser -u {portal.users.worker} -- ls {inside} > /dev/null") == 0
    assert os.system(f"/usr/sbin/runuser -u {portal.users.web} -- ls {inside} > /dev/null 2>&1") != 0
