#!/usr/bin/python3
"""PyTorch's side of the training step in `tools/bench train`.

    train_step_peer.py CNN WEIGHTS THREADS BATCH SIDE

Answers each line `COUNT` with the last loss after so many steps, `losses COUNT` with all of them. WEIGHTS is what our worker wrote: a line of JSON with names and shapes, and then the values.
"""
import json
import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[1] / "golden"))
from taste_networks import Networks

cnn, weights, threads, batch, side = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
torch.set_num_threads(threads)

with open(weights, "rb") as file:
    shapes = json.loads(file.readline())
    values = torch.frombuffer(bytearray(file.read()), dtype=torch.float32)
parameters, start = {}, 0
for name, shape in shapes:
    count = torch.Size(shape).numel()
    parameters[name] = torch.nn.Parameter(values[start : start + count].reshape(shape).clone())
    start += count


network = getattr(Networks(parameters), cnn.replace("-", "_"))
count = torch.arange(batch * 3 * side * side)
pictures = (count * 37 % 255).float().div(127).sub(1).reshape(batch, 3, side, side)
adam = torch.optim.AdamW(parameters.values(), lr=1e-5, weight_decay=0.01)
print(json.dumps({"parameters": start}), flush=True)
for line in sys.stdin:
    losses = []
    for _ in range(int(line.split()[-1])):
        adam.zero_grad(set_to_none=True)
        loss = (network(pictures) - 1).square().mean()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    print(json.dumps(losses if line.startswith("losses") else losses[-1]), flush=True)
