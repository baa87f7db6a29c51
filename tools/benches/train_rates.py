"""Triples a CPU second: our BPR-MF beside implicit's, our VBPR beside Cornac's, in turns; and what evaluation, re-ranking
and training at the size of Amazon Fashion take.

A part of `tools/bench train`. Ratings are drawn; the same file, dimensions and batch for both. Cornac learns on PyTorch:
the virtual environment's, else Debian's python3-torch.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from harness import DATA, Worker, arguments, build, compare, finish, in_turns, table

PEER = Path(__file__).with_name("train_rates_peer.py")
DEBIAN = "/usr/bin/python3"


def ratings(users, items, count):
    """A file of drawn ratings, made once."""
    file = DATA / f"ratings-{users}-{items}-{count}.csv"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        size = ["--users", users, "--items", items, "--ratings", count]
        command = [build("draw-shop"), partial, "--interactions-only", *map(str, size)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        partial.rename(file)
    return file


def fashion(worker):
    """Training at the size of Amazon Fashion: seconds an epoch, and the peak of memory."""
    file = ratings(64_583, 234_892, 513_367)
    rows = []
    for name, arguments in [("bpr-mf", [64, 2]), ("vbpr", [1280, 16, 64, 256, 2])]:
        ours = Worker("lookalike", [worker, name, file, *arguments])
        cpu, wall = ours.time("1")
        status = Path(f"/proc/{ours.process.pid}/status").read_text()
        peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
        rows.append({"case": f"{name}, size of Amazon Fashion", "cpu_s": round(cpu, 1), "wall_s": round(wall, 1), "peak_mb": round(peak)})
        ours.close()
    table(["training, an epoch", "CPU s", "wall s", "peak MB"], [[r["case"], r["cpu_s"], r["wall_s"], r["peak_mb"]] for r in rows])
    return rows


def alone(worker, quick):
    """What has no peer: judging 1,000 users over 33,000 items."""
    rows = []
    for threads in (1, 2):
        ours = Worker("lookalike", [worker, "judge", 1000, 33_000, 100, threads])
        ours.time("1")
        cpu, wall = ours.time("1" if quick else "3")
        count = 1 if quick else 3
        rows.append({"case": f"judge 1,000 users x 33,000 items, {threads} threads", "cpu_s": round(cpu / count, 2), "wall_s": round(wall / count, 2)})
        ours.close()
    table(["evaluation", "CPU s", "wall s"], [[r["case"], r["cpu_s"], r["wall_s"]] for r in rows])
    return rows


def with_torch():
    """A Python that has PyTorch; the virtual environment's other packages can be imported from it too."""
    if not subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode:
        return sys.executable
    packages = next(Path(sys.prefix).glob("lib/python3*/site-packages"))
    os.environ["PYTHONPATH"] = f"{os.environ.get('PYTHONPATH', '')}:{packages}"
    return DEBIAN


def measure(quick):
    """The comparisons, a dictionary each: microseconds a triple."""
    worker = build("taste_worker")
    python = with_torch()
    results = []
    seconds, rounds = (1, 3) if quick else (3, 5)
    big = ratings(6_000, 20_000, 60_000) if quick else ratings(64_583, 234_892, 513_367)
    small = ratings(3_000, 3_000, 30_000)
    work = [
        ("BPR-MF, 64 factors", "implicit", ["bpr-mf", big, 64, 1], [sys.executable, PEER, "bpr", big, 64]),
        ("VBPR, 10 + 20 over 1280, batch 100", "Cornac", ["vbpr", small, 1280, 10, 20, 100, 1], [python, PEER, "vbpr", small, 1280, 10, 20, 100]),
    ]
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    for case, name, ours, theirs in work:
        mine, peer = Worker("lookalike", [worker, *ours]), Worker(name, theirs)
        pairs = mine.hello["pairs"]
        times = in_turns([mine, peer], str, seconds, rounds)
        rate = {f"{one.name}_triples_per_cpu_s": round(pairs / times[one][0]) for one in (mine, peer)}
        print(f"{case}: " + ", ".join(f"{key} {value:,}" for key, value in rate.items()))
        results.append(compare(case, mine, peer, "us a triple", times, 1e6 / pairs, **rate))
        mine.close()
        peer.close()
    return results


def append(rows, file):
    """Appends to a file of JSON lines, where there is one."""
    if file:
        with open(file, "a") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)


def more(quick):
    """What has no peer, a dictionary each."""
    worker = build("taste_worker")
    return alone(worker, quick) + ([] if quick else fashion(worker))


if __name__ == "__main__":
    options = arguments(__doc__)
    finish(measure(options.quick), options.json)
    append(more(options.quick), options.json)
