#!/usr/bin/python3
"""What PIL and torchvision make of pictures of odd sizes: fixtures/golden/image/resize.json.

Run from the repository root with Debian's python3-pil and python3-torchvision.
"""
import hashlib
import json

import numpy as np
from PIL import Image
from seeded import picture, samples
from torchvision import transforms
from torchvision.transforms import InterpolationMode

SIZES = [(1, 1), (2, 3), (3, 500), (224, 224), (256, 256), (257, 223), (255, 289), (291, 256), (640, 427), (1000, 333)]
FILTERS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def case(width, height, rule, name):
    image = Image.fromarray(picture(width, height, width * 1000 + height))
    size = 256 if rule == "short side" else (224, 224)
    cropped = transforms.CenterCrop(224)(transforms.Resize(size, FILTERS[name])(image))
    values = transforms.Normalize(*IMAGENET)(transforms.ToTensor()(cropped))
    data = np.asarray(cropped)
    return {
        "width": width,
        "height": height,
        "rule": rule,
        "filter": name,
        "bytes": samples(data),
        "sha256": hashlib.sha256(data.tobytes()).hexdigest(),
        "values": samples(values.numpy()),
    }


cases = [
    case(width, height, rule, name)
    for width, height in SIZES
    for rule in ["short side", "squash"]
    for name in FILTERS
]
with open("fixtures/golden/image/resize.json", "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
