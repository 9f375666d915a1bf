"""Rosters harvested in CKAN's screens, by the portal's own worker: persons stay outside, history stays whole.

Every test delivers for a month of its own, far from those of the demo: the ledger forgets nothing.
"""

import csv
import io
import itertools
import json
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from ckanapi import CKANAPIError, NotAuthorized, RemoteCKAN, ValidationError

from deploy.native import postgres
from deploy.native.ckan import ADMIN, ckan
from deploy.native.home import Home
from deploy.native.machine import Failed, run
from deploy.native.processes import Supervisor
from rnu.ledger import State
from tests.ckan.conftest import ORGANISATION

pytestmark = pytest.mark.portal

LAST = "2026-02"  # the demo's deliveries end here
MONTHS = itertools.cycle(random.sample([f"{y}-{m:02}" for y in range(2060, 2100) for m in range(1, 13)], 480))
PENSION = "entregas/pension65/{cut}/PENSION65_{compact}.csv"
STATES = ("added", "updated", "not modified", "errored", "deleted")
SECRET = "CENTINELAZA"  # stands in broken cells only, and in no screen ever


@pytest.fixture
def month() -> str:
    return next(MONTHS)


@pytest.fixture
def deliver(portal) -> Iterator[Callable[..., Path]]:
    """`deliver(month)` puts Pensión 65's file of the demo there, whole or broken, as its owner would."""
    made: list[Path] = []

    def delivered(month: str, *, broken: bool = False) -> Path:
        def at(cut: str) -> Path:
            return portal.institution / PENSION.format(cut=cut, compact=cut.replace("-", ""))

        content = at(LAST).read_bytes()
        at(month).parent.mkdir(exist_ok=True)
        at(month).write_bytes(spoilt(content) if broken else content)
        made.append(at(month).parent)
        if portal.users.apart:
            run(["chown", "-R", f"{portal.users.worker}:", str(at(month).parent)])
        return at(month)

    yield delivered
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


def spoilt(content: bytes) -> bytes:
    """Every tenth row has a name for a document and no sex: far over the tolerance."""
    encoding = "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "latin-1"
    text = content.decode(encoding)
    form = csv.Sniffer().sniff(text[:2000])
    header, *rows = list(csv.reader(io.StringIO(text), form))
    document, sex = header.index("DNI"), header.index("SEXO")
    for row in rows[::10]:
        if len(row) > max(document, sex):
            row[document], row[sex] = SECRET, ""
    out = io.StringIO()
    csv.writer(out, form).writerows([header, *rows])
    return out.getvalue().encode(encoding)


@pytest.fixture
def source(admin) -> Iterator[Callable[..., str]]:
    """`source(roster, month)` makes a harvest source; gone afterwards."""
    made: list[str] = []

    def create(roster: str, month: str, frequency: str = "MANUAL") -> str:
        name = f"prueba-{roster}-{month}"
        made.append(name)
        asked = {"source_type": "rnu_roster", "padron": roster, "periodo": month, "frequency": frequency}
        found = admin.action.harvest_source_create(
            name=name, title="Prueba", owner_org=ORGANISATION, url="rnu:", **asked
        )
        return found["id"]

    yield create
    for name in made:
        admin.action.harvest_source_clear(id=admin.action.harvest_source_show(id=name)["id"])
        admin.action.harvest_source_delete(id=name)
        admin.action.dataset_purge(id=name)


def start(admin: RemoteCKAN, source_id: str) -> str:
    return admin.action.harvest_job_create(source_id=source_id, run=True)["id"]


def finished(admin: RemoteCKAN, job_id: str, within: float = 120) -> dict:
    deadline = time.monotonic() + within
    while (job := admin.action.harvest_job_show(id=job_id))["status"] != "Finished":
        assert time.monotonic() < deadline, job
        time.sleep(0.5)
    return job


def harvest(admin: RemoteCKAN, source_id: str) -> dict:
    return finished(admin, start(admin, source_id))


def counts(job: dict) -> dict[str, int]:
    return {name: job["stats"][name] for name in STATES if job["stats"].get(name)}


