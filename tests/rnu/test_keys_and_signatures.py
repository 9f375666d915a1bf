"""A key is the identity: who built cannot approve, and keys are nobody else's to read."""

import hmac
from dataclasses import replace
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anonymize.pseudonym import Key
from rnu import secrets
from rnu.errors import ReviewRequired, SettingsError
from rnu.settings import Steward
from rnu.signing import Role, require_two, sign, steward, verify

BUILDER, APPROVER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
DIGEST = "ab" * 32
STEWARDS = tuple(
    Steward(name, secrets.public_half(key), date(2020, 1, 1)) for name, key in (("Ana", BUILDER), ("Rosa", APPROVER))
)


def test_two_keys_release():
    require_two(sign(BUILDER, Role.BUILD, DIGEST), sign(APPROVER, Role.APPROVE, DIGEST), DIGEST, STEWARDS)


@pytest.mark.parametrize(
    ("build", "approval", "said"),
    [
        (sign(BUILDER, Role.BUILD, DIGEST), sign(BUILDER, Role.APPROVE, DIGEST), "cannot approve"),
        (sign(BUILDER, Role.BUILD, DIGEST), sign(APPROVER, Role.RETURN, DIGEST), "not for this release"),
        (sign(BUILDER, Role.BUILD, DIGEST), sign(APPROVER, Role.APPROVE, "cd" * 32), "not for this release"),
        (
            sign(BUILDER, Role.BUILD, DIGEST),
            replace(sign(APPROVER, Role.BUILD, DIGEST), role=Role.APPROVE),
            "does not fit",
        ),
        (
            sign(BUILDER, Role.BUILD, DIGEST),
            replace(sign(APPROVER, Role.APPROVE, "cd" * 32), digest=DIGEST),
            "does not fit",
        ),
        (
            sign(BUILDER, Role.BUILD, DIGEST),
            replace(sign(APPROVER, Role.APPROVE, DIGEST), signature="no es base64"),
            "does not fit",
        ),
    ],
)
def test_anything_less_does_not(build, approval, said):
    with pytest.raises(ReviewRequired, match=said):
        require_two(build, approval, DIGEST, STEWARDS)


def test_a_steward_signs_within_their_days():
    person = Steward("Rosa", secrets.public_half(BUILDER), date(2026, 1, 1), date(2026, 12, 31))
    assert steward(person.public_key, [person], date(2026, 6, 1)) == person
    for day in (date(2025, 12, 31), date(2027, 1, 1)):
        with pytest.raises(ReviewRequired, match="not registered"):
            steward(person.public_key, [person], day)
    with pytest.raises(ReviewRequired):
        steward(secrets.public_half(APPROVER), [person], date(2026, 6, 1))


def test_a_signing_key_survives_its_file(tmp_path):
    path = tmp_path / "k" / "rosa.pem"
    made = secrets.new_signing_key(path)
    verify(sign(made, Role.BUILD, DIGEST), [Steward("Rosa", secrets.public_half(made), date(2020, 1, 1))])
    assert secrets.public_half(secrets.signing_key(path, {})) == secrets.public_half(made)
    assert secrets.public_half(secrets.signing_key(None, {secrets.SIGNING_FILE_ENV: str(path)})) == secrets.public_half(
        made
    )
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SettingsError, match="there already"):
        secrets.new_signing_key(path)


def test_a_key_that_others_can_read_is_refused(tmp_path):
    path = secrets.new_pseudonym_key(tmp_path)
    secrets.pseudonym_key(tmp_path, {})
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="others can read"):
        secrets.pseudonym_key(tmp_path, {})


def test_a_key_comes_from_the_environment_first(tmp_path):
    key = secrets.pseudonym_key(tmp_path, {secrets.PSEUDONYM_ENV: "0f" * 32})
    assert key.secret == b"\x0f" * 32


@pytest.mark.parametrize("wrong", ["", "corta", "0f" * 31, "zz" * 32])
def test_a_bad_key_is_refused_and_not_repeated(tmp_path, wrong):
    with pytest.raises(SettingsError) as caught:
        secrets.pseudonym_key(tmp_path, {secrets.PSEUDONYM_ENV: wrong})
    assert not wrong or wrong not in str(caught.value)


def test_no_key_says_how_to_make_one(tmp_path):
    with pytest.raises(SettingsError, match="rnu key signing"):
        secrets.signing_key(None, {})
    with pytest.raises(SettingsError, match="rnu key pseudonym"):
        secrets.pseudonym_key(tmp_path, {})
    (tmp_path / "x.pem").write_text("no soy una llave")
    (tmp_path / "x.pem").chmod(0o600)
    with pytest.raises(SettingsError, match="not a signing key"):
        secrets.signing_key(tmp_path / "x.pem", {})


def test_each_table_has_a_secret_of_its_own_and_the_key_cannot_be_worked_out_of_it():
    key = Key(b"\x0f" * 32)
    found = {secrets.protection_key(key, cube, programme) for cube in ("a", "ab") for programme in ("b", "", "bc")}
    assert len(found) == 6
    assert all(len(one) == 32 and one != key.secret for one in found)
    assert secrets.protection_key(key, "usuarios", "sis") == secrets.protection_key(key, "usuarios", "sis")
    assert secrets.protection_key(Key(b"\x0e" * 32), "usuarios", "sis") not in found
    # RFC 5869 by hand: extract with a salt of zeros, expand with one block
    extracted = hmac.new(b"\0" * 32, key.secret, "sha256").digest()
    expanded = hmac.new(extracted, b'["rnu protection", "usuarios", "sis"]\x01', "sha256").digest()
    assert secrets.protection_key(key, "usuarios", "sis") == expanded
