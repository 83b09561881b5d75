"""What made a data set: the contents of its run.json, so that it can be made again."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from utils.flags import FLAGS

ROOT = Path(__file__).resolve().parents[2]


def describe(job, trained, index, options):
    """What made a data set. Holds no time and no host, so that the same run gives the same bytes.

    Args:
        job: "generate" or "fit".
        trained: trainer.training.load.Trained.
        index: data_loader.folders.ImageIndex of the input images.
        options: the flags.

    Returns:
        dict for JSON; `settings` is the part that one folder's images must share.
    """
    return {
        "job": job,
        "settings": {
            "checkpoint_sha256": trained.sha256(),
            "input_names_sha256": _names_sha256(index),
            "input_scale_size": options.input_scale_size,
            "batch_size": options.batch_size,
            "random_seed": options.random_seed,
            "image_format": options.image_format,
            "image_quality": options.image_quality if options.image_format == "jpg" else None,
        },
        "checkpoint": str(trained.checkpoint),
        "trained_on": {name: trained.params[name] for name in ("dataset", "syn_dataset")} if trained.params else None,
        "inputs": {"folder": index.folder, "images": len(index), "identities": len(index.label_names)},
        "flags": {name: getattr(options, name) for name in FLAGS},
        "versions": versions(),
        "commit": _commit(),
        "finished": False,
    }


def versions():
    """{name: version} of Python and of what computes."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


def _names_sha256(index):
    """SHA-256 of the images' relative paths in order, each ended by a newline, with forward slashes."""
    digest = hashlib.sha256()
    for i in range(len(index)):
        digest.update(os.fsencode(index.relative_path(i).replace(os.sep, "/")) + b"\n")
    return digest.hexdigest()


def _commit():
    """The commit of this code, with "-dirty" where files were changed; None without git or outside a clone."""
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
