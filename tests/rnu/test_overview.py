"""What the desk shows of releases and requests, on tables small enough to count by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rnu import desk, request, secrets, show
from rnu.announcement import Announcement, KnownPortal, KnownSource, KnownSteward
from rnu.errors import ReviewRequired
from rnu.ledger import Decision, Ledger, Publication, Release, State
from rnu.release.difference import Change
from rnu.show import Rule
from rnu.signing import Role, sign
from tests.rnu.release_examples import build_in, contents

BUILDER, APPROVER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SOURCES = tuple(
    KnownSource(id, f"Padrón de {id}", "Sector", "roster", id, 1, 0.02) for id in ("sis", "contigo", "juntos")
)
KNOWN = Announcement(
    SOURCES,
    ("sis", "juntos"),
    (KnownPortal("sitio", "Sitio", ""), KnownPortal("ckan", "CKAN", "")),
    (KnownSteward("Beatriz", secrets.public_half(BUILDER)), KnownSteward("Rosa", secrets.public_half(APPROVER))),
)


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    made = Ledger.beside(tmp_path)
    made.upgrade()
    return made


@pytest.fixture
def released(tmp_path, ledger):
    """January approved, February waiting: SIS lost a quarter in one district, and 300 pupils' worth came elsewhere."""
    january = add(tmp_path, ledger, "2026-01", sis=((200, 310), (40, 120), (150, 800)))
    ledger.add_decision(Decision(sign(APPROVER, Role.APPROVE, january), "vista"))
    return tmp_path, january, add(tmp_path, ledger, "2026-02", sis=((200, 310), (40, 120), (150, 500)))


def add(folder, ledger, period, **changes) -> str:
    half = folder / f"half-{period}"
    digest = build_in(half, contents(period, **changes))
    half.rename(folder / digest)
    facts = {"missing": ["juntos"]}
    ledger.add_release(Release(period, 1, digest, period, sign(BUILDER, Role.BUILD, digest), facts))
    return digest


def test_a_release_tells_what_changed_who_built_it_and_what_did_not_come(released, ledger):
    folder, january, february = released
    view = desk.release_view(ledger, KNOWN, folder, february)
    assert (view.state, view.builder, view.missing, view.whole) == ("waiting", "Beatriz", ("Padrón de juntos",), True)
    assert view.before and view.before.digest == january
    biggest = view.changes[0]
    assert (biggest.change.programme, biggest.by, biggest.jump) == ("sis", -300, False)  # 18 % of the nation
    assert round(biggest.share or 0, 3) == -0.185
    (table,) = [t for t in view.tables if (t.cube, t.level) == ("usuarios", "nacion")]
    assert table.rows == 6


def test_a_release_tells_how_much_gives_way_together_with_earlier_ones(released, ledger):
    folder, january, february = released
    assert desk.release_view(ledger, KNOWN, folder, february).given_away is None, "January was approved since"
    found = {"cube": "usuarios", "programme": "sis", "cells": 2, "differences": 1, "contradicts": False}
    facts = {"foresight": {"against": [january], "unread": [], "tables": [found]}}
    ledger.add_release(Release("2026-02", 2, february, "again", sign(BUILDER, Role.BUILD, february), facts))
    given_away = desk.release_view(ledger, KNOWN, folder, february).given_away
    assert given_away
    assert (given_away.cells, given_away.differences, given_away.stands) == (2, 1, False)


def test_what_is_not_shown_is_drawn_beside_the_release_before(released, ledger):
    folder, _, february = released
    view = desk.release_view(ledger, KNOWN, folder, february)
    assert [view.loss.count(f">{what}<") for what in ("2026-01", "2026-02", "contigo (5)", "juntos (5)")] == [
        4,
        4,
        4,
        0,
    ]


def test_a_jump_is_marked_where_it_is_large_for_its_place(released, ledger):
    folder, _, february = released
    view = desk.release_view(ledger, KNOWN, folder, february, "distrito")
    assert {(c.change.place, c.by) for c in view.changes if c.jump} == {
        ("General Sánchez Cerro", -300),
        ("Omate, «la Villa»", -300),
    }
    strict = desk.release_view(ledger, KNOWN, folder, february, "distrito", Rule(least=301))
    assert not any(c.jump for c in strict.changes)


