#!/usr/bin/python3
"""Writes what PyTorch makes of the operations that we train with, their gradients and optimiser steps, to
fixtures/golden/train/operations.json; and of the networks, thin ones, with one step of Adam, to networks.json.

Inputs, parameters and the gradient that flows back are drawn by their names (seeded.py), and of every result only the
values at fixed places are kept. Run from the repository root with Debian's python3-torch.
"""
import json

import torch
import torch.nn.functional as F
from seeded import parameter, samples
from taste_networks import Networks, same


def draw(name, shape):
    return torch.from_numpy(parameter(name, shape).copy()).double().requires_grad_()


def conv(x, w, b, case):
    x = same(x, case["kernel"], case["stride"]) if case["padding"] == "same" else x
    padding = 0 if case["padding"] == "same" else case["padding"]
    y = F.conv2d(x, w, b, case["stride"], padding)
    return F.relu(y) if case["relu"] else y


def transposed(x, w, b, case):
    return F.conv_transpose2d(x, w, b, case["stride"], case["padding"], case["beyond"])


def dense(x, w, b, case):
    y = F.linear(x, w, b)
    return F.relu(y) if case["relu"] else y


def pool(x, case):
    if case["even"]:
        return (F.adaptive_max_pool2d if case["max"] else F.adaptive_avg_pool2d)(x, case["even"])
    if case["max"]:
        return F.max_pool2d(x, case["kernel"], case["stride"], case["padding"])
    return F.avg_pool2d(x, case["kernel"], case["stride"], case["padding"], count_include_pad=False)


OPERATIONS = {
    "conv": conv,
    "transposed": transposed,
    "dense": dense,
    "pool": pool,
    "batch-norm": lambda x, w, b, case: F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5),
    "layer-norm": lambda x, w, b, case: F.layer_norm(x, w.shape, w, b, 1e-5),
    "softmax": lambda x, case: F.softmax(x, -1),
    "log-sigmoid": lambda x, case: F.logsigmoid(x),
}

cases = []
for x, outputs, kernel, stride, padding, relu in [
    ([2, 3, 11, 9], 5, 3, 1, 1, False),
    ([3, 2, 10, 13], 4, 5, 2, 2, True),
    ([2, 3, 35, 30], 6, 11, 4, "same", True),
    ([1, 4, 7, 7], 3, 1, 2, 0, False),
    ([20, 40, 4, 4], 33, 3, 1, "same", True),
]:
    case = {"op": "conv", "kernel": kernel, "stride": stride, "padding": padding, "relu": relu}
    cases.append(case | {"shapes": [x, [outputs, x[1], kernel, kernel], [outputs]]})
for x, outputs, kernel, stride, padding, beyond in [
    ([2, 5, 6, 4], 3, 3, 1, 0, 0),
    ([3, 4, 5, 7], 2, 3, 2, 1, 1),
    ([2, 3, 5, 5], 4, 4, 3, 0, 0),
]:
    case = {"op": "transposed", "kernel": kernel, "stride": stride, "padding": padding, "beyond": beyond}
    cases.append(case | {"shapes": [x, [x[1], outputs, kernel, kernel], [outputs]]})
for rows, inputs, outputs, relu in [(3, 7, 5, False), (40, 600, 33, True), (5, 33, 700, False)]:
    cases.append({"op": "dense", "relu": relu, "shapes": [[rows, inputs], [outputs, inputs], [outputs]]})
for x, largest, kernel, stride, padding, even in [
    ([2, 3, 8, 6], True, 2, 2, 0, 0),
    ([2, 2, 13, 11], True, 3, 2, 0, 0),
    ([1, 3, 9, 10], True, 3, 2, 1, 0),
    ([2, 2, 7, 9], False, 2, 2, 0, 0),
    ([1, 2, 11, 8], False, 3, 2, 1, 0),
    ([2, 2, 13, 5], False, 0, 0, 0, 6),
    ([2, 2, 7, 4], True, 0, 0, 0, 3),
]:
    case = {"op": "pool", "max": largest, "kernel": kernel, "stride": stride, "padding": padding}
    cases.append(case | {"even": even, "shapes": [x]})
for x in [[4, 3, 5, 7], [9, 6]]:
    cases.append({"op": "batch-norm", "shapes": [x, [x[1]], [x[1]]]})
cases.append({"op": "layer-norm", "shapes": [[3, 4, 33], [33], [33]]})
cases.append({"op": "softmax", "shapes": [[5, 3, 19]]})
cases.append({"op": "log-sigmoid", "shapes": [[7, 9]]})

