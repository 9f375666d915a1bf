"""The ledger: what came, what was found, who decided. Rows are only added; every state is read from them.

SQLite beside the store by default; PostgreSQL where a portal asks for things and reads what became of them. The tables
are made and upgraded by the migrations in `rnu/migrations/`; triggers refuse UPDATE, DELETE and TRUNCATE, so that not
even this code can rewrite history.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from filelock import FileLock, Timeout

from rnu.errors import SettingsError, StoreError
from rnu.signing import Role, Signature

metadata = sa.MetaData()


def _table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        *columns,
    )


def _text(name: str, **kwargs: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, **kwargs)


delivery_table = _table(
    "delivery", _text("source"), _text("cut"), _text("digest"), sa.Column("files", sa.JSON, nullable=False),
    sa.Column("validators", sa.JSON, nullable=False),
)  # fmt: skip
intake_table = _table(
    "intake", _text("source"), _text("period"), _text("cut"), _text("digest"), _text("fingerprint"),
    sa.Column("accepted", sa.Boolean, nullable=False), _text("roster"), sa.Column("report", sa.JSON, nullable=False),
)  # fmt: skip
release_table = _table(
    "release", _text("period"), sa.Column("revision", sa.Integer, nullable=False), _text("digest"),
    _text("fingerprint"), _text("public_key"), _text("signature"), sa.Column("facts", sa.JSON, nullable=False),
)  # fmt: skip
decision_table = _table(
    "decision", _text("digest"), _text("role"), _text("public_key"), _text("signature"), _text("note"),
)  # fmt: skip
publication_table = _table(
    "publication", _text("portal"), _text("digest"), _text("site"), sa.Column("whole", sa.Boolean, nullable=False),
    sa.Column("releases", sa.JSON),
)  # fmt: skip
request_table = _table("request", _text("kind"), _text("asked_by"), sa.Column("what", sa.JSON, nullable=False))
receipt_table = _table(
    "receipt", sa.Column("request_id", sa.Integer, nullable=False, index=True), _text("state"), _text("said"),
    sa.Column("facts", sa.JSON, nullable=False),
)  # fmt: skip
announcement_table = _table("announcement", sa.Column("facts", sa.JSON, nullable=False))

CLAIMS = 0x524E55  # the class of advisory locks that stand for a request that somebody works on: "RNU"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A source's files for one cut."""

    source: str
    cut: str
    digest: str
    files: tuple[tuple[str, str, int], ...]  # name, sha256, bytes
    validators: Mapping[str, str]  # what an HTTP server said of it
    at: str = ""


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of a delivery in a period: a roster, or its return."""

    source: str
    period: str
    cut: str
    digest: str  # of the delivery
    fingerprint: str  # of everything the roster depends on
    accepted: bool
    roster: str  # name in the store; empty if returned
    report: Mapping[str, Any]  # counts and row numbers, no values
    at: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A sealed release and its builder's signature."""

    period: str
    revision: int
    digest: str
    fingerprint: str  # of everything the bytes depend on
    build: Signature
    facts: Mapping[str, Any]
    at: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A steward's word on a release."""

    signature: Signature
    note: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """What a portal shows; `whole` is false from the beginning of publishing to its end."""

    portal: str
    digest: str  # of the newest release; empty if none is shown
    site: str
    whole: bool
    releases: tuple[str, ...] = ()  # digests of all that are shown; none in rows of a ledger of version 0001
    at: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """Something that a person, or a portal for one, asks the worker to do."""

    kind: str
    asked_by: str  # an account: who that is, only a signature tells
    what: Mapping[str, Any]
    id: int = 0
    at: str = ""


