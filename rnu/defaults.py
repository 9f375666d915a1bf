"""The configuration and schemas that come with the project, and how an institution gets its own copy of them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import rnu
from rnu.errors import SettingsError

COPIED = ("config", "schemas")


def folder() -> Path:
    """Where `config/` and `schemas/` stand: inside the installed package, or at the root of a checkout."""
    package = Path(rnu.__file__).parent
    packaged = package / "_defaults"
    return packaged if packaged.is_dir() else package.parent


def copy(home: Path) -> None:
    """Copy `config/` and `schemas/` into an institution's folder, whole or not at all.

    Raises SettingsError if one of them is there already: an institution's own words are never written over.
    """
    for name in COPIED:
        if (home / name).exists():
            raise SettingsError(
                "this folder is an institution's already",
                where=str(home / name),
                remedy="name another folder, or move it away",
            )
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".init-", dir=home) as half:
        for name in COPIED:
            shutil.copytree(folder() / name, Path(half) / name, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        for name in reversed(COPIED):  # config/ last: what has it is whole
            (Path(half) / name).replace(home / name)
