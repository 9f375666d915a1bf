"""The line's order: what is done when, what is skipped because nothing changed, what stops it.

Two short lines with a quorum between them. `take_in_sources` brings every source's delivery to a roster or back to its
owner; `build_period` turns the period's rosters into a sealed, signed release. Each step leaves its result in the
store and a row in the ledger before the next begins, so that a run which was killed goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anonymize.pseudonym import Key
from anonymize.secure import Protected
from harvesters.delivery import Fetched
from rnu import __version__, linkage, provenance
from rnu.errors import RnuError, RosterRejected, SettingsError, StoreError
from rnu.foresight.look import Foresight, foresee
from rnu.foresight.told import Summary, kept_outside
from rnu.harvest import harvest
from rnu.institution import Institution
from rnu.intake import take_in
from rnu.ledger import Delivery, Intake, Ledger, Release
from rnu.linkage import Linked, Shown
from rnu.loss.history import DRAWING, as_the_steward_knows, history
from rnu.provenance import file_digest
from rnu.release.build import build
from rnu.release.columns import Columns
from rnu.release.inspect import inspect, inspect_attacked
from rnu.release.manifest import is_whole
from rnu.release.model import Contents, ProgrammeTable, Provenance, SourceQuality
from rnu.report import IntakeReport, Refusal, Report, as_json, parse
from rnu.secrets import public_half
from rnu.settings import Cube, Kind, Period, Programme, Settings, Source
from rnu.signing import Role, require_two, sign, steward
from rnu.store import FULL, disk_full
from rnu.tabulate import Task, count, protect_all, tasks, told

PUBLISHED = "tables/conteos.json"  # schema of published tables
PUBLISHED_RATES = "tables/tasas.json"  # and of what tables of rates have besides
NO_ROOM = tuple(os.strerror(number) for number in FULL)  # as an engine tells it


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did: told as it begins, and again as it ends."""

    name: str
    subject: str
    seconds: float = 0.0
    facts: Mapping[str, int | float | str] = field(default_factory=dict)
    problem: str = ""  # who must act, and what to do
    began: bool = False


Say = Callable[[Step], None]


@contextmanager
def disk_told(root: Path) -> Iterator[None]:
    """Tell a full disk as such, whoever noticed it."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(root) from error
        raise
    except duckdb.Error as error:
        if any(word in str(error) for word in NO_ROOM):
            raise disk_full(root) from error
        raise


@contextmanager
def _timed(say: Say, name: str, subject: str) -> Iterator[dict[str, int | float | str]]:
    """Tell that a step begins, and its time when it ends well."""
    say(Step(name, subject, began=True))
    found: dict[str, int | float | str] = {}
    began = time.perf_counter()
    yield found
    say(Step(name, subject, time.perf_counter() - began, found))


# --- the whole line ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    period: str
    release: Release | None
    new: bool  # whether this run built it
    problems: tuple[RnuError, ...] = ()
    waiting_for: tuple[str, ...] = ()  # sources of the quorum that are not in


def run(
    institution: Institution,
    period: Period,
    key: Key,
    signing_key: Ed25519PrivateKey,
    say: Say,
    *,
    today: date,
    go: bool = False,
) -> Outcome:
    """Do what is due for a period: every source's intake, then the build once the quorum is in.

    With `go` a steward says that the period is built with the rosters there are. A source that fails stops only
    itself; the problems are in the outcome.
    """
    settings = institution.settings
    steward(public_half(signing_key), settings.stewards, today)
    with institution.store.locked(), disk_told(institution.store.root):
        problems = take_in_sources(institution, period, key, say)
        return _build_if_in(institution, period, key, signing_key, say, problems, go)


def run_build(
    institution: Institution,
    period: Period,
    key: Key,
    signing_key: Ed25519PrivateKey,
    say: Say,
    *,
    today: date,
    go: bool = False,
) -> Outcome:
    """Build a period from the rosters that are in, once the quorum is, or with `go` without it; nothing is fetched."""
    steward(public_half(signing_key), institution.settings.stewards, today)
    with institution.store.locked(), disk_told(institution.store.root):
        return _build_if_in(institution, period, key, signing_key, say, (), go)


def build_is_due(institution: Institution, period: Period) -> bool:
    """Whether the quorum is in, and the period's latest release was built from something else."""
    settings, ledger = institution.settings, institution.ledger
    intakes = _rosters(ledger, period)
    if any(s not in intakes for s in settings.quorum):
        return False
    latest = ledger.releases(period=str(period))[-1:]
    earlier = _earlier(settings, ledger, period)
    return [r.fingerprint for r in latest] != [_release_fingerprint(settings, intakes, earlier)]


