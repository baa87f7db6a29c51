"""Encoders alone: prepared pictures and sentences to vectors, against ONNX Runtime and PyTorch.

ResNet-50 and EfficientNet-Lite0, and a MiniLM and a BERT-base on sentences of 16 and of 64 tokens; batches of 1, 8 and 32; one
thread and two. Everybody has the same seeded weights and the same inputs; cutting a sentence into tokens is part of the work.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
from harness import DATA, DEBIAN, Engine, Worker, arguments, bars, build, compare, finish, in_turns, python_with

HERE = Path(__file__).parent
PICTURES = ("resnet50", "efficientnet-lite0")
TEXTS = ("minilm", "bert-base")
MOST = 32


def directory(name):
    """A model directory with seeded weights and the same network as ONNX, made once."""
    folder = DATA / "networks" / name
    if not (folder / "network.onnx").exists():
        subprocess.run(["rm", "-rf", folder], check=True)
        subprocess.run([DEBIAN, HERE / "networks.py", "seeded", name, folder], check=True)
        subprocess.run([DEBIAN, HERE / "networks.py", "onnx", folder, folder / "network.onnx"], check=True)
    return folder


def pictures():
    """Noise in blocks of several sizes, as a network sees pictures."""
    file = DATA / "networks" / "pictures.f32"
    rng = np.random.default_rng(1)
    blocks = [rng.standard_normal((MOST, 3, side, side), np.float32).repeat(224 // side, 2).repeat(224 // side, 3) for side in (7, 28, 224)]
    sum(blocks).astype("<f4").tofile(file)
    return file


def sentences(tokens):
    """Sentences of so many tokens, start and end included."""
    file = DATA / "networks" / f"{tokens}-tokens.txt"
    rng = np.random.default_rng(tokens)
    file.write_text("".join(" ".join(f"w{n}" for n in row) + "\n" for row in rng.integers(0, 30_000, (MOST, tokens - 2))))
    return file


def workers(binary, kind, folder, given, device):
    """Us and the peers on one network, each with its input loaded."""
    packages = next(Path(sys.prefix).glob("lib/python3*/site-packages"))
    python, own = python_with("torch")
    commands = {
        "lookalike": [binary, kind, folder, given, device],
        "onnxruntime": [sys.executable, HERE / "encode_peers.py", "onnx", folder, given],
        "pytorch": [python, HERE / "encode_peers.py", "torch", folder, given, packages],
    }
    if kind == "text" and not own:
        # Debian's has a reference BLAS; the figure would say nothing.
        del commands["pytorch"]
    return [Worker(name, command) for name, command in commands.items()]


def agree(ours, peers):
    """Stops where a peer does not make the same vectors of the same inputs."""
    mine = np.array(ours.ask("answers 1 8 1")["vectors"])
    for peer in peers:
        apart = np.abs(mine - np.array(peer.ask("answers 1 8 1")["vectors"])).max()
        print(f"{peer.name} agrees with us to {apart:.1e}", file=sys.stderr)
        if not apart < 1e-4:
            raise SystemExit(f"{peer.name} is {apart} apart from us")


def main():
    device = {"default": "cpu", "choices": ("cpu", "candle", "cuda"), "help": "ours: the CPU, the same by candle's operations, or a GPU"}
    options = arguments(__doc__, more=[("--device", device)])
    binary = build("encode_worker", features=["lookalike/cuda"] if options.device == "cuda" else [])
    work = [(name, "image", pictures) for name in PICTURES]
    work += [(f"{name}, {tokens} tokens", "text", lambda tokens=tokens: sentences(tokens)) for name in TEXTS for tokens in (16, 64)]
    results, drawn = [], {}
    for title, kind, given in work:
        folder = directory(title.split(",")[0])
        engines = workers(binary, kind, folder, given(), options.device)
        agree(engines[0], engines[1:])
        for threads in (1,) if options.quick else (1, 2):
            for batch in (8,) if options.quick else (1, 8, 32):
                request = lambda count: f"encode {threads} {batch} {count}"
                times = in_turns(engines, request, seconds=0.3 if options.quick else 0.5, rounds=3 if options.quick else 7)
                times = {Engine(worker.name): taken for worker, taken in times.items()}
                ours, *peers = times
                case = f"{title}, batch {batch}, {threads} thread{'s' * (threads > 1)}"
                results += [compare(f"encode {case}", ours, peer, "CPU ms a batch", times, 1e3) for peer in peers]
                if threads == 1:
                    drawn[case] = {engine.name: cpu * 1e3 / batch for engine, (cpu, _) in times.items()}
                print(case, file=sys.stderr)
        for worker in engines:
            worker.close()
    finish(results, options.json)
    bars("encode-quick" if options.quick else "encode", "Encoding, one thread", drawn, "CPU ms a picture or text")


main()
