"""Keras' Conv2D in fewer or faster operations. Results differ from the plain one's by the order of sums alone."""

import keras
import numpy as np
import tensorflow as tf

WEIGHTS_IN_SUMS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])  # rows of the 4x4 kernel from the 3x3 one's


class ConvToFew(keras.layers.Conv2D):
    """keras.layers.Conv2D, stride 1, for few output channels.

    A convolution computes 8 or 16 output channels at once, however few are wanted, so that one to 3 channels runs at a
    fifth of its speed. Here the rows of its kernel become channels of their own, height x 3 of them, and a second
    convolution, of ones and zeros, adds them up.
    """

    def convolution_op(self, inputs, kernel):
        """[n, h, w, c] -> [n, h', w', filters], without bias and activation."""
        return _to_few(inputs, tf.convert_to_tensor(kernel), self.padding.upper())


class ConvFromFew(keras.layers.Conv2D):
    """keras.layers.Conv2D, stride 1, for few input channels whose gradient is wanted; that is as ConvToFew."""

    def convolution_op(self, inputs, kernel):
        """[n, h, w, few] -> [n, h', w', filters], without bias and activation."""
        return _from_few(inputs, tf.convert_to_tensor(kernel), self.padding.upper())


class ConvOfDoubled(keras.layers.Conv2D):
    """A 3x3 keras.layers.Conv2D, stride 1, "same", of images whose rows and columns are first repeated once.

    Four windows of a doubled image see each pixel in four ways, always with sums of the same weights. So it is the
    transposed convolution, stride 2, by a 4x4 kernel of those sums: 4/9 of the arithmetic, and nothing is repeated.
    """

    def convolution_op(self, inputs, kernel):
        """[n, h, w, c] -> [n, 2h, 2w, filters], without bias and activation."""
        kernel = tf.transpose(tf.convert_to_tensor(kernel), [0, 1, 3, 2])
        sums = tf.constant(np.kron(WEIGHTS_IN_SUMS, WEIGHTS_IN_SUMS), kernel.dtype)
        kernel = tf.reshape(sums @ tf.reshape(kernel, [9, -1]), [4, 4, *kernel.shape[2:]])
        number, height, width = tf.shape(inputs)[0], *inputs.shape[1:3]
        size = [number, 2 * height, 2 * width, self.filters]
        return tf.nn.conv2d_transpose(inputs, kernel, size, 2, "SAME")

    def compute_output_shape(self, input_shape):
        number, *sides, channels = input_shape
        doubled = (None if side is None else 2 * side for side in sides)
        return super().compute_output_shape((number, *doubled, channels))


def _to_few(images, kernel, padding):
    """Convolution of images [n, h, w, c] by a kernel [kh, kw, c, few], stride 1; `padding` as tf.nn.conv2d's."""
    height, width, channels, few = kernel.shape
    along, across = (padding, padding) if isinstance(padding, str) else _split(padding)
    rows = tf.reshape(tf.transpose(kernel, [1, 2, 0, 3]), [1, width, channels, height * few])
    ones = np.zeros((height, 1, height * few, few))
    for row in range(height):
        ones[row, 0, row * few : (row + 1) * few] = np.eye(few)
    wide = tf.nn.conv2d(images, rows, 1, across)
    return tf.nn.conv2d(wide, tf.constant(ones, wide.dtype), 1, along)


def _split(padding):
    """Explicit padding -> that of the rows, that of the columns."""
    none = [0, 0]
    return [none, padding[1], none, none], [none, none, padding[2], none]


def _from_few(images, kernel, padding):
    """Convolution of images [n, h, w, few] by a kernel [kh, kw, few, c], stride 1, "SAME" or "VALID"."""

    @tf.custom_gradient
    def convolved(images, kernel):
        def gradient(upstream):
            height, width = kernel.shape[:2]
            full = [[0, 0], [height - 1] * 2, [width - 1] * 2, [0, 0]]  # fewer windows saw a pixel at the edge
            turned = tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2])
            from_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=images, filter_sizes=kernel.shape, out_backprop=upstream, strides=[1, 1, 1, 1], padding=padding
            )
            return _to_few(upstream, turned, padding if padding == "SAME" else full), from_kernel

        return tf.nn.conv2d(images, kernel, 1, padding), gradient

    return convolved(images, kernel)
