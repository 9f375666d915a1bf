"""Put `config/`, `schemas/` and the lock file inside the wheel; a checkout reads them where they stand."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithDefaults(build_py):
    """Copy the defaults beside the packages while a wheel is built."""

    def run(self) -> None:
        """Build the packages, then add the defaults; an editable install has no build folder and needs none."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "rnu" / "_defaults"
            for name in ("config", "schemas"):
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(HERE / name, target / name, dirs_exist_ok=True, ignore=ignored)
            shutil.copy(HERE / "requirements.lock", target)


setup(cmdclass={"build_py": BuildWithDefaults})
