"""Approximate search: recall of the ten best against queries a CPU second, ours against other graphs.

Everybody builds and searches on one thread; all are asked in turns, with breadths from narrow to wide. Also what it takes to
build and to open, how many bytes a vector takes on disk, and what is resident after opening and after the queries. Vectors
are drawn, or, with --data, those of real titles and pictures.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from catalogue_vectors import raw_files
from harness import DATA, Worker, arguments, build, finish, in_turns, run, table

QUERIES = 1000
BREADTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
RECALLS = (0.95, 0.99)
# Sums of the same products in another order differ by less.
TIE = 1e-6
PEERS = ("symphonyqg", "hnswlib", "faiss", "usearch-f16", "vsag-sq8", "qdrant-edge")
SCRIPT = Path(__file__).with_name("search_peers.py")
# Drawn vectors, in rows and dimensions; and real ones, by the file of an export that holds them.
DRAWN = {"quick": (20_000, 768), "384": (100_000, 384), "768": (100_000, 768), "2048": (100_000, 2048), "million": (1_000_000, 384)}
REAL = {"titles": "text.npy", "pictures": "image.npy"}
OPTIONS = [
    ("--only", {"metavar": "CASE", "nargs": "+", "choices": [*DRAWN, *REAL], "help": "of " + ", ".join([*DRAWN, *REAL])}),
    ("--peers", {"metavar": "NAME", "nargs": "*", "choices": PEERS, "default": PEERS, "help": "of " + ", ".join(PEERS)}),
    ("--kept", {"action": "store_true", "help": "search what an earlier run has built, ours too"}),
]
COLLECTION = """a collection of real products, or a folder with fashion-small/, of which one is made with the default
models [LOOKALIKE_DATA]"""


class Truth:
    """The true answers, by NumPy. Whatever is as similar as the tenth best is one of them: many titles are the same."""

    def __init__(self, vectors, queries, dimension):
        self.base = np.memmap(vectors, np.float32, "r").reshape(-1, dimension)
        self.asked = np.fromfile(queries, np.float32).reshape(-1, dimension)[:QUERIES]
        best = np.empty((len(self.asked), 0), np.float32)
        for start in range(0, len(self.base), 50_000):
            similarities = self.asked @ self.base[start : start + 50_000].T
            best = np.hstack([best, np.partition(similarities, -10, axis=1)[:, -10:]])
        self.tenth = np.partition(best, -10, axis=1)[:, -10]

    def recall(self, answers):
        """The part of the ten best that is among the answers."""
        found = 0
        for asked, tenth, ids in zip(self.asked, self.tenth, answers):
            found += np.count_nonzero(self.base[np.unique(ids)] @ asked >= tenth - TIE)
        return found / 10 / len(self.asked)


def built(command, kept):
    """What a build says and took, kept beside the index that it made: an index is made once."""
    if not kept.exists():
        cpu, _, peak, said = run(command)
        # A peer clocks its own build, without Python's start and the reading of vectors. Ours is charged for all.
        kept.write_text(json.dumps({"cpu": cpu, "peak_mb": peak} | json.loads(said.splitlines()[-1])))
    return json.loads(kept.read_text())


def drawn(rows, dimension):
    """The files of drawn vectors and queries."""
    base, queries = (DATA / "vectors" / f"{rows}x{dimension}.{kind}" for kind in ("base", "queries"))
    raw_files(base, queries, rows, QUERIES, dimension, pictures=dimension > 1024)
    return base, queries


def exported(data):
    """The folder of plain vectors of a collection of real products; `None` where there is none."""
    folder = DATA / "search-export"
    if (folder / "manifest.json").exists() or not data:
        return folder if folder.exists() else None
    collection, products = Path(data), Path(data) / "fashion-small" / "products.csv"
    lookalike = build("lookalike", "lookalike")
    if products.exists():
        collection = DATA / "search-products.lookalike"
        command = [lookalike, "index", products, collection, "--text", "title"]
        subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)
    subprocess.run([lookalike, "export", str(collection), str(folder)], check=True, stdout=sys.stderr)
    return folder


def real(folder, name):
    """The files of real vectors: every so many-th is a query, and not among the others."""
    base, queries = (DATA / "vectors" / f"{name}.{kind}" for kind in ("base", "queries"))
    vectors = np.load(folder / REAL[name], mmap_mode="r")
    asked = np.arange(0, len(vectors), len(vectors) // QUERIES)[:QUERIES]
    if not (base.exists() and queries.exists()):
        base.parent.mkdir(parents=True, exist_ok=True)
        np.ascontiguousarray(vectors[asked], "<f4").tofile(queries)
        np.delete(vectors, asked, axis=0).astype("<f4").tofile(base)
    return base, queries, len(vectors) - len(asked), vectors.shape[1]


def prepare(binary, name, files, rows, dimension, options):
    """The workers, each with what its build took, and the queries' true answers."""
    vectors, queries = files
    segment = DATA / "vectors" / f"{name}.graph.seg"
    if not options.kept:
        # Made anew, in case the builder or the format has changed since.
        segment.unlink(missing_ok=True)
        segment.with_suffix(".json").unlink(missing_ok=True)
    command = [binary, "build", vectors, str(rows), str(dimension), "batches", "200", segment]
    builds = {"lookalike": built(command, segment.with_suffix(".json"))}
    workers = {"lookalike": Worker("lookalike", [binary, "serve", segment, queries])}
    for peer in options.peers:
        index = DATA / "vectors" / f"{name}.{peer}"
        try:
            command = [sys.executable, SCRIPT, "build", peer, vectors, str(dimension), index]
            builds[peer] = built(command, index.with_suffix(f".{peer}.json"))
            workers[peer] = Worker(peer, [sys.executable, SCRIPT, "serve", peer, index, queries, dimension])
        except SystemExit as error:
            print(f"skipped: {peer} could not be built or opened here: {error}", file=sys.stderr)
    for worker in workers.values():
        worker.opened = worker.resident_mb()
    return workers, builds, Truth(vectors, queries, dimension)


