"""A passkey in software: it does what WebAuthn says that an authenticator and a browser do, with keys of its own."""

import hashlib
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import date

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from rnu.settings import Steward

ORIGIN, HOST = "https://mesa.prueba.invalid", "mesa.prueba.invalid"
PRESENT, VERIFIED, NEW_KEY = 0x01, 0x04, 0x40


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One passkey. `counts` as hardware keys do; those of telephones say 0 for ever."""

    kind: str = "ec"
    origin: str = ORIGIN
    counts: bool = False
    verifies: bool = True
    id: bytes = b"una llave de prueba"
    used: int = 0
    key: object = field(default=None, repr=False)

    def __post_init__(self):
        if self.key is None:
            self.key = (
                ec.generate_private_key(ec.SECP256R1()) if self.kind == "ec" else rsa.generate_private_key(65537, 2048)
            )

    @property
    def cose(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        if self.kind == "ec":
            return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
        return cbor2.dumps({1: 3, 3: -257, -1: numbers.n.to_bytes(256), -2: numbers.e.to_bytes(3)})

    def steward(self, name: str, **changes) -> Steward:
        """Its owner as stewards.toml has them."""
        fields = {"since": date(2020, 1, 1), "passkey": base64url(self.id), "origin": self.origin, **changes}
        return Steward(name, b64encode(self.cose).decode(), **fields)

    def create(self, options: dict) -> dict:
        """What navigator.credentials.create gives."""
        credential = bytes(16) + len(self.id).to_bytes(2) + self.id + self.cose
        authenticator = self._data(options["rp"]["id"], NEW_KEY) + credential
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": authenticator})
        browser = self._browser("webauthn.create", options["challenge"])
        return self._credential(clientDataJSON=browser, attestationObject=attestation)

    def get(self, options: dict, **client) -> dict:
        """What navigator.credentials.get gives."""
        self.used += self.counts
        authenticator = self._data(options["rpId"])
        browser = self._browser("webauthn.get", options["challenge"], **client)
        signed = authenticator + hashlib.sha256(browser).digest()
        how = (ec.ECDSA(hashes.SHA256()),) if self.kind == "ec" else (padding.PKCS1v15(), hashes.SHA256())
        return self._credential(
            clientDataJSON=browser, authenticatorData=authenticator, signature=self.key.sign(signed, *how)
        )

    def _data(self, host: str, flags: int = 0) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(host.encode()).digest() + bytes([flags]) + self.used.to_bytes(4)

    def _browser(self, what: str, challenge: str, **client) -> bytes:
        said = {"type": what, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | client, separators=(",", ":")).encode()

    def _credential(self, **response: bytes) -> dict:
        parts = {name: base64url(value) for name, value in response.items()}
        id = base64url(self.id)
        return {"id": id, "rawId": id, "type": "public-key", "response": parts}
