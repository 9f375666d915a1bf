"""The demo's institution on this machine: the worker's own folder, published on the portal that was just brought up."""

from __future__ import annotations

import shutil

from deploy.native.ckan import make_organisation, new_token
from deploy.native.home import CHECKOUT, Home
from deploy.native.machine import Failed, run
from rnu.secrets import write_private

DEMO = CHECKOUT / "demo"
PORTAL = "ckan"
ORGANISATION = "midis"
TITLE = "Ministerio de Desarrollo e Inclusión Social"
SITE_TITLE = "Usuarios de los programas sociales: datos abiertos"
PUBLISHER = "publicador-rnu"  # an editor of the organisation: its token publishes, and may do nothing else


def settle(home: Home) -> None:
    """Give the worker its own copy of the demo's institution, with the portal among its portals; once."""
    if not (DEMO / "ledger.sqlite").exists():
        raise Failed("there is no demo yet\n  -> make demo")
    if not home.institution.exists():
        half = home.root / "institution.half"
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(DEMO, half, symlinks=True)
        half.chmod(0o700)
        if home.users.apart:
            run(["chown", "-R", f"{home.users.worker}:", str(half)])
        half.rename(home.institution)
    portals = home.institution / "config" / "portals.toml"
    words = portals.read_text(encoding="utf-8")
    if f'id = "{PORTAL}"' not in words:
        title = "Usuarios de los programas sociales: datos abiertos"
        entry = (
            f'id = "{PORTAL}"\nhow = "ckan"\nurl = "{home.url}"\ntitle = "{title}"\norganization = "{ORGANISATION}"\n'
        )
        portals.write_text(f"{words}\n[[portal]]\n{entry}", encoding="utf-8")


def publish(home: Home) -> str:
    """Publish what is approved, as the worker, with the publisher's token; what was said."""
    make_organisation(home, ORGANISATION, TITLE, PUBLISHER)
    token = home.institution / "secrets" / f"{PORTAL}.token"
    if not token.exists():
        write_private(token, new_token(home, PUBLISHER, "publicar"))
        if home.users.apart:
            shutil.chown(token, home.users.worker, home.users.worker)
    return rnu(home, "publish", PORTAL).strip()


def rnu(home: Home, *words: str) -> str:
    """One of the line's own commands, as the worker."""
    own = {"HOME": str(home.institution), "PATH": f"{home.venv}/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    return run(
        [home.program("rnu"), *words, "--home", str(home.institution)], user=home.users.worker, env=own, cwd=home.root
    )
