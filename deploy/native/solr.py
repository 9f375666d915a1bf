"""The portal's own Solr: its jars from Maven Central, its schema from CKAN's."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.native.home import CHECKOUT, Home
from deploy.native.machine import folder, run
from deploy.solr.configuration import write_configuration

HERE = CHECKOUT / "deploy" / "solr"
CORE = "ckan"


def install(home: Home) -> bool:
    """Jars, once for a version, and the configuration; whether what is indexed, or how, is another one now."""
    root = folder(home.root / "solr", home.users.web, 0o755)
    wanted = (HERE / "pom.xml").read_bytes()
    if not (root / "pom.xml").exists() or (root / "pom.xml").read_bytes() != wanted:
        build = root / "build"
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir()
        (build / "pom.xml").write_bytes(wanted)
        run(["mvn", "-B", "-q", "dependency:copy-dependencies"], cwd=build)
        shutil.rmtree(root / "lib", ignore_errors=True)
        (build / "lib").rename(root / "lib")
        (build / "pom.xml").rename(root / "pom.xml")
        shutil.rmtree(build)
    shutil.copy(HERE / "Launcher.java", root / "Launcher.java")
    core = root / "home" / CORE
    before = _configuration(core / "conf")
    write_configuration(_ckan_schema(home), CHECKOUT, core / "conf")
    shutil.copy(HERE / "solr.xml", root / "home" / "solr.xml")
    shutil.copy(HERE / "core.properties", core / "core.properties")
    folder(home.root / "log" / "solr", home.users.web, 0o750)
    for path in (root / "home", *(root / "home").rglob("*")):
        shutil.chown(path, home.users.web) if home.users.apart else None
    return before != _configuration(core / "conf")


def _configuration(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()} if folder.is_dir() else {}


def _ckan_schema(home: Home) -> Path:
    (found,) = (home.venv / "lib").glob("python3*/site-packages/ckan/config/solr/schema.xml")
    return found


def address(home: Home) -> str:
    """Where CKAN finds it."""
    return f"http://127.0.0.1:{home.port('solr')}/solr/{CORE}"
