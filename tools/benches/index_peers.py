"""The peers of `tools/bench index`: the Python pipeline that everybody writes, over one of two runtimes.

    index_peers.py onnx|torch CATALOGUE MODELS THREADS pictures|texts|both OUT [PACKAGES]

Reads the catalogue's rows; has PIL and NumPy prepare the pictures in threads beside the network, and `tokenizers` the
texts, sorted by length; runs batches of 32 through the network; writes OUT.image.npy and OUT.text.npy, row by row. MODELS
holds the ONNX files for `onnx` and is our model store for `torch`. PACKAGES is where `tokenizers` lies, if not in this Python.

Prints `{"seconds": ..., "cpu": ...}` of the work alone: the clocks start when everything is imported and loaded.
"""

import csv
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

BATCH = 32


def onnx(models, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")

    def load(name):
        session = onnxruntime.InferenceSession(models / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
        names = [given.name for given in session.get_inputs()]
        return lambda *inputs: session.run(None, dict(zip(names, inputs)))[0]

    return load("efficientnet-lite0"), load("all-minilm-l6-v2")


def torch(models, threads):
    import torch
    from networks import opened

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)

    def load(name):
        network = opened(models / name)
        return lambda *inputs: network(*map(torch.from_numpy, inputs)).numpy()

    return load("efficientnet-lite0"), load("all-minilm-l6-v2")


def prepare(path):
    """As the weights want it: short side to 256, the middle 224, (value - 127) / 128."""
    picture = Image.open(path)
    if picture.mode != "RGB":
        # What is transparent shows white, as it does in a shop.
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    scale = 256 / min(picture.size)
    picture = picture.resize([int(side * scale) for side in picture.size], Image.BICUBIC)
    left, top = ((side - 224) // 2 for side in picture.size)
    pixels = np.asarray(picture.crop((left, top, left + 224, top + 224)), np.float32)
    return ((pixels - 127) / 128).transpose(2, 0, 1)


def pictures(network, paths, threads):
    found = []
    with ThreadPoolExecutor(threads) as pool:
        batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
        # The next batch is being prepared while this one is in the network.
        waiting = [pool.submit(prepare, path) for path in batches[0]]
        for following in [*batches[1:], []]:
            pixels = np.stack([picture.result() for picture in waiting])
            waiting = [pool.submit(prepare, path) for path in following]
            found.append(network(pixels))
    return np.concatenate(found)


def texts(network, tokenizer, sentences):
    # Sorted by length, as sentence-transformers does it, so that a batch has little padding.
    order = sorted(range(len(sentences)), key=lambda row: -len(sentences[row]))
    found = np.empty((len(sentences), 384), np.float32)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        tokens = tokenizer.encode_batch([sentences[row] for row in rows])
        found[rows] = network(np.array([t.ids for t in tokens]), np.array([t.attention_mask for t in tokens]))
    return found


def main(runtime, catalogue, models, threads, what, out, packages=None):
    if packages:
        # Behind this Python's own, so that only what is missing comes from there.
        sys.path.append(packages)
    from tokenizers import Tokenizer

    catalogue, models, threads = Path(catalogue), Path(models), int(threads)
    see, read = {"onnx": onnx, "torch": torch}[runtime](models, threads)
    tokenizer = Tokenizer.from_file(str(models / "all-minilm-l6-v2" / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(256)

    wall, cpu = time.perf_counter(), time.process_time()
    with open(catalogue, newline="") as file:
        rows = list(csv.DictReader(file))
    if what != "texts":
        paths = [catalogue.parent / row["image"] for row in rows]
        np.save(f"{out}.image.npy", pictures(see, paths, threads))
    if what != "pictures":
        sentences = [", ".join(row[column] for column in ("title", "description") if column in row) for row in rows]
        np.save(f"{out}.text.npy", texts(read, tokenizer, sentences))
    print(json.dumps({"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))


main(*sys.argv[1:])
