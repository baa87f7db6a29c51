#!/usr/bin/python3
"""Writes what PyTorch makes of the rating model's networks to fixtures/golden/train/rating.json: both phases' results, losses
and gradients, and the parameters after one step of Adam each, from the same first weights.

Inputs and parameters are drawn by their names (seeded.py). Run from the repository root with Debian's python3-torch.
"""
import json

import torch
import torch.nn.functional as F
from seeded import parameter, samples

BATCH, EMBEDDING, FIRST, SECOND, UNITS, REVIEW = 3, 16, 50, 30, 16, 20


def draw(name, shape):
    return torch.from_numpy(parameter(f"rating.{name}", shape).copy()).double()


SHAPES = {
    "encoder.0.weight": [32, 3, 4, 4], "encoder.0.bias": [32],
    "encoder.1.weight": [16, 32, 3, 3], "encoder.1.bias": [16],
    "decoder.0.weight": [16, 32, 3, 3], "decoder.0.bias": [32],
    "decoder.1.weight": [32, 3, 4, 4], "decoder.1.bias": [3],
    "first.weight": [FIRST, 2 * EMBEDDING], "first.bias": [FIRST],
    "second.weight": [SECOND, FIRST + 32], "second.bias": [SECOND],
    "rating.weight": [1, SECOND + 16], "rating.bias": [1],
    "review.weight": [REVIEW, SECOND + 16], "review.bias": [REVIEW],
}
for look, (question, channels) in enumerate([(FIRST, 32), (SECOND, 16)]):
    SHAPES |= {
        f"look.{look}.key": [UNITS, channels, 1, 1],
        f"look.{look}.question.weight": [UNITS, question], f"look.{look}.question.bias": [UNITS],
        f"look.{look}.worth": [UNITS],
    }
pictures = ((draw("pictures.weight", [BATCH * 3 * 40 * 40]) - 0.75) * 2).reshape(BATCH, 3, 40, 40)
pairs = draw("pairs", [BATCH, 2 * EMBEDDING])
truth = torch.tensor([-1.0, 0.5, 1.0]).double()
vectors = draw("vectors", [BATCH, REVIEW])


def ssim(x, y):
    mean = lambda z: F.avg_pool2d(z, 7, 1)
    ux, uy = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - ux * ux, mean(y * y) - uy * uy, mean(x * y) - ux * uy
    a = (2 * ux * uy + 0.01**2) * (2 * vxy + 0.03**2)
    return (a / ((ux**2 + uy**2 + 0.01**2) * (vx + vy + 0.03**2))).mean()


def look(p, n, hidden, x):
    keys = F.conv2d(x, p[f"look.{n}.key"]).flatten(2)
    question = F.linear(hidden, p[f"look.{n}.question.weight"], p[f"look.{n}.question.bias"])
    e = (p[f"look.{n}.worth"][None, :, None] * torch.tanh(keys + question[:, :, None])).sum(1)
    weights = F.softmax(e, -1)
    return (x.flatten(2) * weights[:, None, :]).sum(-1), weights


def encode(p):
    near = F.relu(F.conv2d(pictures, p["encoder.0.weight"], p["encoder.0.bias"], 3))
    return near, F.relu(F.conv2d(near, p["encoder.1.weight"], p["encoder.1.bias"]))


def phase_one(p):
    made = F.relu(F.conv_transpose2d(encode(p)[1], p["decoder.0.weight"], p["decoder.0.bias"]))
    made = torch.sigmoid(F.conv_transpose2d(made, p["decoder.1.weight"], p["decoder.1.bias"], 3))
    return (1 - ssim(pictures, made)) + (made - pictures).square().mean(), {"made": made}


def phase_two(p):
    near, far = encode(p)
    first = F.relu(F.linear(pairs, p["first.weight"], p["first.bias"]))
    found, a = look(p, 0, first, near)
    second = F.relu(F.linear(torch.cat([first, found], 1), p["second.weight"], p["second.bias"]))
    found, b = look(p, 1, second, far)
    last = torch.cat([second, found], 1)
    ratings = torch.tanh(F.linear(last, p["rating.weight"], p["rating.bias"])).flatten()
    review = F.linear(last, p["review.weight"], p["review.bias"])
    loss = (ratings - truth).square().mean() + 0.5 * (review - vectors).square().mean()
    return loss, {"ratings": ratings, "near": a, "far": b, "review": review}


golden = {"shapes": SHAPES}
for name, phase in [("pictures", phase_one), ("ratings", phase_two)]:
    parameters = {key: draw(key, shape) for key, shape in SHAPES.items()}
    # Strong first weights saturate the hyperbolic tangent and the sigmoid, where everything is alike.
    parameters = {
        key: (0.5 * value if len(SHAPES[key]) > 1 else value).requires_grad_()
        for key, value in parameters.items()
    }
    pairs.grad = None
    pairs.requires_grad_()
    loss, results = phase(parameters)
    loss.backward()
    learned = {key: value for key, value in parameters.items() if value.grad is not None}
    gradients = {key: samples(value.grad.numpy()) for key, value in learned.items()}
    if pairs.grad is not None:
        gradients["pairs"] = samples(pairs.grad.numpy())
    torch.optim.Adam(learned.values(), lr=0.001).step()
    golden[name] = {
        "loss": float(loss),
        "results": {key: samples(value.detach().numpy()) for key, value in results.items()},
        "gradients": gradients,
        "after": {key: samples(value.detach().numpy()) for key, value in learned.items()},
    }
    print(name, float(loss), sorted(learned))
with open("fixtures/golden/train/rating.json", "w") as out:
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items())
    out.write("{\n" + lines + "\n}\n")
