"""The steward's word on a release: who may give it, and what may be published for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rnu import passkeys, signing
from rnu.errors import ReviewRequired, Why
from rnu.foresight.look import summary
from rnu.ledger import Decision, Ledger, Release
from rnu.publish import portal as portals
from rnu.release.manifest import verify
from rnu.secrets import public_half
from rnu.settings import Period, Settings, Steward
from rnu.signing import Role, Signature, require_two, sign, steward
from rnu.store import Store


def find(ledger: Ledger, digest: str) -> Release:
    """The release with a digest, or with an unmistakable beginning of one (8 digits or more)."""
    known = {r.digest: r for r in ledger.releases()}
    fitting = [r for d, r in known.items() if d == digest or (len(digest) >= 8 and d.startswith(digest))]
    if len(fitting) != 1:
        what = "several releases begin" if fitting else "there is no release"
        raise ReviewRequired(f"{what} with '{digest}'", remedy="`rnu review` lists what there is", why=Why.UNKNOWN)
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

    Raises ReviewRequired if the key is not registered; for an approval also if the same person built the release, if a
    byte changed, if a later build replaced it, or if it gives something away together with earlier releases and no
    note says why it is approved all the same. A return needs no bytes: what was damaged can be withdrawn, too.
    """
    person = steward(public_half(key), settings.stewards, today)
    known = ledger.decision(release.digest)
    if known and known.signature.role is role and known.signature.public_key == person.public_key:
        if role is Role.APPROVE:
            _require_bytes(store, release)
        return known, False
    return _record(settings, store, ledger, release, Decision(sign(key, role, release.digest), note)), True


def decide_by_passkey(
    settings: Settings,
    store: Store,
    ledger: Ledger,
    release: Release,
    role: Role,
    assertion: Mapping[str, Any],
    note: str,
    *,
    today: date,
) -> tuple[Decision, bool]:
    """The same by a passkey, whose assertion came through a portal that nobody needs to trust.

    The passkey alone tells the person. Its signature must be bound to the word before this one and to this very note,
    and it must not have counted back; the same assertion once more is the same decision, if it is still the latest.
    """
    person = _holder(passkeys.credential_of(assertion), settings.stewards, today)
    said = ledger.decisions(digest=release.digest)

    def signed_after(before: str) -> Signature:
        packed = passkeys.pack(passkeys.binding(before, note), assertion)
        return Signature(role, release.digest, person.public_key, packed)

    *earlier, latest = ["", *(d.signature.signature for d in said)]
    signature = signed_after(latest)
    if said and said[-1].signature.role is role and passkeys.same_assertion(latest, signature.signature):
        return said[-1], False
    if any(_fits(signed_after(before), settings.stewards) for before in earlier):
        raise ReviewRequired(
            "somebody decided on this release since this word was signed",
            where=release.digest,
            remedy="look at the release again, and sign anew",
            why=Why.OVERTAKEN,
        )
    signing.verify(signature, settings.stewards)
    _require_counted_on(ledger, signature)
    return _record(settings, store, ledger, release, Decision(signature, note)), True


def _fits(signature: Signature, stewards: Sequence[Steward]) -> bool:
    try:
        signing.verify(signature, stewards)
    except ReviewRequired:
        return False
    return True


def _require_counted_on(ledger: Ledger, signature: Signature) -> None:
    """Raise ReviewRequired if the passkey, where it counts its uses, counts back: then there is a clone of it."""
    earlier = [d.signature.signature for d in ledger.decisions(public_key=signature.public_key)]
    highest = max(map(passkeys.sign_count, earlier), default=0)
    if 0 < highest >= passkeys.sign_count(signature.signature):
        raise ReviewRequired(
            "this passkey has counted more uses before: there may be a copy of it",
            where=signature.digest,
            remedy="end its entry in config/stewards.toml with 'until', and register another one",
            why=Why.FORGED,
        )


