"""What whoever keeps earlier releases works out of the next one is told before it is signed: each flaw is planted."""

import dataclasses
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anonymize.tables import Mark
from rnu import review, secrets, show
from rnu.errors import ReviewRequired, Why
from rnu.foresight.look import Foresight, described, foresee, look_again
from rnu.foresight.told import as_built
from rnu.ledger import Decision, Ledger, Release
from rnu.settings import Settings, Steward
from rnu.signing import Role, sign
from rnu.store import Store
from rnu.ubigeo import District, Gazetteer
from tests.rnu import release_examples as ex

BUILDER, APPROVER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
STEWARDS = tuple(
    Steward(name, secrets.public_half(key), date(2020, 1, 1)) for name, key in (("Bea", BUILDER), ("Rosa", APPROVER))
)
C, ABSENT = Mark.WITHHELD, Mark.ABSENT
# Rows of the tree: 0 PE, 1 18, 2 1801, 3 1802, 4 180101, 5 180102, 6 180201. Columns: hombre, mujer, total.
COUNTS = ((3, 20), (10, 12), (15, 40))
DISTRICTS_WITHHELD = {(4, 0): C, (4, 1): C, (5, 0): C, (5, 1): C}
PROVINCES_WITHHELD = {(row, column): C for row in (2, 3, 4, 6) for column in (0, 1)}
BY_SEX_ONLY_IN_REGIONS = {(row, column): ABSENT for row in range(2, 7) for column in (0, 1)}


@dataclass
class Office:
    """A ledger and a store; releases of SIS are added by hand, each with what a build foresees of it."""

    store: Store
    ledger: Ledger

    def build(self, cells, period="2026-01", revision=1, gazetteer=ex.GAZETTEER) -> Release:
        half = self.store.root / "half"
        what = ex.contents(period, revision)
        digest = ex.build_in(half, ex.replace(what, tables=(ex.with_cells(what.tables[0], cells),)), gazetteer)
        half.rename(self.store.release(digest))
        found = foresee(self.store, self.ledger, period, digest, self.store.release(digest))
        self.store.private(digest).mkdir()
        facts = {"missing": [], "foresight": dataclasses.asdict(found.summary)}
        release = Release(period, revision, digest, digest, sign(BUILDER, Role.BUILD, digest), facts)
        self.ledger.add_release(release)
        return release

    def decide(self, release: Release, role=Role.APPROVE, note="") -> Decision:
        empty = dict.fromkeys(("programmes", "sources", "quorum", "cubes", "departments", "notices", "portals"), ())
        settings = Settings(home=Path(), root=Path(), population=None, institution=None, stewards=STEWARDS, **empty)
        day = date(2026, 3, 1)
        return review.decide(settings, self.store, self.ledger, release, role, APPROVER, note, today=day)[0]

    def approved(self, *args, **more) -> Release:
        release = self.build(*args, **more)
        self.decide(release, note="vista")
        return release

    def look(self, release: Release) -> Foresight:
        return look_again(self.store, self.ledger, release)

    def refused(self, release: Release) -> Why:
        with pytest.raises(ReviewRequired) as caught:
            self.decide(release)
        return caught.value.why


@pytest.fixture
def office(tmp_path) -> Office:
    store = Store(tmp_path / "store")
    store.create()
    ledger = Ledger.beside(tmp_path)
    ledger.upgrade()
    return Office(store, ledger)


def cells(found: Foresight) -> dict[tuple[str, str], tuple[float, float]]:
    return {(f.cell.place, f.cell.categories[0]): (f.low, f.high) for table in found.tables for f in table.cells}


def changes(found: Foresight) -> set[tuple[str, str, str, int]]:
    return {(c.kind, c.place, c.categories[0], c.by) for table in found.tables for c in table.changes}


# --- what it replaces ------------------------------------------------------------------------------------------------


def test_a_revision_that_gives_a_withheld_cell_away_with_what_it_replaces(office):
    """One withholds districts and shows their province, the other the province and one district: 13 less 10."""
    first = office.approved(ex.safe(COUNTS, DISTRICTS_WITHHELD))
    second = office.build(ex.safe(COUNTS, PROVINCES_WITHHELD), revision=2)
    assert cells(office.look(second)) == {("180101", "hombre"): (3, 3)}
    said = as_built(office.ledger, second)
    assert (said.against, said.cells, said.differences, said.stands) == ((first.digest,), 1, 0, False)


def test_the_cell_may_be_withheld_in_the_one_that_is_replaced_alone(office):
    """The new one does not break the district down, but shows its neighbour, and with that the old one's cell."""
    office.approved(ex.safe(COUNTS, DISTRICTS_WITHHELD))
    marks = {**PROVINCES_WITHHELD, (4, 0): ABSENT, (4, 1): ABSENT}
    assert cells(office.look(office.build(ex.safe(COUNTS, marks), revision=2))) == {("180101", "hombre"): (3, 3)}


def test_a_revision_of_the_same_marks_gives_nothing_away(office):
    office.approved(ex.safe(COUNTS, DISTRICTS_WITHHELD))
    again = office.build(ex.safe(COUNTS, DISTRICTS_WITHHELD), revision=2)
    assert as_built(office.ledger, again).stands
    office.decide(again)


TWO_DEPARTMENTS = Gazetteer((*ex.GAZETTEER.districts, District("240101", "230101", "Tumbes", "Tumbes", "Tumbes")))
# Rows: 0 PE, 1 18, 2 24, 3 1801, 4 1802, 5 2401, 6 180101, 7 180102, 8 180201, 9 240101


