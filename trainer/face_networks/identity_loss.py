"""Which network the identity loss of a training looked through, and which then judges: another, so that none marks its
own work.

FaceNet (facenet_keras_2024.h5, fetched) judges where the loss looked through dlib's network, dlib's in every other
case. Where a training began with another's weights, what that one's loss looked through counts too. Nothing here needs
TensorFlow.
"""

from trainer.face_networks.table import DLIB, FACENET, MODEL_DEFS
from utils.errors import UserError

BEFORE = "networks_before"  # key of params.json and of run.json's trained_with


def identity_network(training):
    """--model_def of the network that the identity loss of a training looked through, or its start (--people_start);
    None where neither did.

    Args:
        training: {"method_c", "lambda_id" or "lambda_3": …, "model_def": …}, flags of the training.
    """
    off = training.get("method_c") == "none" or 0 in (training.get("lambda_id"), training.get("lambda_3"))
    return None if off and training.get("people_start") != "features" else training.get("model_def")


def networks_before(training):
    """list of --model_defs through which the trainings of the weights that a training began with looked.

    Raises:
        UserError: what is written there is no such list.
    """
    found = training.get(BEFORE, [])
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise UserError(f"{BEFORE} of params.json or run.json: {found!r} is no list of face networks")
    return found


def all_networks(training):
    """list of those, and last of the training's own; each once, where it stands last."""
    own = identity_network(training)
    names = [*networks_before(training), *([own] if isinstance(own, str) else [])]
    return list(dict.fromkeys(reversed(names)))[::-1]


def judge_of(training):
    """--model_def of the network that judges what a training makes.

    Args:
        training: as identity_network takes it, with what networks_before reads; None where nothing is known of it.
    """
    judges = [name for name in all_networks(training or {}) if name in (DLIB, FACENET)]
    return FACENET if judges and judges[-1] == DLIB else DLIB  # of two that looked the one that did so longer ago


def told(training):
    """In words, which network the identity loss of a training looked through, and those of trainings before it."""
    if training is None:
        return "not known"
    looked, before = identity_network(training), networks_before(training)
    return _title(looked) + (f"; of the weights that it began with: {', '.join(map(_title, before))}" if before else "")


def _title(name):
    return "none" if name is None else MODEL_DEFS[name].title if name in MODEL_DEFS else str(name)
