"""A passkey's word counts for one release, one role, one reason and one moment; a portal can only carry it."""

import html
import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from rnu import desk, passkeys, request, review, secrets, signing, stewards
from rnu.errors import ReviewRequired, SettingsError, Why
from rnu.ledger import Decision, Ledger, Release, State
from rnu.settings import Settings, Steward
from rnu.signing import Role, sign
from rnu.store import Store
from tests.rnu.authenticator import HOST, ORIGIN, Authenticator, base64url, from_base64url
from tests.rnu.release_examples import build_in, contents

TODAY = date(2026, 3, 1)
BUILDER = Ed25519PrivateKey.generate()
NAMES = {"builder": "Beatriz, construye", "approver": "Rosa, revisa"}


@dataclass
class Office:
    """A ledger, a store with one release that waits, and its stewards."""

    store: Store
    ledger: Ledger
    stewards: tuple[Steward, ...]
    digest: str

    @property
    def release(self) -> Release:
        return review.find(self.ledger, self.digest)

    @property
    def settings(self) -> Settings:
        return settings(self.stewards)

    def sign(self, key: Authenticator, role=Role.APPROVE, note="", digest="", **client) -> dict:
        """What a browser gives for what the desk asks of it now."""
        return key.get(desk.to_sign(self.ledger, digest or self.digest, role, note, HOST), **client)

    def decide(self, assertion: dict, role=Role.APPROVE, note="", today=TODAY):
        return review.decide_by_passkey(
            self.settings, self.store, self.ledger, self.release, role, assertion, note, today=today
        )

    def refused(self, assertion: dict, role=Role.APPROVE, note="", **more) -> Why:
        before = self.ledger.decisions()
        with pytest.raises(ReviewRequired) as caught:
            self.decide(assertion, role, note, **more)
        assert self.ledger.decisions() == before
        return caught.value.why

    @property
    def published(self):
        return review.approved(self.settings, self.store, self.ledger)


def settings(known: tuple[Steward, ...], home: Path = Path(), portals=()) -> Settings:
    empty = dict.fromkeys(("programmes", "sources", "quorum", "cubes", "departments", "notices"), ())
    return Settings(home=home, root=home, population=None, institution=None, portals=portals, stewards=known, **empty)


@pytest.fixture
def rosa() -> Authenticator:
    return Authenticator()


@pytest.fixture
def office(tmp_path, rosa) -> Office:
    store = Store(tmp_path / "store")
    store.create()
    ledger = Ledger.beside(tmp_path)
    ledger.upgrade()
    builder = Steward(NAMES["builder"], secrets.public_half(BUILDER), date(2020, 1, 1))
    made = Office(store, ledger, (builder, rosa.steward(NAMES["approver"])), "")
    made.digest = add_release(made, "2026-01", 1)
    return made


def add_release(office: Office, period: str, revision: int) -> str:
    half = office.store.root / f"half-{period}-{revision}"
    digest = build_in(half, contents(period, revision))
    half.rename(office.store.release(digest))
    office.ledger.add_release(
        Release(period, revision, digest, f"{period}-{revision}", sign(BUILDER, Role.BUILD, digest), {"missing": []})
    )
    return digest


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize("counts", [True, False])
def test_a_passkey_approves_and_what_it_signed_is_verified_again_before_publishing(office, kind, counts):
    key = Authenticator(kind, counts=counts)
    office.stewards = (office.stewards[0], key.steward(NAMES["approver"]))
    decision, new = office.decide(office.sign(key, note="comparado con enero"), note="comparado con enero")
    assert (new, decision.signature.role) == (True, Role.APPROVE)
    (publication,) = office.published
    assert [(s.steward, s.role) for s in publication.signatures] == [
        (NAMES["builder"], "construyó"),
        (NAMES["approver"], "aprobó"),
    ]


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl here")
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_anybody_can_verify_it_with_openssl(office, tmp_path, kind):
    key = Authenticator(kind)
    office.stewards = (office.stewards[0], key.steward(NAMES["approver"]))
    office.decide(office.sign(key))
    commands = html.unescape(office.published[0].signatures[1].how_to_verify)

    def visitor(command: str) -> list[str]:
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout.split("\n")[:2]

    assert visitor(commands) == ["1", "Verified OK"]
    assert visitor(commands.replace(office.digest, "0" * 64)) == ["0", "Verified OK"]
    assert visitor(commands.replace(key_body(commands), key_body(commands, Authenticator(kind))))[1] != "Verified OK"


