#!/usr/bin/python3
"""EfficientNet-Lite0 with its real weights, in PyTorch.

usage: efficientnet_lite_real.py WEIGHTS.pth                    writes fixtures/golden/image/efficientnet-lite0-real.json
       efficientnet_lite_real.py WEIGHTS.pth OUT.f32 < paths    writes a row of 1280 little-endian f32 a picture

Run from the repository root with Debian's python3-torchvision. Every row has length one.
"""
import json
import sys

import numpy as np
import torch
from efficientnet_lite import EfficientNetLite0
from PIL import Image
from seeded import picture
from torchvision import transforms
from torchvision.transforms import InterpolationMode

# Width, height and seed.
PICTURES = [(300, 260, 1), (224, 401, 2)]

network = EfficientNetLite0()
network.load_state_dict(torch.load(sys.argv[1]))
network.eval()
rule = transforms.Compose(
    [
        transforms.Resize(256, InterpolationMode.BICUBIC),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([127 / 255] * 3, [128 / 255] * 3),
    ]
)


def embed(pictures):
    with torch.no_grad():
        rows = network.stages(torch.stack([rule(picture) for picture in pictures]))["last"].mean((2, 3)).numpy()
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("<f4")


if len(sys.argv) == 2:
    rows = embed([Image.fromarray(picture(*size)) for size in PICTURES])
    embeddings = [[float(f"{x:.7g}") for x in row] for row in rows]
    with open("fixtures/golden/image/efficientnet-lite0-real.json", "w") as out:
        json.dump({"pictures": PICTURES, "embeddings": embeddings}, out)
        out.write("\n")
else:
    paths = sys.stdin.read().splitlines()
    with open(sys.argv[2], "wb") as out:
        for start in range(0, len(paths), 32):
            pictures = [Image.open(path).convert("RGB") for path in paths[start : start + 32]]
            out.write(embed(pictures).tobytes())
