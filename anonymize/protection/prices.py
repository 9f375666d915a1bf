"""What withholding a cell costs: its persons, and a secret.

Who knows the method can replay it on every table that agrees with the published cells and strike out those for which
it would have withheld others: the choice of partners tells of the values. With prices that hang on a secret key as well
nobody replays it without the key.
"""

from __future__ import annotations

import hashlib

import numpy as np

from anonymize.protection.lattice import Ints, Lattice

UNIT = 64  # of a price; a secret factor is 1 to 5 of them


def prices(lattice: Lattice, key: bytes) -> Ints:
    """(places, cells) what it costs to withhold each cell alone: persons and one more, times a factor of the key's.

    Without a key the factor is 1. The factor comes from SHAKE-256 over the key, so it is the same on any machine.
    """
    persons = (lattice.values + 1) * UNIT
    if not key:
        return persons
    drawn = np.frombuffer(hashlib.shake_256(b"rnu prices" + key).digest(persons.size), dtype=np.uint8)
    return (lattice.values + 1) * (UNIT + drawn.reshape(persons.shape).astype(np.int64))
