"""The published FaceGAN: its TF1 checkpoints, and the names and numbers of its reference runs.

What any system's `published` module has: `options_of` and `load` for checkpoints; `names`, `batch` and `outputs` for
the job `fidelity`.
"""

import re

import numpy as np
import tensorflow as tf

from models import tf1_names
from trainer.published.arrays import check_names
from trainer.published.facenet import facenet_names_of
from trainer.published.tf1_reader import AVERAGE, SLOT, assign, open_checkpoint, without_average
from utils.errors import UserError
from utils.images import to_float

SIZES = {8: 64, 14: 108}  # height of the auto-encoders' smallest layer -> the two image sizes of the published code
BALANCES = ("k_t", "k_t2", "k_t3")
COUNTERS = ("step", "global_step", "g_lr", "d_lr", "ren_lr", "reg_lr", "lambda_c")
SCALARS = {  # name in a reference run -> TensorBoard tag
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


def options_of(prefix):
    """{flag: value} that a published FaceGAN checkpoint was trained with, read from its shapes.

    Identity scores are off (`method_c` none): its centroids count labels from 1, and leave out the last
    (docs/published.md D5).

    Raises:
        UserError: not a checkpoint of the published code.
    """
    reader = open_checkpoint(prefix, "pretrained_gen")
    shapes = {without_average(name): shape for name, shape in reader.get_variable_to_shape_map().items()}
    try:
        width_real = shapes["D_forw/Conv/weights"][3]
        values = {
            "method_c": "none",
            "conv_hidden_num_res": shapes["G_inf/c7s1_32/weights"][3],
            "conv_hidden_num": width_real,
            "conv_hidden_num_back": shapes["D_back/Conv/weights"][3],
            "z_num": shapes["D_forw/fully_connected/weights"][1],
        }
        from_code = shapes["D_forw/fully_connected_1/weights"][1]
    except KeyError as error:
        raise UserError(f"--pretrained_gen: {prefix} is no checkpoint of the published FaceGAN: no {error}") from None
    except IndexError:
        raise UserError(f"--pretrained_gen: {prefix}: weights of other shapes than the published FaceGAN's") from None
    blocks = [int(match[1]) for name in shapes if (match := re.match(r"G_inf/R\d+_(\d+)/layer1/weights1$", name))]
    values["num_res_rep"] = max(blocks, default=0)
    bottom = round((from_code / width_real) ** 0.5)
    if bottom not in SIZES:
        raise UserError(f"--pretrained_gen: {prefix}: auto-encoders for neither 64x64 nor 108x108 images")
    return values | {"input_scale_size": SIZES[bottom]}


def load(system, prefix):
    """Read a TF1 checkpoint of the published code into a FaceGAN: averaged weights where it has them, else raw ones.

    Raises:
        UserError: a weight is missing, left over or of another shape; lists each.
    """
    reader = open_checkpoint(prefix, "pretrained_gen")
    shapes = reader.get_variable_to_shape_map()
    wanted = {name: v for name, v in names(system).items() if name not in BALANCES or name in shapes}
    variables = {name + AVERAGE if name + AVERAGE in shapes else name: variable for name, variable in wanted.items()}
    ignored = {
        name
        for name in shapes
        if SLOT.search(name) or without_average(name) in wanted or _is_elsewhere(without_average(name), system)
    }
    check_names(variables, shapes, prefix, ignored)
    assign(variables, reader)


def names(system):
    """{TF1 name: variable} of everything in a FaceGAN that the published code has under a name.

    Args:
        system: trainer.systems.facegan.FaceGan.

    Returns:
        Networks, k_t's, and, where it has an identity network, that network, the softmax layer and the centroids.
    """
    found = (
        tf1_names.generator_names(system.generator, "G_inf")
        | tf1_names.generator_names(system.generator_back, "G_inv")
        | tf1_names.autoencoder_names(system.discriminator_real, "D_forw")
        | tf1_names.autoencoder_names(system.discriminator_synthetic, "D_back")
        | dict(zip(BALANCES, (system.judges["real"].k, system.judges["synthetic"].k, system.k_pair), strict=True))
    )
    if system.identity:
        found |= facenet_names_of(system.identity.network, system.options)
        found |= {
            "Logits/weights": system.identity.weights,
            "Logits/biases": system.identity.biases,
            "centroids/centers": system.identity.centroids,
        }
    return found


def labels_of(settings):
    """The `labels` that a FaceGAN is built with, of a reference run's settings."""
    return {"synthetic": settings["n_id"]}


def batch(arrays, step):
    """The batch of one step of a reference run: {key: tensor}.

    Args:
        arrays: {name: array} of its .npz.
    """
    keys = {"real": "real", "synthetic": "syn", "pair_image": "image_3dmm", "pair_render": "annot_3dmm"}
    images = {ours: tf.constant(to_float(arrays[f"step{step}.in.{theirs}"])) for ours, theirs in keys.items()}
    return images | {"identity": tf.constant(arrays[f"step{step}.in.label"])}


def outputs(system, batch):
    """One training step: {name in a reference run: array} of what it computes."""
    scalars, images = tf.function(system.step_with_images)(batch)
    found = {key: scalars[tag].numpy() for key, tag in SCALARS.items()}
    found["k_t"] = np.array([found["k"], found["k2"], found["k3"]])
    found |= {name: images[name].numpy() for name in ("x", "AE_x", "AE_u")}
    found["y"] = np.clip((images["y"].numpy() + 1.0) * 127.5, 0.0, 255.0)
    found |= {name: images[name].numpy()[None] for name in ("d_score", "s_score")}
    # The published code has an identity score with the magnet loss only, and reports 0 elsewhere.
    found["c_score"] = np.zeros((1, 1)) if images["c_score"] is None else images["c_score"].numpy()[None]
    return found


def _is_elsewhere(name, system):
    """Counters and rates, and the identity part where the system is built without one."""
    scopes = (f"{system.options.facenet_scope}/", "Logits/", "centroids/")
    return name in COUNTERS or (system.identity is None and name.startswith(scopes))
