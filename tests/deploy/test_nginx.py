"""The web server in front of CKAN, really started: TLS, headers, limits, and what it tells when CKAN is away."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug import Response

from deploy.headers import HEADERS, read

ROOT = Path(__file__).parents[2]
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
TEMPLATE = ROOT / "deploy" / "container" / "nginx" / "portal.conf.template"
WANTED = dict(read(HEADERS.read_text(encoding="utf-8")))

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not here; as root: apt-get install nginx-light")


@dataclass(frozen=True)
class Front:
    """nginx on loopback before a small server of the test's own."""

    http: int
    https: int
    certificate: Path
    log: Path

    def get(self, path: str, **options) -> requests.Response:
        address = f"https://localhost:{self.https}{path}"
        return requests.get(address, verify=str(self.certificate), timeout=20, **options)


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def self_signed(folder: Path) -> None:
    """A certificate for localhost, valid for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def configured(folder: Path, upstream: str) -> tuple[Path, Front]:
    """nginx.conf with the template filled in, all of nginx's own files in a folder of the test."""
    self_signed(folder)
    front = Front(free_port(), free_port(), folder / "certificate.pem", folder / "access.log")
    portal = Template(TEMPLATE.read_text(encoding="utf-8")).safe_substitute(
        RNU_LISTEN_HTTP=f"127.0.0.1:{front.http}",
        RNU_LISTEN_HTTPS=f"127.0.0.1:{front.https}",
        RNU_SERVER_NAME="localhost",
        RNU_AUTHORITY=f"localhost:{front.https}",
        RNU_UPSTREAM=upstream,
        RNU_TLS=folder,
        RNU_HEADERS=HEADERS,
        RNU_PAGES=TEMPLATE.parent,
        RNU_LOG=folder,
    )
    (folder / "portal.conf").write_text(portal)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    run_as = "user root;" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(
        f"{run_as} pid {folder}/pid; daemon off; error_log {folder}/start.log;"
        f"events {{}} http {{ {temporary} default_type text/html; include {folder}/portal.conf; }}"
    )
    return conf, front


@pytest.fixture
def front(tmp_path, httpserver) -> Iterator[Front]:
    httpserver.expect_request("/una-página").respond_with_data(
        "hola", headers={"X-Frame-Options": "SAMEORIGIN", "Content-Security-Policy": "default-src *"}
    )
    for path in ("/api/3/action/x", "/user/login", "/"):
        httpserver.expect_request(path).respond_with_data("hola")
    httpserver.expect_request("/quien").respond_with_handler(
        lambda asked: Response("\n".join(f"{k}: {v}" for k, v in asked.headers.items()))
    )
    conf, front = configured(tmp_path, f"127.0.0.1:{httpserver.port}")
    with subprocess.Popen([NGINX, "-c", str(conf)], stderr=subprocess.DEVNULL) as nginx:
        try:
            wait_for(front.https, tmp_path)
            yield front
        finally:
            nginx.terminate()


def wait_for(port: int, folder: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with closing(socket.socket()) as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError((folder / "start.log").read_text())


def test_debians_nginx_finds_no_fault_with_it(tmp_path):
    conf, _ = configured(tmp_path, "127.0.0.1:9")
    said = subprocess.run([NGINX, "-t", "-c", str(conf)], capture_output=True, text=True, check=False)
    assert (said.returncode, "test is successful" in said.stderr) == (0, True), said.stderr


def test_plain_http_leads_to_tls_at_the_portals_own_address(front):
    asked = {"Host": "malo.invalid"}
    answer = requests.get(
        f"http://127.0.0.1:{front.http}/dataset/?q=x", allow_redirects=False, headers=asked, timeout=20
    )
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://localhost:{front.https}/dataset/?q=x")


def test_every_page_has_the_one_list_of_headers_once(front):
    answer = front.get("/una-página")
    assert {name: answer.headers.get(name) for name in WANTED} == WANTED
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["Server"] == "nginx"


def test_who_asks_too_often_is_told_so_in_spanish(front):
    answers = [front.get("/user/login") for _ in range(14)]
    codes = [answer.status_code for answer in answers]
    assert (codes[:11], codes[-1]) == ([200] * 11, 429)
    assert "Demasiados pedidos" in answers[-1].content.decode()
    assert {name: answers[-1].headers.get(name) for name in WANTED} == WANTED


def test_a_sign_in_refused_leaves_the_pages_open(front):
    for _ in range(14):
        front.get("/user/login")
    assert front.get("/").status_code == 200


def test_the_api_has_a_limit_of_its_own(front):
    with requests.Session() as session:
        address, trusted = f"https://localhost:{front.https}/api/3/action/x", str(front.certificate)
        codes = [session.get(address, timeout=20, verify=trusted).status_code for _ in range(120)]
    assert (codes[0], 429 in codes) == (200, True)


def test_ckan_learns_who_asked_and_that_it_was_by_tls_whatever_the_asker_claims(front):
    claimed = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "http"}
    told = front.get("/quien", headers=claimed).text
    assert "X-Forwarded-For: 127.0.0.1" in told
    assert "X-Forwarded-Proto: https" in told
    assert "9.9.9.9" not in told


def test_a_portal_that_is_down_says_so_in_spanish_and_nothing_else(front, httpserver):
    httpserver.stop()
    answer = front.get("/una-página")
    assert (answer.status_code, "El portal no está disponible" in answer.content.decode()) == (502, True)
    assert {name: answer.headers.get(name) for name in WANTED} == WANTED
    httpserver.start()


def test_old_tls_is_refused(front):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.load_verify_locations(front.certificate)
    with socket.create_connection(("127.0.0.1", front.https), timeout=20) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


def test_the_log_tells_neither_who_nor_what_was_looked_for(front):
    front.get("/?q=un-nombre")
    deadline = time.monotonic() + 10
    while "GET /" not in (text := front.log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ("127.0.0.0" in text, "127.0.0.1" in text, "un-nombre" in text) == (True, False, False)
