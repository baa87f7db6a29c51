"""What a filter costs: the ten nearest among one in a thousand, one in a hundred, one in ten, half of all items.

100,000 drawn vectors of 384 values, each item with a price that has nothing to do with its vector. Whole searches: ours
evaluate the filter, plan, compare, and hand out items with receipts; qdrant-edge has an index over the price; usearch has no
filter in Python, so it is asked for more and more until ten match, as its users do it. One thread each, all taking turns.
Recall is of the exact ten best that match.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
from filter_data import ASKED, DIMENSION, drawn
from harness import Worker, arguments, bars, build, compare, finish, in_turns, run, table

K = 10
PARTS = (0.001, 0.01, 0.1, 0.5, 1.0)
PEERS = ("qdrant-edge", "usearch-f16")


def exact(base, queries, prices, price):
    """The rows of the ten best that cost less, for each query."""
    rows = np.flatnonzero(np.fromfile(prices, "<u4") < price)
    vectors = np.fromfile(base, "<f4").reshape(-1, DIMENSION)[rows]
    asked = np.fromfile(queries, "<f4").reshape(-1, DIMENSION)
    return rows[np.argsort(-(asked @ vectors.T), axis=1)[:, :K]]


def recall(answer, wanted):
    """Which part of the exact ten was found."""
    return np.mean([len(set(row[:K]) & set(best)) / len(best) for row, best in zip(answer["rows"], wanted.tolist())])


def built(folder, base, prices, rows, worker):
    """Everybody's index, made anew; prints what that took."""
    peer, header = Path(__file__).with_name("filter_peers.py"), ["building, 1 thread", "CPU s", "peak MB"]
    commands = {"lookalike": [worker, "write", folder / "lookalike", base, DIMENSION, prices, 0, rows, 0]}
    commands |= {name: [sys.executable, peer, "build", name, folder / name, base, DIMENSION, prices] for name in PEERS}
    lines = []
    for name, command in commands.items():
        shutil.rmtree(folder / name, ignore_errors=True)
        cpu, _, memory, _ = run(command)
        lines.append([name, f"{cpu:.1f}", f"{memory:.0f}"])
    table(header, lines)


def main():
    options = arguments(__doc__)
    rows = 20_000 if options.quick else 100_000
    # One thread, so that CPU time is not time spent waiting for the other.
    os.environ |= {"RAYON_NUM_THREADS": "1"}
    worker = build("filter_worker")
    folder, base, queries, prices = drawn(rows)
    built(folder, base, prices, rows, worker)
    peer = Path(__file__).with_name("filter_peers.py")
    ours = Worker("lookalike", [worker, "serve", folder / "lookalike", queries, DIMENSION])
    peers = [Worker(name, [sys.executable, peer, "serve", name, folder / name, queries, DIMENSION, prices]) for name in PEERS]
    results, drawings = [], {}
    for part in PARTS:
        price = 0 if part == 1 else round(part * rows)
        wanted = exact(base, queries, prices, price or rows)
        answers = {w: w.ask(f"answers {price} {ASKED // 5 if options.quick else ASKED}") for w in [ours, *peers]}
        found = {w: round(float(recall(answer, wanted)), 4) for w, answer in answers.items()}
        seconds, rounds = (0.1, 3) if options.quick else (0.3, 7)
        taken = in_turns([ours, *peers], lambda count: f"search {price} {count}", seconds, rounds)
        case = f"{part:g} of {rows} match" if price else f"all of {rows}, no filter"
        how = answers[ours]["how"]
        for other in peers:
            more = {"recall": found[ours], "peer_recall": found[other], "plan": how}
            results.append(compare(case, ours, other, "CPU ms a search", taken, 1e3, **more))
        drawings[f"{case} (lookalike: {how})"] = {w.name: taken[w][0] * 1e3 for w in [ours, *peers]}
        table([case, "CPU ms", "recall@10", "plan"], [
            [w.name, f"{taken[w][0] * 1e3:.3f}", f"{found[w]:.4f}", answers[w].get("how", "")] for w in [ours, *peers]
        ])
    for one in [ours, *peers]:
        one.close()
    finish(results, options.json)
    bars("filter-quick" if options.quick else "filter", "Filtered searches", drawings, "CPU ms a search")


main()
