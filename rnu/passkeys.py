"""Passkeys (WebAuthn): a steward's word given in a browser, registered and verified on the worker's side.

A portal only carries bytes between the browser and the worker: what a passkey signs is bound to the release, the role,
the reason and the word before it, so that whoever holds the portal can neither make a word nor use one twice.

A passkey's signature is kept as text, like an Ed25519 one: four parts with dots between them, each base64url but the
first: the binding (see `binding`), what the authenticator said, what the browser said, and the signature over both.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
    parse_authenticator_data,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from rnu.errors import ReviewRequired, Why

# What every authenticator knows at least one of, and what `openssl dgst -sha256 -verify` can check.
ALGORITHMS = [COSEAlgorithmIdentifier.ECDSA_SHA_256, COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256]
PATIENCE = 120_000  # milliseconds that a browser gives a person to find their key and their PIN
# All that parsing a stranger's bytes raises.
MALFORMED = (WebAuthnException, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Passkey:
    """What a browser gave when a passkey was made; trusted only once somebody has confirmed it."""

    credential: str  # its id, base64url
    public_key: str  # COSE key as the authenticator gave it, base64
    origin: str  # address of the desk that it was made for

    @property
    def fingerprint(self) -> str:
        """What two people compare: 128 bits of the key's digest, in groups of four."""
        digest = hashlib.sha256(b64decode(self.public_key)).hexdigest()[:32]
        return " ".join(digest[i : i + 4] for i in range(0, len(digest), 4))


@dataclass(frozen=True, slots=True)
class Assertion:
    """One use of a passkey: what it was bound to, and what came back."""

    binding: str
    authenticator: bytes  # what the authenticator said: for which site, whether its owner was verified, how many uses
    browser: bytes  # what the browser said: the challenge, and on which page
    signature: bytes  # over the first and the digest of the second

    @classmethod
    def parse(cls, text: str) -> Assertion:
        """Read what `text` wrote; one of MALFORMED otherwise."""
        binding, *parts = text.split(".")
        authenticator, browser, signature = (base64url_to_bytes(part) for part in parts)
        return cls(binding, authenticator, browser, signature)

    @property
    def text(self) -> str:
        """As the ledger keeps it."""
        parts = (self.authenticator, self.browser, self.signature)
        return ".".join([self.binding, *(bytes_to_base64url(part) for part in parts)])


# --- what a browser is asked for ---------------------------------------------------------------------------------


