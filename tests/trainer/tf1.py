"""Checkpoints in TF1's format, for tests."""

import numpy as np
import tensorflow as tf

AVERAGE = "/ExponentialMovingAverage"  # ends the name of an averaged weight


def write_tf1(prefix, arrays):
    """Write {name: array} as tf.compat.v1.train.Saver would; float64 becomes float32."""
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    tensors = [array.astype(np.float32) if array.dtype.kind == "f" else array for array in arrays.values()]
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(arrays), shape_and_slices=[""] * len(arrays), tensors=tensors
    )
