"""Security headers where no nginx stands in front: the lines of headers.conf, put on every answer of a WSGI program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADERS = Path(__file__).with_name("headers.conf")
_LINE = re.compile(r'add_header ([\w-]+) "([^"]*)" always;')

Header = tuple[str, str]


def read(text: str) -> tuple[Header, ...]:
    """The headers of a file for nginx; ValueError names a line that is none and no other word known here.

    >>> read('# why\\nproxy_hide_header X-Frame-Options;\\nadd_header X-Frame-Options "DENY" always;\\n')
    (('X-Frame-Options', 'DENY'),)
    """
    found = []
    for line in text.splitlines():
        header = _LINE.fullmatch(line)
        if header:
            found.append((header[1], header[2]))
        elif line and not line.startswith(("#", "proxy_hide_header ")):
            raise ValueError(f"headers.conf: not understood: {line}")
    return tuple(found)


def with_headers(application: WSGIApplication, headers: Sequence[Header]) -> WSGIApplication:
    """The same program, with these headers on every answer that does not have its own."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, given: list[Header], *rest: Any) -> Any:
            names = {name.lower() for name, _ in given}
            return start_response(status, [*given, *(h for h in headers if h[0].lower() not in names)], *rest)

        return application(environ, start)

    return answer
