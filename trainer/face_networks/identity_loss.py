"""Which network the identity loss of a training looked through, and which then judges: another, so that none marks its
own work.

FaceNet (facenet_keras_2024.h5, fetched) judges where the loss looked through dlib's network, dlib's in every other
case. Nothing here needs TensorFlow.
"""

from trainer.face_networks.table import DLIB, FACENET, MODEL_DEFS


def identity_network(training):
    """--model_def of the network that the identity loss of a training looked through, or its start (--people_start);
    None where neither did.

    Args:
        training: {"method_c", "lambda_id" or "lambda_3": …, "model_def": …}, flags of the training.
    """
    off = training.get("method_c") == "none" or 0 in (training.get("lambda_id"), training.get("lambda_3"))
    return None if off and training.get("people_start") != "features" else training.get("model_def")


def judge_of(training):
    """--model_def of the network that judges what a training makes.

    Args:
        training: as identity_network takes it, or None where nothing is known of it.
    """
    return FACENET if training and identity_network(training) == DLIB else DLIB


def told(training):
    """In words, which network the identity loss of a training looked through."""
    if training is None:
        return "not known"
    looked = identity_network(training)
    return "none" if looked is None else MODEL_DEFS[looked].title if looked in MODEL_DEFS else str(looked)
