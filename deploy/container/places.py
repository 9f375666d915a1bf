"""Where things are inside the containers: services by their names in docker-compose.yml, secrets in files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from deploy.native.machine import Failed
from deploy.native.postgres import ROLES
from deploy.site import Site

SECRETS = Path("/run/secrets")
ROOT = Path("/var/lib/ckan")
INI = Path("/srv/rnu/ckan.ini")
INSTITUTION = Path("/srv/institution")
RELEASES = Path("/srv/releases")
SOLR = "http://solr:8983/solr/ckan"
BIN = Path("/srv/rnu/venv/bin")

SUPERUSER = "postgres-superuser"
SECRET_KEY = "ckan-secret-key"  # noqa: S105 the name of a file
ADMIN_PASSWORD = "password-admin"  # noqa: S105 the name of a file
ALL_SECRETS = (*ROLES.values(), SUPERUSER, SECRET_KEY, ADMIN_PASSWORD)


def secret(name: str, folder: Path = SECRETS) -> str:
    """A secret that docker-compose.yml gives to this container; Failed if it does not."""
    try:
        return (folder / name).read_text(encoding="ascii").strip()
    except OSError as error:
        raise Failed(
            f"the secret {name} is not there\n  -> python -m deploy.container secrets, on the host; and name it among "
            "this service's secrets in docker-compose.yml"
        ) from error


def database(role: str, name: str) -> str:
    """A connection for SQLAlchemy."""
    return f"postgresql://{role}:{secret(ROLES[role])}@postgres:5432/{name}"


def site(environment: Mapping[str, str]) -> Site:
    """The portal as its containers see it; RNU_PORTAL_URL is the address with which visitors find it."""
    return Site(
        url=environment["RNU_PORTAL_URL"].rstrip("/"),
        database=database,
        redis=("redis", 6379),
        solr=SOLR,
        root=ROOT,
        releases=RELEASES,
    )


def settings() -> dict[str, str]:
    """What only these containers know of CKAN's settings, its secret key with them: all of them must have the same."""
    key = secret(SECRET_KEY)
    token = {f"api_token.jwt.{way}.secret": f"string:{key}" for way in ("encode", "decode")}
    return {**site(os.environ).settings(), "SECRET_KEY": key, **token}