def _build_if_in(
    institution: Institution,
    period: Period,
    key: Key,
    signing_key: Ed25519PrivateKey,
    say: Say,
    problems: tuple[RnuError, ...],
    go: bool,
) -> Outcome:
    intakes = _rosters(institution.ledger, period)
    waiting = tuple(s for s in institution.settings.quorum if s not in intakes)
    if not intakes or (waiting and not go):
        return Outcome(str(period), None, False, problems, waiting)
    release, new = build_period(institution, period, intakes, signing_key, say, key)
    return Outcome(str(period), release, new, problems, waiting)


def _rosters(ledger: Ledger, period: Period) -> dict[str, Intake]:
    """The intakes of a period that became rosters."""
    return {s: i for s, i in ledger.intakes(str(period)).items() if i.roster}


def _missing(settings: Settings, intakes: Mapping[str, Intake]) -> list[str]:
    return [s.id for s in settings.rosters() if s.id not in intakes]


def _earlier(settings: Settings, ledger: Ledger, period: Period) -> dict[str, Intake]:
    """The intakes of the period before that this one is compared with; none if nothing is."""
    known = _rosters(ledger, period.minus(1)) if settings.flows else {}
    followed = settings.flows.programmes if settings.flows else ()
    return {s: i for s, i in known.items() if settings.source(s).programme in followed}


def _release_fingerprint(settings: Settings, intakes: Mapping[str, Intake], earlier: Mapping[str, Intake]) -> str:
    rosters = {s: i.fingerprint for s, i in intakes.items()}
    rosters |= {f"{s} before": i.fingerprint for s, i in earlier.items()}
    configuration = provenance.configuration_digest(settings)
    return provenance.release_fingerprint(rosters, configuration, _missing(settings, intakes))


# --- each delivery -----------------------------------------------------------------------------------------------


def take_in_sources(institution: Institution, period: Period, key: Key, say: Say) -> tuple[RnuError, ...]:
    """Harvest and check every source of a period, and take in what is no public figure; what went wrong with which."""
    problems: list[RnuError] = []
    for source in institution.settings.sources:
        try:
            _take_in_source(institution, source, period, key, say)
        except RnuError as error:
            if isinstance(error, SettingsError | StoreError):
                raise  # not the source's trouble: the others would have it too
            problems.append(error)
            say(Step("problem", source.id, problem=str(error)))
    return tuple(problems)


def take_in_source(institution: Institution, source: Source, period: Period, key: Key, say: Say) -> tuple[Intake, bool]:
    """Harvest, check and take in one source alone; its intake, and whether it was not there already.

    Raises SourceUnavailable if nothing came, RosterRejected if it goes back to its owner.
    """
    with institution.store.locked(), disk_told(institution.store.root):
        return _take_in_source(institution, source, period, key, say)


def _take_in_source(
    institution: Institution, source: Source, period: Period, key: Key, say: Say
) -> tuple[Intake, bool]:
    delivery = _harvest(institution, source, period, say)
    return _take_in(institution, source, period, delivery, key, say)


def _harvest(institution: Institution, source: Source, period: Period, say: Say) -> Delivery:
    with _timed(say, "harvest", source.id) as found:
        cut = source.cut(period)
        got = harvest(source, cut, institution.settings.root, institution.store, institution.ledger)
        found.update(
            {"cut": str(cut), "files": len(got.delivery.files), "bytes": sum(f[2] for f in got.delivery.files)}
        )
        found["state"] = "new" if got.new else "unchanged"
        if got.same_as:
            found["warning"] = f"same bytes as the cut of {got.same_as}"
    return got.delivery