@pytest.mark.parametrize(
    ("before", "after", "jumps"),
    [(1_000, 800, True), (1_000, 801, False), (400, 499, False), (0, 100, True), ("n", 5, True), (500, "n", True),
     ("c", 500, False), (None, 900, False)],
)  # fmt: skip
def test_the_rule_of_jumps(before, after, jumps):
    assert Rule().jumps(Change("usuarios", "sis", "distrito", "180101", "Moquegua", before, after)) is jumps


def test_what_nobody_sees_is_counted_in_the_files(released):
    """Contigo: two districts are withheld whole, the third by sex: 43 of 85 users are in a district that is shown."""
    folder, _, february = released
    found = {(u.programme, u.level): u for u in show.unseen(folder / february)}
    contigo = found["contigo", "distrito"]
    assert (contigo.cells, contigo.withheld, contigo.below) == (9, 4, 4)
    assert (contigo.counted, contigo.placed) == (85, 43)
    assert round(contigo.unplaced or 0, 3) == round(1 - 43 / 85, 3)
    assert (found["juntos", "nacion"].missing, found["juntos", "nacion"].unplaced) == (1, None)
    assert found["sis", "distrito"].unplaced == 0


def test_a_later_build_replaces_one_and_a_changed_byte_is_told(released, ledger):
    folder, january, february = released
    add(folder, ledger, "2026-02", sis=((1, 2), (3, 4), (5, 6)))
    assert desk.release_view(ledger, KNOWN, folder, february).replaced_by
    file = folder / january / "LEEME.md"
    file.chmod(0o600)
    file.write_text("otro")
    assert desk.release_view(ledger, KNOWN, folder, january).whole is False


@pytest.mark.parametrize("format", ["csv", "parquet", "xlsx"])
def test_a_file_is_seen_at_a_glance_the_same_in_every_format(released, format):
    folder, january, _ = released
    found = show.preview(folder / january, f"datos/usuarios_nacion.{format}", 2)
    assert found.columns == ("periodo", "programa", "nombre_programa", "ubigeo", "sexo", "usuarios", "marca")
    assert found.rows[0] == ("2026-01", "sis", "Seguro Integral de Salud (SIS)", "PE", "hombre", "390", "")
    assert (len(found.rows), found.whole) == (2, False)


@pytest.mark.parametrize("name", ["../ledger.sqlite", "datos", "/etc/passwd", "nada.csv"])
def test_only_files_of_the_release_are_looked_at(released, name):
    folder, january, _ = released
    with pytest.raises(ReviewRequired):
        show.preview(folder / january, name)


def test_the_overview_tells_what_waits_what_is_late_and_what_is_not_published(released, ledger):
    _, january, february = released
    ledger.add_publication(Publication("sitio", january, "", whole=True, releases=(january,)))
    found = desk.overview(ledger, KNOWN, NOW)
    assert [r.digest for r in found.waiting] == [february]
    assert [(s.period, s.portals) for s in found.unpublished] == [("2026-01", ("sitio",))]
    assert [view.period for view in found.periods] == ["2026-02", "2026-01"]
    assert [(line.source.id, line.late) for line in found.periods[0].late] == [("sis", 10), ("juntos", 10)]


def test_what_failed_is_told_until_it_went_well(ledger):
    ask = request.Harvest("sis", "2026-02")
    first = request.ask(ledger, ask, "ana")
    request.answer(ledger, first, State.FAILED, "La fuente no responde.", {})
    request.ask(ledger, replace(ask, source="juntos"), "ana")
    assert [a.request.id for a in desk.overview(ledger, KNOWN, NOW).failed] == [first]
    request.answer(ledger, request.ask(ledger, ask, "ana"), State.DONE, "Recibida.", {})
    assert desk.overview(ledger, KNOWN, NOW).failed == ()


def test_requests_that_nobody_takes_are_told(ledger):
    request.ask(ledger, request.Publish(), "ana")
    asked = datetime.fromisoformat(ledger.requests()[0].at)
    assert desk.overview(ledger, KNOWN, asked + timedelta(minutes=14)).stuck_since == ""
    assert desk.overview(ledger, KNOWN, asked + timedelta(minutes=16)).stuck_since


def test_a_period_is_late_from_the_day_after_its_last():
    assert [desk.days_late("2026-02", date(2026, 2, 28)), desk.days_late("2026-02", date(2026, 3, 1))] == [0, 1]
