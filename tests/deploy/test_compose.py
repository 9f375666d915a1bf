"""The portal in containers: what can be known of it without an engine. It agrees with the native one."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.container import places
from deploy.container.places import ALL_SECRETS
from deploy.headers import HEADERS, read
from deploy.native.home import Home, Users
from deploy.native.machine import Failed
from deploy.native.postgres import ROLES
from deploy.native.processes import processes
from deploy.site import Site

ROOT = Path(__file__).parents[2]
COMPOSE = shutil.which("docker-compose")
DOCKERFILE = (ROOT / "deploy" / "container" / "Dockerfile").read_text(encoding="utf-8")
OF_CKAN = ("web", "jobs", "harvest-gather", "harvest-fetch", "harvest-clock", "desk-clock")
HOME = Home(Path("/native"), 8810, Users("postgres", "rnu-ckan", "rnu-worker", "rnu-releases"))


@pytest.fixture(scope="module")
def compose() -> dict:
    """What docker-compose makes of the file, the web server with it."""
    if COMPOSE is None:
        pytest.skip("docker-compose is not here; as root: apt-get install docker-compose (it needs no engine for this)")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RNU_")}
    environment = {**kept, "RNU_PORTAL_URL": "https://datos.ejemplo.invalid", "COMPOSE_PROFILES": "tls"}
    command = [COMPOSE, "-f", str(ROOT / "docker-compose.yml"), "config"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert said.returncode == 0, said.stderr
    return yaml.safe_load(said.stdout)


@pytest.fixture
def services(compose) -> dict:
    return compose["services"]


def secrets_of(service: dict) -> set[str]:
    return {one["source"] for one in service.get("secrets", ())}


def volumes_of(service: dict) -> dict[str, tuple[str, str]]:
    """Name -> where it is, and how: rw or ro."""
    found = (volume.split(":") for volume in service.get("volumes", ()))
    return {name: (where, *how)[:2] if how else (where, "rw") for name, where, *how in found}


def test_without_an_address_it_says_which_one_is_missing():
    if COMPOSE is None:
        pytest.skip("docker-compose is not here; as root: apt-get install docker-compose (it needs no engine for this)")
    environment = {name: value for name, value in os.environ.items() if name != "RNU_PORTAL_URL"}
    command = [COMPOSE, "-f", str(ROOT / "docker-compose.yml"), "config", "-q"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (said.returncode != 0, "the address with which visitors find the portal" in said.stderr) == (True, True)


def test_the_same_programs_run_in_both_ways(services):
    native = {process.name: list(process.command) for process in processes(HOME)}
    assert set(native) == set(services) - {"setup", "nginx"}
    for name in (*OF_CKAN, "worker"):
        program, *words = native[name]
        run, user, *command = services[name]["command"]
        assert (run, user) == ("run", "rnu-worker" if name == "worker" else "ckan")
        assert plain(command) == plain([Path(program).name, *words])


def plain(command: list[str]) -> list[str]:
    """A command without what is of its place: where it listens, whom it trusts, where the institution lies."""
    own = ("--bind", "--forwarded-allow-ips", "--home")
    return [word for i, word in enumerate(command) if word not in own and command[i - 1] not in own]


def test_the_workers_volume_and_password_are_the_workers_alone(services):
    having = {name for name, service in services.items() if "institution" in volumes_of(service)}
    assert having == {"worker"}
    assert {n for n, s in services.items() if "postgres-rnu-worker" in secrets_of(s)} == {"worker", "setup"}
    assert secrets_of(services["worker"]) == {"postgres-rnu-worker"}
    assert "ckan" not in volumes_of(services["worker"])


def test_ckan_reads_releases_and_cannot_write_them(services):
    assert {name: volumes_of(services[name])["releases"][1] for name in OF_CKAN} == dict.fromkeys(OF_CKAN, "ro")
    assert volumes_of(services["worker"])["releases"][1] == "rw"


def test_secrets_are_files_each_made_by_the_command_and_given_to_those_who_need_them(compose, services):
    assert set(compose["secrets"]) == set(ALL_SECRETS)
    assert {one["file"].removeprefix(str(ROOT)) for one in compose["secrets"].values()} == {
        f"/secrets/{name}" for name in ALL_SECRETS
    }
    needed = {ROLES["ckan"], ROLES["datastore_reader"], ROLES["rnu_ckan"], places.SECRET_KEY}
    assert all(secrets_of(services[name]) == needed for name in OF_CKAN)
    assert {name for name, service in services.items() if places.SUPERUSER in secrets_of(service)} == {
        "postgres",
        "setup",
    }
    assert not re.search(r"(?i)password: ?\S|_PASSWORD: ?\S", (ROOT / "docker-compose.yml").read_text())


def test_only_the_web_server_is_reached_from_outside_and_ckan_from_this_machine(compose, services):
    ports = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    assert set(ports) == {"nginx", "web"}
    assert all("127.0.0.1" in str(port) for port in ports["web"])
    assert str(HOME.first_port) in str(ports["web"])
    assert compose["networks"]["inside"]["internal"] is True
    outside = {name for name, service in services.items() if "outside" in service["networks"]}
    assert outside == {"nginx", "web", "worker", "desk-clock"}


def test_every_service_that_stays_says_whether_it_is_well(services):
    of_images = {name for name, service in services.items() if "healthcheck" in service}
    assert of_images == {"postgres", "redis", "solr", "web", "nginx"}
    for name in (*OF_CKAN, "worker"):
        assert services[name]["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}
        assert services[name]["restart"] == "unless-stopped"


def fake_secrets(folder: Path, monkeypatch) -> None:
    for name in ALL_SECRETS:
        (folder / name).write_text(f"of-{name}\n")
    read_secret = places.secret
    monkeypatch.setattr(places, "secret", lambda name: read_secret(name, folder))


def test_both_ways_write_the_same_settings(tmp_path, monkeypatch):
    fake_secrets(tmp_path, monkeypatch)
    monkeypatch.setenv("RNU_PORTAL_URL", "https://datos.ejemplo.invalid/")
    native = Site(
        url=HOME.url,
        database=lambda role, name: f"postgresql://{role}@127.0.0.1/{name}",
        redis=("127.0.0.1", HOME.port("redis")),
        solr="http://127.0.0.1/solr/ckan",
        root=HOME.root / "ckan",
        releases=HOME.releases,
    ).settings()
    contained = places.settings()
    # natively CKAN makes its key itself, once, in ckan.ini
    assert set(contained) - set(native) == {
        "SECRET_KEY", "api_token.jwt.encode.secret", "api_token.jwt.decode.secret",
    }  # fmt: skip
    assert set(native) <= set(contained)
    assert contained["ckan.site_url"] == "https://datos.ejemplo.invalid"
    assert contained["sqlalchemy.url"] == "postgresql://ckan:of-postgres-ckan@postgres:5432/ckan"
    assert (native["SESSION_COOKIE_SECURE"], contained["SESSION_COOKIE_SECURE"]) == ("false", "true")


def test_what_only_one_machine_knows_is_not_in_the_one_list():
    shared = configparser.RawConfigParser(delimiters="=", strict=True)
    shared.optionxform = str
    shared.read(ROOT / "deploy" / "settings.ini", encoding="utf-8")
    own = Site("https://x.invalid", lambda *_: "", ("", 1), "", Path(), Path()).settings()
    assert not set(shared["app:main"]) & set(own)
    assert not re.search(r"(?i)(password|secret|token)\s*=\s*\S", (ROOT / "deploy" / "settings.ini").read_text())


def test_a_secret_that_is_missing_is_told_by_name_with_what_to_do(tmp_path):
    with pytest.raises(Failed, match=r"postgres-ckan is not there\n  -> python -m deploy.container secrets"):
        places.secret("postgres-ckan", tmp_path)


def test_the_images_are_built_from_what_is_there_and_from_the_portals_ckan():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [word for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()]
    assert copied
    assert all((ROOT / name).exists() and f"!{name}" in ignored for name in copied)
    assert ignored[1] == "*"
    version = re.search(r"ckan\[requirements\]==(\d+\.\d+)", (ROOT / "deploy" / "portal.in").read_text())[1]
    assert f"ARG CKAN={version}\n" in DOCKERFILE
    assert "--require-hashes -r requirements-portal.lock" in DOCKERFILE
    solr = re.search(r"<solr.version>(\d+)", (ROOT / "deploy" / "solr" / "pom.xml").read_text())[1]
    assert f"FROM ckan/ckan-solr:${{CKAN}}-solr{solr} AS solr" in DOCKERFILE


def test_the_web_server_gets_every_variable_of_its_template(services):
    template = (ROOT / "deploy" / "container" / "nginx" / "portal.conf.template").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(RNU_\w+)\}", template))
    assert asked == {name for name in services["nginx"]["environment"] if name.startswith("RNU_")}
    upstream = services["nginx"]["environment"]["RNU_UPSTREAM"]
    assert upstream == f"web:{services['web']['command'][services['web']['command'].index('--bind') + 1].split(':')[1]}"
    limit = re.search(r"client_max_body_size (\d+)m", template)[1]
    assert f"ckan.max_resource_size = {limit}\n" in (ROOT / "deploy" / "settings.ini").read_text()


def test_nginx_takes_away_every_header_that_it_adds():
    text = HEADERS.read_text(encoding="utf-8")
    assert {name for name, _ in read(text)} == set(re.findall(r"^proxy_hide_header (\S+);$", text, re.MULTILINE))


def test_a_line_that_nginx_would_take_and_the_native_way_would_not_is_refused():
    with pytest.raises(ValueError, match="not understood: add_header X-New 1"):
        read("add_header X-New 1 always;\n")
