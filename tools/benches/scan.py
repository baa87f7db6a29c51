"""Exact search: ours against NumPy with OpenBLAS and faiss's flat indexes.

One query and batches of a hundred, on one thread and on all, each engine at equal bytes a vector: `f32` against NumPy and
IndexFlatIP, `f16` against faiss's fp16 quantiser. Also how near the memory's own speed we come, what halves
change in the answers, and what it takes to open a segment.
"""

import os
import statistics
import subprocess
import sys
from pathlib import Path

from catalogue_vectors import raw_files
from harness import DATA, Worker, arguments, bars, build, compare, finish, in_turns, table

QUERIES = 500
CORES = len(os.sched_getaffinity(0))


def prepare(binary, rows, dimension):
    """The files of vectors, queries and segments, made once."""
    name = f"{rows}x{dimension}"
    vectors, queries = (DATA / "vectors" / f"{name}.{kind}" for kind in ("base", "queries"))
    raw_files(vectors, queries, rows, QUERIES, dimension, pictures=dimension > 1024)
    segments = {}
    for precision in ("f32", "f16"):
        segment = segments[precision] = vectors.with_suffix(f".{precision}.seg")
        # Made anew, in case the format has changed since.
        segment.unlink(missing_ok=True)
        command = [binary, "build", vectors, str(rows), str(dimension), precision, segment]
        subprocess.run(command, check=True)
    return vectors, queries, segments


def agreement(truth, found):
    """(recall@10, share of equal first ten in order, greatest difference of a similarity) over all queries."""
    recall, same, difference = [], [], 0
    for (true_ids, true_scores), (ids, scores) in zip(truth, found, strict=True):
        recall.append(len(set(true_ids) & set(ids)) / len(true_ids))
        same.append(true_ids == ids)
        # Place by place: equal vectors may swap ids.
        difference = max(difference, *(abs(a - b) for a, b in zip(true_scores, scores)))
    return statistics.mean(recall), statistics.mean(same), difference


def check(workers, name):
    """Prints how the answers agree with NumPy's, and stops where they do not."""
    truth = workers["numpy"].ask(f"answers {QUERIES}")
    rows = []
    for engine, worker in workers.items():
        if engine in ("numpy", "memory"):
            continue
        recall, same, difference = agreement(truth, worker.ask(f"answers {QUERIES}"))
        rows.append([engine, f"{recall:.4f}", f"{same:.3f}", f"{difference:.1e}"])
        halves = engine.endswith("16")
        if recall < (0.98 if halves else 0.9999) or difference > (1e-3 if halves else 2e-6):
            raise SystemExit(f"{engine} does not agree with NumPy: {rows[-1]}")
    table([f"{name}, {QUERIES} queries", "recall@10", "same ten in order", "greatest difference"], rows)


def measure(binary, rows, dimension, quick):
    """All comparisons on one set of vectors: (results, bars of the plot)."""
    name = f"{rows}x{dimension}"
    print(f"== {name} ==")
    vectors, queries, segments = prepare(binary, rows, dimension)
    peer = Path(__file__).with_name("scan_peers.py")
    workers = {f"lookalike {p}": Worker(f"lookalike {p}", [binary, "serve", s, queries]) for p, s in segments.items()}
    for precision in ("f32", "f16"):
        worker = workers[f"lookalike {precision}"]
        private, mapped = worker.resident_mb()
        size = segments[precision].stat().st_size / 2**20
        print(
            f"{worker.name}: {size:.0f} MiB opened in {worker.hello['open_ms']:.3f} ms, "
            f"{private:.1f} MiB private and {mapped:.1f} MiB mapped resident ({worker.hello['kernels']})"
        )
    print()
    for engine in ("numpy", "faiss-flat", "faiss-fp16"):
        workers[engine] = Worker(engine, [sys.executable, peer, engine, vectors, queries, dimension])
    workers["memory"] = Worker("memory", [binary, "memory", rows * dimension * 4])
    check(workers, name)

    results, drawn, speeds = [], {}, []
    for threads in sorted({1, CORES}):
        for batch in (1, 100):
            times = in_turns(
                [w for w in workers.values() if batch == 1 or w.name != "memory"],
                lambda count: f"search {threads} {batch} {batch * count}",
                seconds=0.1 if quick else 0.4,
                rounds=3 if quick else 7,
            )
            case = f"scan {name}, {batch} {'query' if batch == 1 else 'queries'}, {threads} thread{'s' * (threads > 1)}"
            for ours, peers in (("f32", ("numpy", "faiss-flat")), ("f16", ("faiss-fp16",))):
                for other in peers:
                    us = workers[f"lookalike {ours}"]
                    scaled = {"unit": "CPU ms a query", "times": times, "scale": 1e3 / batch}
                    results.append(compare(f"{case}, {ours}", us, workers[other], **scaled))
            drawn[case] = {w.name: cpu * 1e3 / batch for w, (cpu, _) in times.items() if w.name != "memory"}
            if batch == 1:
                speeds.append([f"{threads} thread{'s' * (threads > 1)}"])
                for worker, (cpu, _) in times.items():
                    size = rows * dimension * (2 if worker.name.endswith("16") else 4)
                    speeds[-1].append(f"{size / cpu / 1e9:.1f}")
    table(["GB a CPU second, one query", *(w.replace("memory", "reading alone") for w in workers)], speeds)
    for worker in workers.values():
        worker.close()
    return results, drawn


def main():
    options = arguments(__doc__)
    binary = build("scan_worker")
    rows = 20_000 if options.quick else 100_000
    results, drawn = [], {}
    for dimension in (768, 2048):
        more, bars_of = measure(binary, rows, dimension, options.quick)
        results += more
        drawn |= bars_of
    finish(results, options.json)
    bars("scan-quick" if options.quick else "scan", "Exact scan, the ten best", drawn, "CPU ms a query")


main()
