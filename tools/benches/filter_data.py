"""The shop of `tools/bench filter` and `tools/bench update`: drawn vectors, queries, and a price for each item."""

import numpy as np
from catalogue_vectors import raw_files
from harness import DATA

DIMENSION, ASKED = 384, 1000


def drawn(rows):
    """Files of vectors, queries and prices: a permutation, so that a price says how many are below."""
    folder = DATA / f"filter-{rows}"
    base, queries, prices = folder / "base.f32", folder / "queries.f32", folder / "prices.u32"
    raw_files(base, queries, rows, ASKED, DIMENSION, pictures=False)
    np.random.default_rng(3).permutation(rows).astype("<u4").tofile(prices)
    return folder, base, queries, prices
