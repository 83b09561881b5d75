"""A trained system to hand on: a SavedModel for TensorFlow Serving, or a run folder of weights alone."""

import json
import logging
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_loader import licences
from trainer.output.provenance import trained_with
from trainer.training import checkpoint
from utils.errors import UserError
from utils.files import UMASK, atomic_write
from utils.flags import FLAGS
from utils.runs import checkpoints, without_machine

WEIGHTS = ("load_path", "pretrained_gen", "pretrained_rec")  # flags of a run that say where this machine's weights were


def export(maker, base, card=None):
    """Write the next version of a SavedModel, first under a name that TensorFlow Serving overlooks.

    Args:
        maker: trainer.systems.system.Maker of a system with averaged weights.
        base: Path of the model; versions are folders in it.
        card: a function: {signature: concrete function} -> text of the version's README.md; None for none.

    Returns:
        (Path of the version, names of its signatures).
    """
    base.mkdir(parents=True, exist_ok=True)
    functions = signatures(maker)
    module = tf.Module()
    # Keras keeps layers in plain lists, which TensorFlow's tracking does not see: name the variables themselves.
    module.weights = list({v.ref(): v for function in functions.values() for v in function.variables}.values())
    temporary = Path(tempfile.mkdtemp(dir=base, prefix=".writing-"))
    try:
        tf.get_logger().setLevel(logging.WARNING)  # no line about each file
        tf.saved_model.save(module, str(temporary), functions)
        if card:
            (temporary / "README.md").write_text(card(functions), encoding="utf-8")
        temporary.chmod(0o777 & ~UMASK)
        versions = [int(path.name) for path in base.iterdir() if path.name.isdecimal()]
        return temporary.rename(base / str(max(versions, default=0) + 1)), list(functions)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def export_weights(loaded, base):
    """Write a run folder that generates, and that training can start from: averaged weights in half precision.

    What only training needs stays out: networks in losses are someone else's, their state is of one training's people.

    Args:
        loaded: trainer.training.load.Loaded.
        base: Path of the run folder; it must hold no checkpoint yet.

    Returns:
        Path of the checkpoint.
    """
    if loaded.run is None:
        raise UserError(f"--export_format weights: {loaded.checkpoint} is no run of this project")
    target = base / "checkpoints" / loaded.checkpoint.name
    if checkpoints(base):
        raise UserError(f"--export_dir: {base} holds a checkpoint already")
    target.parent.mkdir(parents=True, exist_ok=True)
    how = [name for name, flag in FLAGS.items() if flag.jobs is None or "train" in flag.jobs]
    params = {name: loaded.params[name] for name in how if name in loaded.params and name not in WEIGHTS}
    labels = loaded.system.label_counts(loaded.params)
    params = without_machine(params) | loaded.system.training_only_off
    params |= {"licences": licences.written(licences.of_run(loaded.params))}
    params |= {"labels": labels, "label_names": {}, "trained_with": trained_with(loaded)}
    with atomic_write(base / "params.json", "w") as file:
        json.dump(params, file, indent=1)
    with atomic_write(target) as file:  # last of all: where it is, the folder is complete
        np.savez_compressed(file, **checkpoint.slim(loaded.system))
    return target


def signatures(maker):
    """{name: concrete function} of what is served; any batch size.

    serving_default: the maker's arguments, images float32 [n, s, s, 3] in [-1, 1] -> generated, the same.
    uint8: the same with images uint8 -> generated, uint8, the very pixels that the job `generate` writes.
    encoded: the same with images as the bytes of PNG or JPEG files, [n] -> generated_bytes, those of PNG files.
    scores: as serving_default -> the scores that need nothing else, float32 [n]; where there are any.
    """
    specs = specs_of(maker)
    pixels = {name: tf.TensorSpec(spec.shape, tf.uint8, name) if _is_image(spec) else spec
              for name, spec in specs.items()}  # fmt: skip
    files = {name: tf.TensorSpec([None], tf.string, name) if _is_image(spec) else spec for name, spec in specs.items()}
    own = tuple(name for name, score in maker.scores.items() if not score.needs)

    @tf.function
    def serving_default(**arguments):
        return {"generated": made(maker, arguments)["image"]}

    def levels_of(arguments):
        floats = {name: tf.cast(value, tf.float32) / 127.5 - 1.0 if _is_image(specs[name]) else value
                  for name, value in arguments.items()}  # fmt: skip
        levels = tf.clip_by_value((made(maker, floats)["image"] + 1.0) * 127.5, 0.0, 255.0)
        return tf.cast(tf.round(levels), tf.uint8)

    @tf.function
    def uint8(**arguments):
        return {"generated": levels_of(arguments)}

    @tf.function
    def encoded(**arguments):
        decoded = {name: _decoded(value, specs[name].shape[1]) if _is_image(specs[name]) else value
                   for name, value in arguments.items()}  # fmt: skip
        return {"generated_bytes": tf.map_fn(tf.io.encode_png, levels_of(decoded), fn_output_signature=tf.string)}

    @tf.function
    def scores(**arguments):
        results = made(maker, arguments, own)
        return {name: results[name] for name in own}

    functions = {
        "serving_default": serving_default.get_concrete_function(**specs),
        "uint8": uint8.get_concrete_function(**pixels),
    }
    if any(map(_is_image, specs.values())):
        functions["encoded"] = encoded.get_concrete_function(**files)
    return functions | ({"scores": scores.get_concrete_function(**specs)} if own else {})


def specs_of(maker):
    """{name: tf.TensorSpec of any batch size} of what a maker is given."""
    return {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, (_, spec) in maker.arguments.items()}


def made(maker, arguments, scores=()):
    """What it makes of {name: tensor}, as `Maker.make` gives it."""
    return maker.make({key: arguments[name] for name, (key, _) in maker.arguments.items()}, scores=scores)


def _decoded(files, size):
    """Bytes of PNG and JPEG files [n] -> uint8 [n, size, size, 3]: the square in the middle, as the job reads images.

    Of another size it is resized, which differs from the job's by a level or two.
    """

    def one(data):
        pixels = tf.cond(
            tf.io.is_jpeg(data),
            lambda: tf.io.decode_jpeg(data, 3, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_png(data, 3),
        )
        height, width = tf.unstack(tf.shape(pixels)[:2])
        side = tf.minimum(height, width)
        square = tf.image.crop_to_bounding_box(pixels, (height - side) // 2, (width - side) // 2, side, side)
        resized = tf.image.resize(square, [size, size], "lanczos3", antialias=True)
        resized = tf.cast(tf.round(tf.clip_by_value(resized, 0.0, 255.0)), tf.uint8)
        return tf.ensure_shape(tf.cond(tf.equal(side, size), lambda: square, lambda: resized), [size, size, 3])

    return tf.map_fn(one, files, fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8))


def _is_image(spec):
    return spec.dtype == tf.float32 and len(spec.shape) == 4
