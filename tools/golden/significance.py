#!/usr/bin/env python3
"""Writes SciPy's p of the paired permutation test, worked out over all signs, to fixtures/golden/train/significance.json.

Two models' values of 14 users each, with ties between them. Run from the repository root where SciPy is installed.
"""
import json

import numpy as np
from scipy.stats import permutation_test

rng = np.random.default_rng(7)
cases = []
for ahead in (0.0, 0.05, 0.12, 0.3):
    first = rng.uniform(0.2, 0.9, 14).round(3)
    second = (first - ahead + rng.normal(0, 0.15, 14)).clip(0, 1).round(3)
    second[3] = first[3]
    test = permutation_test(
        (first - second,), lambda d, axis: d.sum(axis), permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    cases.append({"first": first.tolist(), "second": second.tolist(), "mean": float((first - second).mean()), "p": test.pvalue})
    print(ahead, test.statistic, test.pvalue)
with open("fixtures/golden/train/significance.json", "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
