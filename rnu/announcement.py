"""What a portal may know of the configuration: which sources there are, who delivers them, what a period waits for.

A portal cannot read the institution's folder. The worker says in the ledger what is needed to ask for the right thing
and to name it in words; whatever else stands in `config/` stays where it is.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from pydantic import TypeAdapter

from rnu.ledger import Ledger
from rnu.settings import Settings


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source by its id, and what people call it."""

    id: str
    title: str
    owner: str
    kind: str  # roster | register | open
    programme: str
    every: int  # months between two cuts
    tolerance: float


@dataclass(frozen=True, slots=True)
class KnownPortal:
    """A place where releases are published."""

    id: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class KnownSteward:
    """Whose a public key is."""

    name: str
    public_key: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """All that a portal knows; of an institution that said nothing yet, nothing."""

    sources: tuple[KnownSource, ...] = ()
    quorum: tuple[str, ...] = ()  # sources without which a period is not built
    portals: tuple[KnownPortal, ...] = ()
    stewards: tuple[KnownSteward, ...] = ()

    def source(self, id: str) -> KnownSource | None:
        """The source with an id."""
        return next((s for s in self.sources if s.id == id), None)


def of(settings: Settings) -> Announcement:
    """What is said of a configuration."""
    return Announcement(
        tuple(
            KnownSource(s.id, s.title, s.owner, s.kind, s.programme, s.calendar.every, s.tolerance)
            for s in settings.sources
        ),
        settings.quorum,
        tuple(KnownPortal(p.id, p.title, p.url) for p in settings.portals),
        tuple(KnownSteward(s.name, s.public_key) for s in settings.stewards),
    )


def announce(ledger: Ledger, settings: Settings) -> None:
    """Say it in the ledger, unless that is what was said last."""
    now = of(settings)
    if announced(ledger) != now:
        ledger.announce(dataclasses.asdict(now))


def announced(ledger: Ledger) -> Announcement:
    """What was said last."""
    facts = ledger.announced()
    return TypeAdapter(Announcement).validate_python(facts) if facts else Announcement()
