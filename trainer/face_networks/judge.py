"""The face network that judges: by identity_loss.judge_of one that the training did not look through, opened."""

import sys

from data_loader.generated_folder import trained_with
from trainer.face_networks.identity_loss import all_networks, judge_of, told
from trainer.face_networks.network import open_face_network
from utils.flags import FLAGS

NAMES_ONE = {"model_def", "pretrained_rec"}  # flags of which each names a judge on the command line of `evaluate`


def open_judge(options, looked):
    """The FaceNetwork that judges what a training by these flags makes; its weights are fetched where missing.

    For the training loop: `embed_at(images, places)` of it embeds a batch, with places from
    face_places.known_places(index, judge.alignment) or the batch's own `chip`; embedding.embed_folder embeds
    photographs.

    Args:
        options: the flags of the training, resolved (System.resolved): model_def is the network of --pretrained_rec.
        looked: of these, what says through which network it looks (System.looked_through).
    """
    others = ("pretrained_rec", "embedding_size", "use_fixed_image_standardization")  # of the training's own network
    default = {flag: FLAGS[flag].default for flag in others} | {"model_def": judge_of(looked)}
    return open_face_network(options.changed(**default, explicit=options.explicit - set(default)))


def open_named_or_judge(options, folder, flag):
    """The network that the command line names; else the one that judges a generated folder.

    Args:
        options: the flags, of `evaluate`.
        folder: of the generated images, or None where there are none.
        flag: that names it, for messages.

    Returns:
        (FaceNetwork, {words: words} for the report's settings).
    """
    named = options.explicit & NAMES_ONE
    training = trained_with(folder, flag) if folder else None
    face_network = open_face_network(options if named else options.changed(model_def=judge_of(training)))
    if not folder:
        return face_network, {}
    if training and face_network.model_def in all_networks(training):
        another = named and judge_of(training) not in all_networks(training)
        other = f"leave --{min(named)} out to judge by another" if another else "judge by another with --model_def"
        print(f"warning: the identity loss of {folder} looked through {face_network.name} too, so that these figures "
              f"flatter: {other}", file=sys.stderr)  # fmt: skip
    print(f"identity loss of the generated images, through: {told(training)}")
    return face_network, {"identity loss of the generated images, through": told(training)}
