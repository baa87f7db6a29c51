#!/usr/bin/python3
"""Writes what PyTorch makes of the four aggregation networks to fixtures/golden/train/aggregation.json: on three sets of
pictures, what is said of every category, the weighted loss, its gradients and the parameters after one step of Adam.

Sets are padded to the longest and masked here, the usual way, where ours lie one after the other. Inputs and parameters
are drawn by their names (seeded.py). Run from the repository root with Debian's python3-torch.
"""
import json

import torch
import torch.nn.functional as F
from seeded import parameter, samples

LENGTHS, K, HIDDEN, CATEGORIES, WEIGHT = [5, 1, 7], 11, 13, 9, 36.0


def draw(name, shape):
    return torch.from_numpy(parameter(name, shape).copy()).double()


features = F.normalize(draw("aggregation.features", [sum(LENGTHS), K]), dim=1)
labels = (draw("aggregation.labels", [len(LENGTHS), CATEGORIES]) > 0.3).double()
padded = torch.zeros(len(LENGTHS), max(LENGTHS), K, dtype=torch.double)
mask = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.bool)
start = 0
for n, length in enumerate(LENGTHS):
    padded[n, :length] = features[start : start + length]
    mask[n, :length] = True
    start += length
scale = K**0.5


def block(queries):
    scores = (padded * queries[:, None, :]).sum(-1).masked_fill(~mask, float("-inf"))
    return (F.softmax(scores, -1)[:, :, None] * padded).sum(1)


def forward(p, blocks, gated):
    pooled = padded.sum(1) / mask.sum(1, keepdim=True)
    if blocks > 0:
        pooled = block(p["query"].expand(len(LENGTHS), K))
    if blocks > 1:
        pooled = block(torch.tanh(F.linear(pooled, p["question.weight"], p["question.bias"])))
    if gated:
        pooled = torch.sigmoid(F.linear(pooled, p["gate.weight"], p["gate.bias"])) * pooled
    hidden = F.relu(F.linear(scale * pooled, p["hidden.weight"], p["hidden.bias"]))
    return F.linear(hidden, p["output.weight"], p["output.bias"])


cases = {}
for name, blocks, gated in [
    ("aggregation-average", 0, False), ("aggregation-1", 1, False),
    ("aggregation-2", 2, False), ("aggregation-gated", 2, True),
]:
    shapes = {"query": [1, K]} if blocks > 0 else {}
    shapes |= {"question.weight": [K, K], "question.bias": [K]} if blocks > 1 else {}
    shapes |= {"gate.weight": [K, K], "gate.bias": [K]} if gated else {}
    shapes |= {"hidden.weight": [HIDDEN, K], "hidden.bias": [HIDDEN]}
    shapes |= {"output.weight": [CATEGORIES, HIDDEN], "output.bias": [CATEGORIES]}
    parameters = {key: draw(f"{name}.{key}", shape).requires_grad_() for key, shape in shapes.items()}
    adam = torch.optim.Adam(parameters.values(), lr=0.001)
    logits = forward(parameters, blocks, gated)
    loss = F.binary_cross_entropy_with_logits(logits, labels, pos_weight=torch.tensor(WEIGHT))
    loss.backward()
    gradients = {key: samples(value.grad.numpy()) for key, value in parameters.items()}
    adam.step()
    print(name, float(loss))
    cases[name] = {
        "shapes": shapes,
        "logits": samples(logits.detach().numpy()),
        "loss": float(loss),
        "gradients": gradients,
        "after": {key: samples(value.detach().numpy()) for key, value in parameters.items()},
    }
with open("fixtures/golden/train/aggregation.json", "w") as out:
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in cases.items())
    out.write("{\n" + lines + "\n}\n")