def key_body(commands: str, other: Authenticator | None = None) -> str:
    if other:
        return key_body(passkeys.how_to_verify("", other.steward("x").public_key, "a.AA.AA.AA"))
    return commands.partition("-----BEGIN PUBLIC KEY-----' ")[2].partition(" ")[0]


def test_a_word_for_another_release_role_or_reason_is_refused(office, rosa):
    other = add_release(office, "2026-02", 1)
    assert office.refused(office.sign(rosa, digest=other)) is Why.FORGED
    assert office.refused(office.sign(rosa, Role.RETURN, "falta Juntos")) is Why.FORGED
    assert office.refused(office.sign(rosa, Role.RETURN, "falta Juntos"), Role.RETURN, "otro motivo") is Why.FORGED
    assert office.refused(office.sign(rosa), note="un motivo que nadie firmó") is Why.FORGED


def test_a_word_cannot_be_said_twice(office, rosa):
    """Whoever keeps an approval cannot bring it again after the release was returned."""
    approval = office.sign(rosa)
    office.decide(approval)
    assert office.decide(approval)[1] is False
    assert len(office.ledger.decisions()) == 1
    office.decide(office.sign(rosa, Role.RETURN, "padrón equivocado"), Role.RETURN, "padrón equivocado")
    assert office.refused(approval) is Why.OVERTAKEN
    assert office.published == ()


def test_a_word_kept_back_is_worth_nothing_once_another_was_said(office, rosa):
    kept = office.sign(rosa)
    office.decide(office.sign(rosa, Role.RETURN, "revisar"), Role.RETURN, "revisar")
    assert office.refused(kept) is Why.OVERTAKEN


@pytest.mark.parametrize(
    "forge",
    [
        lambda office, rosa: office.sign(Authenticator(id=rosa.id)),
        lambda office, rosa: office.sign(replace(rosa, verifies=False)),
        lambda office, rosa: office.sign(replace(rosa, origin="https://mesa.ajena.invalid")),
        lambda office, rosa: office.sign(rosa, crossOrigin=True),
        lambda office, rosa: office.sign(rosa, type="webauthn.create"),
        lambda office, rosa: rosa.get(desk.to_sign(office.ledger, office.digest, Role.APPROVE, "", "ajena.invalid")),
        lambda office, rosa: changed(office.sign(rosa), "signature", b"0"),
        lambda office, rosa: changed(office.sign(rosa), "authenticatorData", b""),
        lambda office, rosa: changed(office.sign(rosa), "clientDataJSON", b"[" * 9_000),
        lambda _, rosa: {"id": base64url(rosa.id)},
        lambda _, rosa: {"id": base64url(rosa.id), "response": [1, 2]},
    ],
    ids=["another-key", "owner-not-verified", "another-site", "framed", "registration", "another-host", "signature",
         "authenticator", "deep-json", "nothing", "list"],
)  # fmt: skip
def test_a_forged_word_is_refused(office, rosa, forge):
    assert office.refused(forge(office, rosa)) is Why.FORGED


def changed(assertion: dict, part: str, value: bytes) -> dict:
    return assertion | {"response": assertion["response"] | {part: base64url(value)}}


def test_nobody_knows_a_passkey_that_is_not_in_the_configuration_or_no_longer(office, rosa):
    assert office.refused(office.sign(Authenticator(id=b"otra"))) is Why.UNREGISTERED
    office.stewards = (office.stewards[0], rosa.steward(NAMES["approver"], until=date(2026, 2, 1)))
    assert office.refused(office.sign(rosa)) is Why.UNREGISTERED