def test_a_correction_in_one_department_does_not_hide_what_another_gives_away(office):
    """In Tumbes one woman more; Moquegua seems unchanged, so that what either release shows of it is put together."""

    def safe(tumbes, marks):
        return ex.safe((*COUNTS, tumbes), marks, gazetteer=TWO_DEPARTMENTS)

    districts = {(row, column): C for row in (6, 7) for column in (0, 1)}
    provinces = {(row, column): C for row in (3, 4, 6, 8) for column in (0, 1)}
    office.approved(safe((50, 60), districts), gazetteer=TWO_DEPARTMENTS)
    second = office.build(safe((50, 61), provinces), revision=2, gazetteer=TWO_DEPARTMENTS)
    found = office.look(second)
    assert cells(found) == {("180101", "hombre"): (3, 3)}
    assert changes(found) == {("revision", "2401", "mujer", 1), ("revision", "240101", "mujer", 1)}


def test_where_no_table_agrees_with_both_nothing_was_tried_and_that_is_told(office):
    """All that both show is the same, and yet the province had 13 men, and one of its districts has 14 now."""
    office.approved(ex.safe(COUNTS, DISTRICTS_WITHHELD))
    second = office.build(ex.safe(((3, 20), (14, 8), (11, 44)), PROVINCES_WITHHELD), revision=2)
    (table,) = office.look(second).tables
    assert (table.contradicts, table.cells, table.changes) == (True, (), ())
    assert office.refused(second) is Why.GIVES_AWAY


# --- other periods ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("period", "by", "told"), [("2026-02", 1, 2), ("2026-02", 5, 0), ("2027-01", 1, 0)])
def test_a_small_difference_of_a_breakdown_within_a_year(office, period, by, told):
    office.approved(ex.safe(COUNTS))
    second = office.build(ex.safe(((3, 20), (10, 12 + by), (15, 40))), period)
    said = as_built(office.ledger, second)
    assert (said.cells, said.differences, said.stands) == (0, told, not told)
    if told:
        assert changes(office.look(second)) == {("difference", at, "mujer", 1) for at in ("1801", "180102")}


def test_totals_of_districts_may_change_by_one_each_month(office):
    office.approved(ex.safe(COUNTS))
    second = office.build(ex.safe(((3, 20), (10, 13), (15, 40)), BY_SEX_ONLY_IN_REGIONS), "2026-02")
    assert as_built(office.ledger, second).stands


def test_only_what_was_approved_can_be_outside_and_it_stays_there_when_it_is_returned(office):
    office.build(ex.safe(COUNTS), "2025-12")
    returned = office.approved(ex.safe(COUNTS))
    office.decide(returned, Role.RETURN, "corregir")
    second = office.build(ex.safe(((3, 20), (10, 13), (15, 40))), "2026-02")
    assert as_built(office.ledger, second).against == (returned.digest,)


def test_places_that_one_of_the_two_does_not_have_are_counted_and_not_compared(office):
    office.approved(ex.safe(COUNTS))
    second = office.build(ex.safe((*COUNTS, (50, 60)), gazetteer=TWO_DEPARTMENTS), "2026-02", gazetteer=TWO_DEPARTMENTS)
    third = office.build(ex.safe(COUNTS), "2026-03")
    assert office.look(second).not_compared == 0
    office.decide(second, note="vista")
    assert office.look(third).not_compared == 9  # Tumbes, its province and its district, by sex and in all


# --- the steward -----------------------------------------------------------------------------------------------------


def test_it_is_approved_only_for_a_reason(office):
    office.approved(ex.safe(COUNTS, DISTRICTS_WITHHELD))
    second = office.build(ex.safe(COUNTS, PROVINCES_WITHHELD), revision=2)
    assert office.refused(second) is Why.GIVES_AWAY
    assert office.ledger.decision(second.digest) is None
    assert office.decide(second, note="la celda ya era pública").note


def test_what_was_approved_since_it_was_built_is_looked_at_too(office):
    first = office.build(ex.safe(COUNTS))
    second = office.build(ex.safe(((3, 20), (10, 13), (15, 40))), "2026-02")
    assert as_built(office.ledger, second).stands
    office.decide(first)
    assert as_built(office.ledger, second) is None
    assert office.refused(second) is Why.GIVES_AWAY


def test_one_that_is_lost_was_not_looked_at_and_that_is_told(office):
    first = office.approved(ex.safe(COUNTS))
    shutil.rmtree(office.store.release(first.digest))
    second = office.build(ex.safe(COUNTS), "2026-02")
    said = as_built(office.ledger, second)
    assert (said.unread, said.tables, said.stands) == ((first.digest,), (), False)
    assert office.refused(second) is Why.GIVES_AWAY


def test_show_names_the_cells_and_says_what_to_do(office):
    office.approved(ex.safe(COUNTS, DISTRICTS_WITHHELD))
    second = office.build(ex.safe(COUNTS, PROVINCES_WITHHELD), revision=2)
    report = '{"quality": [], "protection": {}}'  # one of before this was foreseen: it is looked at now
    (office.store.private(second.digest) / "report.json").write_text(report, encoding="utf-8")
    release = dataclasses.replace(second, facts={"missing": []})
    private = show.private_report(office.store, release)
    foreseen = described(office.store, office.ledger, release, private)
    told = "\n".join(show.lines(show.describe(office.store, release, None, None, foreseen)))
    assert "Together with earlier releases (yours alone): 2026-01 r1" in told
    assert "1 withheld cells give way (distrito 180101 hombre: from 3 to 3)" in told
    assert "-> return it" in told
