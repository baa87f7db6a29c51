"""Indexing from disk: `lookalike index` against the usual Python pipeline, on ONNX Runtime and on PyTorch.

A drawn shop with pictures of 224 and of 1000 pixels; pictures alone, titles with descriptions alone, and both; on one
thread and on all. Everybody has the same weights: EfficientNet-Lite0 and all-MiniLM-L6-v2. Ours is the whole command,
from its start to the published collection; the peers' clocks start when they have imported and loaded everything, and
they write a plain array.
"""

import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from harness import DATA, DEBIAN, Engine, arguments, bars, build, compare, finish, python_with, run, table

HERE = Path(__file__).parent
CORES = len(os.sched_getaffinity(0))
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lookalike"
MODELS = Path(os.environ.get("LOOKALIKE_CACHE") or CACHE) / "models"
OURS = Engine("lookalike")
PICTURES_ALONE = "pytorch (Debian)"
# What is indexed, from pictures of which side, and our options for it.
TEXT = ["--text", "title,description"]
WORK = [
    ("pictures of 224", "pictures", 224, ["--text-model", "none"]),
    ("pictures of 1000", "pictures", 1000, ["--text-model", "none"]),
    ("texts", "texts", 224, ["--image-model", "none", *TEXT]),
    ("both", "both", 1000, TEXT),
]
TITLES = {"metavar": "CSV", "help": "also the column `title` of this catalogue; all of it, in one round"}
PRODUCTS = {"metavar": "N", "type": int, "help": "draw so many; from 500 on, one round"}


def shop(side, products):
    """The catalogue of a drawn shop, made once."""
    folder = DATA / "shops" / f"{products}-{side}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        options = ["--products", products, "--side", side, "--quality", 85]
        subprocess.run([build("draw-shop"), partial, *map(str, options)], check=True, stdout=sys.stderr)
        partial.rename(folder)
    return folder / "catalogue.csv"


def peers():
    """The pipelines that can run here, each with its command's beginning and end and where its networks lie."""
    found = {}
    if subprocess.run([DEBIAN, "-c", "import torch, numpy, PIL"], capture_output=True).returncode:
        print("skipped: the peers, for python3-torch, python3-numpy and python3-pil are not installed", file=sys.stderr)
        return found
    networks = DATA / "onnx"
    networks.mkdir(parents=True, exist_ok=True)
    for name in ("efficientnet-lite0", "all-minilm-l6-v2"):
        file = networks / f"{name}.onnx"
        if not file.exists():
            subprocess.run([DEBIAN, HERE / "networks.py", "onnx", MODELS / name, file], check=True)
    tokenizer = networks / "all-minilm-l6-v2" / "tokenizer.json"
    tokenizer.parent.mkdir(exist_ok=True)
    shutil.copy(MODELS / "all-minilm-l6-v2" / "tokenizer.json", tokenizer)
    packages = next(Path(sys.prefix).glob("lib/python3*/site-packages"))
    found[Engine("onnxruntime")] = (sys.executable, "onnx", networks, [])
    python, own = python_with("torch", "PIL")
    # Debian's multiplies matrices by a reference BLAS: of texts its figure would say nothing.
    found[Engine("pytorch" if own else PICTURES_ALONE)] = (python, "torch", MODELS, [packages])
    return found


def measure(binary, catalogue, options, threads, collection):
    """Our report, with the CPU seconds and the peak memory of the whole process."""
    command = [binary, "index", catalogue, collection, "--threads", threads, "--json", "--quiet"]
    models = ["--image-model", "efficientnet-lite0", "--text-model", "all-minilm-l6-v2"]
    given = [part for pair in zip(models[::2], models[1::2]) if pair[0] not in options for part in pair]
    cpu, wall, memory, answer = run([*command, *given, *options])
    return json.loads(answer) | {"cpu": cpu, "wall": wall, "memory": memory}


def measure_peer(peer, catalogue, what, threads, out):
    python, runtime, models, packages = peer
    command = [python, HERE / "index_peers.py", runtime, catalogue, models, threads, what, out, *packages]
    _, _, memory, answer = run(command)
    report = json.loads(answer)
    return {"cpu": report["cpu"], "wall": report["seconds"], "memory": memory}


