"""The guide for developers holds: every call in it is made, and answers as the page shows. On the demo's releases."""

import os
import subprocess
import sys

import pytest
from ckanapi import NotFound

from tests.ckan.conftest import clean
from tests.docs import pages
from tests.docs.pages import ROOT

pytestmark = pytest.mark.portal

GUIDE = ROOT / "docs" / "guia-de-la-api.md"
PATH = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"


@pytest.fixture(autouse=True, scope="module")
def nothing_but_the_demo(admin):
    clean(admin)


@pytest.fixture(autouse=True)
def with_the_demo(portal, visitor, monkeypatch):
    """The portal's address, for whatever the page runs."""
    try:
        visitor.action.package_show(id="rnu-usuarios")
    except NotFound:
        pytest.fail(f"{portal.url} does not show the demo's releases; `make portal` publishes them")
    monkeypatch.setenv("PORTAL", portal.url)


def test_every_call_answers_as_the_page_shows(tmp_path):
    made = pages.run(GUIDE, tmp_path, PATH)
    assert len(made) > 20
    for shown, came in made:
        # an answer of the API ends without a line's end, and CKAN escapes what is not ASCII
        answer = came if came.endswith("\n") or not came else f"{came}\n"
        assert pages.fits(shown.output, unescaped(answer)), f"{shown.command}\n{answer[:2000]}"


def test_no_call_stands_outside_of_what_is_run():
    others = [block for block in pages.blocks(GUIDE) if block.language not in ("console", "python")]
    assert [block.text.split("=")[0] for block in others] == ["export PORTAL"]


def test_the_python_program_runs(tmp_path, visitor):
    (program,) = (block.text for block in pages.blocks(GUIDE) if block.language == "python")
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert said.returncode == 0, said.stderr
    asked = {"resource_id": "rnu_usuarios_distrito", "filters": {"ubigeo": "240101"}, "limit": 0}
    rows = visitor.call_action("datastore_search", asked)["total"]
    assert rows > 20
    assert "2026-02" in said.stdout and f"{rows} filas" in said.stdout


def unescaped(answer: str) -> str:
    r"""The text with JSON's \u00e9 as é."""
    return answer.encode("latin-1", "backslashreplace").decode("unicode_escape") if "\\u00" in answer else answer