def _take_in(
    institution: Institution, source: Source, period: Period, delivery: Delivery, key: Key, say: Say
) -> tuple[Intake, bool]:
    settings, store, ledger = institution.settings, institution.store, institution.ledger
    cut = period.last_day()
    schema = settings.schema_path(source)
    fingerprint = provenance.roster_fingerprint(
        source, delivery.digest, schema, settings.gazetteer_path, cut, key.id, settings.departments
    )
    known = ledger.intakes(str(period)).get(source.id)
    if (
        known
        and known.fingerprint == fingerprint
        and (not known.roster or store.roster(str(period), known.roster).exists())
    ):
        say(Step("check", source.id, facts={"state": "unchanged"}))
        if not known.accepted:
            raise _returned(source, known)
        return known, False
    with _timed(say, "check", source.id) as found, store.work(f"intake-{source.id}") as work:
        made = work / "roster.parquet"
        try:
            report = take_in(
                source,
                [Fetched(n, store.delivery(h), h, s) for n, h, s in delivery.files],
                schema_path=schema,
                gazetteer=institution.gazetteer,
                references=institution.references,
                cut=cut,
                key=key,
                work=work,
                roster=made,
            )
        except RosterRejected as error:
            refusal = Refusal(error.what, error.where)
            ledger.add_intake(_intake(source, period, delivery, fingerprint, "", refusal))
            raise
        roster = ""
        if report.accepted and source.kind is not Kind.OPEN:
            roster = f"{source.id}-{fingerprint[:16]}"
            store.keep_roster(made, str(period), roster)
        intake = _intake(source, period, delivery, fingerprint, roster, report)
        ledger.add_intake(intake)
        found.update(_told(source, report))
    if not report.accepted:
        raise _returned(source, intake)
    return intake, True


def _intake(
    source: Source, period: Period, delivery: Delivery, fingerprint: str, roster: str, report: Report
) -> Intake:
    kept = as_json(report)
    return Intake(source.id, str(period), delivery.cut, delivery.digest, fingerprint, report.accepted, roster, kept)


def _told(source: Source, report: IntakeReport) -> dict[str, int | float | str]:
    told: dict[str, int | float | str] = {"rows": report.check.rows, "set_aside": report.check.set_aside}
    if source.kind is not Kind.OPEN:
        told |= {
            "inactive": report.inactive,
            "duplicates": report.duplicates,
            "without_document": report.without_document,
            "roster": report.roster_rows,
            "weight": report.weight,
        }
    if report.check.uncompiled:
        told["by_frictionless"] = report.check.by_frictionless
    return told


def _returned(source: Source, intake: Intake) -> RosterRejected:
    report = parse(intake.report)
    if isinstance(report, Refusal):
        return RosterRejected(
            f"{source.title}: {report.rejected}",
            where=report.where,
            remedy=f"its owner ({source.owner}) delivers it again",
        )
    check = report.check
    worst = sorted([*check.header, *check.broken], key=lambda b: -b.rows)[:3]
    rules = "; ".join(f"{b.field or 'row'}: {b.rule} {b.detail}".rstrip() + f" ({b.rows})" for b in worst)
    if check.header:
        what = "its header is not the schema's"
    else:
        share = f"over the tolerance of {check.tolerance:.1%}"
        what = f"{check.set_aside} of {check.rows} rows break rules, {share}"
    return RosterRejected(
        f"{source.title}: {what}",
        where=rules or "no rows",
        remedy=f"its owner ({source.owner}) mends it; `rnu report {source.id} --period {intake.period}` lists the rows",
    )


# --- each period -------------------------------------------------------------------------------------------------


def build_period(
    institution: Institution,
    period: Period,
    intakes: Mapping[str, Intake],
    signing_key: Ed25519PrivateKey,
    say: Say,
    key: Key,
) -> tuple[Release, bool]:
    """Aggregate, protect, attack, build, inspect, seal, sign; a release of the same inputs is not made again."""
    settings, store, ledger = institution.settings, institution.store, institution.ledger
    configuration = provenance.configuration_digest(settings)
    earlier = _earlier(settings, ledger, period)
    fingerprint = _release_fingerprint(settings, intakes, earlier)
    known = _known(ledger, str(period), fingerprint)
    if known and is_whole(store.release(known.digest), known.digest):
        again = dataclasses.replace(known, build=sign(signing_key, Role.BUILD, known.digest))
        release, new = _record(settings, ledger, again)
        say(Step("build", str(period), facts={"state": "again" if new else "unchanged", "digest": known.digest}))
        return release, new
    counts = {}
    for cube in settings.cubes:
        with _timed(say, "aggregate", cube.id) as found:
            counts[cube.id] = count(cube, settings, intakes, period, store)
            found.update({"cells": len(counts[cube.id]), "users": int(counts[cube.id]["n"].sum())})
    made: dict[tuple[str, str], Protected] = {}
    since = time.perf_counter()
    for task, protected in protect_all(tasks(settings, counts, intakes, period, institution.gazetteer, key)):
        made[task.cube, task.programme] = protected
        say(Step("protect", _subject(task, settings), time.perf_counter() - since, told(protected)))
        since = time.perf_counter()
    tables = tuple(
        _table(cube, settings.programme(p), made.get((cube.id, p)))
        for cube in settings.cubes
        for p in cube.programmes
        if cube.counts == "users" or settings.programme(p).rule_on(period.last_day())
    )
    linked = _link(institution, period, intakes, earlier, Shown.of(settings, counts, made), key, say)
    private = {f"{cube}/{programme}": protected.private() for (cube, programme), protected in made.items()}
    contents = Contents(
        period=period,
        revision=known.revision if known else ledger.highest_approved(str(period)) + 1,
        tables=(*tables, *(table for part in linked for table in part.tables)),
        quality=tuple(_quality(s, intakes.get(s.id), counts) for s in settings.rosters()),
        provenance=Provenance(
            deliveries={s: i.digest for s, i in intakes.items()}
            | {f"{s} ({period.minus(1)})": i.digest for s, i in earlier.items()},
            schemas=_schema_digests(settings),
            configuration=configuration,
            version=__version__,
            code=provenance.code_digest(),
            lock=provenance.lock_digest(),
            key_id=key.id,
        ),
        notes=(*settings.notices, *_coverage(institution), *(note for part in linked for note in part.notes)),
        rates=settings.rates,
    )
    facts = {name: cost.private() for part in linked for name, cost in part.facts}
    digest, foreseen = _write(institution, contents, private, facts, say)
    release = Release(
        str(period),
        contents.revision,
        digest,
        fingerprint,
        sign(signing_key, Role.BUILD, digest),
        _facts(contents, foreseen.summary),
    )
    return _record(settings, ledger, release)[0], True


