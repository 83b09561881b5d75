"""dlib's face-recognition ResNet (D. King 2017; layers: `anet_type` of dlib's dnn_face_recognition_ex.cpp), frozen."""

import keras
import tensorflow as tf

IMAGE_SIZE = 150  # pixels of the face chip that it was trained on
EMBEDDING_SIZE = 128
MEAN_RGB = (122.782, 117.001, 104.298)  # its input layer takes it from 0...255, before it divides by 256
STEM = (32, 7, 2)  # filters, window, stride
BLOCKS = (  # filters, stride; a block of stride 2 halves its shortcut by averaging
    *((32, 1),) * 3,
    *((64, 2), *((64, 1),) * 3),
    *((128, 2), *((128, 1),) * 2),
    *((256, 2), *((256, 1),) * 2),
    (256, 2),
)


class DlibResnet(keras.Model):
    """Face chip -> 128 numbers; under a squared Euclidean distance of 0.36 two faces are one person's, as dlib says.

    A convolution's `affine` layer (dlib's frozen batch norm: gamma x + beta) lies in its kernel and bias. 29
    convolutions, 5,607,488 numbers. All weights are trainable variables.
    """

    def __init__(self, name="dlib_resnet"):
        super().__init__(name=name)
        channels, window, stride = STEM
        self.stem = _conv(3, channels, window, stride, "stem")
        self.blocks = []  # (first convolution, second convolution, stride)
        for number, (filters, stride) in enumerate(BLOCKS):
            first = _conv(channels, filters, 3, stride, f"block_{number:02d}_1")
            self.blocks.append((first, _conv(filters, filters, 3, 1, f"block_{number:02d}_2"), stride))
            channels = filters
        self.embedding = keras.layers.Dense(EMBEDDING_SIZE, use_bias=False, name="embedding")
        self.embedding.build((None, channels))
        self.built = True

    @property
    def convolutions(self):
        """The convolution layers, from the image on."""
        return [self.stem, *(layer for first, second, _ in self.blocks for layer in (first, second))]

    def call(self, images):
        """Embed faces.

        Args:
            images: float32 [n, 150, 150, 3], `prepared` face chips.

        Returns:
            float32 [n, 128], as dlib gives them: not normalised.
        """
        return self.embedding(tf.reduce_mean(self.maps(images), axis=[1, 2]))  # [n, 256] -> [n, 128]

    def maps(self, images):
        """As `call`, before what is seen is averaged over the image: [n, 2, 2, 256]."""
        hidden = tf.nn.relu(self.stem(images))  # [n, 72, 72, 32]
        hidden = tf.nn.max_pool2d(hidden, 3, 2, "VALID")  # [n, 35, 35, 32]
        for first, second, stride in self.blocks:
            residual = second(tf.nn.relu(first(hidden)))
            shortcut = hidden if stride == 1 else tf.nn.avg_pool2d(hidden, 2, 2, "VALID")
            hidden = tf.nn.relu(_add_padded(residual, shortcut))
        return hidden


def prepared(pixels):
    """RGB 0...255, float32 [n, 150, 150, 3] -> what the network takes, as dlib's input layer does it."""
    return (pixels - tf.constant(MEAN_RGB)) / 256.0


def _conv(channels, filters, window, stride, name):
    """A convolution as dlib pads it: by half its window where its stride is 1, not at all elsewhere."""
    layer = keras.layers.Conv2D(filters, window, stride, "same" if stride == 1 else "valid", name=name)
    layer.build((None, None, None, channels))
    return layer


def _add_padded(first, second):
    """The sum of two maps, each padded with zeros (below, on the right, behind the last channel) to the larger size."""
    target = [max(a, b) for a, b in zip(first.shape[1:], second.shape[1:], strict=True)]
    return _padded(first, target) + _padded(second, target)


def _padded(maps, target):
    missing = [[0, wanted - there] for wanted, there in zip(target, maps.shape[1:], strict=True)]
    return tf.pad(maps, [[0, 0], *missing]) if any(after for _, after in missing) else maps
