"""What each container does before its program starts, and what the host needs once: its secrets."""

from __future__ import annotations

import os
import pwd
import secrets as random
import shutil
import subprocess
import sys
from pathlib import Path

import click

from deploy.container import database, places
from deploy.native.ckan import ADMIN, without_connect
from deploy.native.machine import Failed
from deploy.site import write_ini
from deploy.solr.configuration import write_configuration
from rnu.ledger import Ledger
from rnu.secrets import LEDGER_ENV, write_private

CKAN, WORKER, READERS = "ckan", "rnu-worker", "rnu-releases"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The portal's containers.

    \b
    Begin with:  python -m deploy.container secrets
    """


@main.command("secrets")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("secrets"))
def make_secrets(folder: Path) -> None:
    """On the host: make the secrets that are not there yet, each in a file that only its owner can read.

    \b
    Example:
      python -m deploy.container secrets
    """
    for name in places.ALL_SECRETS:
        if not (folder / name).exists():
            write_private(folder / name, random.token_urlsafe(32))
            click.echo(f"made {folder / name}")


@main.command("solr")
@click.argument("folder", type=click.Path(path_type=Path))
def write_solr(folder: Path) -> None:
    """While the image is built: write Solr's configuration.

    \b
    Example:
      python -m deploy.container solr /srv/solr
    """
    (schema,) = (places.BIN.parent / "lib").glob("python3*/site-packages/ckan/config/solr/schema.xml")
    write_configuration(schema, Path("/srv/rnu"), folder)


@main.command()
def setup() -> None:
    """Make or upgrade databases, tables, rights, the ledger, the index and the administrator; then end.

    \b
    Example:
      python -m deploy.container setup
    """
    database.make()
    Ledger(places.database("rnu_worker", "rnu")).upgrade()
    database.open_desk()
    write_ini(str(places.BIN / "ckan"), places.INI, places.settings())
    _ckan("db", "upgrade")
    database.run(without_connect(_ckan("datastore", "set-permissions")), "datastore")
    shutil.rmtree(places.ROOT / "storage" / "i18n", ignore_errors=True)
    _ckan("translation", "js")
    if ADMIN not in _ckan("sysadmin", "list"):
        password = f"password={places.secret(places.ADMIN_PASSWORD)}"
        _ckan("user", "add", ADMIN, f"email={ADMIN}@ejemplo.invalid", password)
        _ckan("sysadmin", "add", ADMIN)
    _ckan("search-index", "rebuild")
    _give(places.ROOT, CKAN)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("user", type=click.Choice([CKAN, WORKER]))
@click.argument("command", nargs=-1, required=True)
def run(user: str, command: tuple[str, ...]) -> None:
    """Read the secrets as root, then become a user who cannot, and that user's program.

    \b
    Example:
      python -m deploy.container run ckan ckan jobs worker
    """
    if user == CKAN:
        write_ini(str(places.BIN / "ckan"), places.INI, places.settings())
        _give(places.INI, CKAN)
        own = {"CKAN_INI": str(places.INI), "HOME": str(places.ROOT)}
    else:
        _open_institution()
        key = places.INSTITUTION / "secrets" / "builder.pem"
        own = {LEDGER_ENV: places.database("rnu_worker", "rnu"), "RNU_SIGNING_KEY_FILE": str(key)}
    who = pwd.getpwnam(user)
    os.initgroups(user, who.pw_gid)
    os.setgid(who.pw_gid)
    os.setuid(who.pw_uid)
    environment = {**os.environ, "HOME": str(places.INSTITUTION), **own, "PATH": f"{places.BIN}:/usr/bin:/bin"}
    os.execvpe(command[0], command, environment)  # noqa: S606


def _open_institution() -> None:
    """The worker's folder for the worker alone, but for its releases, which CKAN's group reads."""
    places.INSTITUTION.chmod(0o700)
    _give(places.INSTITUTION, WORKER)
    inside = places.INSTITUTION / "store" / "releases"
    if inside.parent.is_dir() and not inside.exists():
        inside.symlink_to(places.RELEASES)
    shutil.chown(places.RELEASES, WORKER, READERS)
    places.RELEASES.chmod(0o2750)


def _give(path: Path, user: str) -> None:
    for one in (path, *path.rglob("*")):
        shutil.chown(one, user)


def _ckan(*words: str) -> str:
    """One of CKAN's own commands; Failed says which one ended badly, its words left out: they may be a password."""
    environment = {**os.environ, "CKAN_INI": str(places.INI)}
    done = subprocess.run([places.BIN / "ckan", *words], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise Failed(f"ckan {' '.join(words[:2])} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        click.echo(f"Failed: {error}", err=True)
        sys.exit(1)
