"""What can go wrong, named after who must act.

Every error says what happened, where, and what to do next. None ever carries a person's value: rules, columns and
row numbers only. The command line turns an error into two lines and an exit code; the ledger keeps its facts.
"""

from __future__ import annotations


class RnuError(Exception):
    """A failure that a person can answer; `remedy` says how, `exit_code` is what the shell sees."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        todo = f"\n  -> {self.remedy}" if self.remedy else ""
        return f"{self.what}{place}{todo}"

    def as_json(self) -> dict[str, str]:
        """The same for a machine."""
        return {"kind": type(self).__name__, "what": self.what, "where": self.where, "remedy": self.remedy}


class SettingsError(RnuError):
    """The institution's folder or configuration is wrong: whoever edits `config/` mends it."""

    exit_code = 2


class SourceUnavailable(RnuError):
    """A source did not answer or its file is not there yet: try again later, or tell its owner."""

    exit_code = 3


class RosterRejected(RnuError):
    """A delivery cannot be used: its owner mends it and delivers again."""

    exit_code = 4


class DisclosureRisk(RnuError):
    """A table could give a person away: nothing is released until the design is coarsened."""

    exit_code = 5


class ReviewRequired(RnuError):
    """A release lacks a signature, or bytes changed after it was given: a steward decides."""

    exit_code = 6


class PortalRefused(RnuError):
    """A portal could not take the release: whoever runs the portal looks; publishing again finishes it."""

    exit_code = 7


class StoreError(RnuError):
    """The disk or the ledger refused: whoever runs the machine looks; nothing half-written was left."""

    exit_code = 8


class Busy(RnuError):
    """Another run holds the institution's lock: wait for it to end."""

    exit_code = 9
