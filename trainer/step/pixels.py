"""What is done to the pixels of a batch before a network sees them: colour, standardisation, augmentation by a seed."""

import math

import keras
import tensorflow as tf

from utils.images import LUMINANCE

ROTATION = 10.0  # degrees to either side, as FaceNet
# Of random erasing (Zhong et al. 2017, section 4.3): share of the image's area; ratio of height to width, and 1 over it
ERASED_AREA, ERASED_RATIO = (0.02, 0.4), 0.3
ERASED_TRIES = 50  # rectangles drawn for an image, of which the first that lies in it is taken
SHIFT, ZOOM, GAIN = 0.06, 0.12, (0.5, 1.1)  # of the side, to either side; of the size, either way; factors of the light


def luminance(images):
    """Each pixel's luminance: [n, s, s, 3] -> [n, s, s, 1], in the images' own range."""
    return tf.tensordot(images, tf.constant([[weight] for weight in LUMINANCE]), axes=1)


def grey(images):
    """[n, s, s, 3] -> the same shape, each pixel its luminance."""
    return tf.repeat(luminance(images), 3, axis=3)


def levels(images):
    """Images in [-1, 1] -> pixels in 0...255, not rounded; what lies outside is clipped."""
    return tf.clip_by_value((images + 1.0) * 127.5, 0.0, 255.0)


def standardized(pixels, fixed):
    """Pixels as FaceNet was trained on them: float32 [n, s, s, 3] in 0...255 -> the same shape.

    Args:
        fixed: (x - 127.5) / 128, as FaceNet's models of 2018; else each image to mean 0 and deviation 1, where a
            deviation under 1 / sqrt(numbers of an image) counts as that.
    """
    if fixed:
        return (pixels - 127.5) / 128.0
    mean = tf.reduce_mean(pixels, axis=[1, 2, 3], keepdims=True)
    deviation = tf.math.reduce_std(pixels, axis=[1, 2, 3], keepdims=True)
    return (pixels - mean) / tf.maximum(deviation, 1.0 / math.prod(pixels.shape[1:]) ** 0.5)


def blurred(images, sigma):
    """A Gaussian of `sigma` pixels over images [n, h, w, 3], mirrored beyond their edges; 0: as they are."""
    if not sigma:
        return images
    reach = math.ceil(3 * sigma)
    places = tf.range(-reach, reach + 1, dtype=tf.float32)
    weights = tf.exp(-0.5 * (places / sigma) ** 2)
    weights = tf.tile((weights / tf.reduce_sum(weights))[:, None, None, None], [1, 1, 3, 1])
    images = tf.pad(images, [[0, 0], [reach, reach], [reach, reach], [0, 0]], "REFLECT")
    down = tf.nn.depthwise_conv2d(images, weights, [1, 1, 1, 1], "VALID")
    return tf.nn.depthwise_conv2d(down, tf.transpose(weights, [1, 0, 2, 3]), [1, 1, 1, 1], "VALID")


def centre_cropped(images, size):
    """The square of `size` pixels in the middle: [n, s, s, c] -> [n, size, size, c]; smaller images as they are."""
    margin = max(images.shape[1] - size, 0) // 2
    return images[:, margin : margin + size, margin : margin + size]


def flipped(images, seed):
    """Mirror each image with probability 1/2: [n, h, w, 3] -> the same shape."""
    flip = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed) < 0.5
    return tf.where(flip, images[:, :, ::-1], images)


def cropped(images, size, seed):
    """A square at a random place of each image, drawn for each: [n, s, s, c] -> [n, size, size, c]."""
    offsets = tf.random.stateless_uniform([2, tf.shape(images)[0], 1], seed, 0, images.shape[1] - size + 1, tf.int32)
    rows, columns = tf.unstack(offsets + tf.range(size))  # [n, size] each
    rows = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.ensure_shape(tf.gather(rows, columns, axis=2, batch_dims=1), [None, size, size, images.shape[3]])


