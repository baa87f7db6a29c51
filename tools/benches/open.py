"""A collection of 100,000 items: filling it, opening it, searching it, with what each takes in time and memory.

The encoders are dice (2048 dimensions for pictures, 384 for texts), so that what is measured is the collection itself:
rows, pictures read and hashed, the store, the segments. Searches are through `Collection::search`, receipts and items
included, by a vector of one modality and by an item in both; the peer is NumPy, which multiplies the same vectors in
32 bits, picks the ten best, and hands out their numbers.
"""

import json
import os
import shutil
import statistics
import sys
from pathlib import Path

from harness import DATA, Worker, arguments, bars, build, compare, finish, in_turns, run, table

TERMS = ("image", "text", "item")


def fill(worker, collection, items):
    """One row: what it takes to index so many items, or to find that nothing has changed."""
    cpu, wall, memory, answer = run([worker, "fill", collection, DATA / "dots", items])
    report = json.loads(answer)
    done = "published" if report["published"] else "nothing had changed"
    return [f"{items} items, {report['added']} new: {done}", f"{report['seconds']:.2f}", f"{cpu:.2f}", f"{memory:.0f}"]


def filled(worker, items):
    """Fills a collection, goes over it again, and says what both took."""
    collection = DATA / "collections" / str(items)
    shutil.rmtree(collection, ignore_errors=True)
    rows = [fill(worker, collection, items), fill(worker, collection, items)]
    return collection, rows


def forget(collection):
    """Asks the system to drop the collection's pages from memory."""
    os.sync()
    for path in collection.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def opening(worker, collection, rounds):
    """Rows: milliseconds to open it, from memory and from disk, and the first search after each."""
    for kind in ("warm", "cold"):
        opened, first = [], []
        for _ in range(rounds):
            if kind == "cold":
                forget(collection)
            reader = Worker("lookalike", [worker, "serve", collection])
            opened.append(reader.hello["open_ms"])
            first.append(reader.time("search 1 item")[1] * 1e3)
            reader.close()
        yield [kind, f"{statistics.median(opened):.1f}", f"{statistics.median(first):.1f}"]


def memory(worker, collection):
    """Rows: resident memory as searches go on."""
    reader = Worker("lookalike", [worker, "serve", collection])
    yield ["after opening", *(f"{mb:.0f}" for mb in reader.resident_mb())]
    reader.ask("search 1000 item")
    yield ["after 1,000 searches", *(f"{mb:.0f}" for mb in reader.resident_mb())]
    reader.close()


def searching(worker, collection, options):
    """The comparisons with NumPy, and the bars of the plot."""
    raw = {modality: DATA / f"open.{modality}.f32" for modality in ("image", "text")}
    for modality, path in raw.items():
        run([worker, "vectors", collection, modality, path])
    # One thread, so that CPU time is not time spent waiting for the other.
    os.environ |= {"RAYON_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ours = Worker("lookalike", [worker, "serve", collection])
    peer = Worker("numpy", [sys.executable, Path(__file__).with_name("open_peer.py"), raw["image"], raw["text"]])
    results, drawn = [], {}
    for term in TERMS:
        seconds, rounds = (0.2, 3) if options.quick else (0.5, 9)
        times = in_turns([ours, peer], lambda count: f"search {count} {term}", seconds, rounds)
        case = f"search {ours.hello['items']} items by {term}, 1 thread"
        results.append(compare(case, ours, peer, "CPU ms a search", times, 1e3))
        drawn[case] = {engine.name: cpu * 1e3 for engine, (cpu, _) in times.items()}
    ours.close()
    peer.close()
    return results, drawn


def main():
    options = arguments(__doc__)
    worker = build("collection_worker")
    sizes = (20_000,) if options.quick else (100_000, 300_000)
    rows, collection = [], None
    for items in sizes:
        found, more = filled(worker, items)
        collection, rows = collection or found, rows + more
    table(["indexing with dice for networks", "s", "CPU s", "peak MB"], rows)
    table(["", "opening, ms", "first search, ms"], list(opening(worker, collection, 3 if options.quick else 7)))
    table(["resident, MB", "private", "mapped"], list(memory(worker, collection)))
    results, drawn = searching(worker, collection, options)
    finish(results, options.json)
    bars("open-quick" if options.quick else "open", "Exact search through the collection", drawn, "CPU ms a search")
    shutil.rmtree(DATA / "collections")


main()
