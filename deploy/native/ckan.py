"""CKAN itself: its environment, its settings on this machine, its database, its first people."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ckanapi import NotFound, RemoteCKAN

from deploy.native import postgres, solr
from deploy.native.home import CHECKOUT, Home
from deploy.native.machine import PYTHON, folder, run
from deploy.site import Site, write_ini

LOCK = CHECKOUT / "requirements-portal.lock"
CODE = (
    *("rnu", "harvesters", "anonymize", "config", "schemas", "ckanext-rnu"),
    *("pyproject.toml", "setup.py", "requirements.lock", "README.md"),
)
ADMIN = "administracion"


def install(home: Home) -> bool:
    """The portal's environment from its lock file, and this project's packages; whether these are others now."""
    if not (home.venv / "bin" / "pip").exists():
        shutil.rmtree(home.venv, ignore_errors=True)
        run([PYTHON, "-m", "venv", str(home.venv)])
    pip = [home.program("pip"), "--quiet", "--disable-pip-version-check", "install"]
    _once(home.venv / ".lock", _digest(LOCK), lambda: run([*pip, "--require-hashes", "-r", str(LOCK)]))
    source = _digest(*(p for name in CODE for p in _files(CHECKOUT / name)))
    changed = [
        _once(home.venv / f".{name}", source, partial(_install_own, home, pip, package))
        for name, package in (("ckanext-rnu", CHECKOUT / "ckanext-rnu"), ("rnu", CHECKOUT))
    ]
    code = folder(home.root / "code" / "deploy", home.users.owner, 0o755)
    for name in ("__init__.py", "wsgi.py", "headers.py", "headers.conf"):
        shutil.copy(CHECKOUT / "deploy" / name, code / name)
    return any(changed)


def _install_own(home: Home, pip: list[str], package: Path) -> None:
    """One of this project's packages, as it is now: setuptools would put in what a former build left behind."""
    shutil.rmtree(package / "build", ignore_errors=True)
    run([*pip, "--no-deps", "--no-build-isolation", "--force-reinstall", str(package)], cwd=home.root)


def _once(mark: Path, state: str, work: Callable[[], object]) -> bool:
    """Do work unless it was done for this very state; whether it was done."""
    if mark.exists() and mark.read_text() == state:
        return False
    mark.unlink(missing_ok=True)
    work()
    mark.write_text(state)
    return True


def _files(path: Path) -> list[Path]:
    kept = (p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts) if path.is_dir() else [path]
    return sorted(p for p in kept if p.exists() and ".egg-info" not in str(p))


def _digest(*paths: Path) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def configure(home: Home) -> None:
    """ckan.ini: CKAN's own template once, then the one list of settings, then what only this machine knows."""
    owner = home.users.web
    root = folder(home.ini.parent, owner, 0o700)
    for name in ("storage", "webassets", "sessions"):
        folder(root / name, owner, 0o700)
    site = Site(
        url=home.address,
        database=partial(postgres.url, home),
        redis=("127.0.0.1", home.port("redis")),
        solr=solr.address(home),
        root=root,
        releases=home.releases,
    )
    write_ini(home.program("ckan"), home.ini, site.settings())
    if home.users.apart:
        shutil.chown(home.ini, owner, owner)


def ckan(home: Home, *words: str) -> str:
    """One of CKAN's own commands, as CKAN's user."""
    environment = {
        **os.environ,
        "CKAN_INI": str(home.ini),
        "HOME": str(home.ini.parent),
        "PATH": f"{home.venv}/bin:/usr/bin:/bin",
    }
    return run([home.program("ckan"), *words], user=home.users.web, env=environment, cwd=home.ini.parent)


def make_tables(home: Home) -> None:
    """CKAN's tables and its plugins', and the DataStore's permissions."""
    ckan(home, "db", "upgrade")  # the plugins' too
    postgres.sql(home, without_connect(ckan(home, "datastore", "set-permissions")), "datastore")


def make_words(home: Home) -> None:
    """The catalogues for pages' scripts, afresh: CKAN's development server makes them, others must."""
    shutil.rmtree(home.ini.parent / "storage" / "i18n", ignore_errors=True)
    ckan(home, "translation", "js")


def without_connect(script: str) -> str:
    """The script without psql's own change of database, which would ask for a password."""
    return "\n".join(line for line in script.splitlines() if not line.startswith("\\connect"))


def make_admin(home: Home) -> None:
    """The administrator, with a password of its own."""
    if ADMIN not in ckan(home, "sysadmin", "list"):
        _make_user(home, ADMIN, home.secret("password-admin"))
        ckan(home, "sysadmin", "add", ADMIN)


def make_organisation(home: Home, name: str, title: str, publisher: str) -> None:
    """The organisation that datasets belong to, and the editor whose token publishes them. Needs CKAN to answer."""
    if publisher not in {
        line.split("name=")[-1].split()[0] for line in ckan(home, "user", "list").splitlines() if "name=" in line
    }:
        _make_user(home, publisher, home.secret(f"password-{publisher}"))
    with administrator(home) as api:
        try:
            known = api.call_action("organization_show", {"id": name, "include_users": True})
        except NotFound:
            api.call_action("organization_create", {"name": name, "title": title})
            known = {"users": []}
        if publisher not in {user["name"] for user in known["users"]}:
            member = {"id": name, "username": publisher, "role": "editor"}
            api.call_action("organization_member_create", member)


@contextmanager
def administrator(home: Home) -> Iterator[RemoteCKAN]:
    """CKAN's actions as the administrator, by a token that is gone afterwards."""
    token = new_token(home, ADMIN, "instalacion")
    api = RemoteCKAN(home.url, apikey=token)
    try:
        yield api
    finally:
        api.call_action("api_token_revoke", {"token": token})


def new_token(home: Home, user: str, name: str) -> str:
    """A new API token of a user."""
    return ckan(home, "user", "token", "add", "-q", user, name).strip().splitlines()[-1].strip()


def _make_user(home: Home, name: str, password: str) -> None:
    ckan(home, "user", "add", name, f"email={name}@ejemplo.invalid", f"password={password}")
