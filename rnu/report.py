"""What became of a delivery: counts, row numbers and reasons, never a value. The ledger keeps it; people read it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from pydantic import TypeAdapter

from rnu.check.report import CheckReport


@dataclass(frozen=True, slots=True)
class IntakeReport:
    """A delivery that was read."""

    check: CheckReport
    inactive: int = 0  # rows that the source itself marks as no longer users
    duplicates: int = 0  # later rows of a document already seen
    duplicates_disagreeing: int = 0  # of those, rows that differ in place or CSE
    without_document: int = 0  # rows that count but cannot be linked
    roster_rows: int = 0
    weight: int = 0  # persons, households or pupils that the roster stands for

    @property
    def accepted(self) -> bool:
        """Whether it became a roster."""
        return self.check.accepted


@dataclass(frozen=True, slots=True)
class Refusal:
    """A delivery whose bytes are not what its source says: nothing of it was checked."""

    rejected: str
    where: str

    @property
    def accepted(self) -> bool:
        """Never."""
        return False


Report = IntakeReport | Refusal
KNOWN: TypeAdapter[Report] = TypeAdapter(Report)


def as_json(report: Report) -> dict[str, Any]:
    """For the ledger."""
    return dataclasses.asdict(report)


def parse(kept: Mapping[str, Any]) -> Report:
    """A report that the ledger kept."""
    return KNOWN.validate_python(kept)


def lines(source: str, report: Report) -> list[str]:
    """What an owner must mend: a line for the delivery and one for each rule."""
    if isinstance(report, Refusal):
        return [f"{source}: returned. {report.rejected} [{report.where}]"]
    check = report.check
    share = check.set_aside / check.rows if check.rows else 1.0
    out = [
        f"{source}: {'accepted' if report.accepted else 'returned'}. {check.rows:,} rows, "
        f"{check.set_aside:,} set aside ({share:.2%}, tolerance {check.tolerance:.2%})"
    ]
    for broken in (*check.header, *check.broken):
        by_member = groupby(broken.first[:5], key=itemgetter(0))
        at = "; ".join(_rows(member, [row for _, row in found]) for member, found in by_member)
        rule = f"{broken.field or '(row)'}: {broken.rule} {broken.detail}".rstrip()
        out.append(f"  {broken.rows:>8,}  {rule}  {at}".rstrip())
    if check.uncompiled:
        out.append(f"  run by frictionless, slowly: {', '.join(check.uncompiled)}")
    if check.by_frictionless:
        out.append(f"  {check.by_frictionless:>8,}  distinct cells read by frictionless itself")
    return out


def _rows(member: str, rows: list[int]) -> str:
    """Where to look in a file; its header is row 0."""
    return member if rows == [0] else f"{member} rows {', '.join(map(str, rows))}"
