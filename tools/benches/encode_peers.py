"""The peers of `tools/bench encode`: a network of a model directory on one of two runtimes, as a worker.

    encode_peers.py onnx|torch DIRECTORY INPUT [PACKAGES]

Requests and answers are those of tools/src/bin/encode_worker.rs. INPUT holds prepared pictures as raw `f32`, or a sentence a
line if its name ends in .txt. PACKAGES is where `tokenizers` lies, if not in this Python.
"""

import json
import sys
from functools import cache
from pathlib import Path

import numpy as np


def onnx(directory):
    import onnxruntime

    @cache
    def session(threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(directory / "network.onnx", options, providers=["CPUExecutionProvider"])

    def run(threads, *inputs):
        names = [given.name for given in session(threads).get_inputs()]
        return session(threads).run(None, dict(zip(names, inputs)))[0]

    return run


def torch(directory):
    import torch
    from networks import opened

    torch.set_grad_enabled(False)
    network = opened(directory)

    def run(threads, *inputs):
        torch.set_num_threads(threads)
        return network(*map(torch.from_numpy, inputs)).numpy()

    return run


def batches(directory, path):
    """A function from a number of inputs to what the network takes, the first ones over and over."""
    if path.suffix != ".txt":
        pictures = np.fromfile(path, np.float32).reshape(-1, 3, 224, 224)
        return lambda count: (np.resize(pictures, (count, 3, 224, 224)),)
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(str(directory / "vocab.txt"))
    sentences = path.read_text().splitlines()

    def tokenised(count):
        tokens = tokenizer.encode_batch([sentences[n % len(sentences)] for n in range(count)])
        return np.array([t.ids for t in tokens]), np.array([t.attention_mask for t in tokens])

    return tokenised


def main(runtime, directory, path, packages=None):
    if packages:
        # Behind this Python's own, so that only what is missing comes from there.
        sys.path.append(packages)
    directory = Path(directory)
    inputs = batches(directory, Path(path))
    run = {"onnx": onnx, "torch": torch}[runtime](directory)
    print("{}", flush=True)
    for line in sys.stdin:
        request, *numbers = line.split()
        threads, batch, count = map(int, numbers)
        for _ in range(count):
            found = run(threads, *inputs(batch))
        print(json.dumps({"vectors": found.tolist()} if request == "answers" else {}), flush=True)


main(*sys.argv[1:])
