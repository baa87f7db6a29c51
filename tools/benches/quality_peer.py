"""NumPy as a peer of `tools/bench quality`: everybody's ten most similar, by blocks of a product of matrices.

    quality_peer.py VECTORS      raw f32 rows of 1280 values

Prints the seconds and CPU seconds of the work, and the answers of every hundredth row.
"""

import json
import sys
import time

import numpy as np

DIMENSION, BLOCK, K = 1280, 1024, 10


def main(path):
    rows = np.fromfile(path, "<f4").reshape(-1, DIMENSION)
    wall, cpu = time.perf_counter(), time.process_time()
    best = np.empty((len(rows), K), np.int64)
    for start in range(0, len(rows), BLOCK):
        cosines = rows[start : start + BLOCK] @ rows.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -2
        block = np.argpartition(-cosines, K, axis=1)[:, :K]
        order = np.argsort(-np.take_along_axis(cosines, block, 1), axis=1, kind="stable")
        best[start : start + BLOCK] = np.take_along_axis(block, order, 1)
    seconds, used = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu": used, "sample": best[::100].tolist()}))


main(*sys.argv[1:])