def object_of(admin: RemoteCKAN, source_id: str, job: dict) -> dict:
    ids = admin.action.harvest_object_list(source_id=source_id)
    (found,) = [o for o in (admin.action.harvest_object_show(id=i) for i in ids) if o["harvest_job_id"] == job["id"]]
    return found


def requests_of(portal: Home, month: str) -> list[tuple[int, list[str]]]:
    """Requests for a month, each with the states that the worker told of it."""
    found = postgres.sql(
        portal,
        "select q.id, string_agg(c.state, ' ' order by c.id) from request q left join receipt c on c.request_id = q.id "
        f"where q.what ->> 'period' = '{month}' and q.kind = 'harvest' group by q.id order by q.id",
        "rnu",
    )
    return [(int(id), states.split()) for id, states in (line.split("|") for line in found.splitlines())]


# --- the form ----------------------------------------------------------------------------------------------------


def test_a_roster_that_is_not_there_or_a_month_that_is_none_is_told_in_plain_spanish(admin):
    asked = {"owner_org": ORGANISATION, "source_type": "rnu_roster", "url": "rnu:", "title": "x"}
    with pytest.raises(ValidationError) as error:
        admin.action.harvest_source_create(name="prueba-mala", padron="pension", periodo="2026-13", **asked)
    assert error.value.error_dict["padron"][0].startswith("No hay un padrón «pension». Los que hay: pgh, sis,")
    assert error.value.error_dict["periodo"] == [
        "Escriba el periodo como AAAA-MM, por ejemplo 2026-01, o déjelo vacío."
    ]


def test_a_second_source_for_the_same_is_refused_and_a_change_keeps_what_was_chosen(admin, source, month):
    made = source("pension65", month)
    with pytest.raises(ValidationError, match="Ya hay una fuente para este padrón y este periodo"):
        admin.action.harvest_source_create(
            name="prueba-otra", owner_org=ORGANISATION, source_type="rnu_roster", url="rnu:", padron="pension65",
            periodo=month, title="x",
        )  # fmt: skip
    admin.action.harvest_source_patch(id=made, title="Otro título")
    kept = admin.action.harvest_source_show(id=made)
    assert (kept["title"], kept["padron"], kept["periodo"], kept["private"]) == (
        "Otro título",
        "pension65",
        month,
        True,
    )


@pytest.fixture(scope="module")
def editor(portal, admin) -> Iterator[requests.Session]:
    """An editor of the tests' organisation, signed in."""
    yield from signed_in(portal, admin, "editora-pruebas", ORGANISATION)


@pytest.fixture(scope="module")
def stranger(portal, admin) -> Iterator[requests.Session]:
    """An editor of another organisation, signed in."""
    yield from signed_in(portal, admin, "editora-ajena", "pruebas-ajenas")


def signed_in(portal: Home, admin: RemoteCKAN, name: str, organisation: str) -> Iterator[requests.Session]:
    password = "una-clave-larga-de-prueba"
    try:
        admin.action.organization_create(name=organisation, title=organisation)
    except ValidationError:
        assert admin.action.organization_show(id=organisation)["state"] == "active"
    try:
        admin.action.user_create(name=name, email=f"{name}@ejemplo.invalid", password=password)
    except ValidationError:
        admin.action.user_patch(id=name, password=password, state="active")
    admin.action.organization_member_create(id=organisation, username=name, role="editor")
    with sign_in(portal, name, password) as session:
        yield session


def sign_in(portal: Home, name: str, password: str) -> requests.Session:
    session = requests.Session()
    page = session.get(f"{portal.url}/user/login", timeout=60)
    form = {"login": name, "password": password, "_csrf_token": token_of(page.text)}
    keep_cookie(session, page)
    said = session.post(f"{portal.url}/user/login", data=form, timeout=60, allow_redirects=False)
    assert said.status_code == 302, said.text
    keep_cookie(session, said)
    return session