def registration_options(steward: str, host: str) -> dict[str, Any]:
    """What a browser needs to make a passkey for the desk on a host: one that asks for a PIN, finger or face."""
    options = generate_registration_options(
        rp_id=host,
        rp_name="RNU",
        user_name=steward,
        user_id=_digest(f"rnu steward\n{steward}\n"),
        challenge=_registration_challenge(steward),
        timeout=PATIENCE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json_dict(options)


def assertion_options(message: str, binding: str, host: str) -> dict[str, Any]:
    """What a browser needs to sign a word with any passkey that it has for the desk on a host."""
    options = generate_authentication_options(
        rp_id=host,
        challenge=_digest(words(message, binding)),
        timeout=PATIENCE,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


# --- what is signed ----------------------------------------------------------------------------------------------


def binding(before: str, note: str) -> str:
    """What ties a word to its moment and its reason: the digest of the word before it (empty: none) and of the note.

    It takes the place of a random challenge: once a word is in the ledger, no other that was bound to the same moment
    is taken any more, and a reason cannot be exchanged on the way.
    """
    return hashlib.sha256(f"{before}\n{note}".encode()).hexdigest()


def words(message: str, binding: str) -> str:
    """The very words whose SHA-256 is the challenge that a passkey signs."""
    return f"{message}{binding}\n"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _registration_challenge(steward: str) -> bytes:
    # Without attestation nothing signs this challenge; trust comes from the comparison of fingerprints alone.
    return _digest(f"rnu passkey 1\n{steward}\n")


# --- what came back ----------------------------------------------------------------------------------------------


def registered(registration: Mapping[str, Any], steward: str, origin: str) -> Passkey:
    """The passkey of a registration, if it was made for this steward at this desk; ReviewRequired otherwise."""
    try:
        found = verify_registration_response(
            credential=dict(registration),
            expected_challenge=_registration_challenge(steward),
            expected_rp_id=_host(origin),
            expected_origin=origin,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
    except MALFORMED as error:
        raise ReviewRequired(
            "this is no registration of a passkey for this desk",
            where=origin,
            remedy="open the desk at exactly this address and register again",
            why=Why.FORGED,
        ) from error
    public_key = b64encode(found.credential_public_key).decode()
    return Passkey(bytes_to_base64url(found.credential_id), public_key, origin)


def credential_of(assertion: Mapping[str, Any]) -> str:
    """The id of the passkey that an assertion says it is from; empty if it says none."""
    named = assertion.get("id")
    return named if isinstance(named, str) else ""


def pack(binding: str, assertion: Mapping[str, Any]) -> str:
    """What a browser gave back, as the text of a signature; ReviewRequired if it has not the parts of one."""
    try:
        response = assertion["response"]
        parts = (base64url_to_bytes(response[name]) for name in ("authenticatorData", "clientDataJSON", "signature"))
        return Assertion(binding, *parts).text
    except MALFORMED as error:
        raise _does_not_fit() from error


def is_packed(signature: str) -> bool:
    """Whether a signature's text is a passkey's; base64, in which an Ed25519 signature is written, has no dot."""
    return "." in signature


def same_assertion(one: str, other: str) -> bool:
    """Whether two signatures are one and the same use of a passkey, whatever it was said to be bound to."""
    return is_packed(one) and is_packed(other) and one.partition(".")[2] == other.partition(".")[2]


def binding_of(signature: str) -> str:
    """What a signature says that it is bound to."""
    return signature.partition(".")[0]


def sign_count(signature: str) -> int:
    """How often the passkey said that it had signed; always 0 with those that do not count."""
    return int(parse_authenticator_data(Assertion.parse(signature).authenticator).sign_count)


def verify(message: str, public_key: str, signature: str, origin: str) -> None:
    """Raise ReviewRequired unless the passkey signed this message at this desk, its owner being verified by it."""
    try:
        given = Assertion.parse(signature)
        id = bytes_to_base64url(_digest(public_key))  # the library asks for one, and no signature covers it
        verify_authentication_response(
            credential={
                "id": id,
                "rawId": id,
                "type": "public-key",
                "response": {
                    "authenticatorData": bytes_to_base64url(given.authenticator),
                    "clientDataJSON": bytes_to_base64url(given.browser),
                    "signature": bytes_to_base64url(given.signature),
                },
            },
            expected_challenge=_digest(words(message, given.binding)),
            expected_rp_id=_host(origin),
            expected_origin=origin,
            credential_public_key=b64decode(public_key, validate=True),
            credential_current_sign_count=0,  # held against the ledger in rnu/review.py, where the history is
            require_user_verification=True,
        )
        framed = parse_client_data_json(given.browser).cross_origin
    except MALFORMED as error:
        raise _does_not_fit() from error
    if framed:
        raise _does_not_fit()


def _does_not_fit() -> ReviewRequired:
    return ReviewRequired(
        "a passkey's signature does not fit this release, this reason or this moment",
        remedy="look at the release again and sign anew; if it comes again, find out who sends it",
        why=Why.FORGED,
    )


def _host(origin: str) -> str:
    return urlsplit(origin).hostname or ""


# --- for whoever checks it without us ----------------------------------------------------------------------------


def how_to_verify(message: str, public_key: str, signature: str) -> str:
    """Commands for anybody with OpenSSL: what was signed holds the challenge, and the signature is the key's.

    `message` is written as printf reads it.
    """
    given = Assertion.parse(signature)
    key = decoded_public_key_to_cryptography(decode_credential_public_key(b64decode(public_key)))
    authenticator, browser, signed = (
        b64encode(b).decode() for b in (given.authenticator, given.browser, given.signature)
    )
    challenge = "openssl dgst -sha256 -binary | basenc --base64url | tr -d ="
    return "\n".join(
        [
            f"echo {browser} | base64 -d > navegador",
            f"desafio=$(printf '{message}{given.binding}\\n' | {challenge})",
            'grep -c "\\"challenge\\":\\"$desafio\\"" navegador',
            f"{{ echo {authenticator} | base64 -d; openssl dgst -sha256 -binary navegador; }} > mensaje",
            pem_file(b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()),
            f"echo {signed} | base64 -d > firma",
            "openssl dgst -sha256 -verify llave.pem -signature firma mensaje",
        ]
    )


def pem_file(body: str) -> str:
    """The command that writes a public key where openssl reads it."""
    return f"printf '%s\\n' '-----BEGIN PUBLIC KEY-----' {body} '-----END PUBLIC KEY-----' > llave.pem"
