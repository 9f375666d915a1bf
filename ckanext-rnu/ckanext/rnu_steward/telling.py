"""What the desk tells by itself: a mail when a release waits, and each decision in the organisation's activity.

Both are read from the ledger, so that what was decided elsewhere (`rnu approve`) is told, too, and nothing twice.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

from ckan import model
from ckan.lib import mailer
from ckan.plugins import toolkit
from ckanext.activity.model import Activity
from ckanext.rnu import institution

from rnu import announcement, desk, request, review
from rnu.ledger import Decision, Ledger, Release
from rnu.publish import words
from rnu.signing import Role

log = logging.getLogger(__name__)
ACTIVITIES = {Role.APPROVE: "rnu approved", Role.RETURN: "rnu returned"}
MAILED = "rnu.desk.mailed"  # where CKAN keeps which releases were written about


def tell() -> dict[str, int]:
    """Mail what waits and was not mailed, record what was decided and is not recorded; how many of each."""
    ledger = institution.ledger()
    return {"mails": mail_waiting(ledger), "activities": record_decisions(ledger)}


# --- mails -------------------------------------------------------------------------------------------------------


def mail_waiting(ledger: Ledger) -> int:
    """Write to the organisation's administrators about each release that waits, once; how many mails went out.

    What could not be sent is tried again the next time.
    """
    waiting = {release.digest: release for release in review.waiting(ledger)}
    mailed = set(json.loads(model.system_info.get_system_info(MAILED) or "[]")) & set(waiting)
    sent = 0
    for digest in waiting.keys() - mailed:
        reached = [user for user in _administrators() if _mail(user, waiting[digest])]
        sent += len(reached)
        if reached:
            mailed.add(digest)
    model.system_info.set_system_info(MAILED, json.dumps(sorted(mailed)))
    return sent


def _administrators() -> list[model.User]:
    """The organisation's administrators who have an address."""
    members = toolkit.get_action("member_list")(
        {"ignore_auth": True}, {"id": _organisation(), "object_type": "user", "capacity": "admin"}
    )
    users = [model.User.get(id) for id, _, _ in members]
    return [user for user in users if user and user.email and user.state == "active"]


def _mail(user: model.User, release: Release) -> bool:
    name = f"{words.month_of(release.period)}, revisión {release.revision}"
    address = toolkit.url_for("rnu_desk.release", digest=release.digest, _external=True)
    text = (
        f"La publicación de {name} espera su revisión.\n\n{address}\n\n"
        f"Huella: {release.digest}\n\n"
        "Compare esta huella con la de la página antes de firmar. Quien la construyó no la puede aprobar."
    )
    try:
        mailer.mail_user(user, f"Espera su revisión: {name}", text)
    except mailer.MailerException as error:
        log.warning("a mail about %s could not be sent: %s", release.digest[:12], error)
        return False
    return True


# --- activity ----------------------------------------------------------------------------------------------------


def record_decisions(ledger: Ledger) -> int:
    """Add each decision to the organisation's activity, which only its administrators read; how many were new."""
    releases = {release.digest: release for release in ledger.releases()}
    known = announcement.announced(ledger)
    if not known.stewards:  # the worker has not yet said whose keys there are: a name is recorded once, and for good
        return 0
    recorded = _recorded()
    new = 0
    for decision in ledger.decisions():
        digest = decision.signature.digest
        if digest in releases and _key(decision) not in recorded:
            _record(ledger, known, releases[digest], decision)
            new += 1
    model.Session.commit()
    return new


def _key(decision: Decision) -> tuple[str, str]:
    """What tells a decision from all others."""
    return decision.signature.digest, decision.at


def _recorded() -> set[tuple[str, str]]:
    found = model.Session.query(Activity).filter(Activity.activity_type.in_(ACTIVITIES.values()))
    return {(activity.data["digest"], activity.data["at"]) for activity in found}


def _record(ledger: Ledger, known: announcement.Announcement, release: Release, decision: Decision) -> None:
    organisation = model.Group.get(_organisation())
    activity = Activity(
        user_id=_account(ledger, decision).id,
        object_id=organisation.id,
        activity_type=ACTIVITIES[decision.signature.role],
        data={
            "digest": release.digest,
            "period": release.period,
            "revision": release.revision,
            "steward": desk.name_of(known, decision.signature.public_key),
            "note": decision.note,
            "at": decision.at,
        },
        permission_labels=[f"member-{organisation.id}"],
    )
    activity.timestamp = datetime.fromisoformat(decision.at).replace(tzinfo=None)
    model.Session.add(activity)


def _account(ledger: Ledger, decision: Decision) -> Any:
    """The account that handed a decision over; the desk's own where none did."""
    for kind in ("approve", "return"):
        for asked in ledger.requests(kind=kind):
            receipt = request.receipt_of(ledger, asked.id)
            handed = receipt is not None and receipt.at >= decision.at >= asked.at
            if handed and asked.what.get("digest") == decision.signature.digest and model.User.get(asked.asked_by):
                return model.User.get(asked.asked_by)
    own = model.User.get(toolkit.config.get("ckanext.rnu.desk_account") or "")
    return own or model.User.get(toolkit.get_action("get_site_user")({"ignore_auth": True}, {})["name"])


def _organisation() -> str:
    return str(toolkit.config["ckanext.rnu.organization"])
