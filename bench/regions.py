"""Made-up regional tables of counts: the districts of one region, unequal as districts are, by sex, age and CSE."""

from __future__ import annotations

import numpy as np

from anonymize.tables import Cells, Dimension, Places

LEVELS = ("region", "provincia", "distrito")
DIMENSIONS = (
    Dimension("sexo", ("hombre", "mujer")),
    Dimension("grupo_edad", ("0_5", "6_17", "18_29", "30_44", "45_64", "65_mas")),
    Dimension("cse", ("pobre_extremo", "pobre_no_extremo", "no_pobre")),
)
PROVINCES, DISTRICTS = (8, 13), (80, 130)  # the fewest and the most
SPREAD = 1.0  # of the logarithm of a district's size: the largest of 100 counts some hundred times the smallest
ALIKE = (40.0, 12.0, 6.0)  # how much a district's share of each category is like the region's, by dimension


def region(seed: int, mean: float) -> Cells:
    """A region's table with so many persons, on average, in an inner cell (district × sex × age × CSE)."""
    rng = np.random.default_rng(seed)
    many = int(rng.integers(DISTRICTS[0], DISTRICTS[1] + 1))
    provinces = int(rng.integers(PROVINCES[0], PROVINCES[1] + 1))
    share = rng.dirichlet(np.full(provinces, 4.0))
    of = np.concatenate([np.arange(provinces), rng.choice(provinces, many - provinces, p=share)])
    expected = rng.lognormal(0.0, SPREAD, many)
    for dimension, alike in zip(DIMENSIONS, ALIKE, strict=True):
        shares = rng.dirichlet(np.full(len(dimension.categories), 3.0))
        own = rng.dirichlet(alike * shares, many)
        expected = expected[..., None] * own.reshape(many, *([1] * (expected.ndim - 1)), -1)
    counts = rng.poisson(expected * (mean / expected.mean()))
    paths = [("25", f"25{p + 1:02d}", f"25{p + 1:02d}{i + 1:03d}") for i, p in enumerate(np.sort(of).tolist())]
    return Cells(Places.of(paths, LEVELS), DIMENSIONS, counts)
