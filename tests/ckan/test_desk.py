"""The steward's desk on a real CKAN: a portal process of its own, with a ledger, a worker and a mail server of its own.

A steward signs in Chromium with a virtual authenticator, which is Chromium's own; nothing of the desk is stood in for.
"""

import email
import email.policy
import json
import re

import pytest
import requests
from ckanapi import NotAuthorized, RemoteCKAN
from playwright.sync_api import Page

from deploy.native import postgres
from tests.ckan.conftest import ORGANISATION, clean
from tests.ckan.desk import DATABASE, STEWARD, STRANGER, WATCHER, Desk, free_port, known_email, needs_chromium, sign_in
from tests.line.institution import PERIODS

pytestmark = [pytest.mark.portal, needs_chromium]

FIRST, SECOND = PERIODS
UNKNOWN = "0" * 64
SAFE = {  # where a request to look or to act may go; D is a release's digest
    "GET": ("/", "/llaves", "/pedido/1", "/publicacion/D", "/publicacion/D/archivo/LEEME.md"),
    "POST": ("/publicar", "/construir", "/llaves", "/llaves/crear", "/publicacion/D/firmar", "/publicacion/D/decidir"),
}


def register(desk: Desk, page: Page, name: str) -> str:
    """Make a passkey under a name; the fingerprint that the page then shows."""
    page.goto(f"{desk.url}/mesa/llaves")
    page.fill("#steward", name)
    page.get_by_role("button", name="Crear la llave").click()
    page.wait_for_url("**/mesa/pedido/*")
    desk.work()
    page.goto(f"{desk.url}/mesa/llaves")
    return page.locator(".rnu-fingerprint").first.inner_text()


def decide(desk: Desk, page: Page, digest: str, button: str, note: str = "") -> str:
    """Sign a word, let the worker answer, and read what the steward then reads."""
    page.goto(desk.page(digest))
    page.fill("#note", note)
    page.get_by_role("button", name=button).click()
    page.wait_for_url("**/mesa/pedido/*")
    desk.work()
    page.wait_for_selector(".rnu-done, .rnu-notice")  # the page looks by itself
    return page.locator(".rnu-done, .rnu-notice").inner_text()


# --- while a release waits: decisions come after --------------------------------------------------------------------


def test_administrators_get_a_mail_when_something_waits_once_and_also_if_the_mail_server_was_away(desk, mail):
    port, taken = mail
    digest = desk.digest(SECOND)
    assert desk.state(SECOND) == "waiting"
    config = desk.ini.read_text()
    desk.ini.write_text(config.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}"))
    assert desk.tell().startswith("0 mail(s)")
    desk.ini.write_text(config)
    assert not desk.tell().startswith("0 mail(s)")
    assert desk.tell().startswith("0 mail(s)")
    to = [address for envelope in taken for address in envelope.rcpt_tos]
    assert known_email(STEWARD) in to
    assert not {known_email(WATCHER), known_email(STRANGER)} & set(to)
    text = decoded(taken[0].content)
    assert digest in text
    assert desk.page(digest) in text
    assert "febrero de 2026, revisión 1" in text


def decoded(content: bytes) -> str:
    return email.message_from_bytes(content, policy=email.policy.default).get_body().get_content()


# --- deciding ----------------------------------------------------------------------------------------------------


