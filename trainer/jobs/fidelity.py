"""The job `fidelity`: the published code's own numbers, replayed."""

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from trainer.published import tf1_import
from trainer.systems.facegan import FaceGan
from utils.errors import UserError
from utils.flags import FLAGS
from utils.images import to_float

FIRST_STEP, LATER_STEPS = 1e-5, 1e-3  # largest relative difference; two runs of the original differ by 1e-4 later
SCALARS = {
    "d_loss": "loss/d_loss",
    "g_loss": "loss/g_loss",
    "p_loss": "loss/p_loss",
    "s_loss": "loss/s_loss",
    "c_loss": "loss/c_loss",
    "balance": "misc/balance",
    "k": "misc/k_t",
    "k2": "misc/k_t2",
    "k3": "misc/k_t3",
}


def run(options):
    """Replay `--reference`, print the differences as JSON; returns 1 where one is too large, else 0."""
    if not options.reference:
        raise UserError("--reference names a reference run: its path without ending")
    report = compare(Path(options.reference).expanduser(), options)
    print(json.dumps(report, indent=1))
    return int(any(entry["relative"] > entry["allowed"] for entry in report.values()))


def compare(reference, options):
    """Replay a reference run.

    Args:
        reference: Path without ending; its .json has the settings and variable shapes, its .npz inputs and outputs.
        options: the flags; those that the .json sets are overwritten.

    Returns:
        {key of the .npz: {"absolute": largest |difference|, "relative": that / largest |reference|, "allowed": …}}.
    """
    description, arrays = _read(reference)
    settings = description["settings"]
    for name, value in settings.items():
        if name in FLAGS:
            setattr(options, name, value)
    system = FaceGan(options, settings["n_id"], random=False)
    _seed(system, description)
    report = {}
    for step in range(settings["steps"]):
        outputs = _outputs(system, _batch(arrays, step))
        prefix = f"step{step}.out."
        for key in (key for key in arrays if key.startswith(prefix)):
            ours = outputs.get(key.removeprefix(prefix))
            if ours is None:
                raise UserError(f"{reference}.npz: no output of this system is named {key!r}")
            report[key] = _difference(ours, arrays[key], FIRST_STEP if step == 0 else LATER_STEPS)
    return report


def _read(reference):
    try:
        description = json.loads(Path(f"{reference}.json").read_text())
        with np.load(f"{reference}.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        lacking = {"settings", "variables"} - set(description)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"--reference: cannot read {reference}.json and .npz: {error}") from error
    if lacking:
        raise UserError(f"--reference: {reference}.json lacks {', '.join(sorted(lacking))}")
    return description, arrays


def _seed(system, description):
    """Set every weight as the reference runs do: from its name, its shape and the seed."""
    settings = description["settings"]
    k_t = dict(zip(("k_t", "k_t2", "k_t3"), settings["k_t"], strict=True))
    for name, variable in tf1_import.published_names(system).items():
        if name in k_t:
            variable.assign(k_t[name])
        elif name in description["variables"]:
            variable.assign(_seeded_weight(name, variable.shape, settings["weight_seed"]))
        else:
            raise UserError(f"--reference: it lists no variable {name}")
    for variable, average in system.averages:
        average.assign(variable.value)


def _seeded_weight(name, shape, seed):
    name = name.removesuffix(tf1_import.AVERAGE)
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    leaf = name.rpartition("/")[2]
    normal = generator.standard_normal
    if leaf in ("weights", "filter"):
        return normal(shape) / np.sqrt(np.prod(shape[:-1]) if len(shape) > 1 else 1)
    if leaf in ("moving_variance", "Squeeze_1"):
        return 1 + 0.1 * generator.random(shape)
    return 1 + 0.1 * normal(shape) if leaf in ("scale", "gamma") else 0.05 * normal(shape)


def _batch(arrays, step):
    names = {"real": "real", "synthetic": "syn", "pair_image": "image_3dmm", "pair_render": "annot_3dmm"}
    batch = {
        ours: tf.constant(to_float(arrays[f"step{step}.in.{theirs}"]))
        for ours, theirs in names.items()
    }
    return batch | {"identity": tf.constant(arrays[f"step{step}.in.label"])}


def _outputs(system, batch):
    scalars, images = tf.function(system.step_with_images)(batch)
    outputs = {key: scalars[tag].numpy() for key, tag in SCALARS.items()}
    outputs["k_t"] = np.array([outputs["k"], outputs["k2"], outputs["k3"]])
    outputs |= {name: images[name].numpy() for name in ("x", "AE_x", "AE_u")}
    outputs["y"] = np.clip((images["y"].numpy() + 1.0) * 127.5, 0.0, 255.0)
    outputs |= {name: images[name].numpy()[None] for name in ("d_score", "s_score")}
    # The published code has an identity score with the magnet loss only, and reports 0 elsewhere.
    outputs["c_score"] = np.zeros((1, 1)) if images["c_score"] is None else images["c_score"].numpy()[None]
    return outputs


def _difference(ours, theirs, allowed):
    absolute = float(np.max(np.abs(np.float64(ours) - np.float64(theirs))))
    largest = float(np.max(np.abs(theirs)))
    relative = absolute / largest if largest else absolute
    return {"absolute": absolute, "relative": relative, "allowed": allowed}
