#!/usr/bin/python3
"""Writes the same five small tensors as every kind of file that `Weights` reads, to fixtures/golden/weights/.

Run from the repository root with Debian's python3-torch.
"""
import json
import os
import struct

import torch

OUT = "fixtures/golden/weights"


def tensors():
    """Element i of each tensor is i / 8 - 1 in row-major order, exact in every type used."""

    def ramp(*shape, dtype=torch.float32):
        count = torch.Size(shape).numel()
        return (torch.arange(count, dtype=torch.float32) / 8 - 1).reshape(shape).to(dtype)

    return {
        "conv.weight": ramp(2, 3, 4),
        # The same kind of values, but laid out with strides that are not row-major, inside a larger storage.
        "permuted": ramp(2, 3, 4).permute(2, 0, 1).contiguous().permute(1, 2, 0),
        "window": torch.cat([torch.full((5,), 9.0), ramp(6), torch.full((2,), 9.0)])[5:11],
        "half": ramp(3, 2, dtype=torch.float16),
        "brain": ramp(4, dtype=torch.bfloat16),
        "steps": torch.tensor(7),
    }


def write_safetensors(path, tensors):
    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}
    header, data = {}, b""
    for name, tensor in tensors.items():
        flat = tensor.contiguous().reshape(-1)
        if tensor.dtype == torch.bfloat16:
            flat = flat.view(torch.int16)
        raw = flat.numpy().tobytes()
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)


class Malicious:
    def __reduce__(self):
        return (os.system, ("true",))


def main():
    os.makedirs(OUT, exist_ok=True)
    plain = tensors()
    write_safetensors(f"{OUT}/plain.safetensors", plain)
    torch.save(plain, f"{OUT}/zip.pth")
    torch.save(plain, f"{OUT}/legacy.pth", _use_new_zipfile_serialization=False)
    wrapped = {"module." + name: tensor for name, tensor in plain.items()}
    wrapped["module.conv.weight"] = torch.nn.Parameter(wrapped["module.conv.weight"])
    optimizer = {"state": {0: {"momentum": torch.ones(3, dtype=torch.float64)}}, "lr": 0.1}
    nested = {"epoch": 3, "optimizer": optimizer, "state_dict": wrapped, "best": None}
    torch.save(nested, f"{OUT}/nested.pth")
    torch.save(nested, f"{OUT}/nested-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"weight": plain["half"], "oops": Malicious()}, f"{OUT}/calls.pth")
    torch.save(torch.nn.Linear(2, 2), f"{OUT}/module.pth")


main()
