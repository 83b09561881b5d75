"""What `benchmark` feeds: a system with fresh weights, random batches, made-up folders, the renderer."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import tensorflow as tf
from PIL import Image

from data_loader import chips
from data_loader.pipeline import KEYS
from trainer.face_networks import recognizer_networks
from trainer.systems import identity, system_class
from trainer.training import setup

FOLDERS = ("data_dir", "dataset", "syn_dataset", "dataset_3dmm")
IDENTITIES, RENDERS_EACH, PHOTOGRAPHS, PAIRS = 16, 8, 128, 64  # of the made-up folders


def fresh_system(options):
    """The system that --system names, all its weights random, and the side of its images: (System, int)."""
    if options.system == setup.RECOGNIZER:
        recognizer_networks.take_sizes(options)
        system = system_class(options.system)(options, options.n_id)
        return system, system.face_input.shown
    system = system_class(options.system)(options, options.n_id, pairs=bool(options.dataset_3dmm))
    return system, options.input_scale_size


def random_batch(system, size, options):
    """A batch as training_batches gives it for the sources of a system, of noise: {key: tf.Tensor}."""
    rng, count, batch = np.random.default_rng(options.random_seed), options.batch_size, {}
    for source in system.sources:
        image_keys, label_key = KEYS[source]
        for key in image_keys:
            batch[key] = tf.constant(rng.uniform(-1, 1, (count, size, size, 3)), tf.float32)
        if label_key:
            batch[label_key] = tf.constant(rng.integers(0, options.n_id, count), tf.int32)
    if "synthetic" in system.sources and identity.takes_chips(options):
        batch["chip"] = tf.constant([chips.FIXED] * count, tf.float32)
    return batch


def names_folders(options):
    """Whether the command line names a folder of a data set."""
    return any(name in options.explicit and getattr(options, name) for name in FOLDERS)


def with_made_up_folders(folder, options):
    """Write JPEGs of --input_scale_size into the three folders of a training, below `folder`; flags that name them.

    The pictures are smooth noise, so that a file is about as long as one of a face.
    """
    rng, size = np.random.default_rng(options.random_seed), options.input_scale_size
    names = [f"syn/{person:03d}/{image}" for person in range(IDENTITIES) for image in range(RENDERS_EACH)]
    names += [f"real/{image:03d}" for image in range(PHOTOGRAPHS)]
    names += [f"{part}/{image:03d}" for part in ("paired", "paired/3dmm") for image in range(PAIRS)]
    for name in names:
        path = Path(folder) / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        small.resize((size, size), Image.Resampling.BICUBIC).save(path, quality=95)
    named = {"data_dir": str(folder), "dataset": "real", "syn_dataset": "syn", "asset_dir": str(Path(folder) / "cache")}
    return SimpleNamespace(**vars(options) | named | {"dataset_3dmm": options.dataset_3dmm and "paired"})
