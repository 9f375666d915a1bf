"""Who built and who approved: Ed25519 signatures over a digest. A key is the identity, whatever the account."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rnu.errors import ReviewRequired
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
    signature: str  # base64


def sign(key: Ed25519PrivateKey, role: Role, digest: str) -> Signature:
    """Sign a digest in a role; the two are signed together, so that a build's signature is no approval."""
    return Signature(role, digest, public_half(key), b64encode(key.sign(message(role, digest).encode())).decode())


def message(role: Role, digest: str) -> str:
    """The very words that a signature is over."""
    return f"rnu release 1\n{role}\n{digest}\n"


def steward(public_key: str, stewards: Iterable[Steward], on: date) -> Steward:
    """The registered steward behind a key on a day; ReviewRequired if there is none."""
    for known in stewards:
        if known.public_key == public_key and known.since <= on and (known.until is None or on <= known.until):
            return known
    raise ReviewRequired(
        "this key is not registered, or not on this day",
        where="config/stewards.toml",
        remedy="have it registered by whoever keeps the configuration",
    )


def verify(signature: Signature) -> None:
    """Raise ReviewRequired unless the signature is the key's own over exactly this role and digest."""
    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(signature.public_key, validate=True))
        words = message(signature.role, signature.digest).encode()
        key.verify(b64decode(signature.signature, validate=True), words)
    except (InvalidSignature, ValueError) as error:
        raise ReviewRequired(
            "a signature does not fit its release", where=signature.digest, remedy="do not publish; find out why"
        ) from error


def require_two(build: Signature, approval: Signature, digest: str) -> None:
    """Raise ReviewRequired unless two different keys signed this digest, one as builder, one as approver."""
    if build.role is not Role.BUILD or approval.role is not Role.APPROVE or {build.digest, approval.digest} != {digest}:
        raise ReviewRequired("the signatures are not for this release", where=digest)
    if build.public_key == approval.public_key:
        raise ReviewRequired(
            "the key that built a release cannot approve it",
            where=digest,
            remedy="ask another steward to look and sign",
        )
    verify(build)
    verify(approval)
