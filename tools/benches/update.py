"""What a change costs: one item, a hundred, a thousand, ten thousand of a collection with a graph.

100,000 drawn vectors of 384 values (tools/bench filter has the same). A change of ours is a process of its own: it opens the
collection, takes in the rows, publishes the generation and syncs it; from then on every reader that opens the collection
finds them, which is proved by a search. qdrant-edge, the peer, is an open shard that takes in the same rows and flushes. Then
a reader's searches beside a writer that never rests, and the memory of both.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from filter_data import DIMENSION, drawn
from harness import Engine, Worker, arguments, bars, build, compare, finish, run, table

SIZES = (1, 100, 1_000, 10_000)
READS = 200


def upserts(write, peer, vectors, rounds, results, drawings):
    """The cost of a change of each size, ours and the peer's by turns."""
    lines, turn = [], 0
    for size in SIZES:
        taken = {"lookalike": [], "qdrant-edge": []}
        visible = []
        for _ in range(rounds):
            turn += 1
            cpu, wall, memory, printed = run(write(1000 * turn, 1000 * turn + size, turn))
            visible.append(json.loads(printed)["visible"])
            taken["lookalike"].append((cpu, wall))
            taken["qdrant-edge"].append(peer.time(f"write {vectors} {1000 * turn} {1000 * turn + size} {turn}"))
        best = {Engine(name): tuple(map(min, zip(*times))) for name, times in taken.items()}
        ours, other = best
        results.append(compare(f"{size} changed", ours, other, "CPU ms", best, 1e3, visible_ms=round(min(visible) * 1e3, 1)))
        drawings[f"{size} changed"] = {engine.name: cpu * 1e3 for engine, (cpu, _) in best.items()}
        cpu, wall = best[ours]
        lines.append([f"{size} items", f"{size / cpu:.0f}", f"{size / wall:.0f}", f"{min(visible) * 1e3:.0f}", f"{memory:.0f}"])
    table(["changed at once", "items a CPU s", "items/s", "visible after, ms", "writer's peak MB"], lines)


def beside(worker, collection, queries, write, options):
    """A reader's searches alone and while a writer goes on and on: CPU and wall, and its memory."""
    reader = Worker("lookalike", [worker, "serve", collection, queries, DIMENSION])
    times = lambda: [reader.time(f"search 0 {READS}") for _ in range(5 if options.quick else 20)]
    rows = [["alone", times(), reader.resident_mb()]]
    loop = 'turn=0; while :; do turn=$((turn + 1)); "$@" $turn > /dev/null || exit 1; done'
    command = [str(part) for part in write(0, 1000, 0)[:-1]]
    writer = subprocess.Popen(["sh", "-c", loop, "writer", *command], start_new_session=True)
    rows.append(["while 1,000 items are changed, over and over", times(), reader.resident_mb()])
    reader.ask("open")
    rows.append(["the same, by the newest generation", times(), reader.resident_mb()])
    os.killpg(writer.pid, 15)
    writer.wait()
    reader.close()
    best = lambda times, clock: min(time[clock] for time in times) / READS * 1e3
    table(
        ["searching", "CPU ms", "wall ms", "private MB", "mapped MB"],
        [[name, f"{best(t, 0):.3f}", f"{best(t, 1):.3f}", *(f"{mb:.0f}" for mb in memory)] for name, t, memory in rows],
    )


def main():
    options = arguments(__doc__)
    rows = 20_000 if options.quick else 100_000
    os.environ |= {"RAYON_NUM_THREADS": "1"}
    worker = build("filter_worker")
    folder, base, queries, prices = drawn(rows)
    collection = folder / "updated"
    shutil.rmtree(collection, ignore_errors=True)
    shutil.rmtree(folder / "qdrant-updated", ignore_errors=True)
    write = lambda start, end, turn: [worker, "write", collection, base, DIMENSION, prices, start, end, turn]
    script = Path(__file__).with_name("filter_peers.py")
    cpu, _, memory, _ = run(write(0, rows, 0))
    print(f"{rows} items taken in at first: {cpu:.1f} CPU s, {rows / cpu:.0f} items a CPU s with the graph, {memory:.0f} MB at the most\n")
    run([sys.executable, script, "build", "qdrant-edge", folder / "qdrant-updated", base, DIMENSION, prices])
    peer = Worker("qdrant-edge", [sys.executable, script, "serve", "qdrant-edge", folder / "qdrant-updated", queries, DIMENSION, prices])
    results, drawings = [], {}
    upserts(write, peer, base, 2 if options.quick else 5, results, drawings)
    peer.close()
    beside(worker, collection, queries, write, options)
    finish(results, options.json)
    bars("update-quick" if options.quick else "update", "Changes", drawings, "CPU ms")


main()
