"""What the desk's pages call: look, and hand something over to the worker. Each checks first who asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ckan.plugins import toolkit
from ckan.types import ActionResult, Context, DataDict
from ckanext.rnu import institution

from rnu import announcement, desk, passkeys, request, show
from rnu.errors import ReviewRequired
from rnu.release.difference import DEEPEST
from rnu.signing import Role
from rnu.ubigeo import LEVELS

MOST_WORDS, MOST_NAME, MOST_BYTES = 2_000, 120, 12_000
WORDS: dict[Role, type[request.Approve] | type[request.Return]] = {
    Role.APPROVE: request.Approve,
    Role.RETURN: request.Return,
}


@toolkit.side_effect_free
def rnu_desk_overview(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """What waits, what is late, what failed.

    :returns: rnu.desk.Overview
    """
    toolkit.check_access("rnu_desk_look", context, data_dict)
    ledger = institution.ledger()
    return asdict(desk.overview(ledger, announcement.announced(ledger), datetime.now(UTC)))


@toolkit.side_effect_free
def rnu_desk_release(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """One release, with all that a decision on it needs.

    :param id: its digest
    :param level: the deepest level of places that is compared with the release before it (optional)
    :returns: rnu.desk.ReleaseView
    """
    toolkit.check_access("rnu_desk_look", context, data_dict)
    ledger = institution.ledger()
    digest, level = toolkit.get_or_bust(data_dict, "id"), data_dict.get("level") or DEEPEST
    if level not in LEVELS:
        raise toolkit.ValidationError({"level": [", ".join(LEVELS)]})
    with _found():
        folder = institution.release("")
        return asdict(desk.release_view(ledger, announcement.announced(ledger), folder, digest, level))


@toolkit.side_effect_free
def rnu_desk_file(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """The beginning of one of a release's files.

    :param id: the release's digest
    :param name: the file's path in the release
    :returns: rnu.show.Preview
    """
    toolkit.check_access("rnu_desk_look", context, data_dict)
    digest, name = toolkit.get_or_bust(data_dict, ["id", "name"])
    with _found():
        release = desk.find(institution.ledger(), digest)
        return asdict(show.preview(institution.release(release.digest), name))


@toolkit.side_effect_free
def rnu_desk_request(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """A request, and what the worker made of it.

    :param id: its number
    :returns: rnu.desk.Asked
    """
    toolkit.check_access("rnu_desk_look", context, data_dict)
    ledger = institution.ledger()
    id = str(toolkit.get_or_bust(data_dict, "id"))
    known = ledger.requests(id=int(id)) if id.isdecimal() else ()
    if not known:
        raise toolkit.ObjectNotFound("No hay tal pedido.")
    return asdict(desk.asked(ledger, known[0]))


@toolkit.side_effect_free
def rnu_desk_passkeys(context: Context, data_dict: DataDict) -> list[dict[str, Any]]:
    """What became of the passkeys that the caller registered.

    :returns: list of rnu.desk.Asked, newest first
    """
    toolkit.check_access("rnu_desk_act", context, data_dict)
    return [asdict(one) for one in desk.recent(institution.ledger(), kind="passkey", asked_by=context["user"])]


def rnu_desk_to_sign(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """What the caller's browser needs to sign a word on a release.

    :param id: the release's digest
    :param role: approve or return
    :param note: the reason, which is signed with it
    :param host: name of the machine at which the desk was opened
    :returns: options for navigator.credentials.get
    """
    toolkit.check_access("rnu_desk_act", context, data_dict)
    digest, host = toolkit.get_or_bust(data_dict, ["id", "host"])
    with _found():
        return desk.to_sign(institution.ledger(), digest, _role(data_dict), _note(data_dict), host)


def rnu_desk_decide(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """Hand a steward's word over to the worker, who alone looks whose it is and whether it is one.

    :param id: the release's digest
    :param role: approve or return
    :param note: the reason
    :param assertion: what the browser's passkey gave back
    :returns: {"request": number}
    """
    toolkit.check_access("rnu_desk_act", context, data_dict)
    digest, assertion = toolkit.get_or_bust(data_dict, ["id", "assertion"])
    what = WORDS[_role(data_dict)](digest, _note(data_dict), _parts(assertion))
    return {"request": request.ask(institution.ledger(), what, context["user"])}


def rnu_desk_to_register(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """What the caller's browser needs to make a passkey.

    :param steward: the person's name
    :param host: name of the machine at which the desk was opened
    :returns: options for navigator.credentials.create
    """
    toolkit.check_access("rnu_desk_act", context, data_dict)
    return passkeys.registration_options(_steward(data_dict), toolkit.get_or_bust(data_dict, "host"))


def rnu_desk_register(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """Hand a new passkey over to the worker; it signs nothing until somebody there confirms it.

    :param steward: the person's name
    :param registration: what the browser gave back
    :returns: {"request": number}
    """
    toolkit.check_access("rnu_desk_act", context, data_dict)
    what = request.Passkey(_steward(data_dict), _parts(toolkit.get_or_bust(data_dict, "registration")))
    return {"request": request.ask(institution.ledger(), what, context["user"])}


def rnu_desk_publish(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """Ask the worker to show on every portal exactly what is approved.

    :returns: {"request": number}
    """
    toolkit.check_access("rnu_desk_act", context, data_dict)
    return {"request": request.ask(institution.ledger(), request.Publish(), context["user"])}


def rnu_desk_build(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """Ask the worker to build a period.

    :param period: YYYY-MM
    :param go: build with the rosters there are, even if one that is needed is missing
    :returns: {"request": number}
    """
    toolkit.check_access("rnu_desk_act", context, data_dict)
    what = request.Build(str(toolkit.get_or_bust(data_dict, "period")), toolkit.asbool(data_dict.get("go", False)))
    return {"request": request.ask(institution.ledger(), what, context["user"])}


# --- arguments ---------------------------------------------------------------------------------------------------


@contextmanager
def _found() -> Iterator[None]:
    """What the line does not find is not found in CKAN's way either."""
    try:
        yield
    except ReviewRequired as error:
        raise toolkit.ObjectNotFound("No hay tal publicación o archivo.") from error


def _role(data_dict: DataDict) -> Role:
    if data_dict.get("role") not in WORDS:
        raise toolkit.ValidationError({"role": ["approve o return"]})
    return Role(data_dict["role"])


def _note(data_dict: DataDict) -> str:
    """The reason as a browser sends it and as it is signed: lines end with one character."""
    note = str(data_dict.get("note") or "").replace("\r\n", "\n").strip()
    if len(note) > MOST_WORDS or "\0" in note:
        raise toolkit.ValidationError({"note": [f"El motivo tiene hasta {MOST_WORDS} caracteres."]})
    if not note and data_dict.get("role") == Role.RETURN:
        raise toolkit.ValidationError({"note": ["Escriba el motivo: qué debe corregirse."]})
    return note


def _steward(data_dict: DataDict) -> str:
    name = " ".join(str(data_dict.get("steward") or "").split())
    if not 0 < len(name) <= MOST_NAME:
        raise toolkit.ValidationError({"steward": ["Escriba su nombre y cargo."]})
    return name


def _parts(given: Any) -> ActionResult.AnyDict:
    """What a browser gave back, as it came; whoever can verify it does."""
    try:
        parts = json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise toolkit.ValidationError({"assertion": ["No es lo que entrega un navegador."]}) from error
    if not isinstance(parts, dict) or len(json.dumps(parts)) > MOST_BYTES:
        raise toolkit.ValidationError({"assertion": ["No es lo que entrega un navegador."]})
    return parts
