"""What CKAN sees of the institution: its own view of the ledger, and the releases' folder. All else is closed to it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ckan.plugins import toolkit

from rnu.ledger import Ledger

LEDGER = "ckanext.rnu.ledger"  # address of the ledger's database, as CKAN's own role
RELEASES = "ckanext.rnu.releases"  # folder in which sealed releases lie, each under its digest


def ledger() -> Ledger:
    """The ledger as CKAN sees it: what stands in the schema `desk`, and a way to add requests."""
    return _opened(toolkit.config[LEDGER])


@lru_cache(maxsize=4)
def _opened(address: str) -> Ledger:
    return Ledger(address)


def release(digest: str) -> Path:
    """Where a sealed release lies."""
    return Path(toolkit.config[RELEASES]) / digest
