"""Attack a release with what an outsider may hold already."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonymize.attack import Finding
from rnu.foresight.told import Counted, Summary, as_built, kept_outside
from rnu.ledger import Ledger, Release
from rnu.release.attack import AttackedRelease, Change, attack_together
from rnu.release.manifest import is_whole
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


def summary(store: Store, ledger: Ledger, release: Release) -> Summary:
    """What was found as the release was built; found again if since then another one was approved that matters."""
    known = as_built(ledger, release)
    return known or look_again(store, ledger, release).summary


def look_again(store: Store, ledger: Ledger, release: Release) -> Foresight:
    """Attack a release that is built with all that an outsider may hold by now."""
    return foresee(store, ledger, release.period, release.digest, store.release(release.digest))


def described(store: Store, ledger: Ledger, release: Release, private: dict[str, Any]) -> dict[str, Any]:
    """What the steward's own report says of it, releases by their names; looked at again if there are more by now."""
    names = {r.digest: f"{r.period} r{r.revision}" for r in ledger.releases()}
    known = private.get("foresight") or Foresight().private()
    found = known if as_built(ledger, release) else look_again(store, ledger, release).private()
    return found | {which: [names[digest] for digest in found[which]] for which in ("against", "unread")}