class State(StrEnum):
    """How far a request is."""

    TAKEN = "taken"  # a worker is at it, or was when it was ended
    DONE = "done"
    REFUSED = "refused"  # somebody must change something before it is asked again
    FAILED = "failed"  # asked again later it may go well


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the worker says of a request. The desk reads all of it: nothing that only the worker may know."""

    request_id: int
    state: State
    said: str  # one sentence in Spanish for whoever asked
    facts: Mapping[str, Any]
    id: int = 0
    at: str = ""


class Ledger:
    """Adds rows and reads states. `clock` gives the moment that rows are stamped with."""

    def __init__(self, address: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine = _engine(address)
        self._clock = clock

    @classmethod
    def beside(cls, home: Path) -> Ledger:
        """The default ledger of an institution's folder."""
        return cls(f"sqlite:///{beside(home)}")

    def upgrade(self) -> None:
        """Make the tables, or bring those of an older version up to date."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        self._keep_private()
        try:
            with self._engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(
                "the ledger cannot be opened or upgraded",
                where=str(self._engine.url),
                remedy="look at the disk and the database; put a copy back if it is damaged",
            ) from error
        except CommandError as error:
            raise StoreError(
                "the ledger is not of a version that this program knows",
                where=str(self._engine.url),
                remedy="it was upgraded by a newer one: use that one, or put back the copy from before",
            ) from error

    def take_over(self, former: Ledger) -> int:
        """Copy another ledger's history, numbers and moments and all; how many rows it has.

        Again it changes nothing. Raises StoreError if this ledger has a history of its own.
        """
        tables = metadata.sorted_tables
        wanted = {table: [r._asdict() for r in former._rows(table)] for table in tables}
        kept = {table: [r._asdict() for r in self._rows(table)] for table in tables}
        if any(kept.values()) and kept != wanted:
            raise StoreError(
                "the new ledger has a history of its own",
                where=str(self._engine.url),
                remedy="name an empty database",
            )
        if not any(kept.values()):
            with self._engine.begin() as connection:
                for table, rows in wanted.items():
                    if rows:
                        connection.execute(table.insert(), rows)
                        self._number_after(connection, table)
        return sum(map(len, wanted.values()))

    def _number_after(self, connection: sa.Connection, table: sa.Table) -> None:
        """PostgreSQL numbers rows by a sequence of its own, which knows nothing of rows that came with theirs."""
        if self._engine.dialect.name != "sqlite":
            highest = sa.select(sa.func.max(table.c.id)).scalar_subquery()
            connection.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence(table.name, "id"), highest)))

    def _keep_private(self) -> None:
        """Make SQLite's file its owner's alone, for it holds exact small counts; its journals get the same mode."""
        if self._engine.dialect.name != "sqlite" or not self._engine.url.database:
            return
        path = Path(self._engine.url.database)
        path.touch(mode=0o600)
        path.chmod(0o600)

    def _add(self, table: sa.Table, **values: Any) -> int:
        """Add a row, stamped with the moment; gives its number."""
        stamped = table.insert().values(at=self._clock().isoformat(timespec="seconds"), **values)
        try:
            with self._engine.begin() as connection:
                return int(connection.execute(stamped.returning(table.c.id)).scalar_one())
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(
                f"the ledger did not take a row of '{table.name}'",
                where=str(self._engine.url),
                remedy="look at the disk and the database; nothing was changed",
            ) from error

    def _rows(self, table: sa.Table, **wanted: str | int) -> Sequence[sa.Row[Any]]:
        return self._read(table.select().filter_by(**wanted).order_by(table.c.id))

    def _read(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(
                "the ledger cannot be read",
                where=str(self._engine.url),
                remedy="look at the disk and the database; put a copy back if it is damaged",
            ) from error

    # --- deliveries ---

    def add_delivery(self, delivery: Delivery) -> None:
        """Record that a source's files came."""
        self._add(
            delivery_table,
            source=delivery.source,
            cut=delivery.cut,
            digest=delivery.digest,
            files=[list(f) for f in delivery.files],
            validators=dict(delivery.validators),
        )

    def delivery(self, source: str, cut: str) -> Delivery | None:
        """The latest delivery for a cut."""
        rows = self._rows(delivery_table, source=source, cut=cut)
        return _delivery(rows[-1]) if rows else None

    def same_elsewhere(self, delivery: Delivery) -> str:
        """Another cut for which the same bytes came before, as when somebody sends the wrong month; empty if none."""
        rows = self._rows(delivery_table, source=delivery.source, digest=delivery.digest)
        return next((r.cut for r in rows if r.cut != delivery.cut), "")

    # --- intakes ---

    def add_intake(self, intake: Intake) -> None:
        """Record what became of a delivery."""
        self._add(
            intake_table,
            source=intake.source,
            period=intake.period,
            cut=intake.cut,
            digest=intake.digest,
            fingerprint=intake.fingerprint,
            accepted=intake.accepted,
            roster=intake.roster,
            report=json.loads(json.dumps(intake.report)),
        )

    def intakes(self, period: str) -> dict[str, Intake]:
        """The latest intake of each source in a period."""
        rows = self._rows(intake_table, period=period)
        return {
            r.source: Intake(r.source, r.period, r.cut, r.digest, r.fingerprint, r.accepted, r.roster, r.report, r.at)
            for r in rows
        }

    def periods(self) -> tuple[str, ...]:
        """The periods for which something came, oldest first."""
        return tuple(r.period for r in self._read(sa.select(intake_table.c.period).distinct().order_by("period")))

    # --- releases ---

    def add_release(self, release: Release) -> None:
        """Record a sealed release."""
        self._add(
            release_table,
            period=release.period,
            revision=release.revision,
            digest=release.digest,
            fingerprint=release.fingerprint,
            public_key=release.build.public_key,
            signature=release.build.signature,
            facts=json.loads(json.dumps(release.facts)),
        )

    def releases(self, **wanted: str) -> tuple[Release, ...]:
        """Releases in the order they were built, each once, where it was last; `period=` or `digest=` narrow them."""
        last = {r.digest: r for r in self._rows(release_table, **wanted)}
        return tuple(_release(r) for r in sorted(last.values(), key=lambda r: r.id))

    def add_decision(self, decision: Decision) -> None:
        """Record a steward's word."""
        given = decision.signature
        self._add(
            decision_table,
            digest=given.digest,
            role=given.role,
            public_key=given.public_key,
            signature=given.signature,
            note=decision.note,
        )

    def decisions(self, **wanted: str) -> tuple[Decision, ...]:
        """Every word, oldest first; `digest=` or `public_key=` narrow them."""
        rows = self._rows(decision_table, **wanted)
        return tuple(Decision(Signature(Role(r.role), r.digest, r.public_key, r.signature), r.note, r.at) for r in rows)

    def decision(self, digest: str) -> Decision | None:
        """The latest word on a release."""
        return next(reversed(self.decisions(digest=digest)), None)

    def approved(self) -> frozenset[str]:
        """Digests on which the latest word is an approval."""
        last = {r.digest: r.role for r in self._rows(decision_table)}
        return frozenset(digest for digest, role in last.items() if role == Role.APPROVE)

    def ever_approved(self) -> frozenset[str]:
        """Digests on which a word was once an approval, even if they were returned later."""
        return frozenset(r.digest for r in self._rows(decision_table, role=Role.APPROVE))

    def highest_approved(self, period: str, *, but: str = "") -> int:
        """The highest revision of a period that was ever approved, even if it was returned later; 0 if none was."""
        approved, known = self.ever_approved(), self.releases(period=period)
        return max((r.revision for r in known if r.digest in approved and r.digest != but), default=0)

    # --- publications ---

    def add_publication(self, publication: Publication) -> None:
        """Record that publishing began, or that it is whole."""
        self._add(
            publication_table,
            portal=publication.portal,
            digest=publication.digest,
            site=publication.site,
            whole=publication.whole,
            releases=list(publication.releases),
        )

    def publications(self, portal: str) -> tuple[Publication, ...]:
        """What was published on a portal, oldest first."""
        rows = self._rows(publication_table, portal=portal)
        return tuple(Publication(r.portal, r.digest, r.site, r.whole, tuple(r.releases or ()), r.at) for r in rows)

    # --- requests and receipts ---

    def add_request(self, request: Request) -> int:
        """Record what is asked for; gives its number."""
        what = json.loads(json.dumps(request.what))
        return self._add(request_table, kind=request.kind, asked_by=request.asked_by, what=what)

    def requests(self, **wanted: str | int) -> tuple[Request, ...]:
        """What was asked for, oldest first; `id=`, `kind=` or `asked_by=` narrow it."""
        return tuple(_request(r) for r in self._rows(request_table, **wanted))

    def open_requests(self) -> tuple[Request, ...]:
        """What has no answer yet, oldest first."""
        answered = (
            sa.select(receipt_table.c.id)
            .where(receipt_table.c.request_id == request_table.c.id, receipt_table.c.state != State.TAKEN)
            .exists()
        )
        return tuple(_request(r) for r in self._read(request_table.select().where(~answered).order_by("id")))

    def add_receipt(self, receipt: Receipt) -> None:
        """Record what became of a request."""
        facts = json.loads(json.dumps(receipt.facts))
        self._add(receipt_table, request_id=receipt.request_id, state=receipt.state, said=receipt.said, facts=facts)

    def receipts(self, request_id: int) -> tuple[Receipt, ...]:
        """What the worker said of a request, oldest first."""
        rows = self._rows(receipt_table, request_id=request_id)
        return tuple(Receipt(r.request_id, State(r.state), r.said, r.facts, r.id, r.at) for r in rows)

    def announce(self, facts: Mapping[str, Any]) -> None:
        """Record what a portal may know of the configuration."""
        self._add(announcement_table, facts=json.loads(json.dumps(facts)))

    def announced(self) -> Mapping[str, Any] | None:
        """What a portal may know of the configuration, as it was last said."""
        rows = self._read(announcement_table.select().order_by(announcement_table.c.id.desc()).limit(1))
        return rows[0].facts if rows else None

    @contextmanager
    def claimed(self, request_id: int) -> Iterator[bool]:
        """Whether this worker alone may work on a request, for as long as the block lasts.

        The claim is a lock that ends with its process or its connection, so that what a killed worker left is free at
        once, on whatever machine it ran. Beside SQLite one worker works at a time.
        """
        if self._engine.dialect.name == "sqlite":
            with self._claimed_in_file() as free:
                yield free
            return
        try:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # the session ends with the block, and the lock with it
            free = connection.execute(sa.select(sa.func.pg_try_advisory_lock(CLAIMS, request_id))).scalar_one()
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(
                "the ledger cannot be reached",
                where=str(self._engine.url),
                remedy="look at the database; nothing was changed",
            ) from error
        try:
            yield bool(free)
        finally:
            with suppress(sa.exc.SQLAlchemyError):  # who lost the connection lost the lock
                if free:  # given back at once: a session takes a moment to end
                    connection.execute(sa.select(sa.func.pg_advisory_unlock(CLAIMS, request_id)))
            connection.close()

    @contextmanager
    def _claimed_in_file(self) -> Iterator[bool]:
        lock = FileLock(f"{self._engine.url.database}.claim")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()


def beside(home: Path) -> Path:
    """Where the default ledger of an institution's folder lies."""
    return home / "ledger.sqlite"


def _engine(address: str) -> sa.Engine:
    try:
        return sa.create_engine(address, pool_pre_ping=not address.startswith("sqlite"))
    except sa.exc.ArgumentError as error:
        raise SettingsError("this is no address of a database", where="the ledger's address") from error
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the ledger's database needs a driver that is not installed ({error.name})",
            where="the ledger's address",
            remedy="pip install rnu[postgres]",
        ) from error


def _request(row: sa.Row[Any]) -> Request:
    return Request(row.kind, row.asked_by, row.what, row.id, row.at)


def _release(row: sa.Row[Any]) -> Release:
    build = Signature(Role.BUILD, row.digest, row.public_key, row.signature)
    return Release(row.period, row.revision, row.digest, row.fingerprint, build, row.facts, row.at)


def _delivery(row: sa.Row[Any]) -> Delivery:
    files = tuple((str(n), str(h), int(s)) for n, h, s in row.files)
    return Delivery(row.source, row.cut, row.digest, files, row.validators, row.at)
