"""Show a portal's folder on this machine, for looking at it; a real portal is served by a real web server.

What a real one must do as well, this one does: right types, an ETag and a date for whoever asks again, and reading
allowed for pages of other sites (CORS).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from os import PathLike
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO

from rnu.errors import PortalRefused
from rnu.publish.folder import CURRENT
from rnu.release.describe import MEDIA_TYPES


class _Handler(SimpleHTTPRequestHandler):
    """Files of the site with their right types, no listing of folders, the site's own page for what is not there."""

    extensions_map = {  # noqa: RUF012 - the base class declares it so
        **SimpleHTTPRequestHandler.extensions_map,
        **{f".{ending}": kind for ending, kind in MEDIA_TYPES.items()},
        ".json": "application/json",
        ".jsonld": "application/ld+json",
        ".md": "text/markdown",
        ".sha256": "text/plain",
        ".js": "text/javascript",
        ".xml": "application/xml",
        ".atom": "application/atom+xml",
        ".ttl": "text/turtle",
    }
    _tag = ""  # of the file that is being answered with

    def send_head(self) -> BytesIO | BinaryIO | None:
        """The file asked for, unless the visitor has it already."""
        self._tag = self._etag()
        known = self.headers.get("If-None-Match", "")
        if self._tag and self._tag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return None
        return super().send_head()

    def do_OPTIONS(self) -> None:
        """Tell a page of another site that it may read."""
        self.send_response(HTTPStatus.NO_CONTENT)
        self.send_header("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
        self.send_header("Access-Control-Allow-Headers", "If-None-Match, If-Modified-Since")
        self.end_headers()

    def end_headers(self) -> None:
        """Add what every answer bears: reading for all, and asking again before using what was kept."""
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Expose-Headers", "Content-Length, ETag, Last-Modified")
        self.send_header("Cache-Control", "no-cache")  # a release may be withdrawn
        self.send_header("X-Content-Type-Options", "nosniff")
        if self._tag:
            self.send_header("ETag", self._tag)
        super().end_headers()

    def _etag(self) -> str:
        """A mark that changes with a file; empty where there is none."""
        path = Path(self.translate_path(self.path))
        file = path / "index.html" if self.path.partition("?")[0].endswith("/") else path
        try:
            found = file.stat()
        except OSError:
            return ""
        return f'"{found.st_mtime_ns:x}-{found.st_size:x}"' if S_ISREG(found.st_mode) else ""

    def guess_type(self, path: str | PathLike[str]) -> str:
        kind = super().guess_type(path)
        text = kind.startswith("text/") or kind in (
            "application/json",
            "application/ld+json",
            "application/xml",
            "application/atom+xml",
        )
        return f"{kind}; charset=utf-8" if text else kind

    def list_directory(self, path: str | PathLike[str]) -> BytesIO | None:  # noqa: ARG002
        self.send_error(HTTPStatus.NOT_FOUND)
        return None

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self._tag = ""
        page = Path(self.directory) / "404.html"
        if code != HTTPStatus.NOT_FOUND or not page.is_file():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the command that serves has said where to look."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a visitor who left early."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server on this machine's own address for a portal's folder; port 0 takes any that is free.

    It follows the folder's `current` link, so that publishing again shows without a restart.
    """
    site = folder / CURRENT
    if not (site / "index.html").is_file():
        raise PortalRefused("nothing has been published here yet", where=str(folder), remedy="run `rnu publish`")
    try:
        return _Server(("127.0.0.1", port), partial(_Handler, directory=str(site)))
    except OSError as error:
        raise PortalRefused(
            f"port {port} cannot be used ({error.strerror})", where="127.0.0.1", remedy="choose another with --port"
        ) from error


def serve(folder: Path, port: int, say: Callable[[str], None]) -> None:
    """Serve until interrupted; says the address first."""
    with server(folder, port) as running:
        say(f"http://127.0.0.1:{running.server_port}/  (Ctrl+C ends it)")
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            return
