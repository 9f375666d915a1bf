"""A small institution of the tests' own, beside the demo's, on the portal that `make portal` brought up."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ckanapi import NotFound, RemoteCKAN

from deploy.native.ckan import ADMIN, new_token
from deploy.native.home import Home
from tests.line.institution import PERIODS, House, found

ORGANISATION, PREFIX = "pruebas", "prueba"
CUBES = ("usuarios", "hogares", "alumnos")
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
    house = found(tmp_path_factory.mktemp("signed"))
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


@pytest.fixture(scope="module")
def served(signed, tmp_path_factory, admin) -> Iterator[House]:
    """An institution whose first period is on the portal, for tests that change nothing."""
    clean(admin)
    house = signed.copy(tmp_path_factory.mktemp("served") / "house")
    said = house.rnu("publish")
    assert said.code == 0, said.err
    yield house
    clean(admin)


@pytest.fixture
def house(signed, tmp_path, admin) -> Iterator[House]:
    """A copy of the institution; what it published is gone afterwards."""
    clean(admin)
    yield signed.copy(tmp_path / "house")
    clean(admin)


def clean(admin: RemoteCKAN) -> None:
    for name in [f"{PREFIX}-{cube}{end}" for cube in CUBES for end in ("", "-en-preparacion")]:
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
