#!/usr/bin/python3
"""Golden numbers for the text encoders, from an implementation that shares nothing with ours.

BERT, MPNet and ALBERT in plain PyTorch (padded batches and masks, where ours has neither), and word pieces and
SentencePiece's unigrams in plain Python, written from the papers. Usage:

    text.py                      seeded networks           -> fixtures/golden/text/{bert,mpnet,...}.json
    text.py NAME CHECKPOINT_DIR  a real one, e.g. all-minilm-l6-v2 -> fixtures/golden/text/NAME.json

Needs Debian's python3-torch and python3-numpy. The weights of the seeded networks are a function of
each tensor's name (`seeded` here, `seeded` in src/encode/text/tests), so that no file carries them.
"""

import json
import math
import re
import struct
import sys
import unicodedata
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F

OUT = Path(__file__).resolve().parents[2] / "fixtures/golden/text"

TITLES = [
    "That is a happy person",
    "That is a happy dog",
    "That is a very happy person",
    "Today is a sunny day",
    "Men Navy Blue Solid Slim-Fit Casual Shirt, 100% cotton (2-pack)",
    "café crème jaquard PULLOVER — Größe XL, naïve façade",
    "女士 连衣裙 red dress 2024 春",
    "🎁 gift mug £9.99 / €11,50 \u200b\u00ad no-break\u00a0space\ttab\nnewline",
    "supercalifragilisticexpialidocious " + "x" * 101 + " antidisestablishmentarianism",
    "",
    "?!... ---",
    "waterproof hiking boot with a very long description " * 40,
]


# -- word pieces ---------------------------------------------------------------------------------


def is_punctuation(c):
    ascii_symbol = 33 <= ord(c) <= 47 or 58 <= ord(c) <= 64 or 91 <= ord(c) <= 96 or 123 <= ord(c) <= 126
    return ascii_symbol or unicodedata.category(c).startswith("P")


def is_han(c):
    ranges = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
              (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]
    return any(a <= ord(c) <= b for a, b in ranges)


def words(text):
    """BERT's uncased basic tokenizer: clean, lower-case, strip accents, split at spaces and marks."""
    clean = []
    for c in text:
        if c in "\t\n\r" or unicodedata.category(c) == "Zs":
            clean.append(" ")
        elif c == "\0" or c == "\ufffd" or unicodedata.category(c).startswith("C"):
            continue
        else:
            clean.append(f" {c} " if is_han(c) else c)
    lowered = "".join(clean).lower()
    bare = "".join(c for c in unicodedata.normalize("NFD", lowered) if unicodedata.category(c) != "Mn")
    return "".join(f" {c} " if is_punctuation(c) else c for c in bare).split()


def pieces(word, vocabulary):
    """Longest match first; a word that cannot be covered, or is too long, is unknown as a whole."""
    if len(word) > 100:
        return ["[UNK]"]
    found, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocabulary:
                found.append(piece)
                start = end
                break
        else:
            return ["[UNK]"]
    return found


def word_pieces(text, vocabulary):
    return [p for w in words(text) for p in pieces(w, vocabulary)]


def framed(found, vocabulary, start, end, limit):
    return [vocabulary[p] for p in [start] + found[: limit - 2] + [end]]


def unigrams(text, scores):
    """ALBERT's pieces: of all ways to cover a word, the one whose pieces' scores have the largest sum.

    What no piece covers is unknown, at a price below that of any piece; neighbours of that sort are one.
    """
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn").lower()
    spaced = re.sub(" +", "▁", bare)
    found = []
    for word in re.findall("▁[^▁]*", spaced if spaced.startswith("▁") or not spaced else "▁" + spaced):
        best = [(0.0, [])]
        for end in range(1, len(word) + 1):
            ways = [(best[at][0] + scores[word[at:end]], best[at][1] + [word[at:end]]) for at in range(end) if word[at:end] in scores]
            if word[end - 1] not in scores:
                ways.append((best[end - 1][0] + min(scores.values()) - 10, best[end - 1][1] + ["<unk>"]))
            best.append(max(ways, key=lambda way: way[0]))
        cover = best[-1][1]
        found += [piece for n, piece in enumerate(cover) if not (n and piece == cover[n - 1] == "<unk>")]
    return found


