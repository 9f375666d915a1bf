"""Make the guides' pictures: `make pictures`; or, before a portal that stands and has the demo, this module.

A made-up steward, Rosa Pérez, does a month's work on made-up data: a programme sends its roster again, she has it
harvested, looks at what was built, registers a passkey, returns the release, approves it and publishes it. Each of the
functions below does one step and gives what of the page is to be seen; afterwards the portal has one revision more.
"""

import base64
import math
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from ckanapi import NotFound
from playwright.sync_api import CDPSession, FloatRect, Locator, Page, ViewportSize, sync_playwright

from deploy.native import institution
from deploy.native.ckan import administrator
from deploy.native.home import Home
from tests.ckan.desk import CHROMIUM, sign_in, with_passkeys
from tests.docs.pages import ROOT

FOLDER = ROOT / "docs" / "imagenes"
ACCOUNT, NAME = "rosa-perez", "Rosa Pérez, revisora"
DESK, LOW, PHONE = ({"width": w, "height": h} for w, h in ((1000, 800), (1000, 440), (390, 780)))
SHARPER = 1.5  # pixels of a picture for one of the page
QUALITY = 70  # of WebP: letters are sharp, and no picture reaches 150 kB
TALLEST = 900  # a picture is cut off there: it shows how a page begins
MARGIN = 12
PATIENCE = 300  # seconds that the worker may take to build
SOURCE, PERIOD = "pension65", institution.LAST
ROSTER = f"entregas/{SOURCE}/{PERIOD}/PENSION65_{PERIOD.replace('-', '')}.csv"
PLACE = ";240101;"  # the town of Tumbes: of its rows half are gone in what the programme sends again


@dataclass
class Work:
    """The steward at the portal, and the release that is looked at."""

    portal: Home
    page: Page
    tools: CDPSession
    before: set[str]  # the releases that waited already
    digest: str = ""

    def go(self, path: str) -> Page:
        """Open one of the portal's pages."""
        self.page.goto(f"{self.portal.url}{path}")
        return self.page

    def release(self) -> Page:
        """Open the release's page."""
        return self.go(f"/mesa/publicacion/{self.digest}")

    def rnu(self, *words: str) -> str:
        """One of the line's commands, on the worker's side."""
        return institution.rnu(self.portal, *words)


Seen = Locator | tuple[Locator, Locator] | None  # one part of the page, from one to another, or what the screen shows
Step = Callable[[Work], Seen]
PICTURES: dict[str, tuple[Step, ViewportSize]] = {}  # in the order of the work


def picture(name: str, screen: ViewportSize = DESK) -> Callable[[Step], Step]:
    """A step of the work, the name of its picture, and the screen on which it is looked at."""

    def kept(step: Step) -> Step:
        PICTURES[name] = step, screen
        return step

    return kept


def file(name: str) -> Path:
    """Where a picture lies."""
    return FOLDER / f"{name}.webp"


# --- a roster comes ------------------------------------------------------------------------------------------------


@picture("fuente-nueva")
def new_source(work: Work) -> Seen:
    page = work.go("/harvest/new")
    page.select_option("#field-padron", SOURCE)
    page.fill("#field-title", "Pensión 65, cada mes")
    page.fill("#field-name", "pension-65-cada-mes")
    page.select_option("#field-frequency", "MONTHLY")
    return page.locator("#source-new")


@picture("cosechar", LOW)
def harvest(work: Work) -> Seen:
    page = work.go(f"/harvest/admin/padron-{SOURCE}")
    page.get_by_role("button", name="Cosechar").hover()
    return None


@picture("cosecha-informe")
def job_report(work: Work) -> Seen:
    page = work.page
    page.get_by_role("button", name="Cosechar").click()
    page.wait_for_load_state()
    reload_until(page, lambda: page.get_by_role("link", name="Ver el informe de la cosecha").count() > 0)
    page.get_by_role("link", name="Ver el informe de la cosecha").click()
    report = page.get_by_role("link", name="Informe para el responsable del padrón")
    reload_until(page, lambda: report.count() > 0)
    return page.get_by_role("heading", name="Informe de la cosecha"), report