def test_who_built_cannot_approve_with_another_key_of_theirs(office, rosa):
    """The person is the name: a passkey makes nobody a second person, nor does an Ed25519 key."""
    office.stewards = (office.stewards[0], rosa.steward("  beatriz,   CONSTRUYE"))
    assert office.refused(office.sign(rosa)) is Why.SAME_PERSON
    second = Ed25519PrivateKey.generate()
    office.stewards = (office.stewards[0], Steward(NAMES["builder"], secrets.public_half(second), date(2020, 1, 1)))
    with pytest.raises(ReviewRequired, match="cannot approve"):
        review.decide(
            office.settings, office.store, office.ledger, office.release, Role.APPROVE, second, "", today=TODAY
        )


def test_a_replaced_or_damaged_release_cannot_be_approved_and_a_return_needs_a_reason(office, rosa):
    assert office.refused(office.sign(rosa, Role.RETURN), Role.RETURN) is Why.NO_REASON
    file = office.store.release(office.digest) / "LEEME.md"
    kept = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(kept + b"!")
    assert office.refused(office.sign(rosa)) is Why.CHANGED
    file.write_bytes(kept)
    first = office.sign(rosa)
    add_release(office, "2026-01", 2)
    assert office.refused(first) is Why.REPLACED


def test_a_passkey_that_counts_back_has_a_copy(office):
    key = Authenticator(counts=True)
    office.stewards = (office.stewards[0], key.steward(NAMES["approver"]))
    clone = replace(key, used=0)
    key.used = 7
    office.decide(office.sign(key, Role.RETURN, "a"), Role.RETURN, "a")
    assert office.refused(office.sign(clone)) is Why.FORGED
    assert office.decide(office.sign(key))[1]


@pytest.mark.parametrize("change", ["note", "moved"])
def test_a_word_that_somebody_moved_or_reworded_in_the_ledger_is_found_before_publishing(office, rosa, change):
    office.decide(office.sign(rosa, note="revisado"), note="revisado")
    (said,) = office.ledger.decisions()
    if change == "note":
        office.ledger.add_decision(replace(said, note="otra nota"))
    else:
        office.decide(office.sign(rosa, Role.RETURN, "retirar"), Role.RETURN, "retirar")
        office.ledger.add_decision(said)
    with pytest.raises(ReviewRequired, match="not bound"):
        assert office.published


def test_passkeys_and_keys_in_files_stand_side_by_side(office, rosa):
    mine = Ed25519PrivateKey.generate()
    office.stewards = (*office.stewards, Steward("Carla", secrets.public_half(mine), date(2020, 1, 1)))
    office.decide(office.sign(rosa, Role.RETURN, "falta"), Role.RETURN, "falta")
    review.decide(office.settings, office.store, office.ledger, office.release, Role.APPROVE, mine, "", today=TODAY)
    assert office.published[0].signatures[1].steward == "Carla"
    office.decide(office.sign(rosa, Role.RETURN, "otra vez"), Role.RETURN, "otra vez")
    assert office.published == ()
    assert [passkeys.is_packed(d.signature.signature) for d in office.ledger.decisions()] == [True, False, True]


@given(st.text(max_size=80), st.text(max_size=200))
def test_whatever_is_sent_for_a_signature_is_refused_in_order(key, signature):
    person = Steward("Rosa", key, date(2020, 1, 1), passkey="x", origin=ORIGIN)
    with pytest.raises(ReviewRequired):
        signing.verify(signing.Signature(Role.APPROVE, "ab" * 32, key, signature), [person])


PARTS = st.sampled_from(["id", "response", "authenticatorData", "clientDataJSON", "signature"])
ANYTHING = st.recursive(
    st.none() | st.text(max_size=20) | st.integers(), lambda x: st.lists(x) | st.dictionaries(PARTS, x)
)


@given(st.dictionaries(PARTS, ANYTHING))
def test_whatever_is_sent_for_an_assertion_is_refused_in_order(anything):
    with pytest.raises(ReviewRequired):
        passkeys.registered(anything, "Rosa", ORIGIN)
    try:
        packed = passkeys.pack("b", anything)
    except ReviewRequired:
        return
    with pytest.raises(ReviewRequired):
        passkeys.verify("m", "AA==", packed, ORIGIN)


