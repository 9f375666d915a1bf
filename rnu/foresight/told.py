"""How much a release gives away together with those before, as it was told when it was built; and with which ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnu.ledger import Ledger, Release
from rnu.settings import Period


@dataclass(frozen=True, slots=True)
class Counted:
    """How much of it there is: as anybody can find out who has the files, so that a portal may know it."""

    cube: str
    programme: str
    cells: int
    differences: int
    contradicts: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What a steward must know of it at least."""

    against: tuple[str, ...] = ()  # digests of the releases it was compared with
    unread: tuple[str, ...] = ()  # of those, whose files are lost or damaged: these were not looked at
    tables: tuple[Counted, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether everything was looked at, and nothing found."""
        return not self.tables and not self.unread

    @property
    def cells(self) -> int:
        """Withheld cells that give way."""
        return sum(one.cells for one in self.tables)

    @property
    def differences(self) -> int:
        """Small differences of breakdowns below the departments."""
        return sum(one.differences for one in self.tables)

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> Summary:
        """As it stands in the ledger."""
        tables = tuple(Counted(**one) for one in told["tables"])
        return cls(tuple(told["against"]), tuple(told["unread"]), tables)


def kept_outside(ledger: Ledger, period: str, but: str) -> tuple[Release, ...]:
    """What an outsider may hold that matters to a release of a period: approved once, and nearer than a year.

    Also what was replaced, and what was returned later: who fetched it while it stood keeps it. `but` is the digest of
    the release itself.
    """
    approved = ledger.ever_approved() - {but}
    here = Period.parse(period)
    return tuple(r for r in ledger.releases() if r.digest in approved and here.near(Period.parse(r.period)))


def as_built(ledger: Ledger, release: Release) -> Summary | None:
    """What was found as the release was built; None if since then another one was approved that matters to it."""
    kept = {r.digest for r in kept_outside(ledger, release.period, release.digest)}
    said = release.facts.get("foresight")
    summary = Summary.parse(said) if said else Summary()
    return summary if set(summary.against) >= kept else None
