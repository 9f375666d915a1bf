"""Deliveries come home from folders and real HTTP servers."""

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from harvesters import folder, http
from harvesters.delivery import digest
from harvesters.errors import Unavailable
from harvesters.http import Validators

BODY = b"dni;sexo\n" + b"00000001;F\n" * 1000


class Server(BaseHTTPRequestHandler):
    """Answers by path: what a sector's server does on good and bad days."""

    failures = 0
    seen: ClassVar[list] = []

    def do_GET(self):
        type(self).seen.append(dict(self.headers))
        name = self.path.split("?")[0].rsplit("/", 1)[-1]
        if name == "tired.csv" and type(self).failures > 0:
            type(self).failures -= 1
            self.send_error(503)
            return
        if name == "asleep.csv":
            self.send_response(503)
            self.send_header("Retry-After", "3600")
            self.end_headers()
            return
        if name == "gone.csv":
            self.send_error(404)
            return
        if name == "padron.csv" and self.headers.get("If-None-Match") == '"v1"':
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", '"v1"')
        cut = name == "short.csv" or (name == "once-short.csv" and len(type(self).seen) == 1)
        self.send_header("Content-Length", "abc" if name == "odd-length.csv" else str(len(BODY)))
        self.end_headers()
        if name == "drip.csv":
            drip(self.wfile)
            return
        if name == "slow.csv":
            time.sleep(2)
        self.wfile.write(BODY[:500] if cut else BODY)

    def log_message(self, *_):
        pass


def drip(out) -> None:
    """One byte after the other, never so slowly that a single wait is too long."""
    with contextlib.suppress(OSError):
        for byte in BODY[:150]:
            out.write(bytes([byte]))
            time.sleep(0.05)


@pytest.fixture
def server():
    Server.failures, Server.seen = 0, []
    running = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def get(url, into, **changed):
    options = {"user_agent": "rnu-test", "timeout": 5.0, "retries": 2, "max_bytes": 1_000_000} | changed
    return http.fetch(url, into, **options)


def test_a_file_is_fetched_whole_with_our_name_for_ourselves(server, tmp_path):
    answer = get(f"{server}/padron.csv?token=secret", tmp_path)
    assert answer.file.path.read_bytes() == BODY
    assert (answer.file.name, answer.validators.etag) == ("padron.csv", '"v1"')
    assert Server.seen[0]["User-Agent"] == "rnu-test"


def test_an_unchanged_file_is_not_fetched_again(server, tmp_path):
    answer = get(f"{server}/padron.csv", tmp_path, known=Validators(etag='"v1"'))
    assert answer.file is None
    assert list(tmp_path.iterdir()) == []


def test_a_tired_server_is_asked_again(server, tmp_path):
    Server.failures = 2
    assert get(f"{server}/tired.csv", tmp_path).file.size == len(BODY)
    assert len(Server.seen) == 3


def test_a_server_that_stays_tired_is_quoted(server, tmp_path):
    Server.failures = 9
    with pytest.raises(Unavailable, match=r"the server answered 503 \(asked 2 times\)"):
        get(f"{server}/tired.csv", tmp_path, retries=1)


@pytest.mark.parametrize(
    ("path", "said"),
    [("drip.csv", "took longer than the time allowed"), ("asleep.csv", "the server answered 503")],
)
def test_no_server_takes_more_time_than_it_is_given(server, tmp_path, path, said):
    started = time.monotonic()
    with pytest.raises(Unavailable, match=said):
        get(f"{server}/{path}", tmp_path, timeout=0.2)
    assert time.monotonic() - started < 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["padron%00", "%2e%2e", "%2e", "", "a%0ab", "n" * 256])
def test_an_address_without_a_name_for_a_file_gives_it_ours(server, tmp_path, path):
    assert get(f"{server}/{path}", tmp_path).file.path == tmp_path / "delivery"


def test_a_length_that_is_no_number_is_not_minded(server, tmp_path):
    assert get(f"{server}/odd-length.csv", tmp_path).file.size == len(BODY)


@pytest.mark.parametrize("url", ["http://h:abc/a.csv", "http://" + "n" * 70 + ".org/a.csv", "nowhere"])
def test_an_address_that_is_none_is_unavailable(tmp_path, url):
    with pytest.raises(Unavailable, match="cannot be asked"):
        get(url, tmp_path, retries=0)


def test_a_body_cut_short_is_asked_for_again_and_never_kept(server, tmp_path):
    assert get(f"{server}/once-short.csv", tmp_path).file.size == len(BODY)
    (tmp_path / "once-short.csv").unlink()
    with pytest.raises(Unavailable, match="bytes"):
        get(f"{server}/short.csv", tmp_path, retries=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "changed", "said"),
    [
        ("gone.csv?token=secret", {}, "answered 404"),
        ("padron.csv", {"max_bytes": 100}, "limit of 100 bytes"),
        ("slow.csv", {"timeout": 0.3, "retries": 0}, "cannot be reached|broke"),
    ],
)
def test_what_cannot_be_had_says_why_without_secrets(server, tmp_path, path, changed, said):
    with pytest.raises(Unavailable, match=said) as caught:
        get(f"{server}/{path}", tmp_path, **changed)
    assert "secret" not in str(caught.value.what) + caught.value.where
    assert list(tmp_path.iterdir()) == []


def test_a_dead_server_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="cannot be reached"):
        get("http://127.0.0.1:9/padron.csv", tmp_path, retries=0)


def test_a_folder_gives_its_files_in_order_and_hashes_them(tmp_path):
    source, into = tmp_path / "s", tmp_path / "i"
    source.mkdir(), into.mkdir()
    for name in ("b.csv", "a.csv"):
        (source / name).write_text(name)
    files = folder.fetch(source, "*.csv", into, max_bytes=100)
    assert [f.name for f in files] == ["a.csv", "b.csv"]
    assert (into / "a.csv").read_text() == "a.csv"
    assert digest(files) == digest(files[::-1])


def test_an_empty_or_too_large_folder_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="no file"):
        folder.fetch(tmp_path, "*.csv", tmp_path, max_bytes=100)
    (tmp_path / "a.csv").write_bytes(BODY)
    with pytest.raises(Unavailable, match="limit"):
        folder.fetch(tmp_path, "*.csv", tmp_path, max_bytes=100)
