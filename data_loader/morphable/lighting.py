"""Soft light: an environment of directions, each with its colour, and which points of the head each one reaches."""

import numpy as np

from data_loader.morphable.rasterizer import rasterize

DIRECTIONS = 96
BLOCK = 512  # points shaded at once: few enough that BLAS does not wake its threads, which costs more than it gains
# The mean head's mouth is shut, so nothing would reach what an open one shows: this much does (ours).
LEAST_REACH = {"inside": 0.1, "tongue": 0.25, "teeth": 0.35}
SHARPNESS = 14.0  # of the key light: a lobe of about 20 degrees, so that its shadows are soft


def sphere(count=DIRECTIONS):
    """Evenly spread unit vectors float32 [count, 3] (a Fibonacci spiral)."""
    step = np.arange(count) + 0.5
    height, turn = 1 - 2 * step / count, np.pi * (1 + 5 ** 0.5) * step
    radius = np.sqrt(1 - height ** 2)
    return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], axis=1).astype(np.float32)


def visibility(model, directions, side=96):
    """How much of each direction reaches each point past the rest of the mean head: float32 [n, directions], 0..1."""
    points, normals = model.mean, model.normals(model.mean)
    solid = ~np.isin(model.triangles, np.flatnonzero(model.parts["lashes"])).any(axis=1)
    result = np.empty((len(points), len(directions)), np.float32)
    for column, direction in enumerate(directions):
        across = np.cross(direction, (0.0, 1.0, 0.1))
        across /= np.linalg.norm(across)
        frame = np.stack([across, np.cross(across, direction), -direction], axis=1)
        seen = (points - points.mean(axis=0)) @ frame
        scale = (side - 4) / 2 / np.abs(seen[:, :2]).max()
        screen = np.concatenate([seen[:, :2] * scale + side / 2, seen[:, 2:]], axis=1).astype(np.float32)
        fragments = rasterize(screen[model.corners], model.triangles[solid], side, side, cull=False)
        depth = np.full((side, side), np.inf, np.float32)
        depth.ravel()[fragments.pixels] = fragments.depth
        x, y = np.clip(screen[:, :2].astype(int), 1, side - 2).T
        slope = np.clip(normals @ direction, 0.15, 1)
        free = sum((screen[:, 2] - depth[y + dy, x + dx] < 0.05 / slope) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
        result[:, column] = free / 9
    for part, least in LEAST_REACH.items():
        inside = model.corners[model.parts[part]]
        result[inside] = np.maximum(result[inside], least)
    return result


def environment(light, directions):
    """Radiance float32 [directions, 3] of sampling.Light: sky, ground and one soft key light."""
    up = directions[:, 1:2] * 0.5 + 0.5
    ambient = light.ambient * (up * np.array(light.sky) + (1 - up) * np.array(light.ground))
    key = np.exp(SHARPNESS * (directions @ light.direction - 1))[:, None]
    return (ambient + light.key * key / key.sum() * len(directions) / 4 * np.array(light.colour)).astype(np.float32)


def shade(normals, view, light, radiance, directions, reach):
    """Light that leaves each point.

    Args:
        normals: float32 [n, 3], unit. view: float32 [n, 3], unit vectors to the camera.
        light: sampling.Light, whose key gives the highlight.
        radiance, directions: float32 [k, 3]. reach: float32 [n, k], from `visibility`.

    Returns:
        float32 [n, 4]: the factor on the albedo for red, green and blue; the highlight that is added to all three.
    """
    lobe = np.exp(SHARPNESS * (directions @ light.direction - 1)).astype(np.float32)
    lobe /= lobe.sum()
    diffuse, key_reach = np.empty((len(normals), 3), np.float32), np.empty(len(normals), np.float32)
    for start in range(0, len(normals), BLOCK):
        part = slice(start, start + BLOCK)
        cosine = np.maximum(normals[part] @ directions.T, 0) * reach[part]
        diffuse[part] = cosine @ (radiance * np.float32(4 / len(directions)))
        key_reach[part] = np.einsum("nk,k->n", reach[part], lobe)
    half = light.direction + view
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    gloss = np.maximum((normals * half).sum(axis=1), 0) ** light.gloss_power
    gloss *= key_reach
    return np.concatenate([diffuse, (light.gloss * light.key * gloss)[:, None]], axis=1).astype(np.float32)
