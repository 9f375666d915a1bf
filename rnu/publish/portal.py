"""What a portal is given and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from rnu.settings import Period


class Role(StrEnum):
    """What a steward signed for."""

    BUILT = "construyó"
    APPROVED = "aprobó"


@dataclass(frozen=True, slots=True)
class Signature:
    """One steward's signature over a release's digest."""

    steward: str
    role: Role
    on: date
    public_key: str
    signature: str
    message: str  # the very words that were signed; a passkey's binding comes after them
    how_to_verify: str = ""  # commands for whoever wants to see for themself


@dataclass(frozen=True, slots=True)
class Publication:
    """An approved release and where its files lie; only the caller knows that it was approved."""

    period: Period
    revision: int
    digest: str
    folder: Path
    signatures: tuple[Signature, ...]

    @property
    def name(self) -> str:
        """How people call it, and its address on a portal: 2026-01-r1."""
        return f"{self.period}-r{self.revision}"

    @property
    def decided(self) -> date:
        """The day of the last signature; the period's last day where there is none."""
        return max((signature.on for signature in self.signatures), default=self.period.last_day())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What publishing did."""

    changed: bool
    digest: str  # of all that the portal now shows
    address: str  # where visitors find it


@dataclass(frozen=True, slots=True)
class Compared:
    """What a portal serves, held against what was signed."""

    digest: str  # over the digests of the releases that it serves
    files: int  # that were downloaded and compared
    tables: int  # whose cells were compared
    differences: tuple[str, ...] = ()  # what is not as it was signed, and where


def digest_of(digests: Iterable[str]) -> str:
    """One digest over releases, the same on every portal that shows them."""
    return hashlib.sha256("".join(sorted(set(digests))).encode()).hexdigest()


def not_approved(shown: Iterable[str], publications: Sequence[Publication]) -> list[str]:
    """The releases that a portal shows though nobody approved them, as differences."""
    signed = {p.digest for p in publications}
    return [f"release {digest[:12]} is shown, and not approved" for digest in shown if digest not in signed]


class PortalWriter(Protocol):
    """A place that can show releases."""

    def publish(self, publications: Sequence[Publication]) -> Outcome:
        """Show exactly these releases, all at once or not at all; the same again changes nothing.

        Raises PortalRefused if the portal could not take them, ReviewRequired if bytes are not what was signed.
        """
        ...

    def shown(self) -> tuple[str, ...]:
        """Digests of the releases that visitors see now."""
        ...

    def compare(self, publications: Sequence[Publication]) -> Compared:
        """Download what visitors get, and hold it against releases, byte by byte and cell by cell."""
        ...


def current(publications: Sequence[Publication]) -> tuple[Publication, ...]:
    """The latest revision of each period, oldest period first."""
    latest = {p.period: p for p in sorted(publications, key=lambda p: (p.period, p.revision))}
    return tuple(latest.values())
