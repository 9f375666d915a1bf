"""Fetch over HTTP: conditional requests, retries with back-off, limits on size and time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from harvesters.delivery import CHUNK, Fetched, keep
from harvesters.errors import Unavailable

TRY_AGAIN = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Validators:
    """What the server said of the last version, to ask only for a newer one."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A file, or None where the server says that nothing changed."""

    file: Fetched | None
    validators: Validators


def fetch(
    url: str,
    into: Path,
    *,
    known: Validators = Validators(),
    user_agent: str,
    timeout: float,
    retries: int,
    max_bytes: int,
) -> Answer:
    """Download one file into a folder. `timeout` bounds each wait; ten times it bounds the whole download, in seconds.

    Raises Unavailable when the server cannot be reached, refuses, sends too much, or stops short. A file appears
    under its name only when it is whole.
    """
    headers = {"User-Agent": user_agent}
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    where = _public(url)
    policy = Retry(total=retries, backoff_factor=0.5, status_forcelist=TRY_AGAIN, respect_retry_after_header=True)
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=policy))
        session.mount("https://", HTTPAdapter(max_retries=policy))
        for attempt in range(retries + 1):
            try:
                with session.get(url, headers=headers, timeout=timeout, stream=True) as response:
                    if response.status_code == requests.codes.not_modified:
                        return Answer(None, known)
                    if not response.ok:
                        raise Unavailable(f"the server answered {response.status_code}", where)
                    file = _save(response, into, max_bytes, timeout * 10)
                    found = Validators(response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))
                    return Answer(file, found)
            except _CutShort as error:
                if attempt == retries:
                    raise Unavailable(str(error), where) from error
                time.sleep(0.5 * 2**attempt)
            except requests.RequestException as error:
                raise Unavailable(f"the server cannot be reached ({type(error).__name__})", where) from error
    raise AssertionError("unreachable: the loop returns or raises")


def _public(url: str) -> str:
    """An address without what could be a password or a token.

    >>> _public("https://user:secret@example.org/a.csv?token=secret")
    'https://example.org/a.csv'
    """
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


class _CutShort(Exception):
    """The body ended before its time: worth another try."""


def _save(response: requests.Response, into: Path, max_bytes: int, seconds: float) -> Fetched:
    name = Path(unquote(urlsplit(response.url).path)).name or "delivery"
    file = keep(_body(response, max_bytes, seconds), into / name)
    promised = response.headers.get("Content-Length")
    if promised and not response.headers.get("Content-Encoding") and int(promised) != file.size:
        file.path.unlink()
        raise _CutShort(f"only {file.size} of {promised} bytes came")
    return file


def _body(response: requests.Response, max_bytes: int, seconds: float) -> Iterator[bytes]:
    size, deadline, where = 0, time.monotonic() + seconds, _public(response.url)
    try:
        for chunk in response.iter_content(CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise Unavailable(f"larger than the limit of {max_bytes} bytes", where)
            if time.monotonic() > deadline:
                raise Unavailable(f"took longer than {seconds:.0f} seconds", where)
            yield chunk
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError) as error:
        raise _CutShort(f"the connection broke after {size} bytes") from error
