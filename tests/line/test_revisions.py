"""A revision's number is given once, the latest build of a period is the one to decide on, and lost bytes come back."""

import json

import pytest

from rnu.errors import ReviewRequired
from rnu.ledger import Decision, Release, release_table
from rnu.release.manifest import verify
from rnu.secrets import signing_key
from rnu.signing import Role, sign
from tests.line.institution import PERIODS, ROSTER, House
from tests.line.test_bad_input import refused

FIRST = PERIODS[0]
RUN = ("run", "--period", FIRST)
CONFIG = ("config/portals.toml", "acronym = ")  # what it says stands in every release

pytestmark = pytest.mark.slow


def build(house: House, acronym: str, by: str = "builder") -> str:
    """Run with an acronym in the configuration; gives the digest of the period's latest build."""
    path = house.home / CONFIG[0]
    lines = [f'{CONFIG[1]}"{acronym}"' if x.startswith(CONFIG[1]) else x for x in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    said = house.rnu(*RUN, by=by)
    assert said.code == 0, said.err
    return house.digest()


def decided(house: House, word: str, digest: str) -> None:
    said = house.rnu(word, digest, "--note", "mirado", by="approver")
    assert said.code == 0, said.err


def test_a_revision_is_attacked_together_with_what_it_replaces(at):
    """Without one person: what is found is told, and asks for a note. What is planted stands in test_foresight.py."""
    house = at("published")
    first = house.digest()
    house.rewrite(ROSTER, lambda text: text[: text.rstrip().rfind(b"\n") + 1])
    ran = house.rnu(*RUN)
    assert ran.code == 0, ran.err
    second = house.digest()
    assert second != first
    private = json.loads((house.store.private(second) / "report.json").read_text(encoding="utf-8"))["foresight"]
    assert private["against"] == [first]
    cells, changes = (sum(len(table[what]) for table in private["tables"]) for what in ("cells", "changes"))
    (told,) = [facts for name, subject, facts in ran.steps if (name, subject) == ("foresee", f"{FIRST} r2")]
    assert told == f"earlier releases 1 · cells found {cells} · small differences {changes}"
    shown = house.rnu("show", second).out
    assert f"Together with earlier releases (yours alone): {FIRST} r1\n" in shown
    assert ("nothing gives way" in shown) == (not private["tables"])
    drawing = house.store.private(second) / "perdida.svg"
    assert f"drawn, beside the releases before: {drawing}" in shown
    assert "pension65 (5)" in drawing.read_text(encoding="utf-8")
    if private["tables"]:
        refused(house.rnu("approve", second, by="approver"), ReviewRequired, "note")
    said = house.rnu("approve", second, "--note", "nobody is narrowed down", by="approver")
    assert (said.code, "WARNING" in said.out) == (0, bool(private["tables"]))


def revisions(house: House) -> list[tuple[str, int]]:
    return [(r.digest, r.revision) for r in house.ledger.releases(period=FIRST)]


def damage(house: House, digest: str) -> None:
    file = house.store.release(digest) / "LEEME.md"
    file.chmod(0o600)
    file.write_text("otra cosa")


def test_a_revision_that_was_approved_is_never_given_to_another_release(at):
    house = at("built")
    a = house.digest()
    decided(house, "approve", a)
    assert house.rnu("publish").code == 0
    decided(house, "return", a)
    b = build(house, "OTRA")
    assert revisions(house) == [(a, 1), (b, 2)]
    refused(house.rnu("approve", a, by="approver"), ReviewRequired, "a later build", b[:12], "r2")
    decided(house, "approve", b)
    assert house.rnu("publish").code == 0
    pages = house.home / "portal" / "current" / "publicaciones"
    assert [p.name for p in pages.iterdir()] == [f"{FIRST}-r2"]
    third = build(house, "MIDIS")
    assert revisions(house) == [(a, 1), (b, 2), (third, 3)], "the same inputs as the first, after the second"


def test_an_approval_while_a_later_build_is_at_work_leaves_that_one_no_number(at):
    """The earlier one is the latest still, as long as the ledger knows of no other."""
    house = at("built")
    a = house.ledger.releases()[-1]
    b = build(house, "OTRA")
    insert_approval_of(house, a)
    refused(
        house.rnu("approve", b, by="approver"), ReviewRequired, "approved as r1 or later", f"rnu run --period {FIRST}"
    )
    again = build(house, "OTRA")
    assert revisions(house) == [(a.digest, 1), (b, 1), (again, 2)]
    decided(house, "approve", again)


def insert_approval_of(house: House, release: Release) -> None:
    """The row that `rnu approve` would have added before the later build's."""
    house.ledger.add_decision(Decision(sign(signing_key(house.key("approver"), {}), Role.APPROVE, release.digest), ""))


def test_a_former_build_becomes_the_latest_again_when_its_inputs_are_back(at):
    house = at("built")
    a = house.digest()
    b = build(house, "OTRA")
    assert revisions(house) == [(a, 1), (b, 1)]
    assert build(house, "MIDIS") == a
    assert revisions(house) == [(b, 1), (a, 1)]
    assert [r["digest"] for r in house.rnu("review", "--json").json] == [a]
    assert [r["digest"] for r in house.rnu("status", "--json").json["releases"]] == [a]
    assert "nothing new" in house.rnu(*RUN).out
    refused(house.rnu("approve", b, by="approver"), ReviewRequired, "a later build", a[:12])
    decided(house, "approve", a)
    assert house.rnu("publish").code == 0


def test_who_approved_a_release_does_not_become_its_builder(at):
    house = at("built")
    a = house.digest()
    decided(house, "approve", a)
    build(house, "OTRA")
    house.edit(CONFIG[0], '"OTRA"', '"MIDIS"')
    refused(house.rnu(*RUN, by="approver"), ReviewRequired, "another steward")
    assert house.rnu("publish").code == 0
    assert house.rnu(*RUN).code == 0
    assert house.digest() == a
    assert house.rnu("publish").code == 0


@pytest.mark.parametrize("how", ["lost", "damaged"])
@pytest.mark.parametrize("moment", ["built", "published"])
def test_a_lost_or_damaged_release_is_built_again_and_its_signatures_hold(at, moment, how):
    house = at(moment)
    digest = house.digest()
    folder = house.store.release(digest)
    if how == "lost":
        folder.rename(house.home / "away")
    else:
        damage(house, digest)
        refused(house.rnu("show", digest), ReviewRequired, "build the period again")
    said = house.rnu(*RUN)
    assert (said.code, "built and signed" in said.out) == (0, True), said.err
    verify(folder, digest)
    assert len(house.ledger._rows(release_table)) == 1
    kept = house.store.root / "damaged"
    assert ([p.name for p in kept.iterdir()] if kept.exists() else []) == ([f"{digest}-1"] if how == "damaged" else [])
    if moment == "built":
        decided(house, "approve", digest)
    assert house.rnu("publish").code == 0
    assert "nothing new" in house.rnu(*RUN).out


def test_a_damaged_release_can_be_withdrawn(at):
    house = at("published")
    damage(house, house.digest())
    refused(house.rnu("publish"), ReviewRequired, "LEEME.md differs")
    decided(house, "return", house.digest())
    assert house.rnu("publish").code == 0
    assert list((house.home / "portal" / "current" / "publicaciones").glob("*")) == []
