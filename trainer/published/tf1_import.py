"""Published weights: TF1 checkpoints of FaceGAN and of FaceNet, read into our networks."""

import re

import tensorflow as tf

from models import facenet_names, tf1_names
from trainer.training.checkpoint import check_names
from utils.errors import UserError

AVERAGE = "/ExponentialMovingAverage"
SIZES = {8: 64, 14: 108}  # height of the auto-encoders' smallest layer -> the two image sizes of the published code
BALANCES = ("k_t", "k_t2", "k_t3")
COUNTERS = ("step", "global_step", "g_lr", "d_lr", "ren_lr", "reg_lr", "lambda_c")
SLOT = re.compile(r"/(Adam|RMSProp|Adagrad|Adadelta|Momentum)(_\d+)?$|^beta[12]_power(_\d+)?$")


def published_names(system):
    """{TF1 name: variable} of everything in a FaceGAN that the published code has under a name.

    Args:
        system: trainer.systems.facegan.FaceGan.

    Returns:
        Networks, k_t's, and, where it has an identity network, that network, the softmax layer and the centroids.
    """
    names = (
        tf1_names.generator_names(system.generator, "G_inf")
        | tf1_names.generator_names(system.generator_back, "G_inv")
        | tf1_names.autoencoder_names(system.discriminator_real, "D_forw")
        | tf1_names.autoencoder_names(system.discriminator_synthetic, "D_back")
        | dict(zip(BALANCES, (system.k_real, system.k_synthetic, system.k_pair), strict=True))
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


def take_network(options):
    """Give `options` the network and the embedding size of `--pretrained_rec`, unless the command line names them.

    Raises:
        UserError: no such checkpoint, nothing in it under `--facenet_scope`, or another network than `--model_def`.
    """
    shapes = _shapes_in_scope(options)
    scope = options.facenet_scope
    found = "models.inception_resnet_v1" if any("/block35_1/" in name for name in shapes) else "models.nn4"
    if found != options.model_def and "model_def" in options.explicit:
        raise UserError(f"--model_def: {options.pretrained_rec} holds another network; give --model_def {found}")
    options.model_def = found
    if "embedding_size" not in options.explicit and f"{scope}/Bottleneck/weights" in shapes:
        options.embedding_size = shapes[f"{scope}/Bottleneck/weights"][-1]


def load_identity_network(network, options):
    """Read `--pretrained_rec` into an identity network: the raw weights and moving statistics, as the published code.

    What the checkpoint has outside `--facenet_scope` (its classifier, its step) is not looked at.

    Raises:
        UserError: no such checkpoint, or one of another network or embedding size (lists the differences).
    """
    shapes = _shapes_in_scope(options)
    variables = identity_names(network, options)
    ignored = {name for name in shapes if SLOT.search(name) or _without_average(name) in variables}
    check_names(variables, shapes, options.pretrained_rec, ignored)
    _assign(variables, _reader(options.pretrained_rec, "pretrained_rec"))


def published_options(prefix):
    """{flag: value} that a published FaceGAN checkpoint was trained with, read from its shapes.

    Identity scores are off (`method_c` none): its centroids count labels from 1, and leave out the last (README D5).

    Raises:
        UserError: not a checkpoint of the published code.
    """
    reader = _reader(prefix, "pretrained_gen")
    shapes = {_without_average(name): shape for name, shape in reader.get_variable_to_shape_map().items()}
    try:
        width_real = shapes["D_forw/Conv/weights"][3]
        values = {
            "system": "facegan",
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


def load_published(system, prefix):
    """Read a TF1 checkpoint of the published code into a FaceGAN: averaged weights where it has them, else raw ones.

    Raises:
        UserError: a weight is missing, left over or of another shape; lists each.
    """
    reader = _reader(prefix, "pretrained_gen")
    shapes = reader.get_variable_to_shape_map()
    names = {name: v for name, v in published_names(system).items() if name not in BALANCES or name in shapes}
    variables = {name + AVERAGE if name + AVERAGE in shapes else name: variable for name, variable in names.items()}
    ignored = {
        name
        for name in shapes
        if SLOT.search(name) or _without_average(name) in names or _is_elsewhere(_without_average(name), system)
    }
    check_names(variables, shapes, prefix, ignored)
    _assign(variables, reader)


def _reader(prefix, flag):
    try:
        return tf.train.load_checkpoint(str(prefix))
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(f"--{flag}: cannot read a TF1 checkpoint at {prefix}: {str(error).splitlines()[0]}") from error


def _shapes_in_scope(options):
    shapes = _reader(options.pretrained_rec, "pretrained_rec").get_variable_to_shape_map()
    inside = {name: shape for name, shape in shapes.items() if name.startswith(f"{options.facenet_scope}/")}
    if not inside:
        scopes = ", ".join(sorted({name.partition("/")[0] for name in shapes}))
        raise UserError(f"--facenet_scope {options.facenet_scope}: {options.pretrained_rec} has only {scopes}")
    return inside


def _assign(variables, reader):
    for name, variable in variables.items():
        variable.assign(reader.get_tensor(name))


def _without_average(name):
    return name.removesuffix(AVERAGE)


def _is_elsewhere(name, system):
    """Counters and rates, and the identity part where the system is built without one."""
    scopes = (f"{system.options.facenet_scope}/", "Logits/", "centroids/")
    return name in COUNTERS or (system.identity is None and name.startswith(scopes))
