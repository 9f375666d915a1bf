"""Whatever a visitor or a steward can reach reads in Spanish."""

import json
import re
import subprocess
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import pytest
import requests

from deploy.native.ckan import ADMIN
from tests.ckan.conftest import NAMES, ORGANISATION

pytestmark = [pytest.mark.portal, pytest.mark.usefixtures("served")]

SPOKEN = ("alt", "aria-label", "placeholder", "title", "data-bs-title", "data-module-content")
SILENT = ("script", "style", "pre", "code", "title")
# Not gettext's, but written into a template: a phrase with such words is no Spanish one.
ENGLISH = re.compile(
    r"\b(the|and|you|your|of|with|this|not|found|please|show|more|click|there|are|is|has|been)\b", re.I
)
NAMES_OF_LICENCES = re.compile(r"(Open Data Commons|Creative Commons|GNU|UK Open|ODC)[\w\s().,-]*")
SOURCE = "fuente-de-prueba"

VISITOR = (
    "/",
    "/about",
    "/dataset/",
    "/dataset/?q=nada+de+nada",
    "/dataset/?vocab_rnu_niveles=Distritos",
    f"/dataset/{NAMES[0]}",
    f"/organization/{ORGANISATION}",
    "/organization/",
    "/group/",
    "/user/login",
    "/user/reset",
    "/harvest",
    "/no-existe",
    "/user/",
    f"/dataset/edit/{NAMES[0]}",
    "/dataset/%00",  # a mistake of CKAN's own: 500
)
STEWARD = (
    "/dashboard/",
    "/dashboard/datasets",
    "/dashboard/organizations",
    "/dashboard/groups",
    f"/user/{ADMIN}",
    f"/user/edit/{ADMIN}",
    f"/user/{ADMIN}/api-tokens",
    f"/dataset/{NAMES[0]}",
    f"/dataset/edit/{NAMES[0]}",
    f"/dataset/resources/{NAMES[0]}",
    f"/dataset/activity/{NAMES[0]}",
    "/dataset/new",
    f"/organization/{ORGANISATION}",
    f"/organization/members/{ORGANISATION}",
    f"/organization/edit/{ORGANISATION}",
    f"/organization/activity/{ORGANISATION}",
    f"/organization/bulk_process/{ORGANISATION}",
    "/harvest",
    "/harvest/new",
)


