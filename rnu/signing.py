"""Who built and who approved: signatures over a digest, by Ed25519 keys or passkeys. A key tells the person.

Which account somebody signed in with says nothing here. Two keys of one person are one person.
"""

from __future__ import annotations

import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rnu import passkeys
from rnu.errors import ReviewRequired, Why
from rnu.secrets import public_half
from rnu.settings import Steward


class Role(StrEnum):
    """What a signature says."""

    BUILD = "build"
    APPROVE = "approve"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature over a role and a digest."""

    role: Role
    digest: str
    public_key: str  # base64, as registered
    signature: str  # base64; a passkey's as rnu/passkeys.py writes it


def sign(key: Ed25519PrivateKey, role: Role, digest: str) -> Signature:
    """Sign a digest in a role; the two are signed together, so that a build's signature is no approval."""
    return Signature(role, digest, public_half(key), b64encode(key.sign(message(role, digest).encode())).decode())


def message(role: Role, digest: str) -> str:
    """The very words that a signature is over."""
    return f"rnu release 1\n{role}\n{digest}\n"


def steward(public_key: str, stewards: Iterable[Steward], on: date) -> Steward:
    """The registered steward behind a key on a day; ReviewRequired if there is none."""
    person = known(public_key, stewards)
    if person.since <= on and (person.until is None or on <= person.until):
        return person
    raise _unregistered()


def known(public_key: str, stewards: Iterable[Steward]) -> Steward:
    """Who is, or was, registered with a key; ReviewRequired if nobody."""
    for person in stewards:
        if person.public_key == public_key:
            return person
    raise _unregistered()


def _unregistered() -> ReviewRequired:
    return ReviewRequired(
        "this key is not registered, or not on this day",
        where="config/stewards.toml",
        remedy="have it registered by whoever keeps the configuration",
        why=Why.UNREGISTERED,
    )


def same_person(one: Steward, other: Steward) -> bool:
    """Whether two entries are one person: the name decides, so that another key makes nobody another person.

    >>> from datetime import date
    >>> same_person(Steward("Rosa Pérez", "a", date.min), Steward("rosa  pérez", "b", date.min))
    True
    """
    return _plain(one.name) == _plain(other.name)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def verify(signature: Signature, stewards: Iterable[Steward]) -> None:
    """Raise ReviewRequired unless a registered key's own signature stands over exactly this role and digest."""
    person = known(signature.public_key, stewards)
    words = message(signature.role, signature.digest)
    if person.passkey:
        passkeys.verify(words, person.public_key, signature.signature, person.origin)
        return
    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(signature.public_key, validate=True))
        key.verify(b64decode(signature.signature, validate=True), words.encode())
    except (InvalidSignature, ValueError) as error:
        raise ReviewRequired(
            "a signature does not fit its release",
            where=signature.digest,
            remedy="do not publish; find out why",
            why=Why.FORGED,
        ) from error


def require_two(build: Signature, approval: Signature, digest: str, stewards: Iterable[Steward]) -> None:
    """Raise ReviewRequired unless two persons signed this digest, one as builder, the other as approver."""
    everybody = tuple(stewards)
    if build.role is not Role.BUILD or approval.role is not Role.APPROVE or {build.digest, approval.digest} != {digest}:
        raise ReviewRequired("the signatures are not for this release", where=digest, why=Why.FORGED)
    if build.public_key == approval.public_key or same_person(
        known(build.public_key, everybody), known(approval.public_key, everybody)
    ):
        raise ReviewRequired(
            "who built a release cannot approve it",
            where=digest,
            remedy="ask another steward to look and sign",
            why=Why.SAME_PERSON,
        )
    verify(build, everybody)
    verify(approval, everybody)


def how_to_verify(signature: Signature) -> str:
    """Commands for anybody with OpenSSL 3 who does not want to believe us; they say `Verified OK`, or the like."""
    words = message(signature.role, signature.digest).replace("\n", "\\n")
    if passkeys.is_packed(signature.signature):
        return passkeys.how_to_verify(words, signature.public_key, signature.signature)
    # an Ed25519 key in PEM is these 16 characters, then the key as it is registered (RFC 8410)
    return "\n".join(
        [
            f"printf '{words}' > mensaje",
            passkeys.pem_file(f"MCowBQYDK2VwAyEA{signature.public_key}"),
            f"echo {signature.signature} | base64 -d > firma",
            "openssl pkeyutl -verify -pubin -inkey llave.pem -rawin -in mensaje -sigfile firma",
        ]
    )
