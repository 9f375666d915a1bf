"""Where every source, release and portal stands, and what to do next: read from the ledger, stored nowhere."""

from __future__ import annotations

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
    portals: tuple[str, ...] = ()  # where it is shown whole


@dataclass(frozen=True, slots=True)
class Status:
    """The whole picture."""

    period: str
    sources: tuple[SourceStatus, ...]
    releases: tuple[ReleaseStatus, ...]
    next: tuple[str, ...]  # commands, most urgent first


def status(settings: Settings, ledger: Ledger, period: Period | None) -> Status:
    """The picture for a period; for the latest that the ledger knows of if none is named."""
    releases = _releases(settings, ledger)
    named = str(period) if period else max((r.period for r in releases), default="")
    intakes = ledger.intakes(named) if named else {}
    sources = tuple(_source(s.id, intakes.get(s.id)) for s in settings.rosters())
    return Status(named, sources, releases, _next(settings, named, sources, releases))


def _source(id: str, intake: Intake | None) -> SourceStatus:
    if intake is None:
        return SourceStatus(id, "missing")
    found = report.parse(intake.report)
    if not intake.accepted or isinstance(found, report.Refusal):
        return SourceStatus(id, "returned", intake.cut)
    return SourceStatus(id, "accepted", intake.cut, found.check.rows, found.check.set_aside, found.roster_rows)


def _releases(settings: Settings, ledger: Ledger) -> tuple[ReleaseStatus, ...]:
    shown = {p.id: _last_whole(ledger, p.id) for p in settings.portals}
    latest = {r.period: r for r in ledger.releases()}
    out = []
    for release in sorted(latest.values(), key=lambda r: r.period):
        decision = ledger.decision(release.digest)
        state = "waiting" if decision is None else "approved" if decision.signature.role is Role.APPROVE else "returned"
        portals = tuple(
            p for p, since in shown.items() if state == "approved" and since >= (decision.at if decision else "")
        )
        note = decision.note if decision else ""
        out.append(ReleaseStatus(release.period, release.revision, release.digest, state, note, portals))
    return tuple(out)


def _last_whole(ledger: Ledger, portal: str) -> str:
    """When a portal was last published whole; empty if never. A publication shows all that is approved by then."""
    return max((p.at for p in ledger.publications(portal) if p.whole), default="")


def _next(
    settings: Settings, period: str, sources: tuple[SourceStatus, ...], releases: tuple[ReleaseStatus, ...]
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
    for portal in settings.portals:
        if any(r.state == "approved" and portal.id not in r.portals for r in releases):
            todo.append(f"rnu publish {portal.id}")
    return tuple(todo)