# --- registering -------------------------------------------------------------------------------------------------


def test_a_passkey_signs_only_after_somebody_typed_its_fingerprint(house, rosa):
    """From the request that a portal brings to the line in stewards.toml."""
    rosa.origin = "http://localhost:8810"
    options = passkeys.registration_options("Rosa Pérez", "localhost")
    asked = request.Passkey("Rosa Pérez", rosa.create(options))
    number = request.ask(house.ledger, asked, "rosa")
    (waiting,) = house.rnu("passkey", "list", "--json").json
    assert (waiting["steward"], waiting["confirmed"]) == ("Rosa Pérez", False)
    wrong = house.rnu("passkey", "confirm", "0" * 32)
    assert (wrong.code, "no passkey with this fingerprint" in wrong.err) == (ReviewRequired.exit_code, True)
    said = house.rnu(
        "passkey", "confirm", waiting["fingerprint"].upper().replace(" ", ""), "--name", "Rosa Pérez, revisora"
    )
    assert (said.code, "a person new to stewards.toml" in said.out) == (0, True)
    assert request.receipt_of(house.ledger, number).state is State.DONE
    assert house.rnu("passkey", "list", "--json").json[0]["confirmed"] is True
    text = (house.home / "config" / "stewards.toml").read_text()
    assert 'name = "Rosa Pérez, revisora"' in text
    assert text.startswith("# Quiénes pueden firmar")
    assert house.rnu("passkey", "confirm", waiting["fingerprint"]).code == ReviewRequired.exit_code


@pytest.mark.parametrize("origin", ["https://mesa.ajena.invalid", "http://localhost:8811"])
def test_a_passkey_for_another_address_is_no_passkey_for_this_desk(house, rosa, origin):
    rosa.origin = origin
    made = rosa.create(passkeys.registration_options("Rosa", "localhost"))
    request.ask(house.ledger, request.Passkey("Rosa", made), "rosa")
    request.ask(house.ledger, request.Passkey("Otra", made), "rosa")
    assert house.rnu("passkey", "list", "--json").json == []


@pytest.mark.parametrize(
    "desk", ["http://datos.prueba.invalid", "https://10.0.0.1", "https://datos.prueba.invalid/mesa"]
)
def test_a_desk_that_no_passkey_can_be_bound_to_is_refused(house, desk):
    house.edit("config/portals.toml", 'desk = "http://localhost:8810', f'desk = "{desk}')
    said = house.rnu("passkey", "list")
    assert (said.code, "cannot be bound" in said.err) == (SettingsError.exit_code, True)


@pytest.fixture
def house(tmp_path):
    """An institution whose portal has a desk."""
    from tests.line.institution import House

    made = House(tmp_path / "institution")
    assert made.rnu("init", str(made.home)).code == 0
    with (made.home / "config" / "portals.toml").open("a", encoding="utf-8") as file:
        file.write(
            '\n[[portal]]\nid = "ckan"\nhow = "ckan"\nurl = "http://localhost:8810"\ntitle = "Pruebas"\n'
            'organization = "pruebas"\ndesk = "http://localhost:8810"\n'
        )
    assert made.rnu("status").code == 0
    return made


def test_a_fingerprint_is_of_the_key_alone(rosa):
    made = passkeys.registered(rosa.create(passkeys.registration_options("Rosa", HOST)), "Rosa", ORIGIN)
    assert made.public_key == rosa.steward("x").public_key
    assert len(made.fingerprint.split()) == 8
    assert from_base64url(made.credential) == rosa.id
    assert Authenticator().steward("x").public_key != made.public_key
    assert json.loads(json.dumps(stewards.facts_of(made, confirmed=False)))["confirmed"] is False


def test_a_decision_without_a_passkeys_signature_is_none(office):
    """Even with a registered passkey's public key: the ledger is not believed."""
    forged = signing.Signature(Role.APPROVE, office.digest, office.stewards[1].public_key, "c2luIGZpcm1h")
    office.ledger.add_decision(Decision(forged, ""))
    with pytest.raises(ReviewRequired):
        assert office.published
