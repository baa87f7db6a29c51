#!/usr/bin/python3
"""Activations and embeddings of the networks with seeded weights: fixtures/golden/image/{resnet50,...}.json.

Run from the repository root with Debian's python3-torchvision. Everything is computed in 64 bits, so that the
figures are nearer the truth than either side's rounding.
"""
import json

import numpy as np
import torch
from efficientnet_lite import EfficientNetLite0
from mobilenet_v1 import MobileNetV1
from PIL import Image
from seeded import parameter, picture, samples
from torch.nn import functional as F
from torchvision import models, transforms
from torchvision.transforms import InterpolationMode

# Width, height and seed.
PICTURES = [(300, 260, 1), (224, 401, 2)]


class ResNet50(models.ResNet):
    def __init__(self):
        super().__init__(models.resnet.Bottleneck, [3, 4, 6, 3])

    def stages(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        found = {"stem": x}
        for name in ["layer1", "layer2", "layer3", "layer4"]:
            x = getattr(self, name)(x)
            found[name] = x
        found["last"] = x
        return found


class InceptionV3(models.Inception3):
    # The stages, by the last module of each.
    ENDS = {"Conv2d_4a_3x3": "stem", "Mixed_5d": "mixed5", "Mixed_6e": "mixed6", "Mixed_7c": "mixed7"}

    def __init__(self):
        super().__init__(init_weights=False)

    def stages(self, x):
        found = {}
        for name, module in self.named_children():
            if name in ("AuxLogits", "avgpool"):
                continue
            x = module(x)
            if name in self.ENDS:
                found[self.ENDS[name]] = x
            if name == "Mixed_7c":
                break
        found["last"] = x
        return found


class AlexNet(models.AlexNet):
    def stages(self, x):
        found = {}
        for index, layer in enumerate(self.features):
            x = layer(x)
            if isinstance(layer, torch.nn.MaxPool2d):
                found[f"pool{len(found) + 1}"] = x
        found["last"] = self.classifier[:6](self.avgpool(x).flatten(1))[:, :, None, None]
        return found


def prepare(filter, mean, std, side=256, crop=224):
    steps = [transforms.Resize(side, filter), transforms.CenterCrop(crop), transforms.ToTensor()]
    rule = transforms.Compose(steps + [transforms.Normalize(mean, std)])
    return torch.stack([rule(Image.fromarray(picture(*size))) for size in PICTURES])


def write(name, network, inputs):
    state = network.state_dict()
    tracked = [name for name in state if name.endswith("num_batches_tracked")]
    shapes = {name: list(tensor.shape) for name, tensor in state.items() if name not in tracked}
    for key, shape in shapes.items():
        state[key] = torch.from_numpy(parameter(key, shape))
    network.load_state_dict(state)
    network.double().eval()
    with torch.no_grad():
        found = network.stages(inputs.double())
    last = found.pop("last")
    tiles = F.adaptive_avg_pool2d(last, 3).permute(0, 2, 3, 1)
    unit = last.mean((2, 3)).numpy()
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    golden = {
        "pictures": PICTURES,
        "shapes": shapes,
        "stages": {stage: [samples(x.numpy()) for x in values] for stage, values in found.items()},
        "tiles": [samples(x.numpy()) for x in tiles],
        "embeddings": [[float(f"{x:.7g}") for x in row] for row in unit],
    }
    for stage, values in found.items():
        print(name, stage, tuple(values.shape), f"rms {values.square().mean().sqrt():.3f}")
    print(name, "cosine of the two pictures", unit[0] @ unit[1])
    with open(f"fixtures/golden/image/{name}.json", "w") as out:
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items()]
        out.write("{\n" + ",\n".join(lines) + "\n}\n")


imagenet = prepare(InterpolationMode.BILINEAR, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
lite = prepare(InterpolationMode.BICUBIC, [127 / 255] * 3, [128 / 255] * 3)
# From -1 to 1. For InceptionV3 torchvision's `transform_input` makes the same of what it makes of pictures otherwise.
half = prepare(InterpolationMode.BILINEAR, [0.5] * 3, [0.5] * 3)
larger = prepare(InterpolationMode.BILINEAR, [0.5] * 3, [0.5] * 3, 342, 299)
write("resnet50", ResNet50(), imagenet)
write("efficientnet-lite0", EfficientNetLite0(), lite)
write("inceptionv3", InceptionV3(), larger)
write("mobilenet-v1", MobileNetV1(), half)
write("alexnet", AlexNet(), imagenet)