def unigram_tokenizer(pieces, special):
    """What `transformers` writes for an ALBERT, but for its table of rare characters."""
    template = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    frame = {t: {"id": t, "ids": [special.index(t)], "tokens": [t]} for t in ("[CLS]", "[SEP]")}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": n, "content": t} | flags for n, t in enumerate(special)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "post_processor": {"type": "TemplateProcessing", "single": template, "pair": template, "special_tokens": frame},
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 1, "vocab": [[t, 0.0] for t in special] + [list(p) for p in pieces.items()], "byte_fallback": False},
    }


# -- networks ------------------------------------------------------------------------------------


def bucket(distance, buckets=32, furthest=128):
    """Relative position bucket of `key - query`, as MPNet (and T5) define it."""
    half = buckets // 2
    offset, n = (half if distance > 0 else 0), abs(distance)
    exact = half // 2
    if n < exact:
        return offset + n
    steps = torch.log(torch.tensor(n).float() / exact) / math.log(furthest / exact) * (half - exact)
    return offset + min(exact + int(steps.long()), half - 1)


def network(config, get, batch):
    """All hidden states (embeddings first), batch x longest x hidden, and the mask."""
    mpnet, albert = (config["model_type"] == name for name in ("mpnet", "albert"))
    pad = config["pad_token_id"]
    longest = max(map(len, batch))
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch])
    hidden, heads, eps = config["hidden_size"], config["num_attention_heads"], config["layer_norm_eps"]
    norm = lambda x, name: F.layer_norm(x, x.shape[-1:], get(name + ".weight"), get(name + ".bias"), eps)
    linear = lambda x, name: F.linear(x, get(name + ".weight"), get(name + ".bias"))
    e = "embeddings."
    if mpnet:
        real = ids.ne(pad).long()
        places = torch.cumsum(real, 1) * real + pad
        x = get(e + "word_embeddings.weight")[ids] + get(e + "position_embeddings.weight")[places]
        table = torch.tensor([[bucket(k - q) for k in range(longest)] for q in range(longest)])
        distance = get("encoder.relative_attention_bias.weight")[table].permute(2, 0, 1)
    else:
        x = get(e + "word_embeddings.weight")[ids] + get(e + "token_type_embeddings.weight")[0]
        x = x + get(e + "position_embeddings.weight")[torch.arange(longest)]
        distance = 0
    x = norm(x, e + "LayerNorm")
    if albert:
        x = linear(x, "encoder.embedding_hidden_mapping_in")
    states = [x]
    hide = (1 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
    split = lambda x: x.view(len(batch), longest, heads, -1).transpose(1, 2)
    for n in range(config["num_hidden_layers"]):
        layer, (q, k, v, output, attention_norm, up, down, last_norm) = parts(config, n)
        q, k, v = (split(linear(x, layer + name)) for name in (q, k, v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(hidden / heads) + distance + hide
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(len(batch), longest, hidden)
        x = norm(linear(mixed, layer + output) + x, layer + attention_norm)
        act = {"gelu": F.gelu, "relu": F.relu, "gelu_new": tanh_gelu}[config["hidden_act"]]
        x = norm(linear(act(linear(x, layer + up)), layer + down) + x, layer + last_norm)
        states.append(x)
    return states, mask


def parts(config, n):
    """Where the parameters of layer `n` lie, and what they are called there."""
    kind = config["model_type"]
    if kind == "albert":
        group = n * config["num_hidden_groups"] // config["num_hidden_layers"]
        names = [f"attention.{p}" for p in ("query", "key", "value", "dense", "LayerNorm")]
        layer = f"encoder.albert_layer_groups.{group}.albert_layers.0."
        return layer, names + ["ffn", "ffn_output", "full_layer_layer_norm"]
    if kind == "mpnet":
        names = [f"attention.attn.{p}" for p in "qkvo"] + ["attention.LayerNorm"]
    else:
        names = [f"attention.{p}" for p in ("self.query", "self.key", "self.value", "output.dense", "output.LayerNorm")]
    return f"encoder.layer.{n}.", names + ["intermediate.dense", "output.dense", "output.LayerNorm"]


def tanh_gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def pool(x, mask, mode):
    m = mask[:, :, None].float()
    if mode == "cls":
        return x[:, 0]
    if mode == "max":
        return x.masked_fill(m == 0, -math.inf).amax(1)
    return (x * m).sum(1) / (m.sum(1) if mode == "mean" else m.sum(1).sqrt())


# -- weights -------------------------------------------------------------------------------------


def seeded(name, shape):
    """Uniform values that depend on the tensor's name alone: FNV-1a for the seed, then SplitMix64."""
    with numpy.errstate(over="ignore"):
        seed = 0xCBF29CE484222325
        for byte in name.encode():
            seed = ((seed ^ byte) * 0x100000001B3) % 2**64
        z = numpy.uint64(seed) + numpy.arange(1, math.prod(shape) + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    u = (z >> numpy.uint64(40)).astype(numpy.float32) / numpy.float32(2**23) - numpy.float32(1)
    if "LayerNorm.weight" in name or "layer_norm.weight" in name:
        u = numpy.float32(1) + numpy.float32(0.25) * u
    elif name.endswith(".bias"):
        u = numpy.float32(0.25) * u
    elif "embeddings." not in name and "relative" not in name:
        u = u * numpy.float32(2 ** -(math.log2(shape[-1]) // 2))
    return torch.from_numpy(u.reshape(shape).copy())


def shapes(c):
    h, i = c["hidden_size"], c["intermediate_size"]
    e = c.get("embedding_size", h)
    yield "embeddings.word_embeddings.weight", (c["vocab_size"], e)
    yield "embeddings.position_embeddings.weight", (c["max_position_embeddings"], e)
    if c["model_type"] == "mpnet":
        yield "encoder.relative_attention_bias.weight", (32, c["num_attention_heads"])
    else:
        yield "embeddings.token_type_embeddings.weight", (2, e)
    norms, linears = [("embeddings.LayerNorm", e)], []
    if c["model_type"] == "albert":
        linears.append(("encoder.embedding_hidden_mapping_in", e, h))
    # Layers may share their parameters.
    for layer, names in dict(parts(c, n) for n in range(c["num_hidden_layers"])).items():
        q, k, v, output, attention_norm, up, down, last_norm = (layer + name for name in names)
        linears += [(name, h, h) for name in (q, k, v, output)] + [(up, h, i), (down, i, h)]
        norms += [(attention_norm, h), (last_norm, h)]
    for name, width in norms:
        yield name + ".weight", (width,)
        yield name + ".bias", (width,)
    for name, inputs, outputs in linears:
        yield name + ".weight", (outputs, inputs)
        yield name + ".bias", (outputs,)


def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    of = lambda t: numpy.frombuffer(data, "<f4", math.prod(t["shape"]), 8 + size + t["data_offsets"][0])
    return {n: torch.from_numpy(of(t).reshape(t["shape"]).copy()) for n, t in header.items() if t["dtype"] == "F32"}


# -- what is written -----------------------------------------------------------------------------

SMALL = ["a", "b", "c", "d", "e", "f", "o", "r", "s", "t", "##a", "##b", "##c", "##d", "##e", "##f", "##o", "##r",
         "##s", "##t", "red", "boot", "##ed", "##boot", "dress", "shoe", "##s's", "-", ",", "'", "1", "##1", "裙"]
# Scores as of a trained model: longer pieces cost more than one letter and less than their letters.
UNIGRAMS = {piece: -(2.0 + 0.37 * n % 1.9 + 1.3 * len(piece) ** 0.5) for n, piece in enumerate(
    ["▁", *"abcdefnorst1-,'", "▁red", "▁boot", "▁b", "ed", "oo", "boot", "▁dress", "ess", "▁shoe", "s's", "▁cat", "at", "11"])}
SMALL_TEXTS = ["red boots", "Rèd bootéd, dress-shoe's 裙1", "", "boot", "cat", "red cab 11 bat " * 3,
               "zebra é bored", "dress " * 200]


def rounded(x):
    return [[float(f"{v:.7g}") for v in row] for row in x.tolist()]


def small(name, changes, limit, texts=SMALL_TEXTS, layers=(0, 1), tail=None):
    mpnet, albert = (changes["model_type"] == name for name in ("mpnet", "albert"))
    special = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"] if mpnet else ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"] if albert else special
    vocabulary = {piece: n for n, piece in enumerate(special + list(UNIGRAMS if albert else SMALL))}
    config = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
              "hidden_act": "gelu", "layer_norm_eps": 1e-5 if mpnet else 1e-12, "pad_token_id": 1 if mpnet else 0,
              "vocab_size": len(vocabulary), "max_position_embeddings": limit + (2 if mpnet else 0)} | changes
    start, end = ("<s>", "</s>") if mpnet else ("[CLS]", "[SEP]")
    cut = (lambda t: unigrams(t, UNIGRAMS)) if albert else lambda t: word_pieces(t, vocabulary)
    ids = [framed(cut(t), vocabulary, start, end, limit) for t in texts]
    weights = {n: seeded(n, s) for n, s in shapes(config)}
    states, mask = network(config, weights.__getitem__, ids)
    pooled = {m: pool(states[-1], mask, m) for m in ("cls", "max", "mean", "mean_sqrt_len")}
    pooled["joined"] = torch.cat([pooled["cls"], pooled["max"], pooled["mean"]], 1)
    if tail:
        dense = torch.tanh(F.linear(F.normalize(pooled["mean"]), seeded("linear.weight", (tail, 32)), seeded("linear.bias", (tail,))))
        pooled["dense"] = dense
    if layers == ():
        pooled = {"mean": pooled["mean"]}
    golden = {
        "config": config, "limit": limit, "vocabulary": list(vocabulary), "texts": texts, "ids": ids,
        "states": [[rounded(state[n, : len(ids[n])]) for state in states] for n in layers],
        "pooled": {m: rounded(F.normalize(p)) for m, p in pooled.items()},
    }
    if albert:
        golden["tokenizer"] = unigram_tokenizer(UNIGRAMS, special)
    if mpnet:
        golden["buckets"] = [[d, bucket(d)] for d in range(-300, 301)]
    write(name, golden)


def write(name, golden):
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")


def real(name, directory):
    config = json.loads((directory / "config.json").read_text())
    limit = json.loads((directory / "sentence_bert_config.json").read_text())["max_seq_length"]
    lines = (directory / "vocab.txt").read_text().split("\n")
    vocabulary = {piece: n for n, piece in enumerate(lines) if piece}
    start, end = ("<s>", "</s>") if config["model_type"] == "mpnet" else ("[CLS]", "[SEP]")
    weights = read_safetensors(directory / "model.safetensors")
    ids = [framed(word_pieces(t, vocabulary), vocabulary, start, end, limit) for t in TITLES]
    with torch.no_grad():
        states, mask = network(config, weights.__getitem__, ids)
    embeddings = F.normalize(pool(states[-1], mask, "mean"))
    print("happy person against", [round(float(embeddings[0] @ e), 3) for e in embeddings[1:4]])
    write(name, {"texts": TITLES, "ids": ids, "embeddings": rounded(embeddings)})


if __name__ == "__main__":
    if len(sys.argv) == 3:
        real(sys.argv[1], Path(sys.argv[2]))
    else:
        small("bert", {"model_type": "bert"}, 40, tail=24)
        small("bert-gelu-new", {"model_type": "bert", "hidden_act": "gelu_new"}, 40, layers=())
        small("mpnet", {"model_type": "mpnet"}, 180)
        shared = {"embedding_size": 16, "num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 1}
        small("albert", {"model_type": "albert", "hidden_act": "gelu_new"} | shared, 40)
        sized = {"hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536, "num_hidden_layers": 6}
        small("bert-minilm-size", {"model_type": "bert"} | sized, 256, SMALL_TEXTS[:4], layers=())
        sized = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072, "num_hidden_layers": 12}
        shared = {"embedding_size": 128, "num_hidden_groups": 1, "inner_group_num": 1, "hidden_act": "gelu_new"}
        small("albert-base-size", {"model_type": "albert"} | sized | shared, 512, SMALL_TEXTS[:4], layers=())
        small("mpnet-base-size", {"model_type": "mpnet"} | sized, 384, SMALL_TEXTS[:4], layers=())
