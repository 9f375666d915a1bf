"""The institution on this machine, the demo's or one's own: the worker's folder, published on the portal just begun."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.native import postgres
from deploy.native.ckan import administrator, make_organisation, new_token
from deploy.native.home import CHECKOUT, Home
from deploy.native.machine import Failed, run, trusted
from rnu.demo import PERIODS
from rnu.secrets import write_private
from rnu.settings import load

DEMO = CHECKOUT / "demo"
PORTAL = "ckan"
ORGANISATION = "midis"
TITLE = "Ministerio de Desarrollo e Inclusión Social"
SITE_TITLE = "Usuarios de los programas sociales: datos abiertos"
LAST = str(PERIODS[-1])  # the demo's deliveries end here
PUBLISHER = "publicador-rnu"  # an editor of the organisation: its token publishes, and may do nothing else


def settle(home: Home, origin: Path = DEMO) -> None:
    """Give the worker its own copy of an institution, with the portal among its portals; once."""
    if not home.institution.exists():
        if not (origin / "config" / "portals.toml").exists():
            demo = "make demo; or `--institution DIR`, for one that `rnu init` made"
            raise Failed(f"there is no institution in {origin}\n  -> {demo}")
        half = home.root / "institution.half"
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(origin, half, symlinks=True)
        half.chmod(0o700)
        if home.users.apart:
            run(["chown", "-R", f"{home.users.worker}:", str(half)])
        half.rename(home.institution)
    portals = home.institution / "config" / "portals.toml"
    words = portals.read_text(encoding="utf-8")
    if f'id = "{PORTAL}"' not in words:
        title = "Usuarios de los programas sociales: datos abiertos"
        entry = (
            f'id = "{PORTAL}"\nhow = "ckan"\nurl = "{home.address}"\ntitle = "{title}"\n'
            f'organization = "{ORGANISATION}"\n'
            f'desk = "{home.address}"\n'
        )
        portals.write_text(f"{words}\n[[portal]]\n{entry}", encoding="utf-8")

    _keep_in_database(home)
    _open_releases(home)


def _keep_in_database(home: Home) -> None:
    """The ledger's history in PostgreSQL, where CKAN asks for things and reads what became of them."""
    address = home.institution / "secrets" / "ledger.address"
    own = postgres.url(home, "rnu_worker", "rnu")
    if address.exists() and address.read_text().endswith(own.rpartition("@")[2]):
        address.unlink()  # the same database, maybe with a new password
    if not address.exists():
        write_private(address, own)
        _give(home, address, home.users.worker)
    rnu(home, "move-ledger")
    rnu(home, "status")  # makes the tables where there was nothing to move
    postgres.open_desk(home)


def _open_releases(home: Home) -> None:
    """Releases where CKAN's user can read them, and in the store a way there; killed in between, the next time."""
    inside = home.institution / "store" / "releases"
    if not inside.is_symlink():
        if not home.releases.exists():
            inside.rename(home.releases)
        elif inside.exists():
            inside.rmdir()
        inside.symlink_to(home.releases)
    if home.users.apart:
        run(["chown", "-hR", f"{home.users.worker}:{home.users.readers}", str(inside), str(home.releases)])
        run(["chmod", "-R", "g=rX,o=", str(home.releases)])
        home.releases.chmod(0o2750)


def _give(home: Home, path: Path, user: str) -> None:
    if home.users.apart:
        shutil.chown(path, user, user)


def publish(home: Home) -> str:
    """Publish what is approved, as the worker, with the publisher's token; what was said."""
    make_organisation(home, ORGANISATION, TITLE, PUBLISHER)
    token = home.institution / "secrets" / f"{PORTAL}.token"
    if not token.exists():
        write_private(token, new_token(home, PUBLISHER, "publicar"))
        _give(home, token, home.users.worker)
    try:
        return rnu(home, "publish", PORTAL).strip()
    except Failed as error:
        if "no release is approved" not in str(error):
            raise
        return "nothing is approved yet"  # a new institution: its portal is empty


def make_sources(home: Home) -> None:
    """A harvest source in CKAN for each of the institution's that has none; the demo's ask for its last period."""
    made_up = (home.institution / "entregas" / "truth_cells.parquet").exists()
    with administrator(home) as api:
        asked = {"fq": "+dataset_type:harvest", "include_private": True, "rows": 1000}
        known = {found["url"].split("/")[0] for found in api.call_action("package_search", asked)["results"]}
        for source in load(home.institution).sources:
            if f"rnu:{source.id}" in known:
                continue
            wanted = {"source_type": "rnu_roster", "padron": source.id, "frequency": "MANUAL"}
            wanted |= {"periodo": LAST} if made_up else {}
            named = {"name": f"padron-{source.id}", "title": source.title, "notes": f"Lo entrega: {source.owner}."}
            api.call_action("harvest_source_create", {"owner_org": ORGANISATION, "url": "rnu:", **named, **wanted})


def announced(home: Home) -> bool:
    """Whether the worker has said which sources there are."""
    return postgres.sql(home, "select count(*) from announcement", "rnu") != "0"


def rnu(home: Home, *words: str) -> str:
    """One of the line's own commands, as the worker."""
    own = {"HOME": str(home.institution), "PATH": f"{home.venv}/bin:/usr/bin:/bin", "LANG": "C.UTF-8"} | trusted()
    return run(
        [home.program("rnu"), *words, "--home", str(home.institution)], user=home.users.worker, env=own, cwd=home.root
    )
