"""Inception-v3 from a weights file of keras.applications, as a feature network of FID, KID and inception score."""

from pathlib import Path

import h5py
import keras
import numpy as np
from PIL import Image

from data_loader.folders import UnreadableImage, decode_whole
from utils.errors import UserError
from utils.images import to_float
from utils.progress import Progress

NAME, SIZE = "inception_v3", 299
DECODED_AT_ONCE = 32  # images in a batch


class Inception:
    """Inception-v3 with the weights of a file.

    These are Keras' weights (trained on ImageNet), not those of the graph that the first FID code used: distances are
    comparable with each other, not with published ones.

    Args:
        path: .h5 as keras.applications publishes them, with or without its top.

    Attributes:
        has_classes: whether the file has the top, so that there are class probabilities.

    Raises:
        UserError: no such file, or not weights of Inception-v3.
    """

    def __init__(self, path):
        path = Path(path).expanduser()
        classes = _classes(path)
        self.has_classes = classes is not None
        network = keras.applications.InceptionV3(
            weights=None, input_shape=(SIZE, SIZE, 3), pooling="avg",
            **({"include_top": True, "classes": classes} if self.has_classes else {"include_top": False}),
        )  # fmt: skip
        try:
            network.load_weights(path)
        except (ValueError, OSError, KeyError) as error:
            raise UserError(f"--inception_weights: {path} does not fit Inception-v3: {_one_line(error)}") from error
        pooled = next(layer for layer in network.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D))
        self.network = keras.Model(network.input, [pooled.output, *(network.outputs if self.has_classes else [])])

    def features(self, index, positions):
        """Features and class probabilities of some images of a folder, whole, resized to 299x299 (bicubic).

        Args:
            index: ImageIndex.
            positions: int [n], which images.

        Returns:
            (float32 [n, 2048], float32 [n, classes] or None).

        Raises:
            UserError: an image that cannot be read.
        """
        parts = []
        with Progress(len(positions), f"{NAME} features") as progress:
            for start in range(0, len(positions), DECODED_AT_ONCE):
                images = np.stack([_image(index, i) for i in positions[start : start + DECODED_AT_ONCE]])
                parts.append([keras.ops.convert_to_numpy(part) for part in self._call(images)])
                progress.update(len(images))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return columns[0], columns[1] if self.has_classes else None

    def _call(self, images):
        outputs = self.network(to_float(images), training=False)
        return outputs if isinstance(outputs, list) else [outputs]


def _image(index, i):
    try:
        image = Image.fromarray(decode_whole(index.path(i)))
    except UnreadableImage as error:
        raise UserError(f"{index.flag}: cannot read {error}") from error
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def _classes(path):
    """How many classes the weights in a file tell apart; None where the file comes without the top."""
    try:
        with h5py.File(path) as file:
            names = [name.decode() if isinstance(name, bytes) else name for name in file.attrs["layer_names"]]
            if "predictions" not in names:
                return None
            biases = [item.shape for item in _arrays(file["predictions"]) if item.ndim == 1]
            return int(biases[0][0])
    except FileNotFoundError:
        raise UserError(f"--inception_weights: no such file: {path}") from None
    except (OSError, KeyError, IndexError) as error:
        raise UserError(
            f"--inception_weights: {path} is no weights file of keras.applications: {_one_line(error)}"
        ) from error


def _arrays(group):
    found = []
    group.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


def _one_line(error):
    return " ".join(str(error).split())[:200]
