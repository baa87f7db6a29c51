#!/usr/bin/python3
"""PyTorch's side of the rating model's training step.

    rating_step_peer.py THREADS BATCH

Takes so many steps for each line `pictures COUNT` or `ratings COUNT`. Users
and items are sparse embeddings under SparseAdam, as ours are. Runs with Debian's python3-torch.
"""
import json
import sys

import torch
import torch.nn.functional as F
from torch import nn

threads, batch = map(int, sys.argv[1:3])
torch.set_num_threads(threads)


class Look(nn.Module):
    def __init__(self, question, channels):
        super().__init__()
        self.key = nn.Conv2d(channels, 16, 1, bias=False)
        self.question = nn.Linear(question, 16)
        self.worth = nn.Parameter(torch.randn(16))

    def forward(self, hidden, x):
        mixed = torch.tanh(self.key(x).flatten(2) + self.question(hidden)[:, :, None])
        weights = F.softmax((self.worth[None, :, None] * mixed).sum(1), -1)
        return (x.flatten(2) * weights[:, None, :]).sum(-1)


encoder = nn.ModuleList([nn.Conv2d(3, 32, 4, 3), nn.Conv2d(32, 16, 3)])
decoder = nn.ModuleList([nn.ConvTranspose2d(16, 32, 3), nn.ConvTranspose2d(32, 3, 4, 3)])
tower = nn.ModuleList([nn.Linear(32, 50), nn.Linear(82, 30), nn.Linear(46, 1), nn.Linear(46, 768)])
looks = nn.ModuleList([Look(50, 32), Look(30, 16)])
tables = nn.ModuleList([nn.Embedding(batch, 16, sparse=True), nn.Embedding(batch, 16, sparse=True)])
pictures = torch.rand(batch, 3, 40, 40)
numbers = torch.arange(batch)
reviews = torch.randn(batch, 768)
first = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
second = torch.optim.Adam([*encoder.parameters(), *tower.parameters(), *looks.parameters()], lr=1e-3)
sparse = torch.optim.SparseAdam(list(tables.parameters()), lr=1e-3)


def encode():
    near = F.relu(encoder[0](pictures))
    return near, F.relu(encoder[1](near))


def ssim(x, y):
    mean = lambda z: F.avg_pool2d(z, 7, 1)
    ux, uy = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - ux * ux, mean(y * y) - uy * uy, mean(x * y) - ux * uy
    return ((2 * ux * uy + 1e-4) * (2 * vxy + 9e-4) / ((ux**2 + uy**2 + 1e-4) * (vx + vy + 9e-4))).mean()


def phase_one():
    first.zero_grad(set_to_none=True)
    made = torch.sigmoid(decoder[1](F.relu(decoder[0](encode()[1]))))
    (1 - ssim(pictures, made) + (made - pictures).square().mean()).backward()
    first.step()


def phase_two():
    second.zero_grad(set_to_none=True)
    sparse.zero_grad(set_to_none=True)
    near, far = encode()
    one = F.relu(tower[0](torch.cat([tables[0](numbers), tables[1](numbers)], 1)))
    two = F.relu(tower[1](torch.cat([one, looks[0](one, near)], 1)))
    last = torch.cat([two, looks[1](two, far)], 1)
    rating = torch.tanh(tower[2](last)).flatten()
    ((rating - 0.5).square().mean() + 0.5 * (tower[3](last) - reviews).square().mean()).backward()
    second.step()
    sparse.step()


print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    phase, count = line.split()
    for _ in range(int(count)):
        (phase_one if phase == "pictures" else phase_two)()
    print(json.dumps(int(count)), flush=True)
