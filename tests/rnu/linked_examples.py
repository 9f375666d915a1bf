"""A made-up release with linked tables: two departments, two programmes, four persons of one department in both."""

from pathlib import Path

import numpy as np

from anonymize.joint.flows import MOVEMENT, Flows
from anonymize.joint.overlaps import Overlaps, Users
from anonymize.joint.secure import secure_flows, secure_overlaps
from anonymize.joint.verify import NUMBER, OTHER
from rnu.linkage import EVERYBODY, MOVEMENTS, _cube, departments
from rnu.release.model import Contents, ProgrammeTable
from rnu.settings import Category, LinkedTable
from rnu.ubigeo import District, Gazetteer
from tests.rnu import release_examples as ex

GAZETTEER = Gazetteer(
    (
        District("180101", "170101", "Moquegua", "Mariscal Nieto", "Moquegua"),
        District("240101", "230101", "Tumbes", "Tumbes", "Tumbes"),
    )
)
PLACES = departments(GAZETTEER)
CONTIGO, SIS = ex.programme("contigo", "Contigo"), ex.programme("sis", "Seguro Integral de Salud (SIS)")
USERS = np.array([[34, 64], [45, 70]])  # of Contigo, of the SIS
PERSONS = np.array([[0, 30, 60, 4], [0, 25, 50, 20]])  # in none, in Contigo alone, in the SIS alone, in both
FLOWS = np.array([[60, 2, 2, 2, 2], [40, 28, 2, 28, 2]])  # of the SIS: stay, new, come, end, go


def words(id: str, label: str) -> LinkedTable:
    return LinkedTable(id, f"Cuadro de {id}", f"Cuadro de {id} hecho a mano.", "personas", "Personas", label)


def contents(period: str = "2026-02") -> Contents:
    """Both programmes' own tables, and what is linked of them."""
    usual = ex.contents(period)
    thresholds = {"contigo": 10, "sis": 5}
    users = ex.cube(thresholds=thresholds)
    own = (
        ex.delivered(users, SIS, ex.safe([[30, 34], [33, 37]], gazetteer=GAZETTEER)),
        ex.delivered(users, CONTIGO, ex.safe([[15, 19], [20, 25]], threshold=10, gazetteer=GAZETTEER)),
    )
    every = np.ones((3, 2), dtype=np.bool_)
    totals = np.vstack([USERS.sum(axis=0), USERS])
    overlaps = Overlaps(PLACES, ("contigo", "sis"), (10, 5), PERSONS, np.zeros_like(PERSONS))
    linked = secure_overlaps(overlaps, Users(totals, every, ~every))
    flows = secure_flows(Flows(PLACES, 5, FLOWS, every[:, 0], ~every[:, 0]))
    numbers = tuple(Category(str(n), f"En {n}") for n in (1, 2))
    number = _cube(words("personas", "Programas"), NUMBER, numbers, ("todos",), {"todos": 10})
    others = (Category("contigo", "Contigo"), Category("sis", "SIS"))
    pairs = _cube(words("cruces", "Otro"), OTHER, others, ("contigo",), thresholds, proven_with="personas")
    moves = tuple(Category(id, MOVEMENTS[id]) for id in MOVEMENT.categories)
    movements = _cube(words("movimientos", "Movimiento"), MOVEMENT.id, moves, ("sis",), thresholds)
    tables = (
        *own,
        ProgrammeTable(number, EVERYBODY, linked.number, linked.certificate),
        ProgrammeTable(pairs, CONTIGO, linked.pairs["contigo"]),
        ProgrammeTable(movements, SIS, flows.movements, flows.certificate),
    )
    return ex.replace(usual, tables=tables)


def build_in(folder: Path, what: Contents | None = None) -> str:
    return ex.build_in(folder, what or contents(), GAZETTEER)
