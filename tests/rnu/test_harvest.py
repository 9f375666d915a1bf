"""What was delivered lies in the store, also when it was lost there."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from rnu.harvest import harvest
from rnu.ledger import Ledger
from rnu.settings import Fetch, Period
from rnu.store import Store

BODY = b"dni\n1\n"
JANUARY = Period(2026, 1)


class Server(BaseHTTPRequestHandler):
    """Has one file that never changes, and knows who has it already."""

    def do_GET(self):
        if self.headers.get("If-None-Match") == '"v1"':
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    running = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/padron.csv"
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize("how", ["folder", "http"])
def test_a_delivered_file_that_was_lost_is_put_back_and_is_no_new_delivery(how, address, tmp_path):
    (tmp_path / "padron.csv").write_bytes(BODY)
    source = SimpleNamespace(
        id="sis", title="SIS", owner="SIS", fetch=Fetch(how, address if how == "http" else "padron.csv")
    )
    store, ledger = Store(tmp_path / "store"), Ledger.beside(tmp_path)
    store.create(), ledger.upgrade()
    first = harvest(source, JANUARY, tmp_path, store, ledger)
    ((_, sha256, _),) = first.delivery.files
    for _ in range(2):
        again = harvest(source, JANUARY, tmp_path, store, ledger)
        assert (first.new, again.new, again.delivery.digest) == (True, False, first.delivery.digest)
        assert store.delivery(sha256).read_bytes() == BODY
        store.delivery(sha256).unlink()