@picture("informe-responsable")
def owners_report(work: Work) -> Seen:
    page = work.page
    page.get_by_role("link", name="Informe para el responsable del padrón").click()
    return page.locator("h1"), page.get_by_text("Se nombran solo las primeras filas")


# --- something waits -----------------------------------------------------------------------------------------------


@picture("mesa")
def desk(work: Work) -> Seen:
    page = work.go("/mesa/")
    reload_until(page, lambda: waiting(page) - work.before != set())
    (work.digest,) = waiting(page) - work.before
    return page.locator("h1"), page.locator("section:has(#t-fallo)")


@picture("telefono-mesa", PHONE)
def desk_on_a_phone(work: Work) -> Seen:
    work.go("/mesa/")
    return None


@picture("mesa-padrones")
def rosters(work: Work) -> Seen:
    return work.go("/mesa/").locator("section:has(#t-periodos)")


@picture("publicacion")
def release(work: Work) -> Seen:
    page = work.release()
    return page.locator("h1"), page.locator("dl.rnu-facts")


@picture("publicacion-cambios")
def changes(work: Work) -> Seen:
    return work.page.locator("section:has(#t-cambios)")


@picture("telefono-cambios", PHONE)
def changes_on_a_phone(work: Work) -> Seen:
    work.page.locator("#t-cambios").evaluate("heading => heading.scrollIntoView({behavior: 'instant'})")
    return None


@picture("publicacion-contenido")
def contents(work: Work) -> Seen:
    return work.page.locator("section:has(#t-contenido)")


@picture("publicacion-oculto")
def unseen(work: Work) -> Seen:
    return work.page.locator("section:has(#t-oculto)")


def waiting(page: Page) -> set[str]:
    """The digests of the releases that the desk says wait."""
    links = page.locator("section:has(#t-espera) .rnu-todo a").all()
    return {str(link.get_attribute("href")).rpartition("/")[2] for link in links}


# --- deciding ------------------------------------------------------------------------------------------------------


@picture("llave-nueva")
def new_passkey(work: Work) -> Seen:
    page = work.go("/mesa/llaves")
    page.fill("#steward", NAME)
    return page.locator("section:has(#t-nueva)")


@picture("llave-huella")
def fingerprint(work: Work) -> Seen:
    page = work.page
    page.get_by_role("button", name="Crear la llave").click()
    page.wait_for_url("**/mesa/pedido/*")
    page.locator(".rnu-done").wait_for(timeout=PATIENCE * 1000)
    work.go("/mesa/llaves")
    return page.locator(".rnu-passkey").first


@picture("decision")
def decision(work: Work) -> Seen:
    shown = work.page.locator(".rnu-fingerprint").first.inner_text()
    work.rnu("passkey", "confirm", shown, "--name", NAME)
    page = work.release()
    page.fill("#note", "La ciudad de Tumbes baja a la mitad en Pensión 65: consultar al programa.")
    return page.locator("section:has(#t-decision)")


@picture("devuelta")
def returned(work: Work) -> Seen:
    return answered(work, "Devolver con mi llave")


@picture("aprobada")
def approved(work: Work) -> Seen:
    page = work.release()
    page.fill("#note", "El programa confirmó la cifra de Tumbes.")
    return answered(work, "Aprobar con mi llave")


def answered(work: Work, button: str) -> Seen:
    """Sign, and wait for what becomes of it."""
    page = work.page
    page.get_by_role("button", name=button).click()
    page.wait_for_url("**/mesa/pedido/*")
    page.locator(".rnu-done").wait_for(timeout=PATIENCE * 1000)
    return page.locator("h1"), page.locator("dl.rnu-facts")


# --- what visitors get ---------------------------------------------------------------------------------------------


