"""What `benchmark` feeds: a system with fresh weights, random batches, made-up folders."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from data_loader.folders import RENDERS
from trainer.systems import system_class

IDENTITIES, IMAGES_EACH, UNLABELLED, PAIRS = 16, 8, 128, 64  # of the made-up folders


def fresh_system(options):
    """The system that --system names, n_id labels of each labelled source, all its weights random."""
    kind = system_class(options.system)
    options = kind.with_defaults(options)
    return kind(options, {name: options.n_id for name, source in kind.sources_of(options).items() if source.label})


def random_batch(system, options):
    """A training batch of a system, of noise: {key: tf.Tensor}."""
    rng, count, batch = np.random.default_rng(options.random_seed), options.batch_size, {}
    for source in system.sources.values():
        for key in (*source.images, *([source.same] if source.same else [])):
            batch[key] = tf.constant(rng.uniform(-1, 1, (count, system.side, system.side, 3)), tf.float32)
        if source.label:
            batch[source.label] = tf.constant(rng.integers(0, options.n_id, count), tf.int32)
        example = {key: tf.constant([value] * count, tf.float32) for key, value in source.example.items()}
        batch |= example | {f"{source.same}_{key}": value for key, value in example.items() if source.same}
    return batch


def random_arguments(system, maker, options):
    """What a maker is given, of noise: {key: tf.Tensor}; labels and the like as in random_batch."""
    rng, count = np.random.default_rng(options.random_seed), options.batch_size
    training = random_batch(system, options)
    batch = {}
    for key, spec in maker.arguments.values():
        draw = rng.uniform(-1, 1, (count, *spec.shape[1:])) if spec.dtype.is_floating else \
            rng.integers(0, options.n_id, (count, *spec.shape[1:]))
        batch[key] = training.get(key, tf.cast(draw, spec.dtype))
    needed = {key for score in maker.scores.values() for key in score.needs}
    examples = {key for source in system.sources.values() for key in source.example}
    return batch | {key: value for key, value in training.items() if key in needed | examples}


def named_folders(options):
    """Whether the command line names a folder of a data set."""
    sources = system_class(options.system).sources_of(options)
    flags = ("data_dir", *(source.flag for source in sources.values()))
    return any(name in options.explicit and getattr(options, name) for name in flags)


def with_made_up_folders(folder, options):
    """Write JPEGs of --input_scale_size into a folder for each source of a training; flags that name them.

    The pictures are smooth noise, so that a file is about as long as one of a face.
    """
    rng, size, folder = np.random.default_rng(options.random_seed), options.input_scale_size, Path(folder)
    named = {"data_dir": str(folder), "asset_dir": str(folder / "cache")}
    for name, source in system_class(options.system).sources_of(options).items():
        named[source.flag] = name
        for relative in _names(source):
            path = folder / name / f"{relative}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
            small.resize((size, size), Image.Resampling.BICUBIC).save(path, quality=95)
    return options.changed(**named)


def _names(source):
    if source.label:
        return [f"{label:03d}/{image}" for label in range(IDENTITIES) for image in range(IMAGES_EACH)]
    if len(source.images) == 2:
        return [f"{part}{image:03d}" for part in ("", f"{RENDERS}/") for image in range(PAIRS)]
    return [f"{image:03d}" for image in range(UNLABELLED)]
