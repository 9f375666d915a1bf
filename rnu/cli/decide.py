"""`rnu approve` and `rnu return`."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import click

from rnu import review, secrets
from rnu.cli.clock import today
from rnu.cli.options import home_option, json_option, key_option
from rnu.cli.output import emit
from rnu.foresight.look import summary
from rnu.foresight.told import Summary
from rnu.institution import Institution
from rnu.ledger import Release
from rnu.signing import Role


def _decide(role: Role, digest: str, note: str, key_file: Path | None, home: Path, as_json: bool) -> None:
    institution = Institution.open(home)
    release = review.find(institution.ledger, digest)
    decision, new = review.decide(
        institution.settings,
        institution.store,
        institution.ledger,
        release,
        role,
        secrets.signing_key(key_file, os.environ),
        note,
        today=today(),
    )
    word = "approved" if role is Role.APPROVE else "returned"
    named = f"Release {release.period} r{release.revision} {release.digest[:12]}"
    said = f"{named} {word}." if new else f"{named} was {word} by you before."
    found = Summary() if role is Role.RETURN else summary(institution.store, institution.ledger, release)
    told = {"digest": release.digest, "decision": role, "note": decision.note, "new": new}
    emit(as_json, told | {"gives_away": dataclasses.asdict(found)}, lambda: [said, *_warning(release, found)])


def _warning(release: Release, found: Summary) -> list[str]:
    if found.stands:
        return []
    unread = (
        f" {len(found.unread)} earlier releases are lost or damaged, and were not looked at." if found.unread else ""
    )
    return [
        f"WARNING: whoever keeps earlier releases works out {found.cells:,} withheld cells, and sees"
        f" {found.differences:,} small differences below the departments.{unread}",
        f"  -> `rnu show {release.digest[:12]}`; as long as it is not published, `rnu return` takes it back",
    ]


@click.command("approve")
@click.argument("digest")
@click.option("--note", default="", help="What you looked at.")
@key_option
@home_option
@json_option
def approve(digest: str, note: str, key_file: Path | None, home: Path, as_json: bool) -> None:
    """Approve a release that somebody else built, by signing its digest with your key.

    If whoever keeps earlier releases works something out of this one, it is refused without a note that says why it is
    approved all the same.

    \b
    Example:
      rnu approve 3f9a1c20b7d4 --key ~/rnu-steward.pem --note 'compared with December'
    """
    _decide(Role.APPROVE, digest, note, key_file, home, as_json)


@click.command("return")
@click.argument("digest")
@click.option("--note", required=True, help="What must be mended.")
@key_option
@home_option
@json_option
def send_back(digest: str, note: str, key_file: Path | None, home: Path, as_json: bool) -> None:
    """Return a release; it is not published until somebody approves it.

    \b
    Example:
      rnu return 3f9a1c20b7d4 --key ~/rnu-steward.pem --note 'SIS fell by half: ask its owner'
    """
    _decide(Role.RETURN, digest, note, key_file, home, as_json)
