"""The steward's desk: what waits, what is late, what failed, and one release with all that a decision needs.

Read from the ledger, from releases' own files and from what the worker announced: nothing here is known to the worker
alone, so that a portal can show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from rnu import passkeys
from rnu.announcement import Announcement, KnownSource
from rnu.foresight.told import Summary, as_built
from rnu.ledger import Decision, Ledger, Release, Request, State
from rnu.loss.history import as_anybody_counts, history
from rnu.release.difference import DEEPEST, Change, difference
from rnu.release.manifest import is_whole
from rnu.release.read import cubes, levels, read_json, read_table
from rnu.request import receipt_of
from rnu.review import find
from rnu.settings import Period
from rnu.show import File, Rule, Unseen, before, files, unseen
from rnu.signing import Role, message
from rnu.status import ReleaseStatus, SourceStatus, release_statuses, source_status

PROTECTION = "proteccion.json"
RECENT = 25  # requests that the desk lists
SLOW = 15  # minutes after which a request that nobody took is told
PERIODS = 3  # that the desk shows source by source
OPEN = "open"  # a request's state before there is a receipt


# --- the overview ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source in a period, as it is called, and how late it is."""

    source: KnownSource
    status: SourceStatus
    needed: bool  # the period is not built without it
    late: int  # days since its cut ended; 0 where it came, or is no source that anything waits for


@dataclass(frozen=True, slots=True)
class PeriodView:
    """A period, source by source."""

    period: str
    sources: tuple[SourceLine, ...]
    release: ReleaseStatus | None
    late: tuple[SourceLine, ...]  # what should have come


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what became of it."""

    request: Request
    state: str  # open, or a receipt's
    said: str
    facts: Mapping[str, Any]
    at: str  # of the last that is known
    is_over: bool  # whether the worker is done with it
    went_wrong: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole desk at a glance."""

    waiting: tuple[Release, ...]  # nobody has spoken on them
    unpublished: tuple[ReleaseStatus, ...]  # approved, and not on every portal
    failed: tuple[Asked, ...]  # requests that went wrong, and did not go well since
    periods: tuple[PeriodView, ...]  # newest first
    releases: tuple[ReleaseStatus, ...]  # each period's latest, newest first
    asked: tuple[Asked, ...]  # newest first
    stuck_since: str  # when the oldest request was made that nobody took for long; empty if there is none


def overview(ledger: Ledger, known: Announcement, now: datetime) -> Overview:
    """What the desk shows first."""
    portals = [portal.id for portal in known.portals]
    statuses = release_statuses(ledger, portals)
    waiting = {s.digest for s in statuses if s.state == "waiting"}
    asked = recent(ledger)
    return Overview(
        waiting=tuple(r for r in ledger.releases() if r.digest in waiting),
        unpublished=tuple(s for s in statuses if s.state == "approved" and set(s.portals) != set(portals)),
        failed=tuple(a for a in asked if a.went_wrong and not _went_well_since(a, asked)),
        periods=tuple(_period(ledger, known, statuses, p, now.date()) for p in _shown_periods(ledger, now.date())),
        releases=statuses[::-1],
        asked=asked,
        stuck_since=_stuck_since(asked, now),
    )


def _shown_periods(ledger: Ledger, today: date) -> list[str]:
    """The latest periods for which something came, and the one that ended last, which is due."""
    due = str(Period(today.year, today.month).minus(1))
    return sorted({due, *(r.period for r in ledger.releases()), *ledger.periods()}, reverse=True)[:PERIODS]


def _period(
    ledger: Ledger, known: Announcement, statuses: Sequence[ReleaseStatus], period: str, today: date
) -> PeriodView:
    intakes = ledger.intakes(period)
    lines = []
    for source in known.sources:
        status = source_status(source.id, intakes.get(source.id))
        needed = source.id in known.quorum
        late = days_late(period, today) if needed and status.state != "accepted" else 0
        lines.append(SourceLine(source, status, needed, late))
    release = next((s for s in statuses if s.period == period), None)
    return PeriodView(period, tuple(lines), release, tuple(line for line in lines if line.late))


def days_late(period: str, today: date) -> int:
    """Days since a period's last day; 0 while it lasts.

    >>> days_late("2026-01", date(2026, 2, 10)), days_late("2026-02", date(2026, 2, 10))
    (10, 0)
    """
    return max(0, (today - Period.parse(period).last_day()).days)


def recent(ledger: Ledger, most: int = RECENT, **wanted: str) -> tuple[Asked, ...]:
    """The latest requests and what became of them, newest first; `kind=` or `asked_by=` narrow them."""
    return tuple(asked(ledger, request) for request in reversed(ledger.requests(**wanted)[-most:]))


def asked(ledger: Ledger, request: Request) -> Asked:
    """What became of a request."""
    receipt = receipt_of(ledger, request.id)
    if receipt is None:
        return Asked(request, OPEN, "", {}, request.at, is_over=False, went_wrong=False)
    wrong = receipt.state in (State.REFUSED, State.FAILED)
    over = receipt.state is not State.TAKEN
    return Asked(request, receipt.state, receipt.said, receipt.facts, receipt.at, is_over=over, went_wrong=wrong)


def _went_well_since(wrong: Asked, everything: Sequence[Asked]) -> bool:
    def about(one: Asked) -> tuple[Any, ...]:
        what = one.request.what
        release = ("decision", what.get("digest")) if "digest" in what else None
        return release or (one.request.kind, what.get("source"), what.get("period"), what.get("portal"))

    return any(
        one.state == State.DONE and one.request.id > wrong.request.id and about(one) == about(wrong)
        for one in everything
    )


