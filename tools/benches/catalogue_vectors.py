"""Draws unit vectors with the structure of a catalogue's embeddings, from a seed.

Product families of uneven size, lines within a family, few directions in which a line's products differ, all seen through a
smooth non-linear map into the full dimension: pooled features of a picture network are nonnegative and skewed, those of a
text network share an offset. Independent noise would have no neighbours worth finding.
"""

import os

import numpy as np

LATENT, HIDDEN, FAMILIES, LINES = 40, 256, 60, 1500


def draw(rows, dimension, pictures, seed=1):
    """Yields blocks of unit vectors."""
    rng = np.random.default_rng(seed)
    normal = lambda *shape: rng.standard_normal(shape, dtype=np.float32)
    family = normal(FAMILIES, LATENT)
    line = family[rng.integers(0, FAMILIES, LINES)] + 0.7 * normal(LINES, LATENT)
    spread = np.exp(rng.normal(-0.35, 0.35, LINES)).astype(np.float32)
    directions = normal(LINES, LATENT // 2, LATENT) / np.sqrt(LATENT / 2, dtype=np.float32)
    share = np.arange(1, LINES + 1) ** -0.7
    inward, outward = normal(LATENT, HIDDEN) / LATENT**0.5, normal(HIDDEN, dimension) / HIDDEN**0.5
    straight = 0.4 * normal(LATENT, dimension) / LATENT**0.5
    gain, offset = np.exp(0.5 * normal(dimension)), 0.4 * normal(dimension) - (0.9 if pictures else 0)
    for start in range(0, rows, 5000):
        count = min(5000, rows - start)
        of = rng.choice(LINES, count, p=share / share.sum())
        within = np.einsum("nr,nrl->nl", normal(count, LATENT // 2), directions[of]) + 0.35 * normal(count, LATENT)
        latent = line[of] + spread[of, None] * within
        x = np.tanh(latent @ inward * 1.2) @ outward + latent @ straight + offset + 0.15 * normal(count, dimension)
        x = (np.maximum(x, 0) if pictures else x) * gain
        yield (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def raw_files(base, queries, rows, asked, dimension, pictures):
    """`rows` such vectors in one file of raw little-endian f32 and `asked` more of the same catalogue in another, drawn once and kept."""
    if base.exists() and queries.exists():
        return
    base.parent.mkdir(parents=True, exist_ok=True)
    partial = base.with_suffix(".partial")
    with open(partial, "w+b") as file:
        for block in draw(rows + asked, dimension, pictures):
            file.write(block.astype("<f4").tobytes())
        file.seek(rows * dimension * 4)
        queries.write_bytes(file.read())
        file.truncate(rows * dimension * 4)
    os.replace(partial, base)
