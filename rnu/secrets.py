"""Keys: from the environment or a file that only its owner can read, never from configuration."""

from __future__ import annotations

import json
import os
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from anonymize.pseudonym import Key
from rnu.errors import SettingsError

PSEUDONYM_ENV = "RNU_PSEUDONYM_KEY"  # 64 or more hex digits
PSEUDONYM_FILE_ENV = "RNU_PSEUDONYM_KEY_FILE"
SIGNING_FILE_ENV = "RNU_SIGNING_KEY_FILE"
LEDGER_ENV = "RNU_LEDGER"  # an SQLAlchemy address, password and all


def pseudonym_key(home: Path, environment: Mapping[str, str]) -> Key:
    """The pseudonym key: of the environment, else of the file it names, else of `secrets/pseudonym.key`."""
    given = environment.get(PSEUDONYM_ENV)
    path = Path(environment.get(PSEUDONYM_FILE_ENV) or home / "secrets" / "pseudonym.key")
    where = PSEUDONYM_ENV if given else str(path)
    if given is None:
        given = _private_text(path, "`rnu key pseudonym` makes one")
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2}){32,}", given.strip()):
        raise SettingsError("a pseudonym key is 64 or more hex digits", where=where)
    return Key(bytes.fromhex(given.strip()))


def new_pseudonym_key(home: Path) -> Path:
    """Make a key and keep it; SettingsError if there is one, since another key breaks every link to the past."""
    path = home / "secrets" / "pseudonym.key"
    write_private(path, secrets.token_hex(32) + "\n")
    return path


def signing_key(path: Path | None, environment: Mapping[str, str]) -> Ed25519PrivateKey:
    """A steward's own key: of the file given, else of the file that the environment names."""
    named = path or (Path(environment[SIGNING_FILE_ENV]) if environment.get(SIGNING_FILE_ENV) else None)
    if named is None:
        raise SettingsError(
            "no signing key was given", remedy=f"use --key FILE or set {SIGNING_FILE_ENV}; `rnu key signing` makes one"
        )
    try:
        key = load_pem_private_key(_private_text(named, "`rnu key signing` makes one").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError("not a signing key in PEM without a password", where=str(named)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError("not an Ed25519 key", where=str(named))
    return key


def portal_token(home: Path, portal: str, environment: Mapping[str, str]) -> str:
    """A portal's API token: of the environment, else of `secrets/<portal>.token`."""
    name = f"RNU_TOKEN_{portal.upper()}"
    path = home / "secrets" / f"{portal}.token"
    return (
        environment.get(name) or _private_text(path, f"make a token on the portal; put it there, or in {name}")
    ).strip()


def ledger_address(home: Path, environment: Mapping[str, str]) -> str:
    """The ledger's address: of the environment, else of `secrets/ledger.address`; empty for SQLite beside the store."""
    path = home / "secrets" / "ledger.address"
    if LEDGER_ENV in environment:
        return environment[LEDGER_ENV].strip()
    return _private_text(path, "write the database's address there").strip() if path.exists() else ""


def noise_key(path: Path) -> bytes:
    """The secret that a choice of withheld cells hangs on: whatever bytes a private file holds, 16 or more."""
    found = _private_bytes(path, "make one: (umask 077; head -c 32 /dev/urandom > FILE)")
    if len(found) < 16:
        raise SettingsError("a key has 16 bytes or more", where=str(path))
    return found


def protection_key(key: Key, cube: str, programme: str) -> bytes:
    """The secret that a table's choice of withheld cells hangs on, of the institution's pseudonym key (RFC 5869).

    The period is no part of it: what is withheld in one month for no reason but the secret is withheld in the next.
    """
    info = json.dumps(["rnu protection", cube, programme]).encode()
    return HKDF(SHA256(), length=32, salt=None, info=info).derive(key.secret)


def new_signing_key(path: Path) -> Ed25519PrivateKey:
    """Make a steward's key and keep it in a file that only its owner can read; an existing file stays as it is."""
    key = Ed25519PrivateKey.generate()
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    return key


def public_half(key: Ed25519PrivateKey) -> str:
    """The key's public half as `stewards.toml` has it: base64 of 32 bytes."""
    return b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def _private_text(path: Path, remedy: str) -> str:
    try:
        return _private_bytes(path, remedy).decode("ascii")
    except UnicodeDecodeError as error:
        raise SettingsError("the key cannot be read", where=str(path), remedy=remedy) from error


def _private_bytes(path: Path, remedy: str) -> bytes:
    try:
        mode = path.stat().st_mode
        if mode & 0o077:
            raise SettingsError(
                f"others can read this key (mode {mode & 0o777:04o})", where=str(path), remedy=f"chmod 600 {path}"
            )
        return path.read_bytes()
    except OSError as error:
        raise SettingsError("the key cannot be read", where=str(path), remedy=remedy) from error


def write_private(path: Path, text: str) -> None:
    """Write a secret into a new file that only its owner can read; SettingsError if there is one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise SettingsError(
            "a key is there already", where=str(path), remedy="move it away first, if you mean it"
        ) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
