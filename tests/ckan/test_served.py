"""What visitors of a real CKAN get of a release."""

import html
import re
import subprocess
import sys

import pytest
import requests
from ckanapi import NotAuthorized, NotFound

from tests.ckan.conftest import NAMES, PREFIX, shown

pytestmark = pytest.mark.portal


def test_a_release_is_served_as_it_was_signed_and_has_the_same_digest_on_both_portals(served, visitor):
    assert sorted(shown(visitor)) == sorted(NAMES)
    compared = [served.rnu("verify-portal", portal, "--json").json for portal in ("sitio", "ckan")]
    assert [c["differences"] for c in compared] == [[], []]
    assert compared[0]["digest"] == compared[1]["digest"]
    assert (compared[1]["files"], compared[1]["tables"]) == (36, 12)


@pytest.mark.usefixtures("served")
def test_a_table_has_declared_types_a_dictionary_and_a_name_for_good(visitor):
    asked = {"resource_id": f"{PREFIX}_usuarios_distrito", "filters": {"ubigeo": "240101"}, "limit": 5}
    found = visitor.call_action("datastore_search", asked)
    types = {field["id"]: field["type"] for field in found["fields"]}
    assert (types["ubigeo"], types["usuarios"]) == ("text", "int8")
    assert all(field["info"]["label"] and field["info"]["notes"] for field in found["fields"][1:])
    assert {row["ubigeo"] for row in found["records"]} == {"240101"}


def test_published_again_nothing_changes(served, visitor):
    before = shown(visitor)
    said = served.rnu("publish", "ckan")
    assert (said.code, "nothing new" in said.out) == (0, True)
    assert shown(visitor) == before


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(("call", "program"), [("api-curl", ["sh", "-c"]), ("api-python", [sys.executable, "-c"])])
def test_the_calls_that_a_page_offers_can_be_copied_and_run(portal, call, program):
    page = requests.get(f"{portal.url}/dataset/{NAMES[0]}", timeout=60).text
    code = html.unescape(re.search(rf'id="{call}">(.*?)</pre>', page, re.DOTALL)[1])
    said = subprocess.run([*program, code], capture_output=True, text=True, check=True).stdout
    assert "240101" in said


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("path", ["/", "/dataset/", f"/dataset/{NAMES[0]}", "/about", f"/dataset/activity/{NAMES[0]}"])
def test_a_visitors_pages_are_there_and_in_spanish(portal, path):
    page = requests.get(f"{portal.url}{path}", timeout=60)
    assert page.status_code == 200
    assert '<html lang="es"' in page.text
    assert not {"Followers", "There is no description", "Powered by", "Welcome"} & set(
        re.findall(r"[A-Z][\w ]+", page.text)
    )


@pytest.mark.usefixtures("served")
def test_nothing_of_the_preparation_is_seen_or_left(visitor, admin):
    beside = f"{PREFIX}-usuarios-en-preparacion"
    with pytest.raises((NotAuthorized, NotFound)):
        visitor.action.package_show(id=beside)
    assert admin.action.package_show(id=beside)["resources"] == []


def test_ckans_user_reads_nothing_of_the_institution(portal):
    if not portal.users.apart:
        pytest.skip("without root CKAN and the worker are one user")

    def reads(user: str) -> bool:
        listing = ["/usr/sbin/runuser", "-u", user, "--", "ls", str(portal.institution / "store" / "rosters")]
        return subprocess.run(listing, capture_output=True, check=False).returncode == 0

    assert reads(portal.users.worker)
    assert not reads(portal.users.web)
