"""Fetch over HTTP: conditional requests, retries with back-off, limits on size and time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
import urllib3

from harvesters.delivery import CHUNK, Fetched, keep
from harvesters.errors import Unavailable

TRY_AGAIN = (408, 429, 500, 502, 503, 504)
LONGEST_NAME = 200  # bytes; disks take 255, and ours grows on the way


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
    """Download one file into a folder. `timeout` bounds each wait; ten times it, all attempts, in seconds.

    Raises Unavailable when the server cannot be reached, refuses, sends too much, or stops short. A file appears
    under its name only when it is whole.
    """
    headers = {"User-Agent": user_agent}
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    where = _public(url)
    deadline = time.monotonic() + timeout * 10
    with requests.Session() as session:
        for attempt in range(retries + 1):
            try:
                with _ask(session, url, headers, timeout) as response:
                    if response.status_code == requests.codes.not_modified:
                        return Answer(None, known)
                    file = _save(response, into, max_bytes, deadline)
                    found = Validators(response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))
                    return Answer(file, found)
            except _TryAgain as error:
                wait = max(error.wait, 0.5 * 2**attempt)
                if attempt == retries or time.monotonic() + wait > deadline:
                    times = f" (asked {attempt + 1} times)" if attempt else ""
                    raise Unavailable(f"{error}{times}", where) from error
                time.sleep(wait)
            except _Refused as error:
                raise Unavailable(str(error), where) from error
    raise AssertionError("unreachable: the loop returns or raises")


class _Refused(Exception):
    """It cannot be had, however often one asks."""


class _TryAgain(Exception):
    """Worth another try, after so many seconds."""

    def __init__(self, what: str, wait: float = 0) -> None:
        super().__init__(what)
        self.wait = wait


def _ask(session: requests.Session, url: str, headers: dict[str, str], timeout: float) -> requests.Response:
    """An answer that has a body, or says that nothing changed."""
    try:
        response = session.get(url, headers=headers, timeout=timeout, stream=True)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _TryAgain(f"the server cannot be reached ({type(error).__name__})") from error
    # of an address that is none, also after a redirect, some errors come through as they are
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        raise _Refused(f"the server cannot be asked ({type(error).__name__})") from error
    if response.ok:  # 304 is, too
        return response
    response.close()
    said = f"the server answered {response.status_code}"
    if response.status_code in TRY_AGAIN:
        raise _TryAgain(said, _retry_after(response))
    raise _Refused(said)


def _retry_after(response: requests.Response) -> float:
    """The seconds that the server asks to wait; 0 where it does not say, or not in a way that is understood."""
    try:
        return urllib3.Retry().parse_retry_after(response.headers.get("Retry-After", "0"))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return 0


def _public(url: str) -> str:
    """An address without what could be a password or a token.

    >>> _public("https://user:secret@example.org/a.csv?token=secret")
    'https://example.org/a.csv'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _save(response: requests.Response, into: Path, max_bytes: int, deadline: float) -> Fetched:
    file = keep(_body(response, max_bytes, deadline), into / _name(response.url))
    promised = response.headers.get("Content-Length", "")
    if promised.isdecimal() and not response.headers.get("Content-Encoding") and int(promised) != file.size:
        file.path.unlink()
        raise _TryAgain(f"only {file.size} of {promised} bytes came")
    return file


def _name(url: str) -> str:
    """The file's name in an address, where it has one that can stand on a disk.

    >>> _name("https://example.org/2026/padr%C3%B3n.csv?x=1"), _name("https://example.org/%2e%2e"), _name("h://e/a%00")
    ('padrón.csv', 'delivery', 'delivery')
    """
    name = Path(unquote(urlsplit(url).path)).name
    fits = name not in ("", "..") and name.isprintable() and len(name.encode()) <= LONGEST_NAME
    return name if fits else "delivery"


def _body(response: requests.Response, max_bytes: int, deadline: float) -> Iterator[bytes]:
    """The bytes as they arrive, so that the clock is looked at however slowly they drip."""
    size = 0
    try:
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            size += len(chunk)
            if size > max_bytes:
                raise _Refused(f"larger than the limit of {max_bytes} bytes")
            if time.monotonic() > deadline:
                raise _Refused(f"took longer than the time allowed ({size} bytes came)")
            yield chunk
    except urllib3.exceptions.HTTPError as error:
        raise _TryAgain(f"the connection broke after {size} bytes") from error
