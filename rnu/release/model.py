"""What a release is made of, before it is bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anonymize.joint.verify import JointCertificate
from anonymize.tables import SafeCells
from rnu.settings import Cube, LinkedCube, Period, Programme, Rates

if TYPE_CHECKING:  # who checks a release needs no solver
    from anonymize.certificate import Certificate


@dataclass(frozen=True, slots=True)
class ProgrammeTable:
    """One programme in one cube: its safe cells with their proof, or None where no roster came («no entregado»)."""

    cube: Cube
    programme: Programme
    safe: SafeCells | None
    certificate: Certificate | JointCertificate | None = None

    @property
    def linked(self) -> bool:
        """Whether it is made by linking rosters."""
        return isinstance(self.cube, LinkedCube)

    @property
    def certified(self) -> bool:
        """Whether it comes with a certificate of its own; that of distinct persons speaks of the pairs as well."""
        return not (isinstance(self.cube, LinkedCube) and self.cube.proven_with)


@dataclass(frozen=True, slots=True)
class SourceQuality:
    """National figures of one source's delivery. Counts of rows, never of who."""

    source: str
    title: str
    programme: str
    delivered: bool
    cut: str = ""  # YYYY-MM the delivery was cut at
    rows: int = 0  # data rows in the delivery
    set_aside: int = 0  # rows that broke a rule
    rules: tuple[tuple[str, str, int], ...] = ()  # (column, rule, rows)
    inactive: int = 0  # rows that the source itself marks as no longer users
    duplicates: int = 0  # later rows of a document already seen
    duplicates_disagreeing: int = 0  # of those, rows that differ in place or CSE
    without_document: int = 0  # rows that count but cannot be linked
    roster_rows: int = 0
    weight: int = 0  # persons, households or pupils that the roster stands for
    matched: int = 0  # rows found in the household register
    uncompiled: tuple[str, ...] = ()  # rules that frictionless itself had to run


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the bytes depend on: all of it named by digest, nothing of it a time."""

    deliveries: dict[str, str]  # source -> sha256 of the delivery
    schemas: dict[str, str]  # path below schemas/ -> sha256
    configuration: str  # sha256 of what in config/ shapes bytes
    version: str  # of this software
    code: str  # sha256 of the packages' files
    lock: str  # sha256 of the lock file, empty where there is none
    key_id: str  # of the pseudonym key


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that `build` turns into a release's files."""

    period: Period
    revision: int
    tables: tuple[ProgrammeTable, ...]
    quality: tuple[SourceQuality, ...]
    provenance: Provenance
    notes: tuple[str, ...] = field(default=())
    rates: Rates | None = None  # None: no rates are published
