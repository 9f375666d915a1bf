"""The demo killed again and again, in a folder of its own: it finishes, and with the bytes of the undisturbed one."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from rnu.ledger import Ledger
from rnu.release.manifest import verify
from tests.line.institution import COMMAND

DEMO = Path(__file__).parents[2] / "demo"
KEY = Path("secrets") / "pseudonym.key"

pytestmark = [pytest.mark.demo, pytest.mark.slow]


def killed(home: Path, when: str, after: float) -> None:
    """Run the demo and kill it, and all that it started, some seconds after it told a step."""
    with subprocess.Popen(
        [*COMMAND, "demo", str(home)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        if when:
            assert any(line.startswith(when) for line in process.stdout), f"never told '{when}'"
        time.sleep(after)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def releases(home: Path) -> list[tuple[str, int, str]]:
    return [(r.period, r.revision, r.digest) for r in Ledger.beside(home).releases()]


def test_a_demo_killed_at_many_points_finishes_with_the_same_bytes(tmp_path):
    home = tmp_path / "demo"
    (home / KEY).parent.mkdir(parents=True)
    shutil.copy(DEMO / KEY, home / KEY)  # another key would give another provenance
    for when, after in (
        ("", 0.5),
        ("", 4),
        ("generate", 0.5),
        ("check      juntos", 0.1),
        ("protect    sis", 0.5),
        ("build      2026-01", 0.0),
        ("approve    2026-01", 1.0),
        ("approve    2026-02", 0.3),
    ):
        killed(home, when, after)
        for _, _, digest in releases(home) if (home / "ledger.sqlite").exists() else []:
            verify(home / "store" / "releases" / digest, digest)
    for said in ("The portal stands in", "Nothing new: everything was done before."):
        done = subprocess.run([*COMMAND, "demo", str(home)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    assert releases(home) == releases(DEMO)
    for _, _, digest in releases(home):
        verify(home / "portal" / "current" / "releases" / digest, digest)
