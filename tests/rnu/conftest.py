"""What several tests share: a finished release, and a PostgreSQL with the roles and databases of a real portal."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.native import postgres
from deploy.native.home import Home, Users
from deploy.native.machine import make_users, postgres_program
from tests.rnu import release_examples as ex


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """A release as it is built; who changes one takes a copy."""
    folder = tmp_path_factory.mktemp("built") / "release"
    ex.build_in(folder)
    return folder


@pytest.fixture
def copy(release, tmp_path) -> Path:
    """A release to change."""
    shutil.copytree(release, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Home]:
    """Debian's PostgreSQL in a temporary folder; its driver is CKAN's, and stands in the portal's environment."""
    pytest.importorskip("psycopg2", reason="run with the pytest of the portal's environment")
    if not postgres_program("initdb"):
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    root = Path(tempfile.mkdtemp(prefix="rnu-postgres-"))
    root.chmod(0o755)
    (root / "run").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        home = Home(root, free.getsockname()[1] - 1, Users.of_machine())
    make_users(home)
    postgres.make_cluster(home)
    command = [postgres_program("postgres"), "-D", str(root / "postgres" / "data")]
    if home.users.apart:
        command = ["/usr/sbin/runuser", "-u", home.users.postgres, "--", *command]
    with (root / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd="/") as server:
        deadline = time.monotonic() + 30
        while not postgres.answers(home):
            assert time.monotonic() < deadline, (root / "log").read_text()
            time.sleep(0.1)
        postgres.make_databases(home)
        yield home
        pid = (root / "postgres" / "data" / "postmaster.pid").read_text().split()[0]
        subprocess.run(["kill", "-INT", pid], check=True)
        server.wait(timeout=30)
    shutil.rmtree(root)


@pytest.fixture
def database(cluster) -> Home:
    """The same with an empty ledger's database."""
    return emptied(cluster)


def emptied(home: Home) -> Home:
    postgres.sql(home, "drop database if exists rnu with (force)")
    postgres.make_databases(home)
    return home
