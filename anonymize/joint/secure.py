"""Protect, attack and prove overlaps and flows by turns until nothing is found and each cell at risk has its proof."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from anonymize.errors import Unprotectable
from anonymize.joint.attack import Name, attack_flows, attack_overlaps
from anonymize.joint.certificate import certify, whole
from anonymize.joint.flows import Flows, flows_joint, movements
from anonymize.joint.overlaps import PAIRS, Overlaps, Users, by_number, by_pair, joint_of
from anonymize.joint.protect import JointProof, protect
from anonymize.joint.published import own_users, published_flows, published_overlaps
from anonymize.joint.system import Cell, Joint, SafeJoint
from anonymize.joint.verify import JointCertificate, Linked
from anonymize.tables import SafeCells

ROUNDS = 8  # of dropping what an attack found or no proof was found for, before the tables are refused


@dataclass(frozen=True, slots=True)
class JointFacts:
    """What protection cost, for the owner alone."""

    cells: int
    shown: int
    at_risk: int
    for_others: int  # withheld for the sake of cells at risk
    below: int
    dropped: int
    values_proven: int
    values_known_elsewhere: int  # that the programmes' own tables rule out by themselves
    tables: int  # of whole counts, that prove them
    rounds: int  # of attack; 1 where the first found nothing
    share_unshown: float  # of the cells' persons

    def private(self) -> dict[str, Any]:
        """For the steward's own report."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class SafeOverlaps:
    """Published tables of overlaps."""

    number: SafeCells
    pairs: dict[str, SafeCells]  # by the first programme of each pair
    certificate: JointCertificate
    facts: JointFacts


@dataclass(frozen=True, slots=True)
class SafeFlows:
    """The published table of one programme's flows."""

    movements: SafeCells
    certificate: JointCertificate
    facts: JointFacts


def secure_overlaps(overlaps: Overlaps, users: Users, key: bytes = b"") -> SafeOverlaps:
    """Protect overlaps, attack what would be published, prove it in public; drop what was found, until nothing is.

    The certificate is made of the safe cells and the programmes' own shown users alone. Raises Unprotectable if it does
    not end, or if no whole certificate is found.
    """
    joint = joint_of(overlaps, users)
    known = {
        (programme, code): int(n)
        for p, programme in enumerate(overlaps.programmes)
        for code, n, shown in zip(overlaps.places.codes, overlaps.users[:, p], users.shown[:, p], strict=True)
        if shown
    }

    def tables(safe: SafeJoint) -> tuple[SafeCells, dict[str, SafeCells]]:
        return by_number(overlaps, safe), {p: by_pair(overlaps, safe, p) for p in overlaps.programmes[:-1]}

    def attacked(safe: SafeJoint) -> tuple[Name, ...]:
        found = attack_overlaps(overlaps.programmes, *tables(safe), known, _at_risk(joint), _large(joint))
        return tuple(one.name for one in found)

    def published(safe: SafeJoint) -> Linked:
        thresholds = np.array(overlaps.thresholds)
        own = own_users(users.counts, users.shown, users.withheld, users.large, thresholds)
        return published_overlaps(overlaps.programmes, overlaps.thresholds, *tables(safe), *own)

    safe, certificate, facts = _secure(joint, attacked, published, key)
    return SafeOverlaps(*tables(safe), certificate, facts)


def secure_flows(flows: Flows, key: bytes = b"") -> SafeFlows:
    """The same of one programme's flows."""
    joint = flows_joint(flows)
    now = {c: int(n) for c, n, shown in zip(flows.places.codes, flows.now, flows.shown, strict=True) if shown}
    seen = zip(flows.places.codes, flows.before, flows.shown_before, strict=True)
    before = {c: int(n) for c, n, shown in seen if shown}

    def attacked(safe: SafeJoint) -> tuple[Name, ...]:
        found = attack_flows(movements(flows, safe), now, before, _at_risk(joint), _large(joint))
        return tuple(one.name for one in found)

    def published(safe: SafeJoint) -> Linked:
        large = None if flows.large is None else flows.large[:, None]
        shown, withheld = flows.shown[:, None], flows.withheld[:, None]
        own = own_users(flows.now[:, None], shown, withheld, large, np.array([flows.threshold]))
        return published_flows(movements(flows, safe), *own)

    safe, certificate, facts = _secure(joint, attacked, published, key)
    return SafeFlows(movements(flows, safe), certificate, facts)


def _secure(
    joint: Joint,
    attacked: Callable[[SafeJoint], tuple[Name, ...]],
    published: Callable[[SafeJoint], Linked],
    key: bytes,
) -> tuple[SafeJoint, JointCertificate, JointFacts]:
    numbers = {_name(cell): i for i, cell in enumerate(joint.cells)}
    exposed: tuple[int, ...] = ()
    for rounds in range(1, ROUNDS + 1):
        safe, proof = protect(joint, exposed, key)
        found = tuple(numbers[name] for name in attacked(safe))
        if not found:
            certificate = certify(published(safe))
            found = _unproven(joint, certificate)
            if not found:
                return safe, whole(certificate), _facts(joint, safe, proof, rounds)
        exposed += found
    raise Unprotectable(f"after {ROUNDS} rounds an outsider could still work cells out, or they had no public proof")


def _unproven(joint: Joint, certificate: JointCertificate) -> tuple[int, ...]:
    """Cells at risk on a certificate's list: their proof was not found, and the list would tell that they are large.

    Places and rows stand in the same order in both systems; only the joint one has cells that no table has, at the end.
    """
    wide, cells = len(joint.cells) // len(certificate.linked.places), certificate.linked.cells.state.shape[1]
    listed = (place * wide + row for place, row in certificate.large if row < cells)
    return tuple(cell for cell in listed if joint.at_risk[cell])


def _facts(joint: Joint, safe: SafeJoint, proof: JointProof, rounds: int) -> JointFacts:
    own = ~joint.hidden
    shown = own & (safe.values >= 0)
    persons = int(joint.values[own].sum())
    return JointFacts(
        cells=int(own.sum()),
        shown=int(shown.sum()),
        at_risk=int((joint.at_risk & own).sum()),
        for_others=proof.for_others,
        below=proof.below,
        dropped=proof.dropped,
        values_proven=proof.values,
        values_known_elsewhere=proof.beyond,
        tables=len(proof.tables),
        rounds=rounds,
        share_unshown=1 - int(joint.values[shown].sum()) / persons if persons else 0.0,
    )


def _name(cell: Cell) -> Name:
    """A cell by the name that a visitor's row has."""
    table, _, programme = cell.table.partition(":")
    return (programme if table == PAIRS else "", cell.what, cell.place)


def _at_risk(joint: Joint) -> dict[Name, int]:
    return {_name(c): int(k) for c, k, risk in zip(joint.cells, joint.threshold, joint.at_risk, strict=True) if risk}


def _large(joint: Joint) -> dict[Name, int]:
    cells = zip(joint.cells, joint.threshold, joint.values, strict=True)
    return {_name(c): int(k) for c, k, n in cells if n >= k}