@picture("conjunto")
def dataset(work: Work) -> Seen:
    page = work.go("/mesa/")
    page.get_by_role("button", name="Publicar lo aprobado").click()
    page.wait_for_url("**/mesa/pedido/*")
    page.locator(".rnu-done").wait_for(timeout=PATIENCE * 1000)
    work.go("/dataset/rnu-usuarios")
    return page.locator("h1").last, page.locator("section:has(#t-descargas)")


# --- how -----------------------------------------------------------------------------------------------------------


def reload_until(page: Page, there: Callable[[], bool]) -> None:
    """Look at a page again until it has what the worker is about."""
    deadline = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > deadline:
            raise click.ClickException(f"{page.url} does not change; see the worker's log in the portal's folder")
        time.sleep(3)
        page.reload()


def area(page: Page, seen: Seen) -> FloatRect:
    """The part of the page that is shown, in its own pixels; as wide as the parts need, and cut off if it is tall."""
    over = page.evaluate("scrollY")
    if seen is None:
        return {"x": 0, "y": over, **page.viewport_size}
    boxes = [one.bounding_box() for one in (seen if isinstance(seen, tuple) else (seen,))]
    left, top = (min(box[side] for box in boxes) - MARGIN for side in ("x", "y"))
    right, bottom = (max(box[a] + box[b] for box in boxes) + MARGIN for a, b in (("x", "width"), ("y", "height")))
    return {"x": max(left, 0), "y": top + over, "width": right - left, "height": min(bottom - top, TALLEST)}


def shoot(work: Work, seen: Seen, target: Path) -> None:
    """Write what is seen as WebP, which playwright itself does not and Chromium does."""
    work.page.wait_for_load_state("networkidle")
    clip = {name: math.floor(value) for name, value in area(work.page, seen).items()} | {"scale": SHARPER}
    options = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": seen is not None, "clip": clip}
    target.write_bytes(base64.b64decode(work.tools.send("Page.captureScreenshot", options)["data"]))


def send_again(portal: Home) -> None:
    """Have the programme send its roster again, half of one district gone."""
    roster = portal.institution / ROSTER
    lines = roster.read_bytes().splitlines(keepends=True)
    of_place = [n for n, line in enumerate(lines) if PLACE.encode() in line]
    gone = set(of_place[::2])
    roster.write_bytes(b"".join(line for n, line in enumerate(lines) if n not in gone))


def make_steward(portal: Home) -> str:
    """The steward's account, an administrator of the organisation; its new password."""
    password = secrets.token_urlsafe(24)
    person = {"name": ACCOUNT, "fullname": NAME, "email": f"{ACCOUNT}@ejemplo.invalid", "password": password}
    with administrator(portal) as api:
        try:
            api.action.user_update(id=api.action.user_show(id=ACCOUNT)["id"], state="active", **person)
        except NotFound:
            api.action.user_create(**person)
        api.action.organization_member_create(id=institution.ORGANISATION, username=ACCOUNT, role="admin")
    return password


@contextmanager
def at_work(portal: Home) -> Iterator[Work]:
    """The steward, signed in."""
    password = make_steward(portal)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=DESK, locale="es-PE")
        page.set_default_timeout(60_000)
        tools, _ = with_passkeys(page)
        sign_in(portal, page, ACCOUNT, password)
        page.goto(f"{portal.url}/mesa/")
        yield Work(portal, page, tools, before=waiting(page))
        browser.close()


@click.command()
def main() -> None:
    """Make the guides' pictures at the demo's portal, which gets one revision more.

    \b
    Example:
      python -m tests.docs.pictures
    """
    portal = Home.of_machine()
    if not CHROMIUM:
        raise click.ClickException("Chromium is missing\n  -> apt-get install chromium")
    if not (portal.institution / "entregas" / "truth_cells.parquet").exists():
        raise click.ClickException(f"{portal.root} has no portal with the demo\n  -> make pictures")
    FOLDER.mkdir(exist_ok=True)
    with at_work(portal) as work:
        send_again(portal)
        for name, (step, screen) in PICTURES.items():
            target = file(name)
            work.page.set_viewport_size(screen)
            shoot(work, step(work), target)
            click.echo(f"{target.relative_to(ROOT)}  {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
