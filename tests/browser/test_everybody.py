"""Visitors' and stewards' pages can be used by everybody, at a desk and with a phone: axe finds nothing serious."""

import pytest

from tests.browser.look import barriers, too_wide
from tests.ckan.conftest import NAMES, ORGANISATION
from tests.ckan.desk import needs_chromium
from tests.line.institution import PERIODS

pytestmark = [pytest.mark.portal, needs_chromium, pytest.mark.usefixtures("served")]

VISITOR = (
    "/",
    "/about",
    "/dataset/?q=ninos",
    f"/dataset/{NAMES[0]}",
    f"/organization/{ORGANISATION}",
    "/user/login",
    "/no-existe",
)
STEWARD = ("/harvest/", "/harvest/new")


@pytest.mark.parametrize("path", VISITOR)
def test_a_visitors_page_has_no_barrier(portal, reader, path):
    reader.goto(f"{portal.url}{path}")
    assert barriers(reader) == []


@pytest.mark.parametrize("role", ["serie", "publicacion"])
def test_the_page_of_a_file_has_no_barrier(portal, visitor, reader, role):
    resources = visitor.action.package_show(id=NAMES[0])["resources"]
    own = next(
        r["id"] for r in resources if r["rnu_nivel"] == "distrito" and (r["rnu_papel"] == "serie") == (role == "serie")
    )
    reader.goto(f"{portal.url}/dataset/{NAMES[0]}/resource/{own}")
    assert barriers(reader) == []


def test_the_desk_has_no_barrier_and_fits(desk, steward, size):
    steward.set_viewport_size(size)
    release = desk.page(desk.digest(PERIODS[-1]))
    for page in (f"{desk.url}/mesa/", f"{desk.url}/mesa/llaves", release, f"{release}?nivel=distrito"):
        steward.goto(page)
        assert (page, barriers(steward), too_wide(steward)) == (page, [], [])


@pytest.mark.parametrize("path", STEWARD)
def test_the_sources_have_no_barrier_and_fit(desk, steward, size, path):
    steward.set_viewport_size(size)
    steward.goto(f"{desk.url}{path}")
    assert (barriers(steward), too_wide(steward)) == ([], [])


def test_a_steward_reaches_every_button_of_a_release(desk, steward, size):
    steward.set_viewport_size(size)
    steward.goto(desk.page(desk.digest(PERIODS[-1])))
    steward.get_by_role("link", name="Ir a la decisión").click()
    for name in ("Aprobar con mi llave", "Devolver con mi llave"):
        button = steward.get_by_role("button", name=name)
        button.click(trial=True)  # in sight, and nothing lies over it
        box = button.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"]
        assert box["height"] >= 24  # WCAG 2.2, 2.5.8


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ('<img src="/x.png">', "image-alt"),
        ('<p style="color: #bbb; background: #fff">Casi no se lee</p>', "color-contrast"),
        ('<button type="button"></button>', "button-name"),
    ],
)
def test_a_barrier_that_stands_on_a_page_is_found(portal, reader, planted, rule):
    reader.goto(portal.url)
    reader.evaluate("html => document.querySelector('h1').insertAdjacentHTML('afterend', html)", planted)
    assert [found.split(":")[0] for found in barriers(reader)] == [rule]
