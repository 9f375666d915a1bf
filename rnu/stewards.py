"""Who may sign with a passkey: what was registered through a desk and waits, and the hand that confirms it.

A registration comes through a portal, so that it proves nothing. It counts once somebody on the worker's side has typed
the fingerprint that the person themself reads out, and has thereby written the key into `config/stewards.toml`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rnu import request
from rnu.errors import ReviewRequired, SettingsError, Why
from rnu.ledger import Ledger, Request, State
from rnu.passkeys import Passkey, registered
from rnu.settings import Settings, Steward, load
from rnu.signing import same_person


@dataclass(frozen=True, slots=True)
class Registration:
    """A passkey that somebody registered at a desk."""

    request: int  # its number in the ledger
    at: str
    asked_by: str  # the portal's account, which proves nothing
    steward: str  # the name that was given
    passkey: Passkey
    confirmed: bool


def receive(settings: Settings, asked: request.Passkey) -> Passkey:
    """The passkey that a request brings, if it was made for one of our desks; ReviewRequired otherwise."""
    origins = [portal.desk for portal in settings.portals if portal.desk]
    if not origins:
        raise SettingsError(
            "no portal has a desk, so that no passkey can be bound to it",
            where="config/portals.toml: portal.desk",
            remedy='desk = "https://…", the address at which stewards open it',
        )
    for origin in origins[:-1]:
        try:
            return registered(asked.registration, asked.steward, origin)
        except ReviewRequired:
            continue
    return registered(asked.registration, asked.steward, origins[-1])


def registrations(settings: Settings, ledger: Ledger) -> tuple[Registration, ...]:
    """Every passkey that was registered, oldest first, each verified again; what does not hold is left out."""
    confirmed = {s.passkey for s in settings.stewards}
    found = []
    for asked in ledger.requests(kind="passkey"):
        registration = _registration(settings, asked, confirmed)
        if registration:
            found.append(registration)
    return tuple(found)


def _registration(settings: Settings, asked: Request, confirmed: set[str]) -> Registration | None:
    try:
        what = request.what(asked)
        if not isinstance(what, request.Passkey):
            return None
        made = receive(settings, what)
    except (ReviewRequired, SettingsError):
        return None
    return Registration(asked.id, asked.at, asked.asked_by, what.steward, made, made.credential in confirmed)


def confirm(settings: Settings, ledger: Ledger, fingerprint: str, name: str, today: date) -> Steward:
    """Write the passkey with exactly this fingerprint into `stewards.toml`, under the name given or else registered.

    Raises ReviewRequired if no passkey with it waits: what a portal shows and what came here are then two things.
    """
    typed = "".join(fingerprint.split()).lower()
    waiting = [r for r in registrations(settings, ledger) if not r.confirmed]
    fitting = [r for r in waiting if "".join(r.passkey.fingerprint.split()) == typed]
    if not fitting:
        raise ReviewRequired(
            "no passkey with this fingerprint waits here",
            remedy="`rnu passkey list` shows what came; if the person reads out another one, do not confirm it",
            why=Why.UNREGISTERED,
        )
    registration = fitting[-1]
    made = registration.passkey
    steward = Steward(
        name.strip() or registration.steward, made.public_key, today, passkey=made.credential, origin=made.origin
    )
    _append(settings.home, steward)
    said = f"Llave confirmada para {steward.name}: ya puede firmar en la mesa."
    request.answer(ledger, registration.request, State.DONE, said, facts_of(made, confirmed=True))
    return steward


def facts_of(made: Passkey, *, confirmed: bool) -> dict[str, str | bool]:
    """What a receipt tells the desk of a passkey."""
    return {"fingerprint": made.fingerprint, "credential": made.credential, "confirmed": confirmed}


def keys_of(steward: Steward, stewards: tuple[Steward, ...]) -> int:
    """How many entries a person has, this one included."""
    return sum(same_person(steward, other) for other in stewards)


def entry(steward: Steward) -> str:
    r"""The lines of `stewards.toml` that register a key.

    >>> print(entry(Steward('Rosa "la Grande"', "pQEC", date(2026, 2, 1), passkey="uA", origin="https://a.pe")))
    [[steward]]
    name = "Rosa \"la Grande\""
    public_key = "pQEC"
    since = 2026-02-01
    passkey = "uA"
    origin = "https://a.pe"
    """
    given = {f.name: getattr(steward, f.name) for f in dataclasses.fields(steward)}
    lines = [f"{key} = {_toml(value)}" for key, value in given.items() if value]
    return "\n".join(["[[steward]]", *lines])


def _toml(value: str | date) -> str:
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)


def _append(home: Path, steward: Steward) -> None:
    """Add an entry at the end of the file; a file that would not be read afterwards stays as it was."""
    path = home / "config" / "stewards.toml"
    before = path.read_text(encoding="utf-8")
    try:
        _replace(path, f"{before.rstrip()}\n\n{entry(steward)}\n")
    except OSError as error:
        raise SettingsError(
            f"the entry cannot be written ({error.strerror})",
            where=str(path),
            remedy=f"add these lines as somebody who may:\n{entry(steward)}",
        ) from error
    try:
        load(home)
    except SettingsError:
        _replace(path, before)
        raise


def _replace(path: Path, text: str) -> None:
    half = path.with_suffix(".half")
    half.write_text(text, encoding="utf-8")
    shutil.copystat(path, half)
    if os.geteuid() == 0:
        shutil.chown(half, path.stat().st_uid, path.stat().st_gid)
    half.replace(path)
