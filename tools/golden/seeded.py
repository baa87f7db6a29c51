"""Pictures and weights that the tests can make again from nothing, so that neither need be kept.

The counterpart in Rust is src/encode/image/seeded.rs; both must give the same bits.
"""
import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def splitmix(seed, count):
    """The first `count` outputs of the splitmix64 generator."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def fnv(name):
    """FNV-1a, 64 bits: a seed for a name."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def picture(width, height, seed):
    """A gradient, coarse blocks and noise: RGB bytes."""
    x = np.arange(width)[None, :] * np.ones((height, 1), int)
    y = np.arange(height)[:, None] * np.ones((1, width), int)
    gradient = np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) % 256], -1)
    noise = (splitmix(seed, width * height * 3) >> np.uint64(56)).astype(int).reshape(height, width, 3)
    blocks = (splitmix(seed + 1000, 64 * 64 * 3) >> np.uint64(56)).astype(int).reshape(64, 64, 3)
    return ((gradient + 2 * blocks[y // 32, x // 32] + noise) // 4).astype(np.uint8)


def parameter(name, shape):
    """One tensor of a network, by its name and shape.

    Convolutions and linear layers have He's variance, so that activations neither vanish nor explode; the last batch norm of
    a ResNet's branch is weaker, so that the sums do not either. Biases are small, or they would drown the
    picture.
    """
    count = int(np.prod(shape))
    u = (splitmix(fnv(name), count) >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    f = np.float32
    if len(shape) >= 2:
        values = u * f(np.sqrt(6 / np.prod(shape[1:])))
    elif name.endswith("running_var"):
        values = f(1) + f(0.5) * u
    elif name.endswith("weight"):
        strength = f(0.5) if name.endswith("bn3.weight") else f(1)
        values = strength * (f(1) + f(0.25) * u)
    else:
        values = f(0.0625) * u
    return values.reshape(shape)


def samples(array, count=32):
    """Values at fixed places of an array of any size."""
    flat = array.reshape(-1)
    return [float(f"{flat[int(i)]:.8g}") for i in splitmix(0, count) % np.uint64(flat.size)]
