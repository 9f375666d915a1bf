"""The portal's own folder on this machine: where everything lies, on which ports it listens, who runs it."""

from __future__ import annotations

import os
import pwd
import secrets
from dataclasses import dataclass
from pathlib import Path

from rnu.secrets import write_private

CHECKOUT = Path(__file__).parents[2]
FIRST_PORT = 8810
SERVICES = ("web", "postgres", "redis", "solr")


@dataclass(frozen=True, slots=True)
class Users:
    """Which user of the machine runs what. Without the right to change users all are the one who calls."""

    postgres: str
    web: str  # CKAN's pages, jobs and scheduler: reads releases, nothing of persons
    worker: str  # the line: holds deliveries, rosters and the pseudonym key
    readers: str = ""  # the group of both, which reads releases; empty where all are one user

    @classmethod
    def of_machine(cls) -> Users:
        """Users of their own where we may make them."""
        if os.geteuid() == 0:
            return cls("postgres", "rnu-ckan", "rnu-worker", "rnu-releases")
        own = pwd.getpwuid(os.geteuid()).pw_name
        return cls(own, own, own)

    @property
    def owner(self) -> str:
        """Whose the portal's own folders are."""
        return "root" if self.apart else self.web

    @property
    def apart(self) -> bool:
        """Whether CKAN's user is another one than the worker's."""
        return self.web != self.worker


@dataclass(frozen=True, slots=True)
class Home:
    """The folder, and what follows from it."""

    root: Path
    first_port: int
    users: Users

    @classmethod
    def of_machine(cls) -> Home:
        """RNU_PORTAL_HOME and RNU_PORTAL_PORT, or where a machine keeps such things."""
        users = Users.of_machine()
        usual = Path("/var/lib/rnu-portal") if users.apart else Path.home() / ".local" / "share" / "rnu-portal"
        root = Path(os.environ.get("RNU_PORTAL_HOME", usual)).absolute()
        return cls(root, int(os.environ.get("RNU_PORTAL_PORT", FIRST_PORT)), users)

    def port(self, service: str) -> int:
        """The port of a service, on 127.0.0.1."""
        return self.first_port + SERVICES.index(service)

    @property
    def url(self) -> str:
        """Where it answers on this machine: by a name, since browsers bind passkeys to names and not to numbers."""
        return f"http://localhost:{self.port('web')}"

    @property
    def address(self) -> str:
        """Where visitors find the portal: RNU_PORTAL_URL behind a web server of its own, else on this machine alone."""
        return os.environ.get("RNU_PORTAL_URL", self.url).rstrip("/")

    @property
    def venv(self) -> Path:
        """The portal's environment: made from the machine's own Python, so that every user can run it."""
        return self.root / "venv"

    def program(self, name: str) -> str:
        """A program of the portal's environment."""
        return str(self.venv / "bin" / name)

    @property
    def ini(self) -> Path:
        """CKAN's settings on this machine, secrets included: 0600, CKAN's user's."""
        return self.root / "ckan" / "ckan.ini"

    @property
    def institution(self) -> Path:
        """The institution's folder: the worker's alone."""
        return self.root / "institution"

    @property
    def releases(self) -> Path:
        """The institution's releases, out of its folder so that CKAN's user needs no way through that."""
        return self.root / "releases"

    def secret(self, name: str) -> str:
        """A generated password, made once, in a file that only root, or the one user, can read."""
        path = self.root / "secrets" / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text()
