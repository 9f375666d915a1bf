"""A browser before the institution, the portal and the desk that tests/ckan makes."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.ckan.conftest import (  # noqa: F401 pytest finds its fixtures by these names
    admin,
    browser,
    desk,
    kept,
    mail,
    portal,
    served,
    signed,
    steward,
    visitor,
)

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture(params=WIDTHS)
def size(request) -> dict[str, int]:
    """A screen's width and height."""
    return dict(zip(("width", "height"), WIDTHS[request.param], strict=True))


@pytest.fixture
def reader(browser: Browser, size) -> Iterator[Page]:  # noqa: F811
    """A visitor's page on such a screen."""
    with browser.new_context(viewport=size, locale="es-PE") as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        yield page
