"""What is asked of the worker, in types; and asking, taking and answering, by whoever does it.

A request is a row that a portal, or a person, adds to the ledger; a receipt is a row that the worker adds. Nobody waits
for the other: whoever asked looks for the receipt when it suits them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rnu.errors import SettingsError
from rnu.ledger import Ledger, Receipt, Request, State

STRICT = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Harvest:
    """Bring in one source's delivery for a period; with the quorum in, the period's build follows by itself."""

    source: str
    period: str
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Build:
    """Build a period's release; with `go` a steward says that it is built with the rosters there are."""

    period: str
    go: bool = False
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Approve:
    """Approve exactly the bytes of a release; the assertion is the passkey's, over the digest."""

    digest: str
    note: str
    assertion: Mapping[str, Any] = field(repr=False)
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Return:
    """Send a release back, with a reason; the assertion is the passkey's."""

    digest: str
    note: str
    assertion: Mapping[str, Any] = field(repr=False)
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Passkey:
    """Register a steward's passkey."""

    steward: str
    registration: Mapping[str, Any] = field(repr=False)
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Publish:
    """Show what is approved on a portal; on all of them if none is named."""

    portal: str = ""
    __pydantic_config__ = STRICT


What = Harvest | Build | Approve | Return | Passkey | Publish
KINDS: Mapping[str, type[What]] = {
    "harvest": Harvest,
    "build": Build,
    "approve": Approve,
    "return": Return,
    "passkey": Passkey,
    "publish": Publish,
}
_KIND = {shape: kind for kind, shape in KINDS.items()}


def ask(ledger: Ledger, what: What, asked_by: str) -> int:
    """Ask for something; gives the request's number, by which its receipt is found."""
    return ledger.add_request(Request(_KIND[type(what)], asked_by, dataclasses.asdict(what)))


def what(request: Request) -> What:
    """What a request asks for, in its type; SettingsError if it is nothing we know. Never repeats what stands there."""
    shape = KINDS.get(request.kind)
    if shape is None:
        raise SettingsError("there is no such kind of request", where=f"request {request.id}")
    try:
        found: What = TypeAdapter(shape).validate_python(request.what)
    except ValidationError as error:
        raise SettingsError("the request is not of the form of its kind", where=f"request {request.id}") from error
    return found


def open_requests(ledger: Ledger, kind: type[What] | None = None) -> tuple[Request, ...]:
    """What has no answer yet, oldest first; of one kind, or of all."""
    return tuple(r for r in ledger.open_requests() if kind is None or r.kind == _KIND[kind])


@contextmanager
def take(ledger: Ledger) -> Iterator[Request | None]:
    """The oldest open request that nobody else is at, ours until the block ends; nothing if there is none."""
    for request in ledger.open_requests():
        with ledger.claimed(request.id) as ours:
            if ours and not is_answered(ledger, request.id):  # another worker may have answered before our claim
                ledger.add_receipt(Receipt(request.id, State.TAKEN, "Se está procesando.", {}))
                yield request
                return
    yield None


def answer(ledger: Ledger, request_id: int, state: State, said: str, facts: Mapping[str, Any]) -> None:
    """Say what became of a request."""
    ledger.add_receipt(Receipt(request_id, state, said, facts))


def receipt_of(ledger: Ledger, request_id: int) -> Receipt | None:
    """The latest that the worker said of a request; nothing as long as it lies there."""
    return next(reversed(ledger.receipts(request_id)), None)


def is_answered(ledger: Ledger, request_id: int) -> bool:
    """Whether the worker is done with a request."""
    last = receipt_of(ledger, request_id)
    return last is not None and last.state is not State.TAKEN
