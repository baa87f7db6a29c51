#!/usr/bin/env python3
"""Writes scikit-image's SSIM of drawn pictures, and its gradient, to fixtures/golden/train/ssim.json.

scikit-image mirrors pictures at their borders for the gradient, where we leave out windows that reach beyond: the
gradient is compared where neither matters, at least six pixels from every border. Run from the repository root where
scikit-image is installed.
"""
import json

import numpy as np
from seeded import parameter, samples
from skimage.metrics import structural_similarity

cases = []
for number, (rows, columns, noise) in enumerate([(40, 40, 0.1), (17, 23, 0.5), (16, 16, 0.01), (40, 40, 0.0)]):
    x = (parameter(f"ssim.{number}.x.weight", [rows * columns]).reshape(rows, columns) - 0.75) * 2
    y = x + noise * (parameter(f"ssim.{number}.y.weight", [rows * columns]).reshape(rows, columns) - 1)
    x, y = x.astype(np.float32).astype(float), y.astype(np.float32).astype(float)
    index, gradient = structural_similarity(
        x, y, win_size=7, data_range=1.0, use_sample_covariance=False, gradient=True
    )
    # Theirs is of the mean over as many windows as there are pixels, ours over those that lie within.
    inner = gradient[6:-6, 6:-6] * (rows * columns) / ((rows - 6) * (columns - 6))
    cases.append({
        "rows": rows, "columns": columns, "noise": noise, "ssim": float(index),
        "gradient": samples(inner) if inner.size else [],
    })
    print(rows, columns, index, np.abs(inner).max() if inner.size else "")
with open("fixtures/golden/train/ssim.json", "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