def _stuck_since(everything: Sequence[Asked], now: datetime) -> str:
    waits = [one.at for one in everything if one.state == OPEN]
    oldest = min(waits, default="")
    return oldest if oldest and (now - datetime.fromisoformat(oldest)).total_seconds() > SLOW * 60 else ""


# --- one release -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word:
    """A decision, and who gave it."""

    role: Role
    steward: str  # empty: nobody who is registered now
    passkey: bool
    note: str
    at: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A published total that is another one than in the release before."""

    change: Change
    by: int | None  # None unless both are numbers
    share: float | None  # of the number before
    jump: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a release: its cube, level and rows."""

    cube: str
    title: str
    level: str
    rows: int


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """Everything that a portal can show of a release before somebody decides on it."""

    release: Release
    builder: str
    words: tuple[Word, ...]  # oldest first
    state: str  # waiting | approved | returned
    replaced_by: Release | None  # a later build of its period
    on_portals: tuple[str, ...]
    whole: bool  # whether the bytes are still those that were sealed
    missing: tuple[str, ...]  # titles of sources that did not come
    tables: tuple[Table, ...]
    files: tuple[File, ...]
    quality: Mapping[str, Any]
    unseen: tuple[Unseen, ...]
    loss: str  # SVG: the share of rows without a number, by level and programme, beside the approved releases before
    given_away: Summary | None  # with earlier releases; None if it must be looked at again, as it will be at approval
    names: Mapping[str, str]  # programmes by id
    before: Release | None
    level: str  # the deepest that is compared
    changes: tuple[Changed, ...]  # biggest first
    unchanged: int
    breaks: tuple[str, ...]  # where the design is another than before
    rule: Rule  # by which a change is called a jump


def release_view(
    ledger: Ledger, known: Announcement, releases: Path, digest: str, level: str = DEEPEST, rule: Rule | None = None
) -> ReleaseView:
    """One release; ReviewRequired if there is none with this digest, StoreError if its files cannot be read."""
    release = find(ledger, digest)
    folder, rule = releases / release.digest, rule or Rule()
    words = ledger.decisions(digest=release.digest)
    latest = ledger.releases(period=release.period)[-1]
    earlier = before(ledger, release)
    changes = difference(releases / earlier.digest, folder, level) if earlier else None
    hidden = unseen(folder)
    shown = release_statuses(ledger, [portal.id for portal in known.portals])
    return ReleaseView(
        release=release,
        builder=name_of(known, release.build.public_key),
        words=tuple(_word(known, decision) for decision in words),
        state="waiting" if not words else "approved" if words[-1].signature.role is Role.APPROVE else "returned",
        replaced_by=latest if latest.digest != release.digest else None,
        on_portals=next((s.portals for s in shown if s.digest == release.digest), ()),
        whole=is_whole(folder, release.digest),
        missing=tuple(_title(known, id) for id in release.facts.get("missing") or ()),
        tables=_tables(folder),
        files=files(folder),
        quality=read_json(folder, "calidad.json"),
        unseen=hidden,
        loss=_loss(ledger, release, releases),
        given_away=as_built(ledger, release),
        names={u.programme: u.name for u in hidden},
        before=earlier,
        level=level,
        changes=tuple(_changed(change, rule) for change in changes.changes) if changes else (),
        unchanged=changes.unchanged if changes else 0,
        breaks=changes.breaks if changes else (),
        rule=rule,
    )


def _loss(ledger: Ledger, release: Release, releases: Path) -> str:
    approved = ledger.approved()
    latest = {r.period: r for r in ledger.releases() if r.digest in approved and r.period < release.period}
    drawn = [r for r in latest.values() if (releases / r.digest / PROTECTION).is_file()]
    told = [
        as_anybody_counts(r.period, read_json(releases / r.digest, PROTECTION))
        for r in (*sorted(drawn, key=lambda r: r.period), release)
    ]
    return history(told, "Filas sin número, como parte de las de cada nivel")


def name_of(known: Announcement, public_key: str) -> str:
    """Whose a public key is; empty if nobody's who is registered."""
    return next((s.name for s in known.stewards if s.public_key == public_key), "")


def _title(known: Announcement, source: str) -> str:
    found = known.source(source)
    return found.title if found else source


def _word(known: Announcement, decision: Decision) -> Word:
    given = decision.signature
    packed = passkeys.is_packed(given.signature)
    return Word(given.role, name_of(known, given.public_key), packed, decision.note, decision.at)


def _changed(change: Change, rule: Rule) -> Changed:
    share = (
        change.by / change.before
        if change.by is not None and isinstance(change.before, int) and change.before
        else None
    )
    return Changed(change, change.by, share, rule.jumps(change))


def _tables(folder: Path) -> tuple[Table, ...]:
    titles = {cube["id"]: cube["titulo"] for cube in read_json(folder, "datapackage.json")["tablas"]}
    return tuple(
        Table(cube, titles[cube], level, len(read_table(folder, cube, level)))
        for cube in cubes(folder)
        for level in levels(folder, cube)
    )


# --- what a passkey is asked to sign -----------------------------------------------------------------------------


def to_sign(ledger: Ledger, digest: str, role: Role, note: str, host: str) -> dict[str, Any]:
    """What a browser needs so that a steward's passkey signs this role, release and note, after the last word on it."""
    release = find(ledger, digest)
    last = ledger.decision(release.digest)
    bound = passkeys.binding(last.signature.signature if last else "", note)
    return passkeys.assertion_options(message(role, release.digest), bound, host)