def keep_cookie(session: requests.Session, answer: requests.Response) -> None:
    """CKAN's own cookie names an empty domain, which browsers ignore and Python's cookie jar refuses."""
    found = re.search(r"ckan=([^;]+)", answer.headers.get("Set-Cookie", ""))
    if found:
        session.cookies.set("ckan", found[1])


def token_of(page: str) -> str:
    return re.search(r'name="_csrf_token" (?:content|value)="([^"]+)"', page)[1]


def test_an_editor_chooses_a_roster_in_the_form(portal, editor, admin, month):
    page = editor.get(f"{portal.url}/harvest/new", timeout=60).text
    assert '<option value="pension65"' in page
    assert not {"Source type", "Configuration", "Update frequency"} & set(re.findall(r"[A-Z][\w ]+", page))
    organisation = admin.action.organization_show(id=ORGANISATION)["id"]
    form = {"source_type": "rnu_roster", "url": "rnu:", "padron": "pension65", "periodo": "enero", "title": "Prueba",
            "name": "prueba-form", "frequency": "MANUAL", "owner_org": organisation, "save": "Save",
            "_csrf_token": token_of(page)}  # fmt: skip
    said = editor.post(f"{portal.url}/harvest/new", data=form, timeout=60).text
    assert "Escriba el periodo como AAAA-MM" in said
    assert 'value="pension65" selected' in said
    try:
        editor.post(f"{portal.url}/harvest/new", data=form | {"periodo": month}, timeout=60)
        assert admin.action.harvest_source_show(id="prueba-form")["periodo"] == month
        assert f'value="{month}"' in editor.get(f"{portal.url}/harvest/edit/prueba-form", timeout=60).text
    finally:
        admin.action.harvest_source_delete(id="prueba-form")
        admin.action.dataset_purge(id="prueba-form")


def test_a_source_changes_by_forms_with_their_token_and_never_by_a_link(
    portal, editor, admin, source, supervisor, month
):
    made = source("pension65", month)
    name = f"prueba-pension65-{month}"
    supervisor.stop("worker")  # so that the job runs until it is stopped
    root = sign_in(portal, ADMIN, portal.secret("password-admin"))

    def tried(session: requests.Session, path: str) -> tuple[int, int, int]:
        """The answers to a link, to a form without its token and to a form."""
        url = f"{portal.url}/harvest/{path}"
        token = {"_csrf_token": token_of(session.get(f"{portal.url}/harvest/admin/{name}", timeout=60).text)}
        link, bare, form = session.get(url, timeout=60), session.post(url, timeout=60), session.post(url, data=token)
        return link.status_code, bare.status_code, form.status_code

    def states() -> list[str]:
        return [job["status"] for job in admin.action.harvest_job_list(source_id=made)]

    assert tried(editor, f"refresh/{made}") == (405, 400, 200)
    ((job, status),) = [(job["id"], job["status"]) for job in admin.action.harvest_job_list(source_id=made)]
    assert status == "Running"
    assert tried(editor, f"{name}/job/{job}/abort") == (405, 400, 403)  # an administrator's
    assert states() == ["Running"]
    assert tried(root, f"{name}/job/{job}/abort") == (405, 400, 200)
    assert states() == ["Finished"]
    assert tried(editor, f"clear/{made}") == (405, 400, 200)
    assert states() == []
    assert tried(editor, f"delete/{name}") == (405, 400, 200)
    assert admin.action.package_show(id=made)["state"] == "deleted"


# --- deliveries --------------------------------------------------------------------------------------------------


def test_a_delivery_is_received_and_the_same_again_is_unchanged(admin, source, deliver, month):
    deliver(month)
    made = source("pension65", month)
    first = harvest(admin, made)
    told = json.loads(object_of(admin, made, first)["content"])
    assert counts(first) == {"added": 1}
    assert (told["state"], told["period"], told["rows"] > told["set_aside"] > 0) == ("new", month, True)
    assert set(told) >= {"source", "digest", "rules", "roster", "tolerance"}
    again = harvest(admin, made)
    assert counts(again) == {"not modified": 1}
    assert admin.action.harvest_source_show(id=made)["status"]["last_job"]["id"] == again["id"]


