"""Where every source, release and portal stands, and what to do next: read from the ledger, stored nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rnu import report
from rnu.ledger import Intake, Ledger
from rnu.settings import Period, Settings
from rnu.signing import Role


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source in a period."""

    source: str
    state: str  # accepted | returned | missing
    cut: str = ""
    rows: int = 0
    set_aside: int = 0
    roster: int = 0


@dataclass(frozen=True, slots=True)
class ReleaseStatus:
    """A period's latest release."""

    period: str
    revision: int
    digest: str
    state: str  # waiting | approved | returned
    note: str = ""
    portals: tuple[str, ...] = ()  # where visitors see it, also if it is no longer approved


@dataclass(frozen=True, slots=True)
class Status:
    """The whole picture."""

    period: str
    sources: tuple[SourceStatus, ...]
    releases: tuple[ReleaseStatus, ...]
    next: tuple[str, ...]  # commands, most urgent first


def status(settings: Settings, ledger: Ledger, period: Period | None) -> Status:
    """The picture for a period; for the latest that the ledger knows of if none is named."""
    releases = release_statuses(ledger, [p.id for p in settings.portals])
    named = str(period) if period else max((r.period for r in releases), default="")
    intakes = ledger.intakes(named) if named else {}
    sources = tuple(source_status(s.id, intakes.get(s.id)) for s in settings.sources)
    return Status(named, sources, releases, _next(settings, named, sources, releases, _behind(settings, ledger)))


def source_status(id: str, intake: Intake | None) -> SourceStatus:
    """What became of a source's delivery, if one came."""
    if intake is None:
        return SourceStatus(id, "missing")
    found = report.parse(intake.report)
    if not intake.accepted or isinstance(found, report.Refusal):
        return SourceStatus(id, "returned", intake.cut)
    return SourceStatus(id, "accepted", intake.cut, found.check.rows, found.check.set_aside, found.roster_rows)


def release_statuses(ledger: Ledger, portals: Iterable[str]) -> tuple[ReleaseStatus, ...]:
    """Each period's latest release, oldest period first; `portals` by their ids."""
    shown = {portal: _shown(ledger, portal) for portal in portals}
    latest = {r.period: r for r in ledger.releases()}
    out = []
    for release in sorted(latest.values(), key=lambda r: r.period):
        decision = ledger.decision(release.digest)
        state = "waiting" if decision is None else "approved" if decision.signature.role is Role.APPROVE else "returned"
        on = tuple(portal for portal, digests in shown.items() if release.digest in digests)
        note = decision.note if decision else ""
        out.append(ReleaseStatus(release.period, release.revision, release.digest, state, note, on))
    return tuple(out)


def _shown(ledger: Ledger, portal: str) -> tuple[str, ...]:
    """Digests of what a portal shows since it was last published whole."""
    return next((p.releases for p in reversed(ledger.publications(portal)) if p.whole), ())


def _behind(settings: Settings, ledger: Ledger) -> tuple[str, ...]:
    """Portals that do not show exactly what is approved, or on which publishing began and did not end."""
    approved = ledger.approved() & {r.digest for r in ledger.releases()}
    begun = {p.id for p in settings.portals if not all(last.whole for last in ledger.publications(p.id)[-1:])}
    return tuple(p.id for p in settings.portals if p.id in begun or set(_shown(ledger, p.id)) != approved)


def _next(
    settings: Settings,
    period: str,
    sources: tuple[SourceStatus, ...],
    releases: tuple[ReleaseStatus, ...],
    behind: tuple[str, ...],
) -> tuple[str, ...]:
    todo = []
    if not period:
        return ("rnu run --period YYYY-MM",)
    lacking = [s.source for s in sources if s.state != "accepted" and s.source in settings.quorum]
    todo += [f"rnu report {s.source} --period {period}" for s in sources if s.state == "returned"]
    if lacking or period not in {r.period for r in releases}:
        todo.append(f"rnu run --period {period}")
    todo += [f"rnu show {r.digest[:12]}" for r in releases if r.state == "waiting"]
    todo += [f"rnu run --period {r.period}  # returned: {r.note}" for r in releases if r.state == "returned"]
    todo += [f"rnu publish {portal}" for portal in behind]
    return tuple(todo)
