"""A trained system to hand on: a SavedModel for TensorFlow Serving, or a run folder of weights alone."""

import json
import logging
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from data_loader import licences
from trainer.output.provenance import trained_with
from trainer.training import checkpoint
from utils.errors import UserError
from utils.files import UMASK, atomic_write
from utils.flags import FLAGS
from utils.runs import checkpoints, without_machine

WEIGHTS = ("load_path", "pretrained_gen", "pretrained_rec")  # flags of a run that say where this machine's weights were
PNG = b"\x89PNG\r\n\x1a\n"  # what each such file begins with


def export(maker, base, card=None):
    """Write the next version of a SavedModel, first under a name that TensorFlow Serving overlooks.

    Args:
        maker: trainer.systems.system.Maker of a system with averaged weights.
        base: Path of the model; versions are folders in it.
        card: a function: {signature: concrete function} -> text of the version's README.md; None for none.

    Returns:
        (Path of the version, names of its signatures).

    Raises:
        UserError: the folder holds the last version that there is.
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
        return temporary.rename(base / str(_next_version(base))), list(functions)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _next_version(base):
    """Number of the next version, from 1. TensorFlow Serving reads no larger ones than int64."""
    versions = (int(path.name) for path in base.iterdir() if path.name.isdecimal())
    newest = max((version for version in versions if version <= tf.int64.max), default=0)
    if newest == tf.int64.max:
        raise UserError(f"--export_dir: {base} holds version {newest}, the last that there can be")
    return newest + 1


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
    """{name: concrete function} of what is served; any batch size, 0 too. Another shape is an InvalidArgumentError.

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
        return {"generated": _of_any_number(maker, _checked(arguments, specs))["image"]}

    def levels_of(arguments):
        floats = {name: tf.cast(value, tf.float32) / 127.5 - 1.0 if _is_image(specs[name]) else value
                  for name, value in arguments.items()}  # fmt: skip
        levels = tf.clip_by_value((_of_any_number(maker, floats)["image"] + 1.0) * 127.5, 0.0, 255.0)
        return tf.cast(tf.round(levels), tf.uint8)

    @tf.function
    def uint8(**arguments):
        return {"generated": levels_of(_checked(arguments, pixels))}

    @tf.function
    def encoded(**arguments):
        decoded = {name: _decoded(value, specs[name].shape[1], name) if _is_image(specs[name]) else value
                   for name, value in _checked(arguments, files).items()}  # fmt: skip
        return {"generated_bytes": tf.map_fn(tf.io.encode_png, levels_of(decoded), fn_output_signature=tf.string)}

    @tf.function
    def scores(**arguments):
        results = _of_any_number(maker, _checked(arguments, specs), own)
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


def _of_any_number(maker, arguments, scores=()):
    """As `made`, of 0 images too, of which TensorFlow's convolutions make an error: one is made, and left out."""
    count = tf.shape(next(iter(arguments.values())))[0]
    none = tf.cast(count == 0, tf.int32)
    filled = {name: tf.pad(value, [[0, none], *[[0, 0]] * (len(value.shape) - 1)])
              for name, value in arguments.items()}  # fmt: skip
    return {name: value[:count] for name, value in made(maker, filled, scores).items()}


def _checked(arguments, specs):
    """Of a loaded SavedModel's signatures TensorFlow itself checks the dtypes, but not the shapes."""
    return {name: tf.ensure_shape(value, specs[name].shape) for name, value in arguments.items()}


def _decoded(files, size, name="images"):
    """Bytes of PNG and JPEG files [n] -> uint8 [n, size, size, 3]: the square in the middle, as the job reads images.

    Of another size it is resized, which differs from the job's by a level or two. EXIF orientation is not applied.
    Bytes that are no such file, or one of more pixels than the job reads, are an InvalidArgumentError with the name.
    """

    def one(data):
        jpeg = tf.io.is_jpeg(data)
        known = tf.debugging.Assert(jpeg | (tf.strings.substr(data, 0, len(PNG)) == PNG),
                                    [f"{name}: neither a PNG nor a JPEG file"])  # fmt: skip
        with tf.control_dependencies([known]):
            sides = tf.cond(jpeg, lambda: tf.image.extract_jpeg_shape(data)[:2], lambda: _png_head(data, 16, tf.int32))
        few = tf.debugging.Assert(tf.reduce_prod(tf.cast(sides, tf.int64)) <= Image.MAX_IMAGE_PIXELS,
                                  [f"{name}: an image of too many pixels:", sides])  # fmt: skip
        with tf.control_dependencies([few]):
            pixels = tf.cond(
                jpeg, lambda: tf.io.decode_jpeg(data, 3, dct_method="INTEGER_ACCURATE"), lambda: _png_pixels(data)
            )
        height, width = tf.unstack(tf.shape(pixels)[:2])
        side = tf.minimum(height, width)
        square = tf.image.crop_to_bounding_box(pixels, (height - side) // 2, (width - side) // 2, side, side)
        resized = tf.image.resize(square, [size, size], "lanczos3", antialias=True)
        resized = tf.cast(tf.round(tf.clip_by_value(resized, 0.0, 255.0)), tf.uint8)
        return tf.ensure_shape(tf.cond(tf.equal(side, size), lambda: square, lambda: resized), [size, size, 3])

    return tf.map_fn(one, files, fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8))


def _png_pixels(data):
    """Bytes of a PNG file -> uint8 [h, w, 3]; what is transparent lies on black, as folders.decode has it."""
    bits, colours = tf.unstack(_png_head(data, 24, tf.uint8))

    def on_black():
        pixels = tf.cast(tf.io.decode_png(data, 4), tf.int32)
        return tf.cast((pixels[..., :3] * pixels[..., 3:] + 127) // 255, tf.uint8)

    # Grey of 1, 2 or 4 bits: with a fourth channel TensorFlow does not spread its levels up to 255 (a
    # transparent level of it, which hardly any file has, is then not seen).
    return tf.cond((colours == 0) & (bits < 8), lambda: tf.io.decode_png(data, 3), on_black)


def _png_head(data, start, dtype):
    """Two numbers of a PNG file's head: at 16 width and height, int32; at 24 bits and kind of colours, uint8."""
    numbers = tf.io.decode_raw(tf.strings.substr(data, start, 2 * dtype.size), dtype, little_endian=False)
    return tf.ensure_shape(numbers, [2])


def _is_image(spec):
    return spec.dtype == tf.float32 and len(spec.shape) == 4