def measure(workers, truth, quick):
    """For each engine its points (recall, CPU seconds a query, wall seconds a query, rows looked at), by breadth."""
    points = {name: [] for name in workers}
    for breadth in BREADTHS:
        recalls, looked_at = {}, {}
        for name, worker in workers.items():
            answers = worker.ask(f"answers {breadth} {QUERIES}")
            recalls[name] = truth.recall(answers["ids"])
            looked_at[name] = answers.get("looked_at", 0) / QUERIES
        times = in_turns(
            list(workers.values()),
            lambda count: f"search {breadth} {count * 100}",
            seconds=0.05 if quick else 0.2,
            rounds=3 if quick else 7,
        )
        for worker, (cpu, wall) in times.items():
            name = worker.name
            points[name].append((recalls[name], cpu / 100, wall / 100, looked_at[name]))
    return points


def at(points, recall):
    """(CPU seconds, wall seconds, rows looked at) a query at this recall, between the points about it; None where it is not reached."""
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
        rows[-1] += [f"{builds[engine]['cpu']:.0f}", f"{builds[engine]['peak_mb']:.0f}"]
        rows[-1] += [f"{builds[engine]['bytes_per_vector']:.0f}"]
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
    table(header + ["build CPU s", "peak MB", "bytes/vector", "open ms", "MB opened", "MB after (private + mapped)"], rows)
    for recall in RECALLS:
        if ours := at(points["lookalike"], recall):
            print(f"recall {recall}: lookalike walks through {ours[2]:.0f} rows a query, and estimates 32 neighbours of each")
    print()
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


def cases(options):
    """(name, files, rows, dimension) of each case that is wanted and can be had."""
    wanted = options.only or (["quick"] if options.quick else ["384", "768", "2048", *REAL])
    folder = exported(options.data or os.environ.get("LOOKALIKE_DATA")) if set(wanted) & set(REAL) else None
    for case in wanted:
        if case in DRAWN:
            rows, dimension = DRAWN[case]
            yield f"{rows}x{dimension}", drawn(rows, dimension), rows, dimension
        elif folder:
            base, queries, rows, dimension = real(folder, case)
            yield f"{rows}x{dimension}-{case}", (base, queries), rows, dimension
        else:
            print(f"skipped: {case}, for neither --data nor LOOKALIKE_DATA names real products", file=sys.stderr)


def main():
    options = arguments(__doc__, COLLECTION, OPTIONS)
    os.environ |= {"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    binary = build("search_worker")
    results, curves = [], {}
    for name, files, rows, dimension in cases(options):
        workers, builds, truth = prepare(binary, name, files, rows, dimension, options)
        curves[name] = measure(workers, truth, options.quick)
        results += report(name, workers, builds, curves[name])
        for worker in workers.values():
            worker.close()
    finish(results, options.json)
    if curves:
        draw("-".join(["search", *(options.only or ["quick"] * options.quick)]), curves)


main()
