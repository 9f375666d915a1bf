"""A small institution of the tests' own, beside the demo's, on the portal that `make portal` brought up."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from ckanapi import NotFound, RemoteCKAN
from playwright.sync_api import Browser, Page, sync_playwright

from deploy.native import postgres
from deploy.native.ckan import ADMIN, new_token
from deploy.native.home import Home
from deploy.native.machine import run
from deploy.site import write_ini
from tests.ckan.desk import (
    CHROMIUM,
    DATABASE,
    STEWARD,
    Desk,
    Served,
    free_port,
    make_people,
    move_ledger,
    remove_people,
    sign_in,
    with_passkeys,
)
from tests.line.institution import PERIODS, House, found

ORGANISATION, PREFIX = "pruebas", "prueba"
OF_DISTRICTS = ("usuarios", "hogares", "alumnos", "elegibles", "hogares-elegibles", "tasas")
CUBES = (*OF_DISTRICTS, "personas", "cruces")
LATER = ("movimientos",)  # takes two periods
NAMES = [f"{PREFIX}-{cube}" for cube in CUBES]


@pytest.fixture(scope="session")
def portal() -> Home:
    return Home.of_machine()


@pytest.fixture(scope="session")
def admin(portal) -> Iterator[RemoteCKAN]:
    """CKAN's actions as its administrator."""
    token = new_token(portal, ADMIN, "pruebas")
    with RemoteCKAN(portal.url, apikey=token) as api:
        try:
            api.action.organization_show(id=ORGANISATION)
        except NotFound:
            api.action.organization_create(name=ORGANISATION, title="Pruebas")
        yield api
        api.action.api_token_revoke(token=token)


@pytest.fixture(scope="session")
def visitor(portal) -> Iterator[RemoteCKAN]:
    """Somebody without an account."""
    with RemoteCKAN(portal.url) as api:
        yield api


@pytest.fixture(scope="session")
def signed(tmp_path_factory, portal, admin) -> House:
    """An institution with the first period approved, the second built, and a CKAN among its portals."""
    folder = tmp_path_factory.getbasetemp() / "signed"
    if folder.exists():  # pytest asks once for tests/ckan and once for tests/browser
        return House(folder / "institution")
    folder.mkdir()
    house = found(folder)
    with (house.home / "config" / "portals.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'\n[[portal]]\nid = "ckan"\nhow = "ckan"\nurl = "{portal.url}"\ntitle = "Pruebas"\n'
            f'organization = "{ORGANISATION}"\nprefix = "{PREFIX}"\n'
        )
    write_token(house, admin.apikey)
    for period in PERIODS:
        assert house.rnu("run", "--period", period).code == 0
    assert house.rnu("approve", house.digest(PERIODS[0]), by="approver").code == 0
    return house


def write_token(house: House, token: str) -> Path:
    """The portal's token, where the institution keeps it."""
    path = house.home / "secrets" / "ckan.token"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(token)
    return path


@pytest.fixture(scope="session")
def kept(signed, tmp_path_factory, admin) -> Iterator[House]:
    """A copy of it for all tests that only look; what it published is gone at the end."""
    clean(admin)
    yield signed.copy(tmp_path_factory.mktemp("kept") / "house")
    clean(admin)


@pytest.fixture(scope="module")
def served(kept) -> House:
    """An institution whose first period is on the portal, for tests that change nothing; put back where one did."""
    said = kept.rnu("publish", "--overwrite")
    assert said.code == 0, said.err
    return kept


@pytest.fixture
def house(signed, tmp_path, admin) -> Iterator[House]:
    """A copy of the institution; what it published is gone afterwards."""
    clean(admin)
    yield signed.copy(tmp_path / "house")
    clean(admin)


def clean(admin: RemoteCKAN) -> None:
    for name in [f"{PREFIX}-{cube}{end}" for cube in (*CUBES, *LATER) for end in ("", "-en-preparacion")]:
        try:
            live = admin.action.package_show(id=name)
        except NotFound:
            continue
        for resource in live["resources"]:
            if resource["datastore_active"]:
                admin.action.datastore_delete(resource_id=resource["id"], force=True)
        admin.action.dataset_purge(id=live["id"])


def shown(visitor: RemoteCKAN) -> dict[str, dict]:
    """What a visitor's search finds of the tests' organisation."""
    found = visitor.action.package_search(fq=f"organization:{ORGANISATION}", rows=100)["results"]
    return {live["name"]: live for live in found}


def addresses(live: dict) -> list[tuple[str, str]]:
    return [(r["id"], r["url"]) for r in live["resources"]]


# --- the desk and the browser


@pytest.fixture(scope="module")
def mail() -> Iterator[tuple[int, list]]:
    """A mail server's port, and what it took."""
    taken: list = []

    class Keep(Sink):
        async def handle_DATA(self, server, session, envelope):  # noqa: N802 aiosmtpd's name
            del server, session
            taken.append(envelope)
            return "250 OK"

    server = Controller(Keep(), hostname="127.0.0.1", port=free_port())
    server.start()
    yield server.port, taken
    server.stop()


@pytest.fixture(scope="module")
def desk(portal, signed, admin, mail, tmp_path_factory) -> Iterator[Desk]:
    house = signed.copy(tmp_path_factory.mktemp("desk") / "house")
    url = f"http://localhost:{free_port()}"
    house.edit("config/portals.toml", f'url = "{portal.url}"', f'url = "{portal.url}"\ndesk = "{url}"')
    move_ledger(portal, house)
    make_people(admin, ORGANISATION)
    folder = Path(tempfile.mkdtemp(prefix="mesa-", dir=portal.root))
    shutil.copytree(house.home / "store" / "releases", folder / "releases")
    ini = folder / "ckan.ini"
    shutil.copy(portal.ini, ini)
    own = {
        "ckan.site_url": url,
        "ckanext.rnu.ledger": postgres.url(portal, "rnu_ckan", DATABASE),
        "ckanext.rnu.releases": str(folder / "releases"),
        "ckanext.rnu.organization": ORGANISATION,
        "smtp.server": f"127.0.0.1:{mail[0]}",
        "smtp.mail_from": "mesa@prueba.invalid",
    }
    write_ini(portal.program("ckan"), ini, own)
    run(["chown", "-R", f"{portal.users.web}:", str(folder)])
    made = Desk(portal, house, url, ini, admin)
    made.work()
    with Served(made):
        yield made
    postgres.sql(portal, f"drop database {DATABASE} with (force)")
    shutil.rmtree(folder)
    remove_people(admin)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def steward(desk, browser) -> Iterator[Page]:
    """A steward who is signed in, at a machine that has an authenticator."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.tools, page.authenticator = with_passkeys(page)
        page.alerts = []
        page.on("dialog", lambda dialog: (page.alerts.append(dialog.message), dialog.dismiss()))
        sign_in(desk, page, STEWARD)
        yield page