def test_a_sources_jobs_are_told_in_spanish(portal, editor, admin, source, deliver, month, supervisor):
    name, made = f"prueba-pension65-{month}", source("pension65", month)

    def read() -> str:
        pages = (editor.get(f"{portal.url}/harvest/{path}", timeout=60) for path in (f"admin/{name}", f"{name}/job"))
        return " ".join(re.sub(r"<[^>]*>|\s+", " ", page.text) for page in pages)

    deliver(month)
    supervisor.stop("worker")
    job = start(admin, made)
    deadline = time.monotonic() + 30  # until the job has been taken from its queue
    while (under_way := read()).count("En marcha") < 2 and time.monotonic() < deadline:
        time.sleep(0.5)
    supervisor.start("worker", lambda: True)
    finished(admin, job)
    ended = read()
    assert under_way.count("En marcha") == 2
    assert len(re.findall(r"\bRecibida\b", ended)) == 2
    assert not re.search(r"Running|Finished|added|updated|deleted|not modified", under_way + ended)


def test_a_returned_delivery_is_told_rule_by_rule_and_names_nobody(portal, admin, editor, source, deliver, month):
    file = deliver(month, broken=True)
    made = source("pension65", month)
    job = harvest(admin, made)
    report = admin.action.harvest_job_report(id=job["id"])
    ((found, errors),) = report["object_errors"].items()
    messages = [error["message"] for error in errors["errors"]]
    assert counts(job) == {"errored": 1}
    assert "se devuelve a su responsable" in messages[0]
    assert any(re.fullmatch(r"DNI: no tiene la forma que pide el esquema \(\d{3}\)", m) for m in messages)
    pages = [
        editor.get(f"{portal.url}/harvest/prueba-pension65-{month}/job/{job['id']}", timeout=60),
        editor.get(f"{portal.url}/harvest/entrega/{found}", timeout=60),
    ]
    assert [page.status_code for page in pages] == [200, 200]
    assert all("Devuelta a su responsable" in page.text for page in pages)
    assert f"/harvest/entrega/{found}" in pages[0].text
    assert f"{file.name}: filas 1, 11, 21" in pages[1].text
    documents = set(re.findall(rb"\b\d{8}\b", file.read_bytes()))
    told = " ".join(
        [*(page.text for page in pages), json.dumps(report), admin.action.harvest_object_show(id=found)["content"]]
    )
    assert SECRET not in told
    assert not documents & {number.encode() for number in re.findall(r"\b\d{8}\b", told)}


def test_the_owner_mends_it_and_it_is_received_and_corrected_later(admin, source, deliver, month):
    deliver(month, broken=True)
    made = source("pension65", month)
    assert counts(harvest(admin, made)) == {"errored": 1}
    file = deliver(month)
    assert counts(harvest(admin, made)) == {"added": 1}
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    assert counts(harvest(admin, made)) == {"updated": 1}


def test_a_delivery_that_has_not_come_is_told(admin, source, month):
    job = harvest(admin, source("pension65", month))
    (summary,) = job["object_error_summary"]
    assert counts(job) == {"errored": 1}
    assert summary["message"].startswith("La entrega no está todavía, o su fuente no responde")


def test_a_source_that_is_due_is_harvested_unasked(admin, source, deliver, month):
    deliver(month)
    made = source("pension65", month, frequency="ALWAYS")
    deadline = time.monotonic() + 120
    while not (jobs := admin.action.harvest_job_list(source_id=made)):
        assert time.monotonic() < deadline
        time.sleep(1)
    admin.action.harvest_source_patch(id=made, frequency="MANUAL")
    assert counts(finished(admin, jobs[-1]["id"])) == {"added": 1}


def test_clearing_a_source_loses_nothing_but_its_jobs(portal, admin, visitor, source, deliver, month):
    deliver(month)
    made = source("pension65", month)
    harvest(admin, made)
    before = (
        visitor.action.package_list(),
        sorted(p.name for p in portal.releases.iterdir()),
        requests_of(portal, month),
    )
    assert before[0]
    admin.action.harvest_source_clear(id=made)
    assert admin.action.harvest_job_list(source_id=made) == []
    after = visitor.action.package_list(), sorted(p.name for p in portal.releases.iterdir()), requests_of(portal, month)
    assert after == before
    assert counts(harvest(admin, made)) == {"not modified": 1}


