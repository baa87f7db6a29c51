"""One training step of CNN-F or AlexNet, ours against PyTorch's: forward, backward, AdamW.

The same weights, the same 16 pictures of 224 x 224, in turns; before it is timed, both have to come to the same losses.
The `step` part of `tools/bench train`.
"""

import tempfile
from pathlib import Path

from harness import Worker, arguments, build, compare, finish, in_turns, python_with

PEER = Path(__file__).with_name("train_step_peer.py")
BATCH, SIDE = 16, 224


def measure(quick):
    """The comparisons, a dictionary each."""
    binary = build("train_worker")
    python, _ = python_with("torch")
    results = []
    networks = [("cnn-f", 1)] if quick else [("cnn-f", 1), ("cnn-f", 2), ("alexnet", 1)]
    for cnn, threads in networks:
        with tempfile.NamedTemporaryFile(suffix=".weights") as weights:
            ours = Worker("lookalike", [binary, "step", cnn, weights.name, threads, BATCH, SIDE, 1])
            peer = Worker("PyTorch", [python, PEER, cnn, weights.name, threads, BATCH, SIDE])
            mine, theirs = ours.ask("losses 3"), peer.ask("losses 3")
            if any(abs(a - b) > 1e-3 * abs(b) for a, b in zip(mine, theirs)):
                raise SystemExit(f"{cnn}: our losses are {mine}, PyTorch's {theirs}")
            times = in_turns([ours, peer], str, 2 if quick else 5, 3 if quick else 5)
            case = f"{cnn} step, batch {BATCH}, {threads} thread{'s' if threads > 1 else ''}"
            results.append(compare(case, ours, peer, "CPU ms a step", times, 1000))
            ours.close()
            peer.close()
    return results


if __name__ == "__main__":
    options = arguments(__doc__)
    finish(measure(options.quick), options.json)