def _table(cube: Cube, programme: Programme, made: Protected | None) -> ProgrammeTable:
    return (
        ProgrammeTable(cube, programme, made.safe, made.certificate) if made else ProgrammeTable(cube, programme, None)
    )


def _subject(task: Task, settings: Settings) -> str:
    """What a step is called that works on one table: its programme, and the cube if that has not its users."""
    counts = next(cube.counts for cube in settings.cubes if cube.id == task.cube)
    return task.programme if counts == "users" else f"{task.programme} {counts}"


def _link(
    institution: Institution,
    period: Period,
    intakes: Mapping[str, Intake],
    earlier: Mapping[str, Intake],
    shown: Shown,
    key: Key,
    say: Say,
) -> tuple[Linked, ...]:
    """Overlaps between programmes, arrivals and departures: counted, protected, attacked; where they are configured."""
    settings, store, gazetteer = institution.settings, institution.store, institution.gazetteer
    made = []
    if settings.overlaps:
        with _timed(say, "link", "overlaps") as found:
            made.append(linkage.overlaps(settings, intakes, period, store, gazetteer, shown, key))
            found.update(made[-1].told())
    if settings.flows and earlier:
        with _timed(say, "link", "flows") as found:
            made.append(linkage.flows(settings, intakes, earlier, period, store, gazetteer, shown, key))
            found.update(made[-1].told())
    return tuple(made)


def _known(ledger: Ledger, period: str, fingerprint: str) -> Release | None:
    """The release of the same inputs, unless another one was approved with its revision or a later one."""
    same = [r for r in ledger.releases(period=period) if r.fingerprint == fingerprint]
    if not same or same[-1].revision <= ledger.highest_approved(period, but=same[-1].digest):
        return None
    return same[-1]


def _record(settings: Settings, ledger: Ledger, release: Release) -> tuple[Release, bool]:
    """Make a release its period's latest build; gives it as the ledger has it, and whether that took a row.

    Raises ReviewRequired if the release is approved by the very person who would now be its builder.
    """
    earlier = ledger.releases(period=release.period)
    if earlier and earlier[-1].digest == release.digest:
        return earlier[-1], False
    decision = ledger.decision(release.digest)
    if decision and decision.signature.role is Role.APPROVE:
        require_two(release.build, decision.signature, release.digest, settings.stewards)
    ledger.add_release(release)
    return release, True


def _quality(source: Source, intake: Intake | None, counts: Mapping[str, pd.DataFrame]) -> SourceQuality:
    """National figures of a source for the release."""
    report = parse(intake.report) if intake else None
    if intake is None or not isinstance(report, IntakeReport):
        return SourceQuality(source.id, source.title, source.programme, delivered=False)
    matched = sum(int(f.loc[f["programme"] == source.programme, "matched"].sum()) for f in counts.values())
    return SourceQuality(
        source=source.id,
        title=source.title,
        programme=source.programme,
        delivered=True,
        cut=intake.cut,
        rows=report.check.rows,
        set_aside=report.check.set_aside,
        rules=tuple((b.field, f"{b.rule} {b.detail}".strip(), b.rows) for b in report.check.broken),
        inactive=report.inactive,
        duplicates=report.duplicates,
        duplicates_disagreeing=report.duplicates_disagreeing,
        without_document=report.without_document,
        roster_rows=report.roster_rows,
        weight=report.weight,
        matched=matched,
        uncompiled=report.check.uncompiled,
    )