for number, case in enumerate(cases):
    names = ["x", "weight", "bias"]
    inputs = [draw(f"{number}.{name}", shape) for name, shape in zip(names, case["shapes"])]
    y = OPERATIONS[case["op"]](*inputs, case)
    y.backward(draw(f"{number}.dy", list(y.shape)).detach())
    case["shape"] = list(y.shape)
    case["y"] = samples(y.detach().numpy())
    case["gradients"] = [samples(x.grad.numpy()) for x in inputs]


def steps(make, sparse=False):
    """A 6 x 4 parameter after each of five steps along drawn gradients."""
    parameter_ = torch.nn.Parameter(draw("theta.weight", [6, 4]).detach().float())
    optimiser = make([parameter_])
    found = []
    for step in range(5):
        gradient = draw(f"gradient.{step}", [6, 4]).detach().float()
        if sparse:
            rows = torch.tensor([[step % 6, 2, step % 6]])
            gradient = torch.sparse_coo_tensor(rows, gradient[:3], (6, 4))
        parameter_.grad = gradient
        optimiser.step()
        found.append([float(f"{x:.8g}") for x in parameter_.detach().flatten()])
    return found


optimisers = {
    "adam": steps(lambda p: torch.optim.Adam(p, lr=0.01)),
    # Our penalty is lambda |theta|^2, PyTorch's weight decay half of that.
    "penalty": steps(lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.2)),
    "shrink": steps(lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1)),
    "sparse": steps(lambda p: torch.optim.SparseAdam(p, lr=0.01), sparse=True),
}
with open("fixtures/golden/train/operations.json", "w") as out:
    lines = ",\n".join(json.dumps(case) for case in cases)
    rules = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in optimisers.items())
    out.write(f'{{"cases": [\n{lines}\n],\n"optimisers": {{\n{rules}\n}}}}\n')

# Names and shapes as our own thin networks have them.
NETWORKS = {
    "cnn-f": ([3, 3, 40, 40], {
        "conv1": [4, 3, 11, 11], "conv2": [16, 4, 5, 5], "conv3": [16, 16, 3, 3], "conv4": [16, 16, 3, 3],
        "conv5": [16, 16, 3, 3], "full6": [256, 64], "full7": [256, 256], "full8": [5, 256],
    }),
    "alexnet": ([2, 3, 80, 80], {
        "features.0": [4, 3, 11, 11], "features.3": [12, 4, 5, 5], "features.6": [24, 12, 3, 3],
        "features.8": [16, 24, 3, 3], "features.10": [16, 16, 3, 3],
        "classifier.1": [256, 576], "classifier.4": [256, 256], "classifier.6": [5, 256],
    }),
    "autoencoder": ([3, 3, 16, 16], {
        "encoder.0": [16, 3, 3, 3], "encoder.1": [8, 16, 3, 3], "encoder.2": [8, 8, 3, 3],
        "decoder.0": [8, 8, 3, 3], "decoder.1": [8, 16, 3, 3], "decoder.2": [16, 3, 3, 3],
    }),
}
networks = {}
for name, (shape, layers) in NETWORKS.items():
    # Fully connected weights are drawn as 1 + u / 4, which would drown everything: they are made small and balanced.
    def drawn(layer, size):
        value = draw(f"{name}.{layer}.weight", size).detach()
        return (value - 1) * 0.2 if len(size) == 2 else value

    parameters = {}
    for layer, size in layers.items():
        outputs = size[1] if layer.startswith("decoder") else size[0]
        parameters[f"{layer}.weight"] = drawn(layer, size).requires_grad_()
        parameters[f"{layer}.bias"] = draw(f"{name}.{layer}.bias", [outputs])
    adam = torch.optim.Adam(parameters.values(), lr=0.001)
    y = getattr(Networks(parameters), name.replace("-", "_"))(draw(f"{name}.x", shape).detach())
    loss = (y - 1).square().mean()
    loss.backward()
    gradients = {key: samples(value.grad.numpy()) for key, value in parameters.items()}
    adam.step()
    after = {key: samples(value.detach().numpy()) for key, value in parameters.items()}
    print(name, float(loss), float(y.abs().mean()))
    networks[name] = {"shape": shape, "loss": float(loss), "y": samples(y.detach().numpy())}
    networks[name] |= {"gradients": gradients, "after": after}
with open("fixtures/golden/train/networks.json", "w") as out:
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in networks.items())
    out.write("{\n" + lines + "\n}\n")