def agree(worker, collection, what, out, name):
    """The least and the median cosine between our vectors and a peer's; stops where they are not the same pictures."""
    for modality in {"pictures": ["image"], "texts": ["text"], "both": ["image", "text"]}[what]:
        theirs = np.load(f"{out}.{modality}.npy")
        raw = out.with_suffix(".f32")
        subprocess.run([worker, "vectors", collection, modality, raw], check=True)
        ours = np.fromfile(raw, "<f4").reshape(theirs.shape)
        norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        cosines = np.einsum("nd,nd->n", ours, theirs) / norms
        yield [f"{what} ({modality})", name, f"{cosines.min():.6f}", f"{np.median(cosines):.6f}"]
        if np.median(cosines) < 0.99:
            raise SystemExit(f"{name} does not agree with us: {cosines}")


def shares(busy):
    """What of the busy seconds went where, in per cent."""
    total = sum(busy.values())
    return [f"{100 * busy[stage] / total:.1f}" for stage in ("read", "decode", "prepare", "image_network", "text_network")]


def works(options, products, turn):
    """For each case of a round its name, what is indexed, the catalogue, our options, and how many rows it has."""
    for case, what, side, ours in WORK:
        yield case, what, shop(side, products), ours, products
    if options.titles and turn == 0:
        with open(options.titles, newline="") as file:
            rows = sum(1 for _ in csv.DictReader(file))
        yield "titles", "texts", Path(options.titles), ["--image-model", "none", "--text", "title"], rows


def main():
    options = arguments(__doc__, more=[("--products", PRODUCTS), ("--titles", TITLES)])
    binary, worker = build("lookalike", "lookalike"), build("collection_worker")
    products = options.products or (64 if options.quick else 192)
    rounds = 1 if options.quick or products >= 500 else 3
    others = peers()
    scratch = DATA / "index"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)

    taken, agreement, counts = {}, [], {}
    for turn in range(rounds):
        for threads in sorted({1, CORES}):
            for name, what, catalogue, ours, rows in works(options, products, turn):
                case = f"{name}, {threads} thread{'s' * (threads > 1)}"
                runs = taken.setdefault(case, {engine: [] for engine in (OURS, *others)})
                counts[case], collection = rows, scratch / f"{turn}-{threads}-{name.replace(' ', '-')}"
                runs[OURS].append(measure(binary, catalogue, ours, threads, collection))
                runs.setdefault("again", []).append(measure(binary, catalogue, ours, threads, collection))
                for engine, peer in others.items():
                    if engine.name == PICTURES_ALONE and what != "pictures":
                        continue
                    out = scratch / engine.name
                    runs[engine].append(measure_peer(peer, catalogue, what, threads, out))
                    if turn == 0 and threads == 1:
                        agreement += agree(worker, collection, what, out, engine.name)
                shutil.rmtree(collection)
                print(f"{case}: round {turn + 1} of {rounds}", file=sys.stderr)

    report(taken, agreement, counts, options)


def report(taken, agreement, counts, options):
    """All tables, and the lines of JSON."""
    table(["cosine with ours", "of", "least", "median"], agreement)
    middle = lambda runs, field: statistics.median(run[field] for run in runs)
    rows, results, drawn = [], [], {}
    for case, runs in taken.items():
        runs = {engine: reports for engine, reports in runs.items() if reports}
        again, count = runs.pop("again"), counts[case]
        times = {engine: (middle(r, "cpu") / count, middle(r, "wall") / count) for engine, r in runs.items()}
        for engine, (cpu, wall) in times.items():
            memory = f"{middle(runs[engine], 'memory'):.0f}"
            rows.append([case, engine.name, f"{1 / wall:.1f}", f"{cpu * 1e3:.2f}", f"{cpu / wall:.2f}", memory])
            if engine is not OURS:
                results.append(compare(f"index {case}", OURS, engine, "CPU ms a row", times, 1e3))
        # Of all rounds the one with the least CPU time was disturbed least.
        quiet = min(runs[OURS], key=lambda run: run["cpu"])
        taken[case]["shares"] = shares(quiet["busy"]), middle(again, "wall"), middle(again, "cpu")
        drawn[case] = {engine.name: cpu * 1e3 for engine, (cpu, _) in times.items()}
    table(["", "", "rows/s", "CPU ms/row", "cores", "peak MB"], rows)
    header = ["ours: % of busy time", "read", "decode", "resize", "image network", "text network", "again, s", "CPU s"]
    of = {case: runs["shares"] for case, runs in taken.items()}
    table(header, [[case, *parts, f"{wall:.2f}", f"{cpu:.2f}"] for case, (parts, wall, cpu) in of.items()])
    finish(results, options.json)
    bars("index-quick" if options.quick else "index", "Indexing from disk", drawn, "CPU ms a row")


main()
