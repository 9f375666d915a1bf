"""A steward's desk for tests: a portal process of its own with a ledger, people, and their way in."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from ckanapi import NotFound, RemoteCKAN
from playwright.sync_api import CDPSession, Page

from deploy.native import postgres
from deploy.native.home import Home
from deploy.native.machine import run
from tests.line.institution import House, Said

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="the browser's part needs Debian's chromium: apt-get install chromium"
)

DATABASE = "rnu_prueba"
FOREIGN = "ajenos-pruebas"
PASSWORD = "una-clave-de-prueba"
STEWARD, WATCHER, STRANGER = "revisora-pruebas", "mirona-pruebas", "ajena-pruebas"


@dataclass
class Desk:
    """A portal process with a desk, and the institution behind it."""

    portal: Home
    house: House
    url: str
    ini: Path
    admin: RemoteCKAN

    def rnu(self, *words: str, by: str = "builder") -> Said:
        """One of the line's commands on the institution."""
        return self.house.rnu(*words, by=by)

    def work(self) -> None:
        """Let the worker answer what was asked."""
        said = self.rnu("worker", "--once")
        assert said.code == 0, said.err

    def tell(self) -> str:
        """Let CKAN send mails and record decisions."""
        return self.ckan("rnu-desk", "tell").strip().splitlines()[-1]

    def ckan(self, *words: str) -> str:
        environment = {"CKAN_INI": str(self.ini), "HOME": str(self.ini.parent), "PATH": "/usr/bin:/bin"}
        return run(
            [self.portal.program("ckan"), *words], user=self.portal.users.web, env=environment, cwd=self.ini.parent
        )

    def digest(self, period: str) -> str:
        (found,) = [r["digest"] for r in self.rnu("status", "--json").json["releases"] if r["period"] == period]
        return found

    def token(self, name: str) -> str:
        """Somebody's API token."""
        return self.admin.action.api_token_create(user=name, name="pruebas")["token"]

    def page(self, digest: str) -> str:
        return f"{self.url}/mesa/publicacion/{digest}"

    def state(self, period: str) -> str:
        (found,) = [r["state"] for r in self.rnu("status", "--json").json["releases"] if r["period"] == period]
        return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def move_ledger(portal: Home, house: House) -> None:
    """Have the institution's ledger on the portal's PostgreSQL, beside the portal's own."""
    postgres.sql(portal, f"drop database if exists {DATABASE} with (force)")
    postgres.sql(portal, f"create database {DATABASE} owner rnu_worker encoding 'UTF8' template template0")
    address = house.home / "secrets" / "ledger.address"
    address.touch(mode=0o600)
    address.write_text(postgres.url(portal, "rnu_worker", DATABASE))
    moved = house.rnu("move-ledger")
    assert moved.code == 0, moved.err
    postgres.sql(portal, postgres.DESK.replace("database rnu", f"database {DATABASE}"), DATABASE)


class Served:
    """CKAN as the portal runs it, with the desk's settings, for as long as a block lasts."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def __enter__(self) -> None:
        portal, port = self.desk.portal, self.desk.url.rpartition(":")[2]
        self.log = tempfile.TemporaryFile()
        as_ckan = ("/usr/sbin/runuser", "-u", portal.users.web, "--") if portal.users.apart else ()
        self.process = subprocess.Popen(
            [*as_ckan, portal.program("gunicorn"), "--threads", "4", "--timeout", "120",
             "--bind", f"127.0.0.1:{port}", "deploy.wsgi:application"],
            env={"CKAN_INI": str(self.desk.ini), "HOME": str(self.desk.ini.parent), "PATH": "/usr/bin:/bin",
                 "PYTHONPATH": str(portal.root / "code"), "LANG": "C.UTF-8"},
            cwd="/", stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while not self._answers():
            assert self.process.poll() is None, self._said()
            assert time.monotonic() < deadline, self._said()
            time.sleep(0.5)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.desk.url}/api/3/action/status_show", timeout=30).ok
        except requests.ConnectionError:
            return False

    def _said(self) -> str:
        self.log.seek(0)
        return self.log.read().decode()[-3000:]

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)
        self.log.close()


def make_people(admin: RemoteCKAN, organisation: str) -> None:
    """A steward and a watcher of the organisation, and an editor of another one."""
    roles = {STEWARD: (organisation, "admin"), WATCHER: (organisation, "member"), STRANGER: (FOREIGN, "editor")}
    try:
        admin.action.organization_show(id=FOREIGN)
    except NotFound:
        admin.action.organization_create(name=FOREIGN, title="Ajenos")
    for name, (where, role) in roles.items():
        try:
            known = admin.action.user_show(id=name)
            admin.action.user_update(
                id=known["id"], name=name, email=known_email(name), password=PASSWORD, state="active"
            )
        except NotFound:
            admin.action.user_create(name=name, email=known_email(name), password=PASSWORD, fullname=f"Persona {name}")
        admin.action.organization_member_create(id=where, username=name, role=role)


def known_email(name: str) -> str:
    return f"{name}@prueba.invalid"


def remove_people(admin: RemoteCKAN) -> None:
    for name in (STEWARD, WATCHER, STRANGER):
        admin.action.user_delete(id=name)
    admin.action.organization_purge(id=FOREIGN)


def with_passkeys(page: Page) -> tuple[CDPSession, str]:
    """Give a page's machine an authenticator whose person always agrees: Chromium's own, and the key it has there."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
               "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
    return tools, tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def sign_in(where: Desk | Home, page: Page, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{where.url}/user/login")
    page.fill("#content [name=login]", name)
    page.fill("#content [name=password]", password)
    page.locator("#content form button[type=submit]").click()
    page.wait_for_url(lambda url: "/user/login" not in url)
