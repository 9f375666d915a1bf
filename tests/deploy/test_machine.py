"""A machine that lacks something, and a user who may not install it."""

import subprocess
import sys

from deploy.native.home import CHECKOUT
from deploy.native.machine import FOR_TESTS, NEEDED

AS_NOBODY = """
import os
from deploy.native.__main__ import main

if os.geteuid() == 0:
    os.setuid(65534)
main(["tools"])
"""


def test_without_root_every_package_that_is_missing_is_named_at_once_with_the_command_that_brings_it():
    asked = [sys.executable, "-c", AS_NOBODY]
    said = subprocess.run(asked, cwd=CHECKOUT, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert said.returncode == 1, said.stderr
    lacking, remedy = said.stderr.strip().splitlines()
    packages = lacking.removeprefix("Missing: this machine lacks: ").split()
    assert {"redis-server", "maven", "gcc", "chromium", "docker-compose"} <= set(packages)
    assert set(packages) <= {*NEEDED.values(), *FOR_TESTS.values()}
    assert remedy == f"  -> as root: apt-get install {' '.join(packages)}"
