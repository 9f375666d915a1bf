"""What can go wrong, named after who must act.

Every error says what happened, where, and what to do next. None ever carries a person's value: rules, columns and
row numbers only. The command line turns an error into two lines and an exit code; the ledger keeps its facts.
"""

from __future__ import annotations

import traceback
from enum import StrEnum
from pathlib import Path


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


class Why(StrEnum):
    """Why a word on a release is not taken; the desk says each in the steward's language."""

    UNREGISTERED = "unregistered"  # nobody's key, or not on this day
    SAME_PERSON = "same-person"  # who built it would approve it
    FORGED = "forged"  # no signature of this key over this release, reason and moment
    OVERTAKEN = "overtaken"  # somebody decided, or the passkey signed, since it was asked for
    REPLACED = "replaced"  # a later build or revision took its place
    CHANGED = "changed"  # bytes are not what was sealed
    NO_REASON = "no-reason"  # returned without a note
    GIVES_AWAY = "gives-away"  # approved without a note, though with earlier releases it gives something away
    UNKNOWN = "unknown"  # there is no such release
    OTHER = "other"


class ReviewRequired(RnuError):
    """A release lacks a signature, or bytes changed after it was given: a steward decides."""

    exit_code = 6

    def __init__(self, what: str, *, where: str = "", remedy: str = "", why: Why = Why.OTHER) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.why = why


class PortalRefused(RnuError):
    """A portal could not take the release: whoever runs the portal looks; publishing again finishes it."""

    exit_code = 7


class StoreError(RnuError):
    """The disk or the ledger refused: whoever runs the machine looks; nothing half-written was left."""

    exit_code = 8


class Busy(RnuError):
    """Another run holds the institution's lock: wait for it to end."""

    exit_code = 9


class CannotBeProtected(RnuError):
    """A table stays open to attack whatever is withheld: show fewer crosses of it, or merge its categories."""

    exit_code = 1


class BadTable(RnuError):
    """A table of counts is wrong: whoever made it mends the line."""

    exit_code = 2


class NotARelease(RnuError):
    """A folder is not what `rnu protect` writes: whoever has it fetches it again."""

    exit_code = 2


def unexpected(error: Exception) -> RnuError:
    """A failure that nobody foresaw, told without a value: only what it was and where it happened."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename]
    at = (ours or frames)[-1]
    return RnuError(
        f"unexpected {type(error).__name__}",
        where=f"{Path(at.filename).name}:{at.lineno}",
        remedy="report it; RNU_TRACEBACK=1 shows more, and may show persons' data: do not send that on",
    )
