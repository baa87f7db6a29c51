"""What answers are worth on 44,072 real products, and what words and lists of similar items cost.

Needs the data set "fashion product images (small)" with its `products.csv` (id, title, article_type, base_colour, image)
as DATA/fashion-small, and the two small models. Queries made of attributes ("navy blue casual shoes") are held to the
colour and the kind that the catalogue says; a product's picture and title to its own. Only titles are searched: the
columns that judge the answers are not.
"""

import json
import os
import sys
from pathlib import Path

from harness import DATA, Engine, Worker, arguments, bars, build, compare, finish, in_turns, run, table

QUESTIONS = {
    "attributes": ("colour and kind asked for in words: precision@10 of", ["both", "colour", "article"]),
    "pictures": ("more like a product: precision@10 of", ["article", "colour", "both"]),
    "faithful": ("graphs against comparing everything", ["same", "recall", "scanned"]),
}


def quality(worker, collection, queries, file):
    """Prints how good answers are, a table a question."""
    _, _, _, printed = run([worker, "measure", collection, queries])
    results = [json.loads(line) for line in printed.splitlines()]
    for question, (title, columns) in QUESTIONS.items():
        rows = [r for r in results if r["asked"] == question]
        names = [f"{title} ({rows[0]['queries']} queries)", *columns]
        table(names, [[r["way"], *(f"{r[column]:.3f}" for column in columns)] for r in rows])
    if file:
        with open(file, "a") as lines:
            lines.writelines(json.dumps(result) + "\n" for result in results)


def times(worker, collection, options):
    """What a search takes, by words, by vectors, by both; and tantivy's for the same words."""
    # One thread, so that CPU time is not time spent waiting for the other.
    os.environ |= {"RAYON_NUM_THREADS": "1"}
    kinds = {"lookalike words": "words", "lookalike vectors": "vectors", "lookalike hybrid": "hybrid", "tantivy": "tantivy"}
    workers = [Worker(name, [worker, "serve", collection, kind]) for name, kind in kinds.items()]
    *ours, tantivy = workers
    seconds, rounds = (0.2, 3) if options.quick else (0.5, 9)
    taken = in_turns(workers, lambda count: f"search {count}", seconds, rounds)
    items = tantivy.hello["items"]
    results = [
        compare(f"{one.name} over {items} items, 1 thread", one, tantivy, "CPU ms a search", taken, 1e3) for one in ours
    ]
    for one in workers:
        one.close()
    finish(results + similar(worker, collection), options.json)
    drawn = {engine.name: cpu * 1e3 for engine, (cpu, _) in taken.items()}
    bars("quality-quick" if options.quick else "quality", "Searches", {f"{items} items": drawn}, "CPU ms a search")


def similar(worker, collection):
    """Everybody's ten most similar by pictures: ours by the graph and by comparing all, NumPy by blocks of a product."""
    os.environ |= {"RAYON_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    raw, peer = DATA / "quality.image.f32", Path(__file__).with_name("quality_peer.py")
    run([worker, "vectors", collection, raw])
    commands = {
        Engine("lookalike by its graph"): [worker, "similar", collection, "walk"],
        Engine("lookalike exactly"): [worker, "similar", collection, "exact"],
        Engine("numpy"): [sys.executable, peer, raw],
    }
    *ours, numpy = commands
    told, memory = {}, {}
    for engine, command in commands.items():
        _, _, memory[engine], printed = run(command)
        told[engine] = json.loads(printed)
    wanted = told[numpy]["sample"]
    recall = lambda sample: sum(len(set(a) & set(b)) for a, b in zip(sample, wanted)) / sum(map(len, wanted))
    table(["the table of similar items", "CPU s", "s", "peak MB", "recall@10"], [
        [e.name, f"{t['cpu']:.1f}", f"{t['seconds']:.1f}", f"{memory[e]:.0f}", f"{recall(t['sample']):.4f}"]
        for e, t in told.items()
    ])
    taken = {engine: (t["cpu"], t["seconds"]) for engine, t in told.items()}
    return [compare(f"the table of similar items, {one.name.split(' ', 1)[1]}, 1 thread", one, numpy, "CPU s", taken) for one in ours]


def main():
    options = arguments(__doc__, data="the folder with the data sets [default: LOOKALIKE_DATA]")
    data = Path(options.data or os.environ.get("LOOKALIKE_DATA", "")) / "fashion-small"
    if not (data / "products.csv").is_file():
        sys.exit(f"there is no products.csv in {data}: name the folder that has fashion-small in it with --data")
    worker = build("quality_worker")
    count = 10_000 if options.quick else 100_000
    collection = DATA / f"fashion-{count}"
    _, _, _, report = run([worker, "index", data, count, collection])
    print(f"{json.loads(report)['items']} products\n")
    quality(worker, collection, 300 if options.quick else 1000, options.json)
    times(worker, collection, options)


main()
