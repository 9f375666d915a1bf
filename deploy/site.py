"""What only one machine knows of a portal, by CKAN's names for it: addresses, folders and secrets.

Everything else stands in settings.ini. A native portal and one of containers both write their ckan.ini here.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.native.machine import Failed

SETTINGS = Path(__file__).with_name("settings.ini")


@dataclass(frozen=True, slots=True)
class Site:
    """One portal's addresses."""

    url: str  # with which visitors find it
    database: Callable[[str, str], str]  # role, database -> SQLAlchemy address, password included
    redis: tuple[str, int]
    solr: str
    root: Path  # CKAN's own folder
    releases: Path

    def settings(self) -> dict[str, str]:
        """CKAN's settings that follow from them."""
        host, port = self.redis
        secure = str(self.url.startswith("https://")).lower()
        return {
            "sqlalchemy.url": self.database("ckan", "ckan"),
            "ckan.datastore.write_url": self.database("ckan", "datastore"),
            "ckan.datastore.read_url": self.database("datastore_reader", "datastore"),
            "ckanext.rnu.ledger": self.database("rnu_ckan", "rnu"),
            "ckanext.rnu.releases": str(self.releases),
            "ckan.redis.url": f"redis://{host}:{port}/0",
            "ckan.harvest.mq.hostname": host,
            "ckan.harvest.mq.port": str(port),
            "ckan.harvest.mq.redis_db": "1",
            "solr_url": self.solr,
            "ckan.site_url": self.url,
            "ckan.storage_path": str(self.root / "storage"),
            "ckan.webassets.path": str(self.root / "webassets"),
            "SESSION_COOKIE_SECURE": secure,
            "REMEMBER_COOKIE_SECURE": secure,
        }


def write_ini(ckan: str, ini: Path, own: Mapping[str, str]) -> None:
    """Write ckan.ini, 0600: CKAN's own template once, then settings.ini, then what only this machine knows.

    `ckan` is the program; Failed shows the end of what it said. Secrets go through a file: other users of the machine
    can read a program's arguments.
    """
    if not ini.exists():
        half = ini.with_name(f"{ini.name}.half")
        half.unlink(missing_ok=True)
        _run(ckan, "generate", "config", str(half))
        half.rename(ini)
    ini.chmod(0o600)
    # CKAN's template has it, empty, and sends `Domain=` for it: a cookie that strict clients do not take
    lines = ini.read_text(encoding="utf-8").splitlines(keepends=True)
    ini.write_text("".join(one for one in lines if not one.startswith("SESSION_COOKIE_DOMAIN")), encoding="utf-8")
    _run(ckan, "config-tool", str(ini), "-f", str(SETTINGS))
    with tempfile.NamedTemporaryFile("w", suffix=".ini", dir=ini.parent) as file:  # 0600
        file.write("[app:main]\n" + "".join(f"{name} = {value}\n" for name, value in own.items()))
        file.flush()
        _run(ckan, "config-tool", str(ini), "-f", file.name)


def _run(*command: str) -> None:
    environment = {**os.environ, "PATH": f"{Path(command[0]).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise Failed(f"{' '.join(command[:3])} ended with {done.returncode} and said: {last}")
