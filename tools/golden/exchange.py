"""Makes fixtures/golden/exchange: vectors as NumPy and PyArrow write them, and what is to become of them.

    pip install numpy==2.4.6 pyarrow==26.0.1
    python3 tools/golden/exchange.py
"""
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parents[2] / "fixtures" / "golden" / "exchange"
ITEMS, WIDTH = 12, 8
WORDS = ["red", "blue", "green"], ["shirt", "mug", "lamp", "hat"]


def unit(vectors):
    """Of length one."""
    vectors = vectors.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def kept(vectors):
    """As a collection keeps them: of length one, in half precision."""
    return unit(vectors).astype(np.float32).astype(np.float16)


def neighbours(vectors):
    """Of each row, all others with their cosines, best first."""
    wide = kept(vectors).astype(np.float64)
    cosines = wide @ wide.T
    order = [[o for o in np.argsort(-row, kind="stable") if o != own] for own, row in enumerate(cosines)]
    return [[[f"k{o}", cosines[own, o]] for o in others] for own, others in enumerate(order)]


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    vectors = np.random.default_rng(7).normal(size=(ITEMS, WIDTH)).astype(np.float32) * 3
    titles = [f"{WORDS[0][n % 3]} {WORDS[1][n % 4]}" for n in range(ITEMS)]
    lines = [f"k{n},{title},{n * 5}.50" for n, title in enumerate(titles)]
    (FOLDER / "items.csv").write_text("\n".join(["sku,title,price", *lines]) + "\n")

    # What comes, in every type that holds it: the halves are the same numbers in all of them.
    halves = vectors.astype(np.float16)
    for name, kind in [("f2", "<f2"), ("f4", "<f4"), ("f8-big", ">f8")]:
        np.save(FOLDER / f"{name}.npy", halves.astype(kind))
    np.save(FOLDER / "columns.npy", np.asfortranarray(halves.astype(np.float32)))
    table = {"sku": [f"k{n}" for n in range(ITEMS)], "title": titles, "embedding": [list(row) for row in halves.astype(np.float32)]}
    kinds = {"embedding": pa.list_(pa.float32())}
    table = pa.table({name: pa.array(column, kinds.get(name)) for name, column in table.items()})
    pq.write_table(table, FOLDER / "items.parquet", compression="zstd")
    with open(FOLDER / "items.jsonl", "w") as out:
        for n, title in enumerate(titles):
            print(json.dumps({"sku": f"k{n}", "title": title, "vector": [float(x) for x in halves[n]]}), file=out)

    # What an export of them has to be, to the byte.
    np.save(FOLDER / "exported.npy", kept(halves).astype(np.float32))
    np.save(FOLDER / "exported-ids.npy", np.arange(ITEMS, dtype=np.uint32))
    (FOLDER / "neighbours.json").write_text(json.dumps(neighbours(halves)) + "\n")


main()
