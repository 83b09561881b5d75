"""What a render shows beside its colours, as pictures: how far away, which way it faces, what is covered."""

import numpy as np

MIDDLE, STEPS = 32768, 8192  # the grey level of the head's middle, and levels for a distance from the eyes to the teeth


def depth(view, height):
    """uint16 [h, w]: 32768 is as far from the camera as the middle of the face, 8192 more is a distance from the eyes
    to the teeth further away; 0 is nothing.

    Args:
        view: camera.View.
        height: that distance, in the points' unit.
    """
    near = view.depth
    levels = np.clip(np.rint(MIDDLE + STEPS * np.where(np.isfinite(near), near, 0) / height), 1, 65535)
    return np.where(np.isfinite(near), levels, 0).astype(np.uint16)


def normals(view, height):
    """uint8 [h, w, 3]: red to the right, green up, blue to the camera; -1 is 0 and 1 is 255. Black is nothing."""
    levels = np.rint((view.normals + 1) * 127.5)
    return np.where(view.mask[..., None] > 0, levels, 0).astype(np.uint8)


def mask(view, height):
    """uint8 [h, w]: the share of a pixel that the head covers; 255 is all."""
    return np.rint(view.mask * 255).astype(np.uint8)


MAPS = {"depth": depth, "normals": normals, "mask": mask}  # what --maps names
