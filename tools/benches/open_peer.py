"""NumPy's side of `tools/bench open`: open_peer.py IMAGES TEXTS, two files of raw f32 vectors of the same items.

Answers each `search COUNT image|text|item` when it has found the ten best of so many queries, as our own worker does
(tools/src/bin/collection_worker.rs).
"""

import json
import sys

import numpy as np

K = 10
images, texts = (np.fromfile(path, "<f4").reshape(-1, dimension) for path, dimension in zip(sys.argv[1:], (2048, 384)))
print(json.dumps({}), flush=True)
chance = np.random.default_rng(2)
for line in sys.stdin:
    _, count, term = line.split()
    for _ in range(int(count)):
        item = chance.integers(len(images))
        found = {"image": [images], "text": [texts], "item": [images, texts]}[term]
        scores = sum(vectors @ vectors[item] for vectors in found) / len(found)
        best = np.argpartition(scores, -K)[-K:]
        best = best[np.argsort(-scores[best], kind="stable")]
    print(json.dumps({}), flush=True)