def test_a_steward_registers_a_passkey_approves_and_returns(desk, steward):
    digest = desk.digest(SECOND)
    shown = register(desk, steward, "Rosa Prueba")
    (came,) = desk.rnu("passkey", "list", "--json").json
    assert (came["fingerprint"], came["account"], came["confirmed"]) == (shown, STEWARD, False)

    assert "no está confirmada" in decide(desk, steward, digest, "Aprobar con mi llave")
    assert desk.state(SECOND) == "waiting"
    assert desk.rnu("passkey", "confirm", shown, "--name", "Rosa Prueba").code == 0
    steward.goto(f"{desk.url}/mesa/llaves")
    assert "ya puede firmar" in steward.locator(".rnu-passkey").inner_text()

    assert "aprobada por Rosa Prueba" in decide(desk, steward, digest, "Aprobar con mi llave", "comparado con enero")
    assert desk.state(SECOND) == "approved"
    note = "<script>alert('soy una nota')</script> & «falta Juntos»"
    assert "devuelta por Rosa Prueba" in decide(desk, steward, digest, "Devolver con mi llave", note)
    steward.goto(desk.page(digest))
    assert note in steward.locator("#t-palabras + .rnu-word + .rnu-word").inner_text()
    assert steward.alerts == []
    assert desk.state(SECOND) == "returned"
    assert desk.rnu("publish", "sitio").code == 0
    assert "aprobada por Rosa Prueba" in decide(desk, steward, digest, "Aprobar con mi llave")
    site = json.loads(desk.rnu("publish", "sitio", "--json").out)
    assert digest in json.dumps(site)


def test_the_organisations_activity_tells_decisions_and_only_to_its_administrators(desk, steward):
    confirmed(desk, steward)
    decide(desk, steward, desk.digest(SECOND), "Devolver con mi llave", "<b>para el registro</b>")
    assert not desk.tell().endswith(" 0 decision(s) recorded")
    assert desk.tell().endswith(" 0 decision(s) recorded")
    steward.goto(f"{desk.url}/organization/activity/{ORGANISATION}")
    told = steward.locator("li.rnu-returned").first.inner_text()
    assert "Rosa Prueba devolvió la publicación de febrero de 2026, revisión 1" in told
    assert "<b>para el registro</b>" in told
    told = {name: told_to(desk, name) for name in (STEWARD, WATCHER, STRANGER, "")}
    assert ["rnu returned" in kinds for kinds in told.values()] == [True, False, False, False]


def told_to(desk: Desk, name: str) -> set[str]:
    """The kinds of activity that somebody reads in the organisation's stream."""
    with RemoteCKAN(desk.url, apikey=desk.token(name) if name else None) as api:
        try:
            found = api.call_action("organization_activity_list", {"id": ORGANISATION, "limit": 50})
        except NotAuthorized:
            return set()
        return {activity["activity_type"] for activity in found}


def confirmed(desk: Desk, page: Page, name: str = "Rosa Prueba") -> None:
    """A passkey that may sign."""
    said = desk.rnu("passkey", "confirm", register(desk, page, name), "--name", name)
    assert said.code == 0, said.err


def test_who_built_a_release_cannot_approve_it_at_the_desk_either(desk, steward):
    """Another key, another account, the same person."""
    confirmed(desk, steward, "builder")
    said = decide(desk, steward, desk.digest(SECOND), "Aprobar con mi llave")
    assert "Quien construyó una publicación no la puede aprobar" in said


