"""The networks that `--recognizer` names, and what each is shown of a face: in training, in tests, everywhere."""

import importlib
from dataclasses import dataclass

import tensorflow as tf

from models.dlib_resnet import prepared as as_dlib
from trainer.step import pixels
from utils.errors import UserError


@dataclass(frozen=True)
class Kind:
    """One network.

    Attributes:
        target: "module:class".  arguments: for its constructor.
        size: side of its images in pixels where the user names none; smallest, largest: that it can take.
        margin: of the images that are read, a square of 1 / margin of the side is shown: the centre, or with
            random_crop, in training, any.
        embedding: length of its feature where the user names none.
        sized: it is built for one size of images.  fixed_embedding: its feature has that one length.
        dropout_inside: it drops activations itself, before its last layer; else that is done to its feature.
        look: how it is shown pixels: "standardized", "grey" or "dlib".
    """

    target: str
    arguments: dict
    size: int
    smallest: int
    largest: int
    margin: float
    embedding: int
    sized: bool = False
    fixed_embedding: bool = False
    dropout_inside: bool = False
    look: str = "standardized"


def _light_cnn(depth):  # reads 144, shows 128, as its authors
    return Kind("models.light_cnn:LightCnn", {"depth": depth}, 128, 16, 1024, 144 / 128, 256, sized=True, look="grey")


KINDS = {
    "light_cnn9": _light_cnn(9),
    "light_cnn29": _light_cnn(29),
    "inception_resnet_v1": Kind(  # reads 182, shows 160, as FaceNet
        "models.inception_resnet_v1:InceptionResnetV1", {"frozen": False}, 160, 75, 1024, 182 / 160, 128,
        dropout_inside=True,
    ),
    "nn4": Kind("models.nn4:NN4", {"frozen": False}, 96, 96, 96, 108 / 96, 128, dropout_inside=True),
    "dlib_resnet": Kind(
        "models.dlib_resnet:DlibResnet", {}, 150, 150, 150, 1.0, 128, fixed_embedding=True, look="dlib"
    ),
}


class FaceInput:
    """What a recogniser is shown of a face, in training and ever after.

    Args:
        options: recognizer, image_size, use_fixed_image_standardization: flags, or what a run's params.json holds.

    Attributes:
        size: side of what the network takes.
        shown: side of the images that are read for it: of these `prepare` takes the centre.
    """

    def __init__(self, options):
        kind = KINDS[options.recognizer]
        self.size, self.look = options.image_size, kind.look
        self.shown = round(self.size * kind.margin)
        self.fixed = options.use_fixed_image_standardization

    def prepare(self, images):
        """Faces as they are read -> what the network takes.

        Args:
            images: float32 [n, shown, shown, 3] in [-1, 1], or already cropped to [n, size, size, 3].

        Returns:
            float32 [n, size, size, 3] standardised as FaceNet's or dlib's, or for Light CNN [n, size, size, 1]: grey in
            [0, 1].
        """
        levels = pixels.levels(pixels.centre_cropped(images, self.size))
        if self.look == "grey":
            return pixels.luminance(levels) / 255.0
        if self.look == "dlib":
            return as_dlib(levels)
        return pixels.standardized(levels, self.fixed)

    def augmented(self, images, seed, crop, flip, rotate):
        """Faces as training shows them: [n, shown, shown, 3] -> [n, size, size, 3], in [-1, 1] both.

        In FaceNet's order: turned, cropped, mirrored, drawn for each image, a function of `seed` (int32 [2]).
        """
        rotation, place, mirror = (tf.random.experimental.stateless_fold_in(seed, i) for i in range(3))
        if rotate:
            images = pixels.rotated(images, rotation)
        images = pixels.cropped(images, self.size, place) if crop else pixels.centre_cropped(images, self.size)
        return pixels.flipped(images, mirror) if flip else images


def kind_of(name):
    """The Kind that `--recognizer` names."""
    if name not in KINDS:
        raise UserError(f"--recognizer: {name!r} is none of {', '.join(KINDS)}")
    return KINDS[name]


def take_sizes(options):
    """Give `options` the network's own image_size and embedding_size where the command line names none; check them.

    Raises:
        UserError: a size that the network cannot take.
    """
    name, kind = options.recognizer, kind_of(options.recognizer)
    if "image_size" not in options.explicit:
        options.image_size = kind.size
    if "embedding_size" not in options.explicit:
        options.embedding_size = kind.embedding
    if not kind.smallest <= options.image_size <= kind.largest:
        sizes = f"{kind.size} only" if kind.smallest == kind.largest else f"{kind.smallest} to {kind.largest}"
        raise UserError(f"--image_size {options.image_size}: {name} takes images of {sizes}")
    if kind.fixed_embedding and options.embedding_size != kind.embedding:
        raise UserError(f"--embedding_size {options.embedding_size}: {name} has {kind.embedding} only")


def build_network(options):
    """The network of recognizer, image_size and embedding_size, with fresh weights; batch norms that can train."""
    kind = kind_of(options.recognizer)
    module, _, name = kind.target.partition(":")
    arguments = dict(kind.arguments)
    if kind.sized:
        arguments["size"] = options.image_size
    if not kind.fixed_embedding:
        arguments["embedding_size"] = options.embedding_size
    return getattr(importlib.import_module(module), name)(**arguments)
