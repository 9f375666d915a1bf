"""What the portal does not let anybody do, and what it does not tell."""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
import requests
from ckanapi import NotAuthorized, NotFound, RemoteCKAN, ValidationError

from deploy.headers import HEADERS, read
from deploy.native.ckan import ADMIN
from deploy.native.institution import ORGANISATION as PUBLISHED
from deploy.native.institution import PUBLISHER
from tests.ckan.conftest import NAMES, ORGANISATION

pytestmark = pytest.mark.portal

WANTED = dict(read(HEADERS.read_text(encoding="utf-8")))
TABLE = "/api/3/action/datastore_search?resource_id=rnu_usuarios_distrito&limit=1"


# --- every answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/", 200),
        ("/dataset/", 200),
        ("/user/login", 200),
        (TABLE, 200),
        ("/catalog.ttl", 200),
        ("/base/css/main.css", 200),
        ("/ckan-admin", 403),
        ("/no-existe", 404),
        ("/dataset/%00", 500),  # a mistake of CKAN's own
    ],
)
def test_every_answer_has_the_headers_once(portal, path, code):
    answer = requests.get(f"{portal.url}{path}", timeout=60)
    assert (answer.status_code, {name: answer.headers.get(name) for name in WANTED}) == (code, WANTED)


def test_no_page_asks_for_anything_that_the_headers_forbid(portal):
    """In a real browser: what it would block, it says in its console."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not in this environment")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not here; as root: apt-get install chromium")
    told = []
    with (
        playwright.sync_playwright() as driver,
        driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
    ):
        page = browser.new_page()
        page.on("console", lambda said: told.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: told.append(str(error)))
        for path in ("/", "/dataset/?q=juntos", "/dataset/rnu-usuarios", f"/organization/{PUBLISHED}", "/user/login"):
            page.goto(f"{portal.url}{path}")
        page.click("text=Poner otra contraseña")
        page.goto(f"{portal.url}/user/login")
        page.fill("#field-login", ADMIN)
        page.fill("#field-password", portal.secret("password-admin"))
        page.press("#field-password", "Enter")
        page.wait_for_url("**/dashboard/**")
        for path in ("/dataset/new", "/dataset/edit/rnu-usuarios", "/harvest/new", "/dataset/activity/rnu-usuarios"):
            page.goto(f"{portal.url}{path}")
        assert told == []
        # and the console does say so where something is forbidden
        page.evaluate("() => { const s = document.createElement('script'); s.text = '1'; document.body.append(s); }")
        assert "Content Security Policy" in told[0]


@pytest.mark.parametrize("path", ["/no-existe", "/ckan-admin", "/dataset/%00"])
def test_an_error_tells_nothing_of_the_machine(portal, path):
    page = requests.get(f"{portal.url}{path}", timeout=60).text
    assert not re.search(r"Traceback|/site-packages|File \"|sqlalchemy|psycopg|Error: |Werkzeug|\bckan 2\.", page)
    assert str(portal.root) not in page


# --- visitors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/user/",
        f"/user/{ADMIN}",
        f"/user/{PUBLISHER}",
        "/user/register",
        f"/organization/members/{PUBLISHED}",
        "/dataset/activity/rnu-usuarios",
        f"/organization/activity/{PUBLISHED}",
        "/dataset/new",
        "/dataset/edit/rnu-usuarios",
        "/organization/new",
        "/api/util/user/autocomplete?q=a",
        "/ckan-admin",
    ],
)
def test_a_visitor_gets_no_page_of_accounts_or_of_administration(portal, path):
    answer = requests.get(f"{portal.url}{path}", timeout=60)
    assert answer.status_code == 403
    assert not {ADMIN, PUBLISHER} & set(re.findall(r"[\w-]+", re.sub(re.escape(path), "", answer.text)))


@pytest.mark.parametrize(
    ("action", "asked"),
    [
        ("user_list", {}),
        ("user_show", {"id": ADMIN}),
        ("user_autocomplete", {"q": "adm"}),
        ("member_list", {"id": PUBLISHED, "object_type": "user"}),
        ("member_list", {"id": PUBLISHED}),
        ("organization_list_for_user", {"id": ADMIN}),
        *((f"{what}_count", {"id": ADMIN}) for what in ("followee", "user_followee", "user_follower")),
        ("harvest_source_list", {}),
        ("harvest_job_list", {}),
        ("organization_show", {"id": PUBLISHED, "include_users": True}),
        ("package_activity_list", {"id": "rnu-usuarios"}),
        ("organization_activity_list", {"id": PUBLISHED}),
        ("user_activity_list", {"id": ADMIN}),
        ("recently_changed_packages_activity_list", {}),
        ("user_create", {"name": "nueva", "email": "nueva@ejemplo.invalid", "password": "una-clave-larga"}),
        ("package_create", {"name": "ajeno", "title": "Ajeno", "notes": "x", "owner_org": PUBLISHED}),
        ("datastore_create", {"resource_id": "TABLE", "fields": [{"id": "x"}], "force": True}),
        ("datastore_upsert", {"resource_id": "TABLE", "records": [], "force": True}),
        ("datastore_delete", {"resource_id": "TABLE", "force": True}),
        ("rnu_tables_switch", {"package_id": "rnu-usuarios", "staging_id": "rnu-hogares", "tables": []}),
        ("config_option_list", {}),
        ("job_list", {}),
        ("harvest_source_create", {"name": "x", "url": "http://x", "source_type": "ckan", "title": "x"}),
    ],
)
def test_a_visitor_can_do_nothing_but_read_what_is_published(visitor, action, asked):
    asked = {key: table_of(visitor) if value == "TABLE" else value for key, value in asked.items()}
    with pytest.raises(NotAuthorized):
        visitor.call_action(action, asked)


def table_of(visitor) -> str:
    """The id of a published table."""
    return visitor.call_action("datastore_search", {"resource_id": "rnu_usuarios_distrito", "limit": 0})["resource_id"]


@pytest.mark.parametrize(
    "statement",
    [
        'select * from "user"',
        "select * from pg_authid",
        "select pg_read_file('/etc/passwd')",
        "select * from information_schema.tables",
        "copy (select 1) to program 'true'",
        'delete from "TABLE"',
        'select count(*) from "TABLE"; select 2',
        "select 1; select 2",
        "select * from dblink('dbname=ckan', 'select 1')",
    ],
)
def test_sql_for_visitors_reads_published_tables_alone(visitor, statement):
    with pytest.raises((NotAuthorized, ValidationError, NotFound)):
        visitor.call_action("datastore_search_sql", {"sql": statement.replace("TABLE", table_of(visitor))})


def test_sql_for_visitors_does_read_a_published_table(visitor):
    statement = f'select count(*) as n from "{table_of(visitor)}"'
    found = visitor.call_action("datastore_search_sql", {"sql": statement})
    assert int(found["records"][0]["n"]) > 100


def test_the_portal_does_not_tell_its_version(visitor, portal):
    assert "ckan_version" not in visitor.action.status_show()
    assert 'name="generator"' not in requests.get(portal.url, timeout=60).text


# --- signing in --------------------------------------------------------------------------------------------------


def test_a_form_without_its_token_is_refused(portal):
    form = {"login": ADMIN, "password": portal.secret("password-admin")}
    answer = requests.post(f"{portal.url}/user/login", data=form, timeout=60)
    assert (answer.status_code, "El pedido no se pudo atender" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/organization/new", {"data": {"name": "por-engano", "title": "x", "save": ""}}),
        ("/api/3/action/organization_create", {"json": {"name": "por-engano", "title": "x"}}),
        (f"/user/{ADMIN}/api-tokens", {"data": {"name": "por-engano"}}),
    ],
)
def test_another_site_cannot_have_a_signed_in_steward_change_anything(portal, admin, path, form):
    """Whether or not somebody without a session opened the same view before, as CKAN alone would have it."""
    session = requests.Session()
    page = session.get(f"{portal.url}/user/login", timeout=60).text
    token = re.search(r'name="_csrf_token" (?:content|value)="([^"]+)"', page)[1]
    account = {"login": ADMIN, "password": portal.secret("password-admin"), "_csrf_token": token}
    session.post(f"{portal.url}/user/login", data=account, timeout=60)
    assert session.get(f"{portal.url}/ckan-admin", timeout=60).status_code == 200
    for _ in range(12):  # each of the server's processes
        requests.get(f"{portal.url}{path}", timeout=60)
        assert session.post(f"{portal.url}{path}", timeout=60, **form).status_code == 400
    assert "por-engano" not in admin.action.organization_list()


def test_cookies_are_kept_from_scripts_and_from_other_sites(portal):
    cookies = requests.get(f"{portal.url}/user/login", timeout=60).headers["Set-Cookie"]
    assert re.search(r"HttpOnly; Path=/; SameSite=Lax", cookies)
    assert "Domain" not in cookies


# --- whoever publishes -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def publisher(portal, admin) -> Iterator[RemoteCKAN]:
    """A token like the one that publishes: of an editor of the organisation."""
    token = admin.action.api_token_create(user=PUBLISHER, name="pruebas")["token"]
    with RemoteCKAN(portal.url, apikey=token) as api:
        yield api
        api.action.api_token_revoke(token=token)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("action", "asked"),
    [
        ("package_patch", {"id": NAMES[0], "title": "x"}),
        ("package_delete", {"id": NAMES[0]}),
        ("package_create", {"name": "ajeno", "title": "Ajeno", "notes": "x", "owner_org": ORGANISATION}),
        ("package_owner_org_update", {"id": "rnu-usuarios", "organization_id": ORGANISATION}),
        ("dataset_purge", {"id": "rnu-usuarios"}),
        ("organization_create", {"name": "otra", "title": "Otra"}),
        ("organization_patch", {"id": PUBLISHED, "title": "x"}),
        ("organization_delete", {"id": PUBLISHED}),
        ("organization_member_create", {"id": PUBLISHED, "username": PUBLISHER, "role": "admin"}),
        ("organization_member_create", {"id": ORGANISATION, "username": PUBLISHER, "role": "editor"}),
        ("group_create", {"name": "otro", "title": "Otro"}),
        ("user_create", {"name": "otra-cuenta", "email": "otra@ejemplo.invalid", "password": "una-clave-larga"}),
        ("user_patch", {"id": ADMIN, "fullname": "x"}),
        ("api_token_create", {"user": ADMIN, "name": "x"}),
        ("api_token_list", {"user_id": ADMIN}),
        ("config_option_update", {"ckan.site_title": "x"}),
        ("job_list", {}),
        ("job_clear", {}),
    ],
)
def test_the_publishers_token_can_do_no_more_than_write_its_organisations_datasets(publisher, action, asked):
    with pytest.raises((NotAuthorized, NotFound)):
        publisher.call_action(action, asked)


def test_the_publisher_is_no_administrator_nor_becomes_one_and_belongs_to_one_organisation(publisher, admin):
    publisher.call_action("user_patch", {"id": PUBLISHER, "sysadmin": True})
    user = admin.action.user_show(id=PUBLISHER)
    assert (user["sysadmin"], user["state"]) == (False, "active")
    own = publisher.action.organization_list_for_user(id=PUBLISHER)
    assert [(one["name"], one["capacity"]) for one in own] == [(PUBLISHED, "editor")]


# --- files -------------------------------------------------------------------------------------------------------


def test_a_picture_of_a_person_cannot_be_uploaded(publisher):
    with pytest.raises(ValidationError):
        publisher.call_action(
            "user_patch",
            {"id": PUBLISHER, "image_url": "x.png", "clear_upload": ""},
            files={"image_upload": ("x.png", io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"0" * 64))},
        )


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.html", b"<script>alert(1)</script>"),
        ("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
    ],
)
def test_an_uploaded_page_is_given_for_download_and_never_shown(admin, name, content):
    made = admin.action.package_create(name="prueba-archivo", title="Archivo", notes="x", owner_org=ORGANISATION)
    try:
        asked = {"package_id": made["id"], "name": name}
        file = admin.call_action("resource_create", asked, files={"upload": (name, io.BytesIO(content))})
        answer = requests.get(file["url"], timeout=60)
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    finally:
        admin.action.dataset_purge(id=made["id"])


# --- the machine -------------------------------------------------------------------------------------------------


def test_settings_and_secrets_are_read_by_nobody_else(portal):
    assert portal.ini.stat().st_mode & 0o077 == 0
    for path in (portal.root / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_services_listen_on_this_machine_alone(portal):
    listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    own = {f":{portal.port(name)}" for name in ("web", "postgres", "redis", "solr")}
    addresses = [line.split()[3] for line in listening.splitlines()]
    found = [address for address in addresses if any(address.endswith(port) for port in own)]
    assert found
    assert all(address.startswith(("127.0.0.1:", "[::1]:", "[::ffff:127.0.0.1]:")) for address in found)
