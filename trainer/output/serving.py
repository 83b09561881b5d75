"""The job `export`: a SavedModel for TensorFlow Serving, or a run folder of weights alone, small enough to share."""

import json
import logging
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from trainer.training import checkpoint
from utils.errors import UserError
from utils.files import UMASK, atomic_write
from utils.flags import FLAGS
from utils.runs import checkpoints

PATHS = ("data_dir", "log_dir", "asset_dir", "load_path", "pretrained_gen", "pretrained_rec")  # of this machine
SCORES = ("d_score", "s_score")


def export(system, size, base):
    """Write the next version of a SavedModel, first under a name that TensorFlow Serving overlooks.

    Args:
        system: trainer.systems.system.System with averaged weights.
        size: height and width of the images.
        base: Path of the model; versions are folders in it.

    Returns:
        Path of the version.
    """
    base.mkdir(parents=True, exist_ok=True)
    functions = signatures(system, size)
    module = tf.Module()
    # Keras keeps layers in plain lists, which TensorFlow's tracking does not see: name the variables themselves.
    module.weights = list({v.ref(): v for function in functions.values() for v in function.variables}.values())
    temporary = Path(tempfile.mkdtemp(dir=base, prefix=".writing-"))
    try:
        tf.get_logger().setLevel(logging.WARNING)  # no line about each file
        tf.saved_model.save(module, str(temporary), functions)
        temporary.chmod(0o777 & ~UMASK)
        versions = [int(path.name) for path in base.iterdir() if path.name.isdecimal()]
        return temporary.rename(base / str(max(versions, default=0) + 1))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def export_weights(trained, base):
    """Write a run folder that generates, and that training can start from: averaged weights in half precision.

    The identity network and its centroids stay out: that is someone else's, and they are of this training's people.

    Args:
        trained: trainer.training.load.Trained.
        base: Path of the run folder; it must hold no checkpoint yet.

    Returns:
        Path of the checkpoint.
    """
    if trained.run is None:
        raise UserError(f"--export_format weights: {trained.checkpoint} is no run of this project")
    target = base / "checkpoints" / trained.checkpoint.name
    if checkpoints(base):
        raise UserError(f"--export_dir: {base} holds a checkpoint already")
    target.parent.mkdir(parents=True, exist_ok=True)
    networks = [name for name in trained.system.networks if name != "identity_network"]
    with atomic_write(target) as file:
        np.savez_compressed(file, **checkpoint.slim(trained.system, networks))
    how = [name for name, flag in FLAGS.items() if flag.jobs is None or "train" in flag.jobs]
    params = {name: trained.params[name] for name in how if name in trained.params and name not in PATHS}
    params |= {"method_c": "none", "n_id": trained.params["n_id"], "label_names": []}
    with atomic_write(base / "params.json", "w") as file:
        json.dump(params, file, indent=1)
    return target


def signatures(system, size):
    """{name: concrete function} of what is served; any batch size.

    serving_default: images float32 [n, s, s, 3] in [-1, 1] -> generated, the same.
    uint8: images uint8 [n, s, s, 3] -> generated, uint8, the very pixels that the job `generate` writes.
    scores: images float32 [n, s, s, 3] in [-1, 1] -> d_score, s_score, float32 [n].
    """
    shape = [None, size, size, 3]

    @tf.function
    def serving_default(images):
        return {"generated": system.generate({"synthetic": images}, scores=())["image"]}

    @tf.function
    def uint8(images):
        generated = system.generate({"synthetic": tf.cast(images, tf.float32) / 127.5 - 1.0}, scores=())["image"]
        pixels = tf.clip_by_value((generated + 1.0) * 127.5, 0.0, 255.0)
        return {"generated": tf.cast(tf.round(pixels), tf.uint8)}

    @tf.function
    def scores(images):
        results = system.generate({"synthetic": images}, scores=SCORES)
        return {name: results[name] for name in SCORES}

    images, pixels = (tf.TensorSpec(shape, kind, "images") for kind in (tf.float32, tf.uint8))
    return {
        "serving_default": serving_default.get_concrete_function(images),
        "uint8": uint8.get_concrete_function(pixels),
        "scores": scores.get_concrete_function(images),
    }
