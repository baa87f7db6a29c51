#!/usr/bin/python3
"""The networks of the comparisons in plain PyTorch, from model directories like those of our store.

    networks.py seeded NAME DIRECTORY    makes such a directory; its weights are a function of the tensors' names
    networks.py onnx DIRECTORY FILE      writes the network of a directory as ONNX

Runs with Debian's python3-torch, which writes ONNX without further packages. `lookalike models list` names the store's
folder; NAME is resnet50, efficientnet-lite0, minilm or bert-base.
"""

import json
import math
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.append(str(Path(__file__).parents[1] / "golden"))
import seeded
import text
from efficientnet_lite import EfficientNetLite0


class Pictures(nn.Module):
    """Batches of 3 x 224 x 224 to unit vectors."""

    def __init__(self, network, weights):
        super().__init__()
        self.network = network
        network.load_state_dict(weights, strict=False)

    def forward(self, x):
        found = self.network.stages(x)["last"].mean((2, 3)) if hasattr(self.network, "stages") else self.network(x)
        return F.normalize(found)


class Texts(nn.Module):
    """Token ids and their mask to unit vectors: BERT with the mean of its last states."""

    def __init__(self, config, weights):
        super().__init__()
        self.config = config
        for name, tensor in weights.items():
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


class Bottleneck(nn.Module):
    """A branch of 1x1, 3x3 and 1x1 beside a shortcut, by torchvision's names."""

    def __init__(self, inputs, middle, stride):
        super().__init__()
        conv = lambda i, o, k, s: nn.Conv2d(i, o, k, s, k // 2, bias=False)
        self.conv1, self.bn1 = conv(inputs, middle, 1, 1), nn.BatchNorm2d(middle)
        self.conv2, self.bn2 = conv(middle, middle, 3, stride), nn.BatchNorm2d(middle)
        self.conv3, self.bn3 = conv(middle, 4 * middle, 1, 1), nn.BatchNorm2d(4 * middle)
        same = inputs == 4 * middle
        self.downsample = None if same else nn.Sequential(conv(inputs, 4 * middle, 1, stride), nn.BatchNorm2d(4 * middle))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        y += self.downsample(x) if self.downsample else x
        return F.relu(y, inplace=True)


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for layer, blocks in enumerate((3, 4, 6, 3)):
            middle = 64 << layer
            firsts = [(inputs, 1 + (layer > 0))] + [(4 * middle, 1)] * (blocks - 1)
            setattr(self, f"layer{layer + 1}", nn.Sequential(*(Bottleneck(i, middle, stride) for i, stride in firsts)))
            inputs = 4 * middle

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


PICTURES = {"resnet50": ResNet50, "efficientnet-lite0": EfficientNetLite0}


def sizes(hidden, layers, intermediate):
    """A BERT's config.json."""
    shape = {"hidden_size": hidden, "num_hidden_layers": layers, "intermediate_size": intermediate, "num_attention_heads": 12}
    rest = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "vocab_size": 30522, "max_position_embeddings": 512, "pad_token_id": 0}
    return {"model_type": "bert"} | shape | rest


TEXTS = {"minilm": sizes(384, 6, 1536), "bert-base": sizes(768, 12, 3072)}


def opened(directory):
    """The network of a model directory."""
    weights = text.read_safetensors(directory / "model.safetensors")
    if "embeddings.word_embeddings.weight" in weights:
        network = Texts(json.loads((directory / "config.json").read_text()), weights)
    else:
        network = Pictures(PICTURES["resnet50" if "conv1.weight" in weights else "efficientnet-lite0"](), weights)
    return network.eval()


def make(name, directory):
    """Writes seeded weights, and what goes with them."""
    directory.mkdir(parents=True)
    if name in PICTURES:
        of = {key: tensor.shape for key, tensor in PICTURES[name]().state_dict().items() if tensor.dim() > 0 and "_fc" not in key}
        save(directory, {key: seeded.parameter(key, shape) for key, shape in of.items()})
        return
    config = TEXTS[name]
    (directory / "config.json").write_text(json.dumps(config))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [f"w{number}" for number in range(config["vocab_size"] - len(special))]
    (directory / "vocab.txt").write_text("\n".join(special + words) + "\n")
    save(directory, {key: text.seeded(key, shape).numpy() for key, shape in text.shapes(config)})


def save(directory, tensors):
    """Writes safetensors, which is a header in JSON and the bytes behind it."""
    header, end = {}, 0
    for name, values in tensors.items():
        start, end = end, end + values.nbytes
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [start, end]}
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    with open(directory / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values, "<f4").tobytes())


def export(network, file):
    # The exporter remarks that paddings become constants: they depend on the sizes of pictures, which never change.
    warnings.filterwarnings("ignore")
    if isinstance(network, Texts):
        tokens = torch.ones(2, 5, dtype=torch.long)
        inputs, axes = (tokens, tokens), {axis: {0: "rows", 1: "tokens"} for axis in ("ids", "mask")}
    else:
        inputs, axes = torch.zeros(2, 3, 224, 224), {"pixels": {0: "rows"}}
    partial = file.with_suffix(".partial")
    names = {"input_names": list(axes), "output_names": ["embedding"], "dynamic_axes": axes | {"embedding": {0: "rows"}}}
    torch.onnx.export(network, inputs, partial, opset_version=17, **names)
    partial.rename(file)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["seeded", name, directory]:
            make(name, Path(directory))
        case ["onnx", directory, file]:
            export(opened(Path(directory)), Path(file))
        case _:
            raise SystemExit(__doc__)
