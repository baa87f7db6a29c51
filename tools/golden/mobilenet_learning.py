#!/usr/bin/python3
"""Writes what PyTorch makes of a learning MobileNet-v1 to fixtures/golden/train/mobilenet.json: with 22 layers frozen and with
none, what comes out of it, the gradients of all parameters that learn, these after a step of Adam, and the running statistics.

A small one: one in 32 of the channels, pictures of 64 pixels. Weights and pictures are drawn by their names (seeded.py).
Run from the repository root with Debian's python3-torch.
"""
import json

import torch
from mobilenet_v1 import PAIRS, Layer
from seeded import parameter, samples
from torch import nn

THIN, SIDE, PICTURES = 32, 64, 5


class Thin(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_stem = Layer(3, 32 // THIN, 3, 2)
        layers, inputs = [], 32 // THIN
        for stride, outputs in PAIRS:
            outputs //= THIN
            layers += [Layer(inputs, inputs, 3, stride, inputs), Layer(inputs, outputs, 1, 1)]
            inputs = outputs
        self.layer = nn.ModuleList(layers)

    def forward(self, x, frozen):
        for number, layer in enumerate([self.conv_stem, *self.layer]):
            learns = number >= frozen
            layer.train(learns).requires_grad_(learns)
            x = layer(x)
        return x.mean((2, 3))


def draw(name, shape):
    return torch.from_numpy(parameter(name, shape).copy())


pictures = 3 * draw("mobilenet.pictures", [PICTURES * 3 * SIDE, SIDE]).reshape(PICTURES, 3, SIDE, SIDE).double()
cases = {}
for frozen in (22, 0):
    network = Thin()
    state = network.state_dict()
    kept = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    network.load_state_dict(state | {key: draw(key, list(value.shape)) for key, value in kept.items()})
    network.double()
    y = network(pictures, frozen)
    learned = {key: value for key, value in network.named_parameters() if value.requires_grad}
    adam = torch.optim.Adam(learned.values(), lr=0.001)
    weights = draw("mobilenet.dy", list(y.shape)).double()
    (y * weights).sum().backward()
    gradients = {key: samples(value.grad.numpy(), 6) for key, value in learned.items()}
    adam.step()
    print(frozen, float(y.abs().mean()))
    cases[str(frozen)] = {
        "y": samples(y.detach().numpy()),
        "gradients": gradients,
        "after": {key: samples(value.detach().numpy(), 6) for key, value in learned.items()},
        "running": {key: samples(value.numpy(), 6) for key, value in network.named_buffers() if "running" in key},
    }
with open("fixtures/golden/train/mobilenet.json", "w") as out:
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in cases.items())
    out.write("{\n" + lines + "\n}\n")