# --- away, killed, twice at once ---------------------------------------------------------------------------------


@pytest.fixture
def supervisor(portal) -> Iterator[Supervisor]:
    """The portal's processes; all that ran does so again afterwards."""
    supervisor = Supervisor(portal)
    yield supervisor
    supervisor.start("worker", lambda: True)


def test_while_the_worker_is_away_a_job_stays_open_and_no_queue_waits(
    portal, admin, source, deliver, supervisor, month
):
    deliver(month)
    made = source("pension65", month)
    supervisor.stop("worker")
    job = start(admin, made)
    deadline = time.monotonic() + 60
    while not requests_of(portal, month):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    ckan(portal, "harvester", "run")
    assert admin.action.harvest_job_show(id=job)["status"] == "Running"
    other = source("juntos", month)  # the same queues serve others meanwhile
    second = start(admin, other)
    while len(requests_of(portal, month)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    supervisor.start("worker", lambda: True)
    assert counts(finished(admin, job)) == {"added": 1}
    assert counts(finished(admin, second)) == {"errored": 1}


def test_one_look_closes_what_was_answered(portal, admin, source, deliver, supervisor, month):
    deliver(month)
    made = source("pension65", month)
    supervisor.stop("harvest-clock")
    try:
        job = start(admin, made)
        deadline = time.monotonic() + 60
        while not any(State.DONE in states for _, states in requests_of(portal, month)):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert admin.action.harvest_job_show(id=job)["status"] == "Running"
        ckan(portal, "harvester", "run")
        assert admin.action.harvest_job_show(id=job)["status"] == "Finished"
    finally:
        supervisor.start("harvest-clock", lambda: True)


def test_a_worker_killed_in_the_middle_goes_on_and_answers_once(portal, admin, source, deliver, supervisor, month):
    deliver(month)
    made = source("pension65", month)
    job = start(admin, made)
    deadline = time.monotonic() + 60
    while not (found := requests_of(portal, month)) or State.TAKEN not in found[0][1]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    subprocess.run(["kill", "-KILL", pid_of(supervisor, "worker")], check=False)
    assert sum(counts(finished(admin, job)).values()) == 1
    ((_, states),) = requests_of(portal, month)
    assert set(states[:-1]) == {State.TAKEN}
    assert states[-1] == State.DONE


def pid_of(supervisor: Supervisor, name: str) -> str:
    return supervisor._tell("pid", name).strip()


def test_two_workers_answer_each_request_once(portal, admin, source, deliver, supervisor, month):
    deliver(month)
    supervisor.stop("worker")
    jobs = [start(admin, source(roster, month)) for roster in ("pension65", "juntos", "sis", "pca")]
    deadline = time.monotonic() + 60
    while len(requests_of(portal, month)) < len(jobs):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    supervisor.start("worker", lambda: True)
    environment = f"RNU_SIGNING_KEY_FILE={portal.institution / 'secrets' / 'builder.pem'}"
    second = ["env", environment, portal.program("rnu"), "worker", "--once", "--home", str(portal.institution)]
    run(second, user=portal.users.worker, cwd=portal.root)
    done = [finished(admin, job) for job in jobs]
    assert [sum(counts(job).values()) for job in done] == [1, 1, 1, 1]
    found = requests_of(portal, month)
    assert len(found) == len(jobs)
    assert all(len([s for s in states if s != State.TAKEN]) == 1 for _, states in found)


def test_the_consumers_outlive_an_empty_queue(supervisor):
    """redis-py gives up a blocking read after five seconds unless it is told otherwise."""
    names = ("harvest-gather", "harvest-fetch", "harvest-clock")
    before = [pid_of(supervisor, name) for name in names]
    time.sleep(8)
    assert [pid_of(supervisor, name) for name in names] == before


# --- who sees what -----------------------------------------------------------------------------------------------


def test_nobody_else_learns_of_a_source_or_its_reports(portal, visitor, stranger, admin, source, deliver, month):
    deliver(month)
    made = source("pension65", month)
    job = harvest(admin, made)
    found = object_of(admin, made, job)["id"]
    paths = (f"/harvest/prueba-pension65-{month}", f"/harvest/prueba-pension65-{month}/job/{job['id']}",
             f"/harvest/entrega/{found}", f"/harvest/object/{found}")  # fmt: skip
    for session in (requests.Session(), stranger):
        answers = [session.get(f"{portal.url}{path}", timeout=60) for path in paths]
        assert all(a.status_code in (403, 404) or "/user/login" in a.url for a in answers), [a.url for a in answers]
        assert not any("Filas recibidas" in a.text or "4 984" in a.text for a in answers)
        assert f"prueba-pension65-{month}" not in session.get(f"{portal.url}/harvest", timeout=60).text
    for action, asked in (("harvest_object_show", {"id": found}), ("harvest_object_list", {"source_id": made}),
                          ("harvest_job_show", {"id": job["id"]}), ("harvest_source_show", {"id": made})):  # fmt: skip
        with pytest.raises((NotAuthorized, CKANAPIError)):
            visitor.call_action(action, asked)


def test_a_visitor_who_makes_a_source_is_refused_before_anything_is_told(visitor):
    with pytest.raises(NotAuthorized) as error:
        visitor.action.harvest_source_create(name="x", source_type="rnu_roster", padron="x", url="rnu:")
    assert "pension65" not in str(error.value)


def test_ckans_user_reads_releases_and_its_view_of_the_ledger_and_nothing_else(portal):
    if not portal.users.apart:
        pytest.skip("without root CKAN and the worker are one user")

    def reads(path: Path, user: str = portal.users.web) -> bool:
        asked = ["/usr/sbin/runuser", "-u", user, "--", "head", "-c1", str(path)]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    inside = portal.institution
    secrets = [*(inside / "secrets").iterdir(), *(inside / "store" / "deliveries").iterdir()]
    rosters = list((inside / "store" / "rosters").rglob("*.parquet"))
    others = [inside / "ledger.sqlite.moved", inside / "config" / "sources.toml", *(inside / "entregas").rglob("*.csv")]
    reports = [p for p in (inside / "store" / "private").rglob("*") if p.is_file()]
    for path in (*secrets, *rosters, *others, *reports):
        assert not reads(path), path
    assert min(map(len, (secrets, rosters, others, reports))) > 0
    assert all(reads(path, portal.users.worker) for path in (*rosters, *others))
    released = [p for p in portal.releases.rglob("*") if p.is_file()]
    assert released
    assert all(reads(path) for path in released)


@pytest.mark.parametrize("statement", ["select * from public.intake", "select * from public.receipt",
                                       "delete from request", "insert into receipt (at) values ('')"])  # fmt: skip
def test_ckans_address_of_the_ledger_opens_nothing_but_the_desk(portal, statement):
    address = postgres.url(portal, "rnu_ckan", "rnu")
    command = [postgres.postgres_program("psql"), address, "-v", "ON_ERROR_STOP=1", "-qtAc"]
    with pytest.raises(Failed, match="permission denied"):
        run([*command, statement])
    assert int(run([*command, "select count(*) from request"])) > 0


# --- the same command line ---------------------------------------------------------------------------------------


def test_ckans_command_line_has_the_same_commands(portal):
    def commands(said: str) -> list[str]:
        return re.findall(r"^  ([a-z-]+) ", said.split("Commands:")[1], re.MULTILINE)

    assert commands(ckan(portal, "rnu", "--help")) == commands(run([portal.program("rnu"), "--help"])) != []


def test_ckans_user_is_told_that_the_institution_is_not_its_own(portal):
    if not portal.users.apart:
        pytest.skip("without root CKAN and the worker are one user")
    with pytest.raises(Failed, match="is not readable"):
        ckan(portal, "rnu", "status", "--home", str(portal.institution))
