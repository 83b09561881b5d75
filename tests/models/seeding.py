"""Weights and images made from nothing but names and seeds, so that a network's output can be a literal in a test.

The rule is the one by which the reference runs of the published TF1 code were started: each weight from its TF1 name.
"""

import zlib

import numpy as np


def seed_weights(names, seed=0):
    """Give every variable of {TF1 name: variable} its seeded value."""
    for name, variable in names.items():
        variable.assign(seeded_weight(name, variable.shape, seed))


def seeded_weight(name, shape, seed=0):
    """Kernels N(0, 1 / fan-in), variances and scales around 1, everything else N(0, 0.05): float32 of that shape."""
    name = name.removesuffix("/ExponentialMovingAverage")  # an average starts as a copy of its variable
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    match name.rsplit("/", 1)[-1]:
        case "weights" | "filter":
            value = random.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
        case "moving_variance" | "Squeeze_1":  # Squeeze_1: NN4's variance
            value = 1 + 0.1 * random.random(shape)
        case "scale" | "gamma":
            value = 1 + 0.1 * random.standard_normal(shape)
        case _:
            value = 0.05 * random.standard_normal(shape)
    return value.astype(np.float32)


def seeded_faces(count, size=96):
    """Noise in place of standardised faces: float32 [count, size, size, 3], mean 0, deviation 1."""
    return np.random.default_rng(0).standard_normal((count, size, size, 3)).astype(np.float32)


def fingerprint(names):
    """One number for all names and shapes of {TF1 name: variable}."""
    return zlib.crc32("\n".join(f"{name} {list(names[name].shape)}" for name in sorted(names)).encode())
