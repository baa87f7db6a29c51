"""Approximate search: recall of the ten best against queries a CPU second, ours against other graphs.

Everybody builds and searches on one thread; all are asked in turns, with breadths from narrow to wide. Also what it takes to
build and to open, how many bytes a vector takes on disk, and what is resident after opening and after the queries.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from catalogue_vectors import raw_files
from harness import DATA, Worker, arguments, build, finish, in_turns, table

QUERIES = 1000
BREADTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
RECALLS = (0.95, 0.99)
PEERS = ("symphonyqg", "hnswlib", "faiss", "usearch-f16", "vsag-sq8")
SCRIPT = Path(__file__).with_name("search_peers.py")


def truth(vectors, queries, dimension):
    """The ten best of each query, by NumPy."""
    base = np.fromfile(vectors, np.float32).reshape(-1, dimension)
    similarities = np.fromfile(queries, np.float32).reshape(-1, dimension)[:QUERIES] @ base.T
    return [set(best) for best in np.argpartition(similarities, -10, axis=1)[:, -10:].tolist()]


def built(command, kept):
    """What a build says, kept beside the index that it made: an index is made once."""
    if not kept.exists():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = os.environ | {"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        # A peer clocks its own build, without Python's start and the reading of vectors. Ours is charged for all.
        kept.write_text(json.dumps({"cpu": cpu} | json.loads(said.splitlines()[-1])))
    return json.loads(kept.read_text())


def prepare(binary, rows, dimension):
    """The workers, each with what its build took, and the queries' true answers."""
    name = f"{rows}x{dimension}"
    vectors, queries = (DATA / "vectors" / f"{name}.{kind}" for kind in ("base", "queries"))
    raw_files(vectors, queries, rows, QUERIES, dimension, pictures=dimension > 1024)
    segment = DATA / "vectors" / f"{name}.graph.seg"
    # Made anew, in case the builder or the format has changed since.
    segment.unlink(missing_ok=True)
    segment.with_suffix(".json").unlink(missing_ok=True)
    command = [binary, "build", vectors, str(rows), str(dimension), "batches", "200", segment]
    builds = {"lookalike": built(command, segment.with_suffix(".json"))}
    workers = {"lookalike": Worker("lookalike", [binary, "serve", segment, queries])}
    for peer in PEERS:
        index = DATA / "vectors" / f"{name}.{peer}"
        command = [sys.executable, SCRIPT, "build", peer, vectors, str(dimension), index]
        try:
            builds[peer] = built(command, index.with_suffix(f".{peer}.json"))
        except subprocess.CalledProcessError as error:
            print(f"{peer} is left out: {error}", file=sys.stderr)
            continue
        workers[peer] = Worker(peer, [sys.executable, SCRIPT, "serve", peer, index, queries, dimension])
    return workers, builds, truth(vectors, queries, dimension)


def measure(workers, best, quick):
    """For each engine its points (recall, CPU seconds a query, wall seconds a query), by breadth."""
    points = {name: [] for name in workers}
    for breadth in BREADTHS:
        recalls = {}
        for name, worker in workers.items():
            found = worker.ask(f"answers {breadth} {QUERIES}")["ids"]
            recalls[name] = sum(len(true & set(ids)) for true, ids in zip(best, found)) / 10 / QUERIES
        times = in_turns(
            list(workers.values()),
            lambda count: f"search {breadth} {count * 100}",
            seconds=0.05 if quick else 0.2,
            rounds=3 if quick else 7,
        )
        for worker, (cpu, wall) in times.items():
            points[worker.name].append((recalls[worker.name], cpu / 100, wall / 100))
    return points


def at(points, recall):
    """(CPU, wall) seconds a query at this recall, between the points about it; None where it is not reached."""
    for (low, *slow), (high, *fast) in zip(points, points[1:]):
        if low <= recall <= high:
            part = (recall - low) / (high - low) if high > low else 0
            return tuple(a + part * (b - a) for a, b in zip(slow, fast))
    return points[0][1:] if points[0][0] > recall else None


def report(name, workers, builds, points):
    """Prints a table, and returns our results against each peer."""
    rows, results = [], []
    speed = lambda times: f"{1 / times[0]:.0f}" if times else "not reached"
    for engine, worker in workers.items():
        private, mapped = worker.resident_mb()
        rows.append([engine] + [speed(at(points[engine], recall)) for recall in RECALLS])
        rows[-1] += [f"{builds[engine]['cpu']:.0f}", f"{builds[engine]['bytes_per_vector']:.0f}"]
        rows[-1] += [f"{worker.hello['open_ms']:.2f}", f"{worker.opened[0]:.0f} + {worker.opened[1]:.0f}"]
        rows[-1] += [f"{private:.0f} + {mapped:.0f}"]
        for recall in RECALLS:
            ours, theirs = at(points["lookalike"], recall), at(points[engine], recall)
            if engine == "lookalike" or not ours or not theirs:
                continue
            case = f"search {name}, recall {recall}, 1 thread"
            result = {"case": case, "unit": "CPU us a query", "peer_name": engine, "our_name": "lookalike"}
            result |= {"ours": round(ours[0] * 1e6, 2), "peer": round(theirs[0] * 1e6, 2), "ratio": round(theirs[0] / ours[0], 3)}
            result |= {"wall_ours": round(ours[1] * 1e6, 2), "wall_peer": round(theirs[1] * 1e6, 2)}
            results.append(result | {"wall_ratio": round(theirs[1] / ours[1], 3)})
    header = [name] + [f"queries/CPU s @{recall}" for recall in RECALLS]
    table(header + ["build CPU s", "bytes/vector", "open ms", "MB opened", "MB after (private + mapped)"], rows)
    return results


def draw(name, curves):
    """Recall against queries a CPU second, a picture for each set of vectors."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, all_axes = pyplot.subplots(1, len(curves), figsize=(6 * len(curves), 5), layout="constrained", squeeze=False)
    for axes, (title, points) in zip(all_axes[0], curves.items()):
        for engine, curve in points.items():
            ours = engine == "lookalike"
            style = {"color": "#c8553d", "linewidth": 2.5, "zorder": 3} if ours else {"linewidth": 1.2}
            axes.plot([p[0] for p in curve], [1 / p[1] for p in curve], marker="o", markersize=4, label=engine, **style)
        axes.set(title=title, xlabel="recall of the ten best", ylabel="queries a CPU second, one thread", xlim=(0.85, 1.002), yscale="log")
        axes.grid(alpha=0.3, which="both")
        axes.legend()
    path = DATA / "plots" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"plot: {path}")


def main():
    options = arguments(__doc__)
    binary = build("search_worker")
    rows = 20_000 if options.quick else 100_000
    results, curves = [], {}
    for dimension in (768,) if options.quick else (384, 768, 2048):
        name = f"{rows}x{dimension}"
        workers, builds, best = prepare(binary, rows, dimension)
        for worker in workers.values():
            worker.opened = worker.resident_mb()
        curves[name] = measure(workers, best, options.quick)
        results += report(name, workers, builds, curves[name])
        for worker in workers.values():
            worker.process.stdin.close()
            worker.process.wait()
    finish(results, options.json)
    draw("search-quick" if options.quick else "search", curves)


main()
