"""What withholding a cell costs: what public figures say of it, and a secret.

Who knows the method can replay it on every table that agrees with the published cells and strike out those for which
it would have withheld others: the choice of partners tells of the values. So prices know as little of the counts as can
be. With public weights (an earlier publication, another register) they know of zeros alone, which are known anyway;
without, of each count's order of magnitude too, and all that are small cost the same. With a secret key every price
hangs on the key as well.

Inhabitants are no good weights for a programme that is strong in some places and weak in others. Spread evenly over the
cells of their district, they made 5.9 % of Foncodes' users unshown at provinces instead of 1.4 % (made-up national
rosters, 2026-11-22): crosses were dropped as if few were in them.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from anonymize.policy import Policy
from anonymize.protection.lattice import Ints, Lattice

UNIT = 256  # of a price; a secret factor is 1 to 2 of them; up to 5 withheld more, and hid no more
SMALL = 8  # counts below it cost the same
TOTAL_BITS = 22  # public weights are scaled down to a total of so many bits, so that no sum of prices is PLENTY


def prices(lattice: Lattice, policy: Policy, key: bytes) -> Ints:
    """(places, cells) what it costs to withhold each cell alone: its weight, times a factor of the key's.

    Without a key the factor is 1. The factor comes from SHAKE-256 over the key, so it is the same on any machine.
    Raises BadCells for public weights that are not of the table's shape, or negative.
    """
    weights = magnitudes(lattice.values) if policy.weights is None else public(lattice, policy.weights)
    weights = np.where(lattice.values > 0, weights, 1)  # zeros are known; nothing is lost with them
    return weights * factors(b"rnu prices", key, weights.size).reshape(weights.shape)


def factors(of: bytes, key: bytes, many: int) -> Ints:
    """(many,) by what each price is multiplied: UNIT without a key, else up to twice that; `of` says for what."""
    if not key:
        return np.full(many, UNIT, dtype=np.int64)
    return UNIT + np.frombuffer(hashlib.shake_256(of + key).digest(many), dtype=np.uint8).astype(np.int64)


def magnitudes(counts: Ints) -> Ints:
    """Counts rounded down to a power of two.

    >>> magnitudes(np.array([0, 7, 8, 15, 16, 1000])).tolist()
    [8, 8, 8, 8, 16, 512]
    """
    power = np.frexp(np.maximum(counts, SMALL).astype(np.float64))[1].astype(np.int64) - 1  # exact below 2 ** 53
    return np.int64(1) << power


def public(lattice: Lattice, weights: Ints) -> Ints:
    """Weights of inner cells and their margins, as rows and columns of the lattice; none costs nothing."""
    of = replace(lattice.cells, counts=weights)
    scaled = replace(of, counts=of.counts // (1 + (int(of.counts.sum()) >> TOTAL_BITS)))
    laid: Ints = lattice.laid(scaled.with_margins()) + 1
    return laid