def _holder(credential: str, stewards: tuple[Steward, ...], today: date) -> Steward:
    """The registered steward behind a passkey's id on a day; ReviewRequired if there is none."""
    named = [s for s in stewards if s.passkey and s.passkey == credential]
    return steward(named[0].public_key if named else "", stewards, today)


def _record(settings: Settings, store: Store, ledger: Ledger, release: Release, decision: Decision) -> Decision:
    """Add a word to the ledger, once everything that it must fulfil is."""
    if decision.signature.role is Role.APPROVE:
        _require_latest(ledger, release)
        require_two(release.build, decision.signature, release.digest, settings.stewards)
        _require_bytes(store, release)
        if not decision.note.strip():
            _require_nothing_given_away(store, ledger, release)
    elif not decision.note.strip():
        raise ReviewRequired(
            "a release is returned with a reason", remedy="use --note 'what must be mended'", why=Why.NO_REASON
        )
    ledger.add_decision(decision)
    return decision


def _require_bytes(store: Store, release: Release) -> None:
    """Raise ReviewRequired if a byte of the release is not what was sealed."""
    try:
        verify(store.release(release.digest), release.digest)
    except ReviewRequired as error:
        error.why = Why.CHANGED
        raise


def _require_nothing_given_away(store: Store, ledger: Ledger, release: Release) -> None:
    """Raise ReviewRequired if a release gives something away together with earlier ones: only for a reason, then."""
    if not summary(store, ledger, release).stands:
        raise ReviewRequired(
            "whoever keeps earlier releases works something out of this one",
            where=release.digest,
            remedy=f"`rnu show {release.digest[:12]}`; return it, or say why it is approved all the same with --note",
            why=Why.GIVES_AWAY,
        )


def _require_latest(ledger: Ledger, release: Release) -> None:
    """Raise ReviewRequired if the release is not its period's latest build, or another has had its revision."""
    latest = ledger.releases(period=release.period)[-1]
    if latest.digest != release.digest:
        raise ReviewRequired(
            f"a later build of {release.period} replaced this one: r{latest.revision} {latest.digest[:12]}",
            where=release.digest,
            remedy=f"`rnu show {latest.digest[:12]}`, or run the period again with what this one was built from",
            why=Why.REPLACED,
        )
    if release.revision <= ledger.highest_approved(release.period, but=release.digest):
        raise ReviewRequired(
            f"another release of {release.period} was approved as r{release.revision} or later",
            where=release.digest,
            remedy=f"`rnu run --period {release.period}` builds the next revision",
            why=Why.REPLACED,
        )


def approved(settings: Settings, store: Store, ledger: Ledger) -> tuple[portals.Publication, ...]:
    """Every approved release with both signatures and all bytes verified again, oldest first.

    Raises ReviewRequired if anything does not fit: nothing at all is published then.
    """
    out = []
    for release in ledger.releases():
        said = ledger.decisions(digest=release.digest)
        if not said or said[-1].signature.role is not Role.APPROVE:
            continue
        decision = said[-1]
        _require_bound(said)
        require_two(release.build, decision.signature, release.digest, settings.stewards)
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


def _require_bound(said: Sequence[Decision]) -> None:
    """Raise ReviewRequired if a passkey's latest word on a release was for another moment, or had another reason."""
    before = said[-2].signature.signature if len(said) > 1 else ""
    latest = said[-1].signature
    if passkeys.is_packed(latest.signature) and (
        passkeys.binding_of(latest.signature) != passkeys.binding(before, said[-1].note)
    ):
        raise ReviewRequired(
            "a passkey's signature is not bound to the word before it and to its reason",
            where=latest.digest,
            remedy="do not publish; find out who wrote into the ledger",
            why=Why.FORGED,
        )


def _named(settings: Settings, signature: signing.Signature, role: portals.Role, at: str) -> portals.Signature:
    day = datetime.fromisoformat(at).date()
    person = steward(signature.public_key, settings.stewards, day)
    words = signing.message(signature.role, signature.digest)
    return portals.Signature(
        person.name, role, day, signature.public_key, signature.signature, words, signing.how_to_verify(signature)
    )
