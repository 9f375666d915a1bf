"""`rnu passkey`."""

from __future__ import annotations

from pathlib import Path

import click

from rnu import stewards
from rnu.cli.clock import today
from rnu.cli.options import home_option, json_option
from rnu.cli.output import emit
from rnu.institution import Institution


@click.group("passkey")
def command() -> None:
    """Passkeys with which stewards sign at a portal's desk: what was registered there, and confirming it.

    \b
    Example:
      rnu passkey list
    """


@command.command("list", short_help="What was registered at a desk.")
@home_option
@json_option
def listing(home: Path, as_json: bool) -> None:
    """List the passkeys that were registered at a desk, with the fingerprints that came to this side.

    \b
    Example:
      rnu passkey list --home /srv/rnu
    """
    institution = Institution.open(home)
    found = stewards.registrations(institution.settings, institution.ledger)
    emit(
        as_json,
        [
            {
                "request": r.request,
                "at": r.at,
                "account": r.asked_by,
                "steward": r.steward,
                "fingerprint": r.passkey.fingerprint,
                "origin": r.passkey.origin,
                "confirmed": r.confirmed,
            }
            for r in found
        ],
        lambda: (
            [
                f"{r.at}  {'confirmed' if r.confirmed else 'waits':9}  {r.passkey.fingerprint}"
                f"  {r.steward} (account {r.asked_by})"
                for r in found
            ]
            or ["No passkey was registered."]
        ),
    )


@command.command("confirm", short_help="Let a passkey sign, once its fingerprint was compared.")
@click.argument("fingerprint")
@click.option(
    "--name", default="", help="The person, as stewards.toml has them; the name that was registered if left out."
)
@home_option
@json_option
def confirm(fingerprint: str, name: str, home: Path, as_json: bool) -> None:
    """Write a passkey into config/stewards.toml. Type the FINGERPRINT that the person reads out to you.

    Hear it from the person, face to face or by a telephone that you called, while they look at their own screen.

    \b
    Example:
      rnu passkey confirm 'a3f1 09bc 77de 4410 52aa 90c3 1b6e f208' --name 'Rosa Pérez, revisora'
    """
    institution = Institution.open(home)
    made = stewards.confirm(institution.settings, institution.ledger, fingerprint, name, today())
    keys = stewards.keys_of(made, (*institution.settings.stewards, made))
    person = f"{made.name}, who has {keys} keys now" if keys > 1 else f"{made.name}, a person new to stewards.toml"
    emit(
        as_json,
        {"steward": made.name, "passkey": made.passkey, "origin": made.origin, "keys": keys},
        lambda: [f"Confirmed for {person}. It signs at {made.origin} from {made.since} on."],
    )