class Spoken(HTMLParser):
    """What a page says: its text, and the words of its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in SILENT
        self.said += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag):
        self.silent -= tag in SILENT

    def handle_data(self, data):
        if not self.silent:
            self.said.append(data)


def said(page: str) -> list[str]:
    """Each phrase of a page, with single blanks."""
    parser = Spoken()
    parser.feed(page)
    return [phrase for text in parser.said if (phrase := " ".join(text.split()))]


def form(msgid: str) -> re.Pattern[str]:
    """A msgid as it comes out, whatever stands in the place of its variables."""
    parts = re.split(r"\{[^}]*\}|%\([^)]*\)s|%[sd]|<[^>]*>", " ".join(msgid.split()))
    return re.compile(r".+?".join(map(re.escape, parts)), re.DOTALL)


def english(phrases: Iterable[str], catalogue: dict[str, str]) -> list[str]:
    """The phrases that are English: a msgid whose Spanish is another, or a phrase with an English word."""
    plain, forms = set(), []
    for msgid, spanish in catalogue.items():
        if spanish == msgid:
            continue
        if re.search(r"[{%<]", msgid):
            forms.append(form(msgid))
        else:
            plain.add(" ".join(msgid.split()))
    # a form of few letters of its own, such as `{name}s`, is anything
    forms = [one for one in forms if len(re.sub(r"\W|\.\+\?", "", one.pattern)) > 6]
    return [
        phrase
        for phrase in phrases
        if phrase in plain
        or any(one.fullmatch(phrase) for one in forms)
        or ENGLISH.search(NAMES_OF_LICENCES.sub("", phrase))
    ]


@pytest.fixture(scope="session")
def catalogue(portal) -> dict[str, str]:
    """Every word of CKAN's and its extensions', as a visitor gets it."""
    program = [portal.program("python"), str(Path(__file__).with_name("catalogue.py"))]
    return json.loads(subprocess.run(program, capture_output=True, text=True, check=True).stdout)


def sign_in(session: requests.Session, portal, name: str, password: str) -> requests.Response:
    page = session.get(f"{portal.url}/user/login", timeout=60).text
    token = re.search(r'name="_csrf_token" (?:content|value)="([^"]+)"', page)[1]
    form = {"login": name, "password": password, "_csrf_token": token}
    return session.post(f"{portal.url}/user/login", data=form, timeout=60)


@pytest.fixture(scope="session")
def steward(portal) -> requests.Session:
    """A browser in which the administrator has signed in."""
    session = requests.Session()
    sign_in(session, portal, ADMIN, portal.secret("password-admin"))
    assert session.get(f"{portal.url}/dashboard/datasets", timeout=60, allow_redirects=False).status_code == 200
    return session


def test_there_is_spanish_for_every_word_of_ckan_harvest_scheming_and_dcat(catalogue):
    assert len(catalogue) > 900
    assert [msgid for msgid, spanish in catalogue.items() if not spanish] == []


def test_spanish_uses_no_variable_that_english_lacks(catalogue):
    """A misspelt variable is a page that fails."""
    variable = re.compile(r"%\(\w+\)s|(?<!%)%[sdr]|\{\w*\}")
    plural = {"%(count)s", "%(num)s", "{num}", "{number}", "{count}"}  # stands in one of the two forms alone
    wrong = [
        msgid
        for msgid, spanish in catalogue.items()
        if set(variable.findall(spanish)) - set(variable.findall(msgid)) - plural
    ]
    assert wrong == []


@pytest.mark.parametrize("path", VISITOR)
def test_a_visitors_page_has_no_english(portal, catalogue, path):
    page = requests.get(f"{portal.url}{path}", timeout=60)
    assert '<html lang="es"' in page.text
    assert english(said(page.text), catalogue) == []


@pytest.mark.parametrize("path", STEWARD)
def test_a_stewards_page_has_no_english(portal, catalogue, steward, path):
    page = steward.get(f"{portal.url}{path}", timeout=60)
    assert page.status_code == 200
    assert english(said(page.text), catalogue) == []


def test_the_pages_of_files_have_no_english(portal, catalogue, visitor):
    for resource in visitor.action.package_show(id=NAMES[0])["resources"][:3]:
        page = requests.get(f"{portal.url}/dataset/{NAMES[0]}/resource/{resource['id']}", timeout=60)
        assert (page.status_code, english(said(page.text), catalogue)) == (200, [])


def test_a_refused_sign_in_is_told_in_spanish(portal, catalogue):
    refused = sign_in(requests.Session(), portal, "nadie", "nada de nada").text
    assert "contraseña incorrectos" in refused
    assert english(said(refused), catalogue) == []


def test_the_words_of_scripts_are_there(portal):
    words = requests.get(f"{portal.url}/api/i18n/es", timeout=60).json()
    assert words["Please Confirm"] == [None, "Confirme, por favor"]
    assert len(words) > 30


@pytest.mark.parametrize("planted", ["There is no description for this organization.", "Back to job list"])
def test_english_that_stands_on_a_page_is_found(portal, catalogue, admin, planted):
    admin.action.organization_patch(id=ORGANISATION, description=planted)
    try:
        page = requests.get(f"{portal.url}/organization/{ORGANISATION}", timeout=60).text
    finally:
        admin.action.organization_patch(id=ORGANISATION, description="")
    assert english(said(page), catalogue) == [planted]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<p>Job: </p><img alt="read more">', ["Job:", "read more"]),
        ("<p>Set author email of <a>x</a></p>", ["Set author email of"]),
        ('<a aria-label="Remove applied filter: Juntos">×</a>', ["Remove applied filter: Juntos"]),
        ("<li>list of downloadable formats</li>", ["list of downloadable formats"]),
        ("<p>Datos de los programas</p><code>and the rest</code><p>Open Data Commons Attribution License</p>", []),
    ],
)
def test_english_is_known_from_spanish(catalogue, page, found):
    assert english(said(page), catalogue) == found
