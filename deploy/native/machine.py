"""What the machine must have before anything is started: packages, users, folders; and how to run as somebody."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.native.home import Home

# what is looked for, and the Debian package that brings it
NEEDED = {
    "initdb": "postgresql",
    "redis-server": "redis-server",
    "javac": "openjdk-17-jdk-headless",
    "mvn": "maven",
    "ensurepip": "python3-venv",
    "pg_config": "libpq-dev",  # psycopg2, CKAN's driver, comes as source: it is compiled once
    "cc": "gcc",
    "Python.h": "python3-dev",
}
# what the tests look at the portal with, beside these
FOR_TESTS = {
    "chromium": "chromium",
    "nginx": "nginx-light",
    "docker-compose": "docker-compose",
    "curl": "curl",
    "ss": "iproute2",
}
PYTHON = "/usr/bin/python3"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")  # what `update-ca-certificates` writes
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Missing(Exception):
    """The machine lacks something; the text says what, and how to get it."""


class Failed(Exception):
    """A program that set-up needs ended badly; the text says which, where and what it said last."""


def postgres_program(name: str) -> str:
    """A program of the newest PostgreSQL; Debian keeps them out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[4]))
    return str(found[-1]) if found else shutil.which(name) or ""


def trusted() -> dict[str, str]:
    """So that our programs trust whom the machine trusts, an institution's own authority too, and not a fixed list."""
    return {"REQUESTS_CA_BUNDLE": str(AUTHORITIES)} if AUTHORITIES.exists() else {}


def missing(needed: Mapping[str, str] = NEEDED) -> list[str]:
    """Debian packages that the machine lacks, of those named beside the programs that they bring."""
    has = {
        "initdb": bool(postgres_program("initdb")),
        "ensurepip": _succeeds(PYTHON, "-c", "import ensurepip"),
        "Python.h": _succeeds(PYTHON, "-c", "import os, sysconfig as s; os.stat(s.get_path('include') + '/Python.h')"),
    }
    found = {program: has.get(program, shutil.which(program, path=PLACES) is not None) for program in needed}
    return [package for program, package in needed.items() if not found[program]]


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def install_packages(needed: Mapping[str, str] = NEEDED) -> list[str]:
    """Install what is missing where we may; Missing says what to ask for where we may not."""
    lacking = missing(needed)
    if not lacking:
        return []
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Missing(f"this machine lacks: {' '.join(lacking)}\n  -> as root: apt-get install {' '.join(lacking)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], env=environment)
    # RUNLEVEL=1: Debian's own services are not started; the portal's have folders and ports of their own
    run(["apt-get", "install", "-y", "-qq", *lacking], env={**environment, "RUNLEVEL": "1"})
    return lacking


def make_users(home: Home) -> None:
    """The system users that run the portal, where we may make them."""
    if not home.users.apart:
        return
    for user in (home.users.web, home.users.worker):
        if subprocess.run(["id", "-u", user], capture_output=True, check=False).returncode:
            run(
                [
                    "useradd",
                    "--system",
                    "--no-create-home",
                    "--home-dir",
                    str(home.root),
                    "--shell",
                    "/usr/sbin/nologin",
                    user,
                ]
            )


def make_readers(home: Home) -> None:
    """The group that reads releases, and its members."""
    if not home.users.apart:
        return
    run(["groupadd", "--system", "--force", home.users.readers])
    for user in (home.users.web, home.users.worker):
        run(["usermod", "--append", "--groups", home.users.readers, user])


def folder(path: Path, owner: str, mode: int) -> Path:
    """A folder that belongs to somebody, made if it is not there."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    if os.geteuid() == 0:
        shutil.chown(path, owner, owner)
    return path


def as_user(user: str) -> tuple[str, ...]:
    """What goes before a command to run it as somebody, where we may."""
    return ("/usr/sbin/runuser", "-u", user, "--") if user and os.geteuid() == 0 else ()


def run(
    command: Sequence[str],
    *,
    user: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str:
    """Run a program to its end, as somebody; what it printed. Failed shows its last lines."""
    asked = [*as_user(user), *command]
    done = subprocess.run(
        asked, input=stdin, capture_output=True, text=True, cwd=cwd, env=dict(env) if env else None, check=False
    )
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise Failed(f"{Path(command[0]).name} {' '.join(command[1:3])} ended with {done.returncode}:\n{last}")
    return done.stdout
