"""What an address gives a visitor."""

from __future__ import annotations

import hashlib

import requests
from requests.exceptions import RequestException

from rnu.errors import PortalRefused

SECONDS = 300  # for one call
AGENT = "rnu (registro de usuarios de programas sociales)"


def sha256_at(url: str) -> str:
    """SHA-256 of what an address gives a visitor; PortalRefused if it gives nothing."""
    total = hashlib.sha256()
    try:
        with requests.get(url, stream=True, timeout=SECONDS, headers={"User-Agent": AGENT}) as answer:
            answer.raise_for_status()
            for piece in answer.iter_content(1 << 20):
                total.update(piece)
    except RequestException as error:
        raise PortalRefused(
            "a file cannot be downloaded", where=url, remedy="see to the portal; then publish again"
        ) from error
    return total.hexdigest()
