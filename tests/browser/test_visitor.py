"""A visitor finds, reads and downloads, at a desk and with a phone."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Page

from tests.browser.look import too_wide
from tests.ckan.conftest import PREFIX
from tests.ckan.desk import needs_chromium

pytestmark = [pytest.mark.portal, needs_chromium, pytest.mark.usefixtures("served")]

DISTRICT = "240101"  # the town of Tumbes, the institution's largest
COLUMNS = ("Nombre del programa", "Ubigeo", "Distrito")


@dataclass(frozen=True)
class Figure:
    """One number of a table, as the page says it."""

    programme: str
    ubigeo: str
    district: str
    users: int


def search(page: Page, address: str, words: str) -> None:
    """Ask the home page for something."""
    page.goto(address)
    page.get_by_role("searchbox", name="Buscar en los datos").fill(words)
    page.locator(".rnu-search").get_by_role("button", name="Buscar").click()
    page.wait_for_url("**/dataset/?q=*")


def open_table(page: Page, address: str) -> None:
    """Go from the home page to the table of districts, by what can be clicked."""
    search(page, address, "ninos")
    assert too_wide(page) == []
    page.locator(f'.dataset-heading a[href$="/{PREFIX}-usuarios"]').click()
    page.wait_for_url(f"**/dataset/{PREFIX}-usuarios")
    assert too_wide(page) == []
    page.get_by_role("link", name="Ver Distritos en línea").click()
    page.get_by_role("heading", name="Ver los datos").wait_for()
    assert too_wide(page) == []


def district(page: Page) -> Figure:
    """Narrow the table to one district, and read the first number that is shown."""
    page.get_by_label("Lugar o ubigeo").fill(DISTRICT)
    page.get_by_role("button", name="Ver", exact=True).click()
    page.wait_for_url(f"**lugar={DISTRICT}*")
    assert {cell.strip() for cell in page.locator('td[data-label="Ubigeo"]').all_inner_texts()} == {DISTRICT}
    row = page.locator(".rnu-data tbody tr").filter(has=page.locator("td.n", has_text=re.compile(r"^[\d\s]+$"))).first
    cell = (row.locator(f'td[data-label="{name}"]').inner_text() for name in COLUMNS)
    users = int(re.sub(r"\D", "", row.locator("td.n").inner_text()))
    return Figure(*cell, users)


def download(page: Page, name: str | re.Pattern[str]) -> Path:
    """The file behind one of the page's links."""
    with page.expect_download() as coming:
        page.get_by_role("link", name=name).first.click()
    return coming.value.path()


def figures(rows: list[dict]) -> set[Figure]:
    """The programmes' totals in a district."""
    return {
        Figure(row["nombre_programa"], row["ubigeo"], row["distrito"], int(row["usuarios"]))
        for row in rows
        if row["ubigeo"] == DISTRICT
        and {row["sexo"], row["grupo_edad"], row["cse"], row["situacion"]} == {"total"}
        and row["usuarios"] not in (None, "")
    }


def test_a_visitor_finds_a_districts_figure_and_downloads_it(portal, reader):
    open_table(reader, portal.url)
    shown = district(reader)
    assert too_wide(reader) == []
    assert (shown.ubigeo, shown.district, shown.users > 0) == (DISTRICT, "Tumbes", True)

    text = download(reader, re.compile("^Descargar CSV")).read_text(encoding="utf-8-sig")
    assert re.match(r"periodo,.*\bubigeo,departamento,provincia,distrito,", text)
    assert shown in figures(list(csv.DictReader(io.StringIO(text))))

    book = openpyxl.load_workbook(io.BytesIO(download(reader, re.compile("XLSX$")).read_bytes()), read_only=True)
    header, *rows = book.worksheets[0].iter_rows(values_only=True)
    assert shown in figures([dict(zip(header, row, strict=True)) for row in rows])


@pytest.mark.parametrize(("words", "cube"), [("ninos", "usuarios"), ("qali warma", "alumnos")])
def test_a_visitor_finds_without_accents_and_by_a_programmes_old_name(portal, reader, words, cube):
    search(reader, portal.url, words)
    assert reader.locator(f'.dataset-heading a[href$="/{PREFIX}-{cube}"]').count() == 1


@pytest.mark.parametrize("path", ["/", "/about", "/dataset/", "/organization/pruebas", "/user/login", "/no-existe"])
def test_no_page_is_wider_than_the_screen(portal, reader, path):
    reader.goto(f"{portal.url}{path}")
    assert too_wide(reader) == []


def test_a_page_that_is_too_wide_is_found(portal, reader, size):
    reader.goto(portal.url)
    reader.evaluate("w => { document.querySelector('h1').style.width = `${w + 50}px` }", size["width"])
    assert [found for found in too_wide(reader) if found.startswith("h1")]
