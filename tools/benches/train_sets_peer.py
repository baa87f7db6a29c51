"""PyTorch's side of the epochs of sets of pictures in `tools/bench train`.

    train_sets_peer.py MODEL FOLDER

Reads what our worker wrote to FOLDER, and answers each line `COUNT` with the mean loss of the last of so many epochs. Sets are
padded and masked, as is usual; what can be made ready before the first epoch is.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

model, folder = sys.argv[1], Path(sys.argv[2])
torch.set_num_threads(1)
torch.manual_seed(1)
rng = np.random.default_rng(1)
shapes = json.loads((folder / "shapes.json").read_text())
load = lambda name: torch.from_numpy(np.fromfile(folder / f"{name}.f32", dtype="<f4").reshape(shapes[name]).copy())
pairs = lambda name: np.fromfile(folder / f"{name}.u32", dtype="<u4").reshape(-1, 2).astype(np.int64)
features, sets = load("features"), pairs("sets")
users, items = shapes["sets"]
rows = [sets[sets[:, 0] == user, 1] for user in range(users)]
longest = max(map(len, rows))
padded, mask = np.zeros((users, longest), np.int64), np.zeros((users, longest), bool)
for user, row in enumerate(rows):
    padded[user, : len(row)], mask[user, : len(row)] = row, True
padded, mask = torch.from_numpy(padded), torch.from_numpy(mask)


def layers(*names):
    """The weights and biases of some layers, which learn."""
    return {f"{name}.{part}": torch.nn.Parameter(load(f"{name}.{part}")) for name in names for part in ("weight", "bias")}


def dense(p, x, name):
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def aggregation():
    """Steps of 64 sets."""
    blocks = {"average": 0, "1": 1, "2": 2, "gated": 2}[model.removeprefix("aggregation-")]
    gated = model.endswith("gated")
    p = layers(*["question"] * (blocks > 1), *["gate"] * gated, "hidden", "output")
    if blocks:
        p["query"] = torch.nn.Parameter(load("query"))
    adam = torch.optim.Adam(p.values(), lr=1e-3)
    labels = torch.zeros(shapes["labels"])
    labels[tuple(torch.from_numpy(pairs("labels").T))] = 1
    weight, scale = torch.tensor(36.0), features.shape[1] ** 0.5

    def block(x, there, queries):
        scores = torch.bmm(x, queries[:, :, None])[:, :, 0].masked_fill(~there, float("-inf"))
        return torch.bmm(F.softmax(scores, -1)[:, None], x)[:, 0]

    def step(some):
        x, there = features[padded[some]], mask[some]
        if blocks == 0:
            pooled = (x * there[:, :, None]).sum(1) / there.sum(1, keepdim=True)
        else:
            pooled = block(x, there, p["query"].expand(len(some), -1))
        if blocks > 1:
            pooled = block(x, there, torch.tanh(dense(p, pooled, "question")))
        if gated:
            pooled = torch.sigmoid(dense(p, pooled, "gate")) * pooled
        logits = dense(p, F.relu(dense(p, scale * pooled, "hidden")), "output")
        loss = F.binary_cross_entropy_with_logits(logits, labels[some], pos_weight=weight)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        return loss.item()

    return lambda: np.mean([step(some) for some in torch.randperm(users).split(64)])


def triples():
    """A triple a pair, in any order; the negative is of none of the user's."""
    taken = np.sort(sets[:, 0] * items + sets[:, 1])
    order = rng.permutation(len(sets))
    people, positives = sets[order].T
    negatives = rng.integers(items, size=len(sets))
    while True:
        asked = people * items + negatives
        wrong = taken[np.searchsorted(taken, asked).clip(max=len(taken) - 1)] == asked
        if not wrong.any():
            return [torch.from_numpy(column).split(128) for column in (people, positives, negatives)]
        negatives[wrong] = rng.integers(items, size=wrong.sum())


def profiles(people, positives):
    """The others of each user's items."""
    rows = padded[people]
    return rows, mask[people] & (rows != positives[:, None])


