#!/usr/bin/python3
"""EfficientNet-Lite0 with its real weights, in PyTorch, over the pictures named on standard input.

usage: efficientnet_lite_real.py WEIGHTS.pth OUT.f32 < paths

Writes one row of 1280 little-endian f32 a picture, of length one.
"""
import sys

import numpy as np
import torch
from efficientnet_lite import EfficientNetLite0
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

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
paths = sys.stdin.read().splitlines()
with open(sys.argv[2], "wb") as out, torch.no_grad():
    for start in range(0, len(paths), 32):
        batch = [rule(Image.open(path).convert("RGB")) for path in paths[start : start + 32]]
        rows = network.stages(torch.stack(batch))["embedding"].numpy()
        out.write((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("<f4").tobytes())
