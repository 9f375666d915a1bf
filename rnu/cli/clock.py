"""The one clock that commands ask for a day."""

from __future__ import annotations

from datetime import UTC, date, datetime


def today() -> date:
    """The day in UTC, in which the ledger stamps its rows: who may sign is asked again by that stamp at publishing."""
    return datetime.now(UTC).date()
