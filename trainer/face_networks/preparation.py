"""What face networks are shown: pixels of a face -> what the network takes. TensorFlow operations, with a gradient."""

import tensorflow as tf

from models.dlib_resnet import prepared as as_dlib
from trainer.face_networks.table import kind_of
from trainer.step import pixels


def preparation(look, fixed=False):
    """A function: pixels float32 [n, s, s, 3] in 0 … 255, of the side that the network is shown -> what it takes.

    Args:
        look: of its Kind. "standardized": as FaceNet's; "dlib": as dlib's; "grey": Light CNN's [n, s, s, 1] in [0, 1];
            "signed": insightface's, in [-1, 1].
        fixed: `--use_fixed_image_standardization`, for "standardized".
    """
    if look == "standardized":
        return lambda levels: pixels.standardized(levels, fixed)
    if look == "dlib":
        return as_dlib
    if look == "grey":
        return lambda levels: pixels.luminance(levels) / 255.0
    if look == "signed":
        return lambda levels: levels / 127.5 - 1.0
    raise ValueError(f"no look {look!r}; one of standardized, dlib, grey, signed")


class FaceInput:
    """What a recogniser is shown of a face, in training and ever after.

    Args:
        options: recognizer, image_size, use_fixed_image_standardization: flags, or what a run's params.json holds.

    Attributes:
        size: side of what the network takes.
        shown: side of the images that are read for it: of these `prepare` takes the centre.
    """

    def __init__(self, options):
        kind = kind_of(options.recognizer)
        self.size, self.shown = options.image_size, round(options.image_size * kind.margin)
        self._prepare = preparation(kind.look, options.use_fixed_image_standardization)

    def prepare(self, images):
        """Faces as they are read -> what the network takes.

        Args:
            images: float32 [n, shown, shown, 3] in [-1, 1], or already cropped to [n, size, size, 3].

        Returns:
            float32 [n, size, size, 3], or for Light CNN [n, size, size, 1].
        """
        return self._prepare(pixels.levels(pixels.centre_cropped(images, self.size)))

    def augmented(self, images, seed, crop, flip, rotate, erasing=0.0):
        """Faces as training shows them: [n, shown, shown, 3] -> [n, size, size, 3], in [-1, 1] both.

        In FaceNet's order: turned, cropped, mirrored; then, with the chance `erasing`, a part of it erased. Drawn for
        each image, a function of `seed` (int32 [2]).
        """
        rotation, place, mirror, erasure = (tf.random.experimental.stateless_fold_in(seed, i) for i in range(4))
        if rotate:
            images = pixels.rotated(images, rotation)
        images = pixels.cropped(images, self.size, place) if crop else pixels.centre_cropped(images, self.size)
        images = pixels.flipped(images, mirror) if flip else images
        return pixels.erased(images, erasing, erasure) if erasing else images
