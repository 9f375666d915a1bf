"""The steward's word on a release: who may give it, and what may be published for it."""

from __future__ import annotations

from datetime import date, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rnu import signing
from rnu.errors import ReviewRequired
from rnu.ledger import Decision, Ledger, Release
from rnu.publish import portal as portals
from rnu.release.manifest import verify
from rnu.secrets import public_half
from rnu.settings import Period, Settings
from rnu.signing import Role, require_two, sign, steward
from rnu.store import Store


def find(ledger: Ledger, digest: str) -> Release:
    """The release with a digest, or with an unmistakable beginning of one (8 digits or more)."""
    known = {r.digest: r for r in ledger.releases()}
    fitting = [r for d, r in known.items() if d == digest or (len(digest) >= 8 and d.startswith(digest))]
    if len(fitting) != 1:
        what = "several releases begin" if fitting else "there is no release"
        raise ReviewRequired(f"{what} with '{digest}'", remedy="`rnu review` lists what there is")
    return fitting[0]


def waiting(ledger: Ledger) -> tuple[Release, ...]:
    """Releases on which nobody has spoken, the newest of each period last; a later build of a period replaces them."""
    latest = {r.period: r for r in ledger.releases()}
    return tuple(r for r in latest.values() if ledger.decision(r.digest) is None)


def decide(
    settings: Settings,
    store: Store,
    ledger: Ledger,
    release: Release,
    role: Role,
    key: Ed25519PrivateKey,
    note: str,
    *,
    today: date,
) -> tuple[Decision, bool]:
    """Approve exactly the bytes of a release, or return it; gives the decision and whether it is new.

    Raises ReviewRequired if the key is not registered; for an approval also if that key built the release, if a byte
    changed, or if a later build replaced it. A return needs no bytes: what was damaged can be withdrawn, too.
    """
    person = steward(public_half(key), settings.stewards, today)
    if role is Role.APPROVE:
        verify(store.release(release.digest), release.digest)
    known = ledger.decision(release.digest)
    if known and known.signature.role is role and known.signature.public_key == person.public_key:
        return known, False
    signature = sign(key, role, release.digest)
    if role is Role.APPROVE:
        _require_latest(ledger, release)
        require_two(release.build, signature, release.digest)
    elif not note.strip():
        raise ReviewRequired("a release is returned with a reason", remedy="use --note 'what must be mended'")
    decision = Decision(signature, note)
    ledger.add_decision(decision)
    return decision, True


def _require_latest(ledger: Ledger, release: Release) -> None:
    """Raise ReviewRequired if the release is not its period's latest build, or another has had its revision."""
    latest = ledger.releases(period=release.period)[-1]
    if latest.digest != release.digest:
        raise ReviewRequired(
            f"a later build of {release.period} replaced this one: r{latest.revision} {latest.digest[:12]}",
            where=release.digest,
            remedy=f"`rnu show {latest.digest[:12]}`, or run the period again with what this one was built from",
        )
    if release.revision <= ledger.highest_approved(release.period, but=release.digest):
        raise ReviewRequired(
            f"another release of {release.period} was approved as r{release.revision} or later",
            where=release.digest,
            remedy=f"`rnu run --period {release.period}` builds the next revision",
        )


def approved(settings: Settings, store: Store, ledger: Ledger) -> tuple[portals.Publication, ...]:
    """Every approved release with both signatures and all bytes verified again, oldest first.

    Raises ReviewRequired if anything does not fit: nothing at all is published then.
    """
    out = []
    for release in ledger.releases():
        decision = ledger.decision(release.digest)
        if decision is None or decision.signature.role is not Role.APPROVE:
            continue
        require_two(release.build, decision.signature, release.digest)
        verify(store.release(release.digest), release.digest)
        out.append(
            portals.Publication(
                Period.parse(release.period),
                release.revision,
                release.digest,
                store.release(release.digest),
                (
                    _named(settings, release.build, portals.Role.BUILT, release.at),
                    _named(settings, decision.signature, portals.Role.APPROVED, decision.at),
                ),
            )
        )
    return tuple(out)


def _named(settings: Settings, signature: signing.Signature, role: portals.Role, at: str) -> portals.Signature:
    day = datetime.fromisoformat(at).date()
    person = steward(signature.public_key, settings.stewards, day)
    words = signing.message(signature.role, signature.digest)
    return portals.Signature(person.name, role, day, signature.public_key, signature.signature, words)
