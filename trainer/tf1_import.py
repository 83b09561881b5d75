"""Published weights: TF1 checkpoints of FaceGAN and of FaceNet, read into our networks."""

import re

import tensorflow as tf

from models import facenet_names, tf1_names
from trainer.checkpoint import check_names
from utils.errors import UserError

AVERAGE = "/ExponentialMovingAverage"


def published_names(system):
    """{TF1 name: variable} of everything in a FaceGAN that the published code has under a name.

    Args:
        system: trainer.facegan.FaceGan.

    Returns:
        Networks, k_t's, and, where it has an identity network, that network, the softmax layer and the centroids.
    """
    names = (
        tf1_names.generator_names(system.generator, "G_inf")
        | tf1_names.generator_names(system.generator_back, "G_inv")
        | tf1_names.autoencoder_names(system.discriminator_real, "D_forw")
        | tf1_names.autoencoder_names(system.discriminator_synthetic, "D_back")
        | {"k_t": system.k_real, "k_t2": system.k_synthetic, "k_t3": system.k_pair}
    )
    if system.identity:
        names |= identity_names(system.identity.network, system.options)
        names |= {
            "Logits/weights": system.identity.weights,
            "Logits/biases": system.identity.biases,
            "centroids/centers": system.identity.centroids,
        }
    return names


def identity_names(network, options):
    """{TF1 name: variable} of the identity network under `--facenet_scope`."""
    if options.model_def == "models.nn4":
        return facenet_names.nn4_names(network, options.facenet_scope)
    if options.model_def == "models.inception_resnet_v1":
        return facenet_names.inception_resnet_v1_names(network, options.facenet_scope)
    raise UserError(f"--model_def: no TF1 names are known for {options.model_def!r}")


def load_identity_network(network, options):
    """Read `--pretrained_rec` into an identity network: the raw weights and moving statistics.

    Raises:
        UserError: no such checkpoint, or one of another network or embedding size (lists the differences).
    """
    reader = _reader(options.pretrained_rec, "pretrained_rec")
    shapes = reader.get_variable_to_shape_map()
    variables = identity_names(network, options)
    scope = {name: shape for name, shape in shapes.items() if name.startswith(f"{options.facenet_scope}/")}
    ignored = [name for name in scope if _is_slot(name) or (_is_average(name) and name not in variables)]
    check_names(variables, scope, options.pretrained_rec, ignored)
    for name, variable in variables.items():
        variable.assign(reader.get_tensor(name))


def published_options(prefix, options):
    """Set the widths that a published FaceGAN checkpoint was trained with, read from its shapes.

    `input_scale_size` is left alone unless the code layer's shape rules it out, because the generators have none.
    """
    shapes = _reader(prefix, "pretrained_gen").get_variable_to_shape_map()
    suffix = "" if "G_inf/c7s1_32/weights" in shapes else AVERAGE
    try:
        options.conv_hidden_num_res = shapes[f"G_inf/c7s1_32/weights{suffix}"][3]
        options.conv_hidden_num = shapes[f"D_forw/Conv/weights{suffix}"][3]
        options.conv_hidden_num_back = shapes[f"D_back/Conv/weights{suffix}"][3]
        code_inputs, options.z_num = shapes[f"D_forw/fully_connected/weights{suffix}"]
        from_code = shapes[f"D_forw/fully_connected_1/weights{suffix}"][1]
    except KeyError as error:
        raise UserError(f"--pretrained_gen: {prefix} is no checkpoint of the published FaceGAN: no {error}") from None
    blocks = [int(m[1]) for name in shapes if (m := re.match(rf"G_inf/R\d+_(\d+)/layer1/weights1{suffix}$", name))]
    options.num_res_rep = max(blocks, default=0)
    bottom = round((from_code / options.conv_hidden_num) ** 0.5)  # 8 at 64x64, 14 at 108x108
    sizes = {8: 64, 14: 108}
    if bottom not in sizes:
        raise UserError(f"--pretrained_gen: {prefix}: auto-encoders for neither 64x64 nor 108x108 images")
    options.input_scale_size = sizes[bottom]


def load_published(system, prefix):
    """Read a TF1 checkpoint of the published code into a FaceGAN: averaged weights where it has them, else raw ones.

    Raises:
        UserError: a weight is missing, left over or of another shape; lists each.
    """
    reader = _reader(prefix, "pretrained_gen")
    shapes = reader.get_variable_to_shape_map()
    variables = {
        (name + AVERAGE if name + AVERAGE in shapes else name): variable
        for name, variable in published_names(system).items()
    }
    wanted = set(variables)
    ignored = [
        name
        for name in shapes
        if _is_slot(name) or _is_average(name) or name + AVERAGE in wanted or _is_elsewhere(name, system)
    ]
    check_names(variables, shapes, prefix, ignored)
    for name, variable in variables.items():
        variable.assign(reader.get_tensor(name))


def _reader(prefix, flag):
    try:
        return tf.train.load_checkpoint(str(prefix))
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(f"--{flag}: cannot read a TF1 checkpoint at {prefix}: {str(error).splitlines()[0]}") from error


def _is_slot(name):
    return bool(re.search(r"/Adam(_\d+)?$|^beta[12]_power(_\d+)?$", name)) or "/RMSProp" in name or "/Adagrad" in name


def _is_average(name):
    return name.endswith(AVERAGE)


def _is_elsewhere(name, system):
    """Counters and rates, and the identity part where the system is built without one."""
    if name in ("step", "g_lr", "d_lr", "ren_lr", "reg_lr", "lambda_c", "global_step"):
        return True
    identity_part = name.startswith((f"{system.options.facenet_scope}/", "Logits/", "centroids/"))
    return identity_part and system.identity is None