def rotated(images, seed):
    """Turn each image in [-1, 1] about its centre by up to 10 degrees either way; what comes in is black.

    FaceNet interpolates bicubically, this bilinearly (ours).
    """
    degrees = tf.random.stateless_uniform([tf.shape(images)[0]], seed, -ROTATION, ROTATION)
    cosine, sine = tf.cos(degrees * math.pi / 180.0), tf.sin(degrees * math.pi / 180.0)
    centre, zero = (images.shape[1] - 1) / 2.0, tf.zeros_like(cosine)
    shift = centre * (1.0 - cosine)
    transforms = [cosine, -sine, shift + centre * sine, sine, cosine, shift - centre * sine, zero, zero]
    turned = keras.ops.image.affine_transform(images, tf.stack(transforms, axis=1), "bilinear", fill_value=-1.0)
    return tf.ensure_shape(turned, images.shape)


def erased(images, chance, seed):
    """Random erasing (Zhong et al. 2017, algorithm 1, RE-R): noise in a rectangle of some of the images.

    A rectangle's area and ratio are drawn evenly, and its upper left corner over the image; one that sticks out is
    drawn again, here ERASED_TRIES times at most, after which the image stays as it is (one in 10^8).

    Args:
        images: float32 [n, h, w, c] in [-1, 1].
        chance: of an image to lose a rectangle; 0.5 in the paper.
        seed: int32 [2].

    Returns:
        float32 [n, h, w, c]; each number of a rectangle drawn evenly from [-1, 1].
    """
    chosen, shape, place, noise = (tf.random.experimental.stateless_fold_in(seed, i) for i in range(4))
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    area, ratio = tf.unstack(tf.random.stateless_uniform([2, count, ERASED_TRIES], shape))
    area = height * width * (ERASED_AREA[0] + (ERASED_AREA[1] - ERASED_AREA[0]) * area)
    ratio = ERASED_RATIO + (1.0 / ERASED_RATIO - ERASED_RATIO) * ratio
    tall, wide = tf.sqrt(area * ratio), tf.sqrt(area / ratio)
    top, left = tf.unstack(tf.random.stateless_uniform([2, count, ERASED_TRIES], place))
    top, left = top * height, left * width
    fits = (top + tall <= height) & (left + wide <= width)
    first = tf.argmax(fits, axis=1)  # of the fitting ones; 0 where none fits
    top, tall, left, wide = (tf.gather(v, first, batch_dims=1)[:, None] for v in (top, tall, left, wide))
    rows, columns = tf.range(height, dtype=tf.float32) + 0.5, tf.range(width, dtype=tf.float32) + 0.5
    rows, columns = (rows > top) & (rows < top + tall), (columns > left) & (columns < left + wide)  # [n, h], [n, w]
    taken = tf.reduce_any(fits, axis=1) & (tf.random.stateless_uniform([count], chosen) < chance)
    inside = (rows[:, :, None] & columns[:, None] & taken[:, None, None])[..., None]
    return tf.where(inside, tf.random.stateless_uniform(tf.shape(images), noise, -1.0, 1.0), images)


def varied(images, seed):
    """Move, zoom and light each image in [-1, 1] anew, a function of `seed` (ours); what comes into view is mirrored.

    Returns:
        float32 [n, s, s, 3] in [-1, 1].
    """
    count, side = tf.shape(images)[0], images.shape[1]
    draw = tf.random.stateless_uniform([count, 4], seed)  # x, y, zoom, gain
    zoom = 1.0 + ZOOM * (2.0 * draw[:, 2] - 1.0)
    shift = SHIFT * side * (2.0 * draw[:, :2] - 1.0) + (1.0 - zoom[:, None]) * (side - 1) / 2.0  # about the centre
    zero = tf.zeros_like(zoom)
    transforms = [zoom, zero, shift[:, 0], zero, zoom, shift[:, 1], zero, zero]
    moved = keras.ops.image.affine_transform(images, tf.stack(transforms, axis=1), "bilinear", fill_mode="reflect")
    gain = GAIN[0] + (GAIN[1] - GAIN[0]) * draw[:, 3]
    lit = tf.clip_by_value((moved + 1.0) * gain[:, None, None, None], 0.0, 2.0) - 1.0
    return tf.ensure_shape(lit, images.shape)
