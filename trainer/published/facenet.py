"""FaceNet's weights: TF1 checkpoints of its two networks."""

from models import facenet_names
from trainer.published.arrays import check_names
from trainer.published.tf1_reader import SLOT, assign, open_checkpoint, without_average
from utils.errors import UserError


def facenet_names_of(network, options):
    """{TF1 name: variable} of the network of `--model_def` under `--facenet_scope`."""
    if options.model_def == "models.nn4":
        return facenet_names.nn4_names(network, options.facenet_scope)
    if options.model_def == "models.inception_resnet_v1":
        return facenet_names.inception_resnet_v1_names(network, options.facenet_scope)
    raise UserError(f"--model_def: no TF1 names are known for {options.model_def!r}")


def network_of(options):
    """What `--pretrained_rec` holds: {"model_def": …, "embedding_size": …}, unless the command line names them.

    Raises:
        UserError: no such checkpoint, nothing in it under `--facenet_scope`, or another network than `--model_def`.
    """
    shapes = _shapes_in_scope(options)
    scope = options.facenet_scope
    found = "models.inception_resnet_v1" if any("/block35_1/" in name for name in shapes) else "models.nn4"
    if found != options.model_def and "model_def" in options.explicit:
        raise UserError(f"--model_def: {options.pretrained_rec} holds another network; give --model_def {found}")
    size = options.embedding_size
    if "embedding_size" not in options.explicit and f"{scope}/Bottleneck/weights" in shapes:
        size = shapes[f"{scope}/Bottleneck/weights"][-1]
    return {"model_def": found, "embedding_size": size}


def load_facenet(network, options):
    """Read `--pretrained_rec` into a face network: the raw weights and moving statistics, as the published code.

    What the checkpoint has outside `--facenet_scope` (its classifier, its step) is not looked at.

    Raises:
        UserError: no such checkpoint, or one of another network or embedding size (lists the differences).
    """
    shapes = _shapes_in_scope(options)
    variables = facenet_names_of(network, options)
    ignored = {name for name in shapes if SLOT.search(name) or without_average(name) in variables}
    check_names(variables, shapes, options.pretrained_rec, ignored)
    assign(variables, open_checkpoint(options.pretrained_rec, "pretrained_rec"))


def _shapes_in_scope(options):
    shapes = open_checkpoint(options.pretrained_rec, "pretrained_rec").get_variable_to_shape_map()
    inside = {name: shape for name, shape in shapes.items() if name.startswith(f"{options.facenet_scope}/")}
    if not inside:
        scopes = ", ".join(sorted({name.partition("/")[0] for name in shapes}))
        raise UserError(f"--facenet_scope {options.facenet_scope}: {options.pretrained_rec} has only {scopes}")
    return inside
