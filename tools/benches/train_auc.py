"""Does our training come to what Cornac's comes to? AUC on the same split from the same hyperparameters, seeds side by side.

A part of `tools/bench train`: on a dense drawn shop (600 products, 4,000 shoppers), where there is much to learn from others,
and on the real purchases of LOOKALIKE_DATA/hm-2core where they are given. Needs `efficientnet-lite0` in the model store.
"""

import json
import os
import statistics
from pathlib import Path

from harness import DATA, build, run as timed, table
from shops import hm, run, shop
from train_rates import PEER, with_torch

# Ours, with theirs: the peer's name for it, epochs, and our names for its hyperparameters; `spread` is the deviation of the evenly
# drawn numbers that Cornac starts from.
BPR = ("bpr-mf", "aucbpr", 20, ["latent=64", "spread=0.0045", "rate=0.05", "lambda=0.01", "lambda_bias=0.01"])
VBPR = ("vbpr", "auc", 10, ["latent=10", "visual=20", "spread=0.023", "batch=100", "rate=0.005", "lambda=0.01", "lambda_bias=0.01", "lambda_looks=0", "start=chance"])


def measure(quick):
    """A dictionary a data set, model and side: the mean and deviation of the test's AUC over seeds."""
    worker, python = build("taste_worker"), with_torch()
    binary = build("lookalike", "lookalike")
    sets = {"shop": shop(binary, *((300, 900) if quick else (600, 4_000)))}
    real = hm(binary, Path(os.environ.get("LOOKALIKE_DATA", "")))
    if real and not quick:
        sets["hm-2core"] = real
    rows = []
    for data, place in sets.items():
        folder = DATA / "splits" / data
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "shape.json").write_text(run([worker, "split", place, folder]))
        for ours, theirs, epochs, settings in (BPR, VBPR):
            found = {}
            for seed in range(1, 2 if quick else 4):
                mine = json.loads(run([worker, "auc", place, ours, epochs, seed, *settings]))
                found.setdefault(f"lookalike {ours}", []).append(mine["auc"])
                _, _, _, said = timed([python, PEER, theirs, folder, epochs, seed])
                for line in map(json.loads, said.splitlines()):
                    found.setdefault(line["model"], []).append(line["auc"])
            for model, aucs in found.items():
                deviation = statistics.stdev(aucs) if len(aucs) > 1 else 0.0
                rows.append({"data": data, "model": model, "metric": "auc", "mean": statistics.mean(aucs), "sd": deviation, "seeds": len(aucs)})
    table(["the same split and settings", "model", "AUC"], [[r["data"], r["model"], f"{r['mean']:.4f} ±{r['sd']:.4f}"] for r in rows])
    return rows


if __name__ == "__main__":
    from harness import arguments
    from train_rates import append

    options = arguments(__doc__)
    append(measure(options.quick), options.json)