def _write(
    institution: Institution, contents: Contents, private: Mapping[str, Any], linked: Mapping[str, Any], say: Say
) -> tuple[str, Foresight]:
    """Build, inspect and seal a release; it appears in the store under its digest, whole.

    Gives the digest, and what the release gives away together with those that were approved before.
    """
    settings, store = institution.settings, institution.store
    schemas = settings.home / "schemas"
    columns = Columns.load(schemas / PUBLISHED, schemas / PUBLISHED_RATES if settings.rates else None)
    with store.work("build") as work:
        with _timed(say, "build", f"{contents.period} r{contents.revision}") as found:
            (work / "release").mkdir()
            digest = build(
                contents,
                work / "release",
                institution=settings.institution,
                gazetteer=institution.gazetteer,
                columns=columns,
            )
            inspect(work / "release")
            inspect_attacked(work / "release", contents.tables)
            files = [p for p in (work / "release").rglob("*") if p.is_file()]
            found.update({"files": len(files), "bytes": sum(p.stat().st_size for p in files), "digest": digest})
        foreseen = _foresee(institution, contents, digest, work / "release", say)
        report = {
            "quality": [dataclasses.asdict(q) for q in contents.quality],
            "protection": private,
            "linked": linked,
            "foresight": foreseen.private(),
        }
        (work / "private").mkdir()
        (work / "private" / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True), encoding="utf-8")
        (work / "private" / DRAWING).write_text(_drawn(institution, contents, private), encoding="utf-8")
        if store.release(digest).exists() and not is_whole(store.release(digest), digest):
            store.set_aside(digest)
        store.keep_folder(work / "private", store.private(digest))
        store.keep_folder(work / "release", store.release(digest))
    return digest, foreseen


def _drawn(institution: Institution, contents: Contents, private: Mapping[str, Any]) -> str:
    """What protection costs, beside the releases of earlier periods that stand: a drawing for the steward."""
    store, ledger = institution.store, institution.ledger
    approved, latest = ledger.approved(), dict[str, Path]()
    for release in ledger.releases():
        report = store.private(release.digest) / "report.json"
        if release.digest in approved and release.period < str(contents.period) and report.is_file():
            latest[release.period] = report
    before = [
        as_the_steward_knows(period, json.loads(report.read_text(encoding="utf-8"))["protection"])
        for period, report in sorted(latest.items())
    ]
    now = as_the_steward_knows(str(contents.period), private)
    return history([*before, now], "Usuarios que no se ven, como parte de los de cada nivel")


def _foresee(institution: Institution, contents: Contents, digest: str, folder: Path, say: Say) -> Foresight:
    """Attack a release together with those that were approved before, if any matters to it."""
    store, ledger, period = institution.store, institution.ledger, str(contents.period)
    if not kept_outside(ledger, period, digest):
        return Foresight()
    with _timed(say, "foresee", f"{period} r{contents.revision}") as found:
        foreseen = foresee(store, ledger, period, digest, folder)
        told = foreseen.summary
        found["earlier_releases"] = len(told.against) - len(told.unread)
        found |= {"cells_found": told.cells, "small_differences": told.differences}
    return foreseen


def _schema_digests(settings: Settings) -> dict[str, str]:
    """Of every schema that shapes a release: the rosters' and that of published tables."""
    tables = {PUBLISHED, PUBLISHED_RATES} if settings.rates else {PUBLISHED}
    names = tables | {s.schema for s in settings.rosters()}
    return {name: file_digest(settings.home / "schemas" / name) for name in sorted(names)}


def _coverage(institution: Institution) -> tuple[str, ...]:
    """A note for readers where a release does not cover the whole country."""
    if not institution.settings.departments:
        return ()
    names = sorted({d.department for d in institution.gazetteer.districts})
    return (f"Las cifras cubren solo: {', '.join(names)}. «Todo el país» es la suma de esos departamentos.",)


def _facts(contents: Contents, foreseen: Summary) -> dict[str, Any]:
    """What the ledger keeps of a release beside its digest."""
    return {
        "foresight": dataclasses.asdict(foreseen),
        "programmes": sorted({t.programme.id for t in contents.tables if t.safe is not None}),
        "missing": sorted({t.programme.id for t in contents.tables if t.safe is None}),
    }
