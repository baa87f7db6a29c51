#!/usr/bin/python3
"""Writes what PyTorch makes of ACF and CuratorNet on three triples to fixtures/golden/train/profiles.json: the loss, its
gradients, and the parameters after one step (Adam, without penalty; users' and items' rows by SparseAdam). ACF twice: of
whole pictures, and with attention within them.

Parameters and features are drawn by their names (seeded.py). Run from the repository root with Debian's python3-torch.
"""
import json

import torch
import torch.nn.functional as F
from seeded import parameter, samples

# A triple: user, positive, negative; and the users' profiles.
TRIPLES = [(0, 0, 4), (1, 3, 2), (2, 5, 1)]
PROFILES = [[1, 2], [4], [0, 2, 3]]
ITEMS, FEATURES = 6, 7
TILES, COMPONENTS = 4, 3


def draw(name, shape):
    return torch.from_numpy(parameter(name, shape).copy()).double()


features = F.normalize(draw("profiles.features", [ITEMS, FEATURES]), dim=1) * FEATURES**0.5
tiles = draw("profiles.tiles", [ITEMS, TILES, COMPONENTS])
users, positives, negatives = (torch.tensor(column) for column in zip(*TRIPLES))


def layer(p, name, x):
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def curatornet(p):
    phi = F.selu(layer(p, "item.1", F.selu(layer(p, "item.0", features))))
    profiles = [torch.cat([phi[own].mean(0), phi[own].max(0).values]) for own in PROFILES]
    u = torch.stack(profiles)
    for name in ("user.0", "user.1", "user.2"):
        u = F.selu(layer(p, name, u))
    return (u * (phi[positives] - phi[negatives])).sum(1)


def whole(p, g, own):
    return layer(p, "item", torch.cat([p["items"][own], features[own]], 1))


def within(p, g, own):
    keys, contents = layer(p, "tile", tiles[own]).split(HIDDEN, 2)
    counts = F.softmax(F.relu(layer(p, "question", g) + keys) @ p["answer.weight"], 1)
    return layer(p, "item", p["items"][own]) + (counts[:, :, None] * contents).sum(1)


def acf(p, seen):
    rows = []
    for user, own in zip(users, PROFILES):
        g, q = p["users"][user], p["items"][own, LATENT:]
        hidden = F.relu(layer(p, "user", g) + seen(p, g, own))
        rows.append(g + (F.softmax(layer(p, "worth", hidden), 0) * q).sum(0))
    v = p["items"][:, :LATENT]
    return (torch.stack(rows) * (v[positives] - v[negatives])).sum(1)


LATENT, HIDDEN = 5, 6
TABLES = {"users": [3, LATENT], "items": [ITEMS, 2 * LATENT]}
MODELS = {
    "curatornet": (curatornet, {
        "item.0": (FEATURES, LATENT), "item.1": (LATENT, LATENT), "user.0": (2 * LATENT, HIDDEN),
        "user.1": (HIDDEN, HIDDEN), "user.2": (HIDDEN, LATENT),
    }, {}),
    "acf": (lambda p: acf(p, whole), {
        "user": (LATENT, HIDDEN), "item": (2 * LATENT + FEATURES, HIDDEN), "worth": (HIDDEN, 1),
    }, TABLES),
    "acf.tiles": (lambda p: acf(p, within), {
        "user": (LATENT, HIDDEN), "item": (2 * LATENT, HIDDEN), "tile": (COMPONENTS, 2 * HIDDEN),
        "question": (LATENT, HIDDEN), "answer": HIDDEN, "worth": (HIDDEN, 1),
    }, TABLES),
}
golden = {}
for name, (model, layers, tables) in MODELS.items():
    shapes = {}
    for layer_, size in layers.items():
        match size:
            case (inputs, outputs):
                shapes |= {f"{layer_}.weight": [outputs, inputs], f"{layer_}.bias": [outputs]}
            case values:
                shapes[f"{layer_}.weight"] = [values]
    p = {key: draw(f"{name}.{key}", shape).requires_grad_() for key, shape in (shapes | tables).items()}
    loss = -F.logsigmoid(model(p)).mean()
    loss.backward()
    gradients = {key: samples(value.grad.numpy()) for key, value in p.items()}
    # Every user and every item is in the batch, so that lazy and ordinary Adam are the same.
    torch.optim.Adam(p.values(), lr=0.001).step()
    golden[name] = {
        "shapes": shapes, "tables": tables, "loss": float(loss), "gradients": gradients,
        "after": {key: samples(value.detach().numpy()) for key, value in p.items()},
    }
    print(name, float(loss))
with open("fixtures/golden/train/profiles.json", "w") as out:
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items())
    out.write("{\n" + lines + "\n}\n")
