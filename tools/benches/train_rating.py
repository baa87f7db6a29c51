"""One step of the rating model's two phases, ours against PyTorch's: forward, backward, Adam, users and items sparsely.

The `rating` part of `tools/bench train`.
"""

from pathlib import Path

from harness import Worker, arguments, build, compare, finish, in_turns, python_with

PEER = Path(__file__).with_name("rating_step_peer.py")
BATCH = 256


def measure(quick):
    """The comparisons, a dictionary each."""
    binary = build("rating_worker")
    python, _ = python_with("torch")
    results = []
    for threads in [1] if quick else [1, 2]:
        ours = Worker("lookalike", [binary, "step", threads, BATCH])
        peer = Worker("PyTorch", [python, PEER, threads, BATCH])
        for phase, name in [("pictures", "I"), ("ratings", "II")]:
            times = in_turns([ours, peer], lambda count: f"{phase} {count}", 1 if quick else 3, 3 if quick else 5)
            case = f"rating step, phase {name}, batch {BATCH}, {threads} thread{'s' if threads > 1 else ''}"
            results.append(compare(case, ours, peer, "CPU ms a step", times, 1000))
        ours.close()
        peer.close()
    return results


if __name__ == "__main__":
    options = arguments(__doc__)
    finish(measure(options.quick), options.json)
