"""An epoch of the models of sets of pictures, ours against PyTorch's: the four aggregation networks, ACF (of whole
pictures, and with attention within them) and CuratorNet.

The same drawn users, features and first weights, one thread each, in turns; both draw their own batches (and negatives, for
ACF and CuratorNet), so before anything is timed, the mean losses of the first epoch have to agree to three in a hundred. The
`sets` part of `tools/bench train`.
"""

import os
import tempfile
from pathlib import Path

from harness import Worker, arguments, build, compare, finish, in_turns, python_with

PEER = Path(__file__).with_name("train_sets_peer.py")
MODELS = ["aggregation-average", "aggregation-1", "aggregation-2", "aggregation-gated", "acf", "acf-tiles", "curatornet"]
# Users, items, length of a feature, categories.
SIZES, QUICK = [2_000, 3_000, 1_280, 100], [500, 500, 320, 50]


def measure(quick):
    """The comparisons, a dictionary each."""
    binary = build("sets_worker")
    python, _ = python_with("torch")
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    results = []
    for model in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            ours = Worker("lookalike", [binary, model, folder, *(QUICK if quick else SIZES), 1])
            peer = Worker("PyTorch", [python, PEER, model, folder])
            mine, theirs = ours.ask("1"), peer.ask("1")
            if abs(mine - theirs) > 0.03 * abs(theirs):
                raise SystemExit(f"{model}: our first epoch's loss is {mine}, PyTorch's {theirs}")
            times = in_turns([ours, peer], str, 2 if quick else 5, 3 if quick else 5)
            # A step is of 64 sets, or of 128 triples.
            batch, count = (64, ours.hello["users"]) if model.startswith("aggregation") else (128, ours.hello["pairs"])
            case = f"{model} step, batch {batch}, 1 thread"
            results.append(compare(case, ours, peer, "CPU ms a step", times, 1000 / -(-count // batch)))
            ours.close()
            peer.close()
    return results


if __name__ == "__main__":
    options = arguments(__doc__)
    finish(measure(options.quick), options.json)
