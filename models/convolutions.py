"""Keras' Conv2D in fewer or faster operations. Results differ from the plain one's by the order of sums alone."""

import keras
import numpy as np
import tensorflow as tf

FEW_PIXELS = 4  # height and width up to which ConvOfSmall is products of matrices: docs/performance.md
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


class ConvOfSmall(keras.layers.Conv2D):
    """A 3x3 keras.layers.Conv2D, stride 1, or stride 2 and "valid", faster to maps of 4x4 pixels or fewer.

    On a CPU a convolution of many channels and few pixels, and its gradient to the kernel most of all, runs at a
    fraction of the speed of a product of matrices. Here the windows of such maps are the rows of a matrix.
    """

    def convolution_op(self, inputs, kernel):
        """[n, h, w, c] -> [n, h', w', filters], without bias and activation."""
        stride, before = self.strides[0], int(self.padding == "same")
        if self.kernel_size != (3, 3) or stride > 2 - before:
            raise ValueError(f'3x3 at stride 1, or 2 and "valid", not {self.kernel_size} at {stride}, "{self.padding}"')
        sides = [(side + 2 * before - 3) // stride + 1 for side in inputs.shape[1:3]]
        if max(sides) > FEW_PIXELS:
            return super().convolution_op(inputs, kernel)
        whole = [stride * (side + 2 // stride) for side in sides]  # cells of stride x stride pixels
        after = [pixels - before - side for pixels, side in zip(whole, inputs.shape[1:3], strict=True)]
        around = [[0, 0], *([before, more] for more in after), [0, 0]]
        return _of_windows(tf.pad(inputs, around), tf.convert_to_tensor(kernel), stride)


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


def _of_windows(images, kernel, stride):
    """Convolution of images [n, h, w, c] by a kernel [3, 3, c, f] -> [n, *sides, f], as a product of matrices.

    The images, with their borders, are whole cells of stride x stride pixels, 2 // stride cells more than the sides:
    pixels a stride apart are neighbours in one plane of the cells.
    """
    channels, filters = kernel.shape[2:]
    cells = [pixels // stride for pixels in images.shape[1:3]]
    sides = [count - 2 // stride for count in cells]
    places = [(row, column) for row in range(3) for column in range(3)]

    def windows(images):
        planes = tf.reshape(images, [-1, cells[0], stride, cells[1], stride, channels])
        seen = [
            planes[:, y // stride :, y % stride, x // stride :, x % stride][:, : sides[0], : sides[1]]
            for y, x in places
        ]
        return tf.reshape(tf.concat(seen, -1), [-1, 9 * channels])

    def seen_by(windows):
        """The transpose of windows(): each pixel the sum over the windows that see it."""
        each = tf.unstack(tf.reshape(windows, [-1, *sides, 9, channels]), axis=3)

        def plane(row, column):
            parts = [
                tf.pad(part, [[0, 0], *([at // stride, 2 // stride - at // stride] for at in (y, x)), [0, 0]])
                for part, (y, x) in zip(each, places, strict=True)
                if (y % stride, x % stride) == (row, column)
            ]
            return tf.add_n(parts)

        rows = [tf.stack([plane(row, column) for column in range(stride)], 3) for row in range(stride)]
        return tf.reshape(tf.stack(rows, 2), [-1, *(stride * count for count in cells), channels])

    @tf.custom_gradient
    def convolved(images, kernel):
        def gradient(upstream):
            upstream = tf.reshape(upstream, [-1, filters])
            from_windows = tf.matmul(upstream, tf.reshape(kernel, [-1, filters]), transpose_b=True)
            from_kernel = tf.matmul(windows(images), upstream, transpose_a=True)
            exact = tf.cast(from_windows, tf.float32)  # nine terms, each already rounded: add them up in full
            return tf.cast(seen_by(exact), images.dtype), tf.reshape(from_kernel, kernel.shape)

        products = windows(images) @ tf.reshape(kernel, [-1, filters])
        return tf.reshape(products, [-1, *sides, filters]), gradient

    return convolved(images, kernel)
