"""The package works where it is installed: from a wheel with its own defaults, and from a checkout as it stands."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from rnu import defaults, provenance

ROOT = Path(__file__).parents[2]
SOURCES = ("rnu", "harvesters", "anonymize", "config", "schemas")
FILES = ("setup.py", "pyproject.toml", "requirements.lock", "README.md", "LICENSE")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel, built away from the checkout so that nothing is left in it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-q", "--no-index", "-w", str(folder), str(source)], check=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The `rnu` of a new environment: the wheel, and beside it this environment's libraries, but not this checkout."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", f"--python={folder / 'bin' / 'python'}"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")  # .pth files inside are not read
    return folder / "bin" / "rnu"


def run(program: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("RNU_", "PYTHON"))}
    call = [str(program), *arguments]
    return subprocess.run(
        call, check=False, capture_output=True, text=True, cwd="/", env=clean | environment, timeout=120
    )


def test_the_wheel_carries_what_the_line_needs_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "rnu/_defaults/config/sources.toml",
        "rnu/_defaults/config/reference/ubigeo.csv",
        "rnu/_defaults/schemas/rosters/sis.json",
        "rnu/_defaults/schemas/tables/conteos.json",
        "rnu/_defaults/requirements.lock",
        "rnu/migrations/versions/0001_first_tables.py",
        "rnu/publish/templates/index.html",
    ):
        assert needed in names
    assert [n for n in names if n.startswith(("tests/", "bench/", "demo/")) or "__pycache__" in n] == []


def test_from_a_wheel_an_institution_is_made_and_a_file_checked(installed, fresh, tmp_path):
    home = tmp_path / "institution"
    made = run(installed, "init", str(home))
    assert made.returncode == 0, made.stderr
    for name in ("config", "schemas"):
        ours = {p.relative_to(ROOT / name): p.read_bytes() for p in (ROOT / name).rglob("*") if _copied(p)}
        theirs = {p.relative_to(home / name): p.read_bytes() for p in (home / name).rglob("*") if p.is_file()}
        assert theirs == ours
    delivery = fresh.home / "entregas" / "pca" / "2026-01" / "pca.csv"
    checked = run(installed, "check", "pca", str(delivery), RNU_HOME=str(home))
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith("pca: accepted.")


def _copied(path: Path) -> bool:
    return path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts


def test_the_wheel_is_what_runs_there(installed):
    python = installed.with_name("python")
    where = run(python, "-c", "import rnu, anonymize, harvesters; print(rnu.__file__, anonymize.__file__)")
    assert where.returncode == 0, where.stderr
    assert where.stdout.count(str(installed.parents[1])) == 2


def test_installed_and_from_a_checkout_it_is_the_same_program(installed):
    """Else a portal would take in and build again what a checkout had built."""
    told = "from rnu import provenance; print(provenance.code_digest(), provenance.lock_digest())"
    where = run(installed.with_name("python"), "-c", told)
    assert where.returncode == 0, where.stderr
    assert where.stdout.split() == [provenance.code_digest(), provenance.lock_digest()]
    assert provenance.lock_digest() == provenance.file_digest(ROOT / "requirements.lock")


def test_the_lock_file_counts_only_while_what_it_names_is_installed():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert provenance.other_versions(lock) == {}
    assert provenance.other_versions(f"{lock}\npip==0.0.1\nnot-installed==1.0") == {"pip": metadata.version("pip")}


def test_a_checkout_reads_its_defaults_where_they_stand():
    assert defaults.folder() == ROOT
    assert (defaults.folder() / "config" / "sources.toml").is_file()


def test_both_lock_files_name_the_same_versions():
    """So that one program runs alike in the line's environment and in the portal's."""
    line, portal = (_locked(ROOT / name) for name in ("requirements.lock", "requirements-portal.lock"))
    assert len(line) > 50
    assert {name: portal.get(name) for name in line} == line


def _locked(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9_.-]+)(?:\[[a-z,]+\])?==(\S+)", path.read_text(encoding="utf-8"), re.M))
