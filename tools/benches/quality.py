"""What answers are worth on 44,072 real products, and what words cost beside tantivy alone.

Needs the data set "fashion product images (small)" with its `products.csv` (id, title, article_type, base_colour, image)
as DATA/fashion-small, and the two small models. Queries made of attributes ("navy blue casual shoes") are held to the
colour and the kind that the catalogue says; a product's picture and title to its own. Only titles are searched: the
columns that judge the answers are not.
"""

import json
import os
import sys
from pathlib import Path

from harness import DATA, Worker, arguments, bars, build, compare, finish, in_turns, run, table

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
    finish(results, options.json)
    drawn = {engine.name: cpu * 1e3 for engine, (cpu, _) in taken.items()}
    bars("quality-quick" if options.quick else "quality", "Searches", {f"{items} items": drawn}, "CPU ms a search")


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