def bpr(step):
    def epoch():
        parts = list(zip(*triples()))
        return sum(step(*part) * len(part[0]) for part in parts) / len(sets)

    return epoch


def acf():
    within = model == "acf-tiles"
    p = layers("user", "item", "worth", *["tile", "question"] * within)
    if within:
        tiles, p["answer.weight"] = load("tiles"), torch.nn.Parameter(load("answer.weight"))
    adam = torch.optim.Adam(p.values(), lr=1e-3)
    tables = [torch.nn.Embedding.from_pretrained(load(name), freeze=False, sparse=True) for name in ("users", "items")]
    sparse = torch.optim.SparseAdam([table.weight for table in tables], lr=3e-3)
    latent, looks = tables[0].weight.shape[1], features * features.shape[1] ** 0.5

    def step(people, positives, negatives):
        rows, there = profiles(people, positives)
        # Only what is there goes through the layers.
        user, _ = there.nonzero(as_tuple=True)
        flat = rows[there]
        g, profile = tables[0](people), tables[1](flat)
        if within:
            # Each picture goes through its layer once.
            named, place = torch.unique(flat, return_inverse=True)
            keys, contents = dense(p, tiles[named], "tile")[place].chunk(2, -1)
            counts = F.softmax(F.relu(dense(p, g, "question")[user, None] + keys) @ p["answer.weight"], 1)
            seen = dense(p, profile, "item") + torch.bmm(counts[:, None], contents)[:, 0]
        else:
            seen = dense(p, torch.cat([profile, looks[flat]], 1), "item")
        hidden = F.relu(seen + dense(p, g, "user")[user])
        worth = torch.full(there.shape, float("-inf")).masked_scatter(there, dense(p, hidden, "worth")[:, 0])
        weights = F.softmax(worth, -1)[there]
        pooled = torch.zeros_like(g).index_add(0, user, weights[:, None] * profile[:, latent:])
        i, j = tables[1](positives), tables[1](negatives)
        x = ((g + pooled) * (i - j)[:, :latent]).sum(1)
        loss = -F.logsigmoid(x).mean()
        penalty = 0.005 / len(people) * (g.square().sum() + i.square().sum() + j.square().sum() + profile.square().sum())
        for each in (adam, sparse):
            each.zero_grad(set_to_none=True)
        (loss + penalty).backward()
        for each in (adam, sparse):
            each.step()
        return loss.item()

    return bpr(step)


def curatornet():
    p = layers("item.0", "item.1", "user.0", "user.1", "user.2")
    adam = torch.optim.Adam(p.values(), lr=3e-4, weight_decay=2e-5)
    looks = features * features.shape[1] ** 0.5
    through = lambda x, *names: [x := F.selu(dense(p, x, name)) for name in names][-1]

    def step(people, positives, negatives):
        rows, there = profiles(people, positives)
        # Each picture goes through the network once.
        named, place = torch.unique(torch.cat([rows[there], positives, negatives]), return_inverse=True)
        phi = through(looks[named], "item.0", "item.1")
        count, batch = int(there.sum()), len(people)
        own = torch.zeros(*there.shape, dtype=torch.long).masked_scatter(there, place[:count])
        profile = phi[own]
        mean = (profile * there[:, :, None]).sum(1) / there.sum(1, keepdim=True)
        largest = profile.masked_fill(~there[:, :, None], float("-inf")).amax(1)
        users = through(torch.cat([mean, largest], 1), "user.0", "user.1", "user.2")
        i, j = phi[place[count : count + batch]], phi[place[count + batch :]]
        loss = -F.logsigmoid((users * (i - j)).sum(1)).mean()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        return loss.item()

    return bpr(step)


epoch = {"acf": acf, "acf-tiles": acf, "curatornet": curatornet}.get(model, aggregation)()
print(json.dumps({"sets": users}), flush=True)
for line in sys.stdin:
    losses = [epoch() for _ in range(int(line))]
    print(json.dumps(float(losses[-1])), flush=True)
