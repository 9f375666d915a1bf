"""What an outsider who keeps releases that were approved before works out of the next one: told before it is signed.

A release is attacked alone as it is protected. Here it is attacked together with what it replaces, both ways round,
since a cell that either withholds may give way to the other; and counted against releases nearer than a year, whose
breakdowns below the departments are not to differ by a few. What is found is not mended: the steward sees it, and an
approval in spite of it needs a reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonymize.attack import Finding
from rnu.ledger import Ledger, Release
from rnu.release.attack import YEAR, AttackedRelease, Change, attack_together
from rnu.release.manifest import is_whole
from rnu.settings import Period
from rnu.store import Store


@dataclass(frozen=True, slots=True)
class GivesAway:
    """What one table gives away, together with those of before. For the steward alone."""

    cube: str
    programme: str
    cells: tuple[Finding, ...]  # withheld in the release, or in one that it replaces
    changes: tuple[Change, ...]  # small differences of breakdowns below the departments
    contradicts: bool  # nothing could be tried: no table agrees with both, so more has changed than the totals tell


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


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a release gives away together with those that were approved before. For the steward alone."""

    against: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    tables: tuple[GivesAway, ...] = ()  # those of which something was found
    not_compared: int = 0  # counts of places or categories that the release does not have

    @property
    def summary(self) -> Summary:
        """How much it is, and no cell of it."""
        counted = (
            Counted(one.cube, one.programme, len(one.cells), len(one.changes), one.contradicts) for one in self.tables
        )
        return Summary(self.against, self.unread, tuple(counted))

    def private(self) -> dict[str, Any]:
        """For the steward's own report."""
        return dataclasses.asdict(self)


def kept_outside(ledger: Ledger, period: str, but: str) -> tuple[Release, ...]:
    """What an outsider may hold that matters to a release of a period: approved once, and nearer than a year.

    Also what was replaced, and what was returned later: who fetched it while it stood keeps it. `but` is the digest of
    the release itself.
    """
    approved = ledger.ever_approved() - {but}
    return tuple(r for r in ledger.releases() if r.digest in approved and _months_apart(r.period, period) < YEAR)


def _months_apart(one: str, other: str) -> int:
    first, second = Period.parse(one), Period.parse(other)
    return abs((first.year - second.year) * YEAR + first.month - second.month)


def foresee(store: Store, ledger: Ledger, period: str, digest: str, folder: Path) -> Foresight:
    """Attack a release, which lies in a folder, with all that an outsider may hold already."""
    kept = kept_outside(ledger, period, digest)
    whole = [r for r in kept if is_whole(store.release(r.digest), r.digest)]
    ahead = attack_together(folder, [store.release(r.digest) for r in whole])
    back = [attack_together(store.release(r.digest), [folder]) for r in whole if r.period == period]
    return Foresight(
        against=tuple(r.digest for r in kept),
        unread=tuple(r.digest for r in kept if r not in whole),
        tables=_tables(ahead, back),
        not_compared=ahead.elsewhere,
    )


def _tables(ahead: AttackedRelease, back: list[AttackedRelease]) -> tuple[GivesAway, ...]:
    """Findings by table; a cell that gives way in several releases is told once, and differences once."""
    cells: dict[tuple[str, str], dict[Any, Finding]] = {}
    contradicts = set()
    for one in (tried for release in (ahead, *back) for tried in release.tables):
        own = cells.setdefault((one.cube, one.programme), {})
        for finding in one.attacked.found:
            own.setdefault(finding.cell, finding)
        if not one.attacked.agrees:
            contradicts.add((one.cube, one.programme))
    changes: dict[tuple[str, str], list[Change]] = {}
    for change in ahead.changes:
        changes.setdefault((change.cube, change.programme), []).append(change)
    found = sorted({at for at, own in cells.items() if own} | set(changes) | contradicts)
    return tuple(
        GivesAway(*at, tuple(cells.get(at, {}).values()), tuple(changes.get(at, ())), at in contradicts) for at in found
    )


def as_built(ledger: Ledger, release: Release) -> Summary | None:
    """What was found as the release was built; None if since then another one was approved that matters to it."""
    kept = {r.digest for r in kept_outside(ledger, release.period, release.digest)}
    said = release.facts.get("foresight")
    summary = Summary.parse(said) if said else Summary()
    return summary if set(summary.against) >= kept else None


def summary(store: Store, ledger: Ledger, release: Release) -> Summary:
    """What was found as the release was built; found again if since then another one was approved that matters."""
    known = as_built(ledger, release)
    return known or look_again(store, ledger, release).summary


def look_again(store: Store, ledger: Ledger, release: Release) -> Foresight:
    """Attack a release that is built with all that an outsider may hold by now."""
    return foresee(store, ledger, release.period, release.digest, store.release(release.digest))