def test_a_word_that_was_kept_and_brought_again_is_refused_where_the_steward_looks(desk, steward):
    """What somebody could do who holds the portal: keep an approval, and bring it after the return."""
    confirmed(desk, steward)
    digest = desk.digest(SECOND)
    kept = {}
    steward.route("**/decidir", lambda route: (kept.update(body=route.request.post_data), route.continue_()))
    decide(desk, steward, digest, "Aprobar con mi llave")
    steward.unroute("**/decidir")
    decide(desk, steward, digest, "Devolver con mi llave", "padrón equivocado")
    again = steward.request.post(
        f"{desk.page(digest)}/decidir",
        data=kept["body"],
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    desk.work()
    steward.goto(again.url)
    assert "Alguien decidió sobre esta publicación mientras tanto" in steward.locator(".rnu-notice").inner_text()
    assert desk.state(SECOND) == "returned"


def test_a_forged_word_is_refused_where_the_steward_looks(desk, steward):
    digest = desk.digest(SECOND)
    before = desk.state(SECOND)
    steward.goto(desk.page(digest))
    token = steward.locator("form.rnu-sign input[name=_csrf_token]").get_attribute("value")
    forged = {"id": "AAAA", "response": {"authenticatorData": "AA", "clientDataJSON": "AA", "signature": "AA"}}
    answer = steward.request.post(
        f"{desk.page(digest)}/decidir",
        form={"_csrf_token": token, "role": "return", "note": "falsa", "assertion": json.dumps(forged)},
    )
    desk.work()
    steward.goto(answer.url)
    assert "no está confirmada" in steward.locator(".rnu-notice").inner_text()
    steward.goto(f"{desk.url}/mesa/")
    assert "no se aceptó" in steward.locator("section:has(#t-fallo)").inner_text()
    assert desk.state(SECOND) == before


def test_a_key_in_a_file_decides_beside_the_desk(desk, steward):
    digest = desk.digest(FIRST)
    steward.goto(desk.page(digest))
    assert f"rnu return {digest} " in steward.locator("pre.rnu-call").text_content()
    assert desk.rnu("return", digest, "--note", "desde la terminal", by="approver").code == 0
    steward.reload()
    assert "con llave en archivo" in steward.locator("section:has(#t-palabras)").inner_text()
    assert desk.rnu("approve", digest, by="approver").code == 0


# --- looking -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_hold_what_a_decision_needs_and_fit(desk, steward, width):
    digest = desk.digest(SECOND)
    steward.set_viewport_size({"width": width, "height": 850})
    wrong: list[str] = []
    steward.on("pageerror", lambda error: wrong.append(str(error)))
    pages = {
        "/mesa/": ["Qué espera", "Qué falló", "Padrones por periodo", "Febrero de 2026"],
        "/mesa/llaves": ["Registrar una llave"],
        f"/mesa/publicacion/{digest}": [digest, "Qué cambió desde enero de 2026", "Se marca como salto", "Tumbes",
                                        "Revisión de los padrones", "Lo que nadie de fuera puede ver", "Su decisión"],
        f"/mesa/publicacion/{digest}?nivel=distrito": ["Qué cambió"],
        f"/mesa/publicacion/{digest}/archivo/datos/usuarios_distrito.parquet": ["ubigeo", "240101"],
        f"/mesa/publicacion/{digest}/archivo/datos/usuarios_distrito.xlsx": ["ubigeo", "240101"],
        f"/mesa/publicacion/{digest}/archivo/LEEME.md": ["Registro Nacional de Usuarios"],
    }  # fmt: skip
    for path, words in pages.items():
        assert steward.goto(desk.url + path).status == 200
        text = steward.locator("#content").inner_text()
        assert [word for word in words if word not in text] == []
        assert steward.locator(".rnu-desk").evaluate("desk => desk.scrollWidth") <= width
    assert wrong == []


def test_what_was_at_risk_is_on_no_page(desk, steward):
    """The steward's own report tells which cells were at risk; the desk's pages know nothing of it."""
    digest = desk.digest(SECOND)
    private = json.loads((desk.house.home / "store" / "private" / digest / "report.json").read_text())
    assert any(level["primary"] for table in private["protection"].values() for level in table["levels"])
    steward.goto(f"{desk.page(digest)}?nivel=distrito")
    assert not re.search("riesgo|primari|secundari", steward.locator("#content").inner_text().lower())
    answer = RemoteCKAN(desk.url, apikey=desk.token(STEWARD)).call_action("rnu_desk_release", {"id": digest})
    assert not {"primary", "secondary", "value_unshown"} & set(re.findall(r"\w+", json.dumps(answer)))


@pytest.mark.parametrize("name", ["../../../ckan.ini", "..%2F..%2Fckan.ini", "datos", "no-hay.csv"])
def test_only_a_releases_own_files_are_shown(desk, steward, name):
    assert steward.goto(f"{desk.page(desk.digest(SECOND))}/archivo/{name}").status == 404


def test_a_ledger_that_is_away_is_told_and_comes_back(desk, steward):
    postgres.sql(desk.portal, f"alter database {DATABASE} allow_connections false")
    postgres.sql(desk.portal, f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{DATABASE}'")
    try:
        assert steward.goto(f"{desk.url}/mesa/").status == 503
        assert "El registro no responde ahora" in steward.locator("[role=alert]").inner_text()
    finally:
        postgres.sql(desk.portal, f"alter database {DATABASE} allow_connections true")
    assert steward.goto(f"{desk.url}/mesa/").status == 200


# --- who may -----------------------------------------------------------------------------------------------------


def test_whoever_has_no_role_learns_nothing_not_even_that_a_release_exists(desk, browser):
    known = desk.digest(SECOND)
    with browser.new_context() as context:
        page = context.new_page()
        sign_in(desk, page, STRANGER)
        callers = {
            "nobody": lambda method, path: requests.request(method, path, timeout=60),
            "a token": lambda method, path: requests.request(
                method, path, headers={"Authorization": stranger}, timeout=60
            ),
        }
        stranger = desk.token(STRANGER)
        session = requests.Session()
        session.cookies.update({c["name"]: c["value"] for c in context.cookies()})
        callers["a session"] = session.request
        for who, call in callers.items():
            seen = set()
            for path in SAFE["GET"]:
                for digest in (known, UNKNOWN):
                    answer = call("GET", f"{desk.url}/mesa{path.replace('D', digest)}")
                    seen.add((answer.status_code, answer.content))
            assert {status for status, _ in seen} == {403}, who
            assert len(seen) == 1, who
        for path in SAFE["POST"]:
            answers = [requests.post(f"{desk.url}/mesa{path.replace('D', d)}", timeout=60) for d in (known, UNKNOWN)]
            assert {(a.status_code, a.content) for a in answers} == {(403, answers[0].content)}
    for token in ("", stranger):
        with RemoteCKAN(desk.url, apikey=token) as api:
            for action in (
                "overview",
                "release",
                "file",
                "request",
                "passkeys",
                "to_sign",
                "decide",
                "publish",
                "build",
            ):
                told = set()
                for digest in (known, UNKNOWN):
                    with pytest.raises(NotAuthorized) as caught:
                        api.call_action(f"rnu_desk_{action}", {"id": digest, "name": "LEEME.md"})
                    told.add(str(caught.value))
                assert len(told) == 1


def test_a_member_looks_and_only_an_administrator_acts(desk, browser):
    digest = desk.digest(SECOND)
    with browser.new_context() as context:
        page = context.new_page()
        sign_in(desk, page, WATCHER)
        page.goto(desk.page(digest))
        assert "Su rol permite mirar" in page.locator("section:has(#t-decision)").inner_text()
        token = page.locator("input[name=_csrf_token]").first.get_attribute("value")
        for path in SAFE["POST"]:
            answer = page.request.post(f"{desk.url}/mesa{path.replace('D', digest)}", form={"_csrf_token": token})
            assert (answer.status, "Su rol en la organización permite mirar" in answer.text()) == (403, True)


@pytest.mark.parametrize("path", SAFE["POST"])
def test_no_other_site_can_act_in_a_stewards_name(desk, steward, path):
    """CKAN forgets to look at a form's token once somebody without a session came by: the desk asks every time."""
    url = f"{desk.url}/mesa{path.replace('D', desk.digest(SECOND))}"
    requests.post(url, timeout=60)
    answer = steward.request.post(url, form={"role": "return", "note": "x", "assertion": "{}", "period": FIRST})
    assert answer.status == 400


# --- publishing --------------------------------------------------------------------------------------------------


def test_a_steward_approves_publishes_and_sees_it_published(desk, steward, admin):
    clean(admin)
    confirmed(desk, steward)
    decide(desk, steward, desk.digest(SECOND), "Aprobar con mi llave", "para publicar")
    steward.goto(f"{desk.url}/mesa/")
    steward.get_by_role("button", name="Publicar lo aprobado").click()
    steward.wait_for_url("**/mesa/pedido/*")
    desk.work()
    assert steward.wait_for_selector(".rnu-done").inner_text() == "Publicado."
    steward.goto(desk.page(desk.digest(SECOND)))
    assert "en sitio, ckan" in steward.locator("#content").inner_text()
    assert desk.rnu("verify-portal", "ckan").code == 0
    clean(admin)
