#!/usr/bin/python3
"""The two networks in plain PyTorch with the weights of our model store, for the peers of `tools/bench index`.

usage: networks.py MODELS OUT    writes OUT/efficientnet-lite0.onnx and OUT/all-minilm-l6-v2.onnx

Runs with Debian's python3-torch, which writes ONNX without further packages. MODELS is the folder that
`lookalike models list` names.
"""

import json
import math
import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.append(str(Path(__file__).parents[1] / "golden"))
from efficientnet_lite import EfficientNetLite0
from text import read_safetensors


class Pictures(nn.Module):
    """Batches of 3 x 224 x 224 to vectors of 1280."""

    def __init__(self, models):
        super().__init__()
        self.network = EfficientNetLite0()
        weights = read_safetensors(models / "efficientnet-lite0" / "model.safetensors")
        self.network.load_state_dict(weights, strict=False)

    def forward(self, x):
        return F.normalize(self.network.stages(x)["embedding"])


class Texts(nn.Module):
    """Token ids and their mask to vectors of 384: BERT with the mean of its last states."""

    def __init__(self, models):
        super().__init__()
        folder = models / "all-minilm-l6-v2"
        self.config = json.loads((folder / "config.json").read_text())
        for name, tensor in read_safetensors(folder / "model.safetensors").items():
            self.register_buffer(name.replace(".", "/"), tensor)

    def linear(self, x, name):
        return F.linear(x, *(getattr(self, f"{name}.{part}".replace(".", "/")) for part in ("weight", "bias")))

    def norm(self, x, name):
        weight, bias = (getattr(self, f"{name}.{part}".replace(".", "/")) for part in ("weight", "bias"))
        return F.layer_norm(x, weight.shape, weight, bias, self.config["layer_norm_eps"])

    def forward(self, ids, mask):
        words, places, types = (getattr(self, f"embeddings/{n}_embeddings/weight") for n in ("word", "position", "token_type"))
        x = self.norm(words[ids] + places[: ids.shape[1]] + types[0], "embeddings.LayerNorm")
        hide = (1 - mask[:, None, None, :].float()) * -1e9
        heads = self.config["num_attention_heads"]
        width = self.config["hidden_size"] // heads
        for n in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{n}"
            states = (self.linear(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value"))
            query, key, value = (s.reshape(*ids.shape, heads, width).transpose(1, 2) for s in states)
            scores = query @ key.transpose(2, 3) / math.sqrt(width) + hide
            mixed = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
            x = self.norm(self.linear(mixed, f"{layer}.attention.output.dense") + x, f"{layer}.attention.output.LayerNorm")
            up = F.gelu(self.linear(x, f"{layer}.intermediate.dense"))
            x = self.norm(self.linear(up, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm")
        weights = mask[:, :, None].float()
        return F.normalize((x * weights).sum(1) / weights.sum(1))


def export(network, name, inputs, axes):
    partial = OUT / f"{name}.partial"
    names = {"input_names": list(axes), "output_names": ["embedding"], "dynamic_axes": axes | {"embedding": {0: "rows"}}}
    torch.onnx.export(network.eval(), inputs, partial, opset_version=17, **names)
    partial.rename(OUT / f"{name}.onnx")


if __name__ == "__main__":
    MODELS, OUT = map(Path, sys.argv[1:])
    OUT.mkdir(parents=True, exist_ok=True)
    # The exporter remarks that paddings become constants: they depend on the sizes of pictures, which never change.
    warnings.filterwarnings("ignore")
    export(Pictures(MODELS), "efficientnet-lite0", torch.zeros(2, 3, 224, 224), {"pixels": {0: "rows"}})
    tokens = torch.ones(2, 5, dtype=torch.long)
    both = {axis: {0: "rows", 1: "tokens"} for axis in ("ids", "mask")}
    export(Texts(MODELS), "all-minilm-l6-v2", (tokens, tokens), both)
