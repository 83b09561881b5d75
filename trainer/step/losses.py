"""Every loss as a pure function of tensors, with its equation and where it comes from."""

import tensorflow as tf

CENTROIDS_AT_ONCE = 1024


def absolute_error(a, b):
    """Mean |a - b| over images, pixels and channels; the L1 of every FaceGAN term (paper eqs. 1 to 6). A scalar."""
    return tf.reduce_mean(tf.abs(a - b))


def absolute_error_sum(a, b):
    """Sum of |a - b| over images, pixels and channels (DA-GAN eqs. 4, 5 and 9 as printed). A scalar."""
    return tf.reduce_sum(tf.abs(a - b))


def absolute_error_per_image(a, b):
    """Mean |a - b| of each image: [n, h, w, c] twice -> [n]."""
    return tf.reduce_mean(tf.abs(a - b), axis=[1, 2, 3])


def masked_absolute_error(a, b, mask):
    """Mean of mask * |a - b| over all pixels, not over the mask's (published code, docs/published.md D15). A scalar."""
    return tf.reduce_mean(mask * tf.abs(a - b))


def magnet_loss_per_image(features, labels, centroids, margin=1.0, squared_variance=True):
    """Magnet loss with one cluster for each identity (paper eq. 7; Rippel et al. 2015 eq. 4).

    l_i = relu(-log(exp(v d_i,own - margin) / (sum over the others exp(v d_i,j) + 1e-8) + 1e-8)) with
    v = -1 / (2 s^2), where d are squared distances to the centroids and s the variance sum(d_own) / (n - 1). The paper
    has 2 s there; the published code squares the variance once more (docs/published.md D6).

    Args:
        features: float32 [n, d], unit length.
        labels: int32 [n], 0 … c-1.
        centroids: float32 [c, d], already moved by this batch in training (docs/published.md D31).
        margin: the paper's eta.
        squared_variance: True as the published code, False as the paper.

    Returns:
        float32 [n]. Gradients reach the features, through the variance too, and not the centroids.
    """
    centroids = tf.stop_gradient(tf.convert_to_tensor(centroids))
    distances = _squared_distances(features, centroids)  # [n, c]
    own = tf.one_hot(labels, tf.shape(centroids)[0])  # [n, c]
    own_distance = tf.reduce_sum(own * distances, axis=1)  # [n]
    count = tf.cast(tf.maximum(tf.shape(features)[0] - 1, 1), tf.float32)
    variance = tf.reduce_sum(own_distance) / count
    scale = -1.0 / (2.0 * (variance**2 if squared_variance else variance))
    numerator = tf.exp(scale * own_distance - margin)
    denominator = tf.reduce_sum((1.0 - own) * tf.exp(scale * distances), axis=1)
    return tf.nn.relu(-tf.math.log(numerator / (denominator + 1e-8) + 1e-8))


def _squared_distances(features, centroids):
    """[n, d], [c, d] -> [n, c], in parts of CENTROIDS_AT_ONCE: all at once would hold [n, c, d] several times."""
    count = centroids.shape[0]
    parts = [tf.reduce_sum(tf.math.squared_difference(centroids[None, i : i + CENTROIDS_AT_ONCE], features[:, None]), 2)
             for i in range(0, count, CENTROIDS_AT_ONCE)]  # fmt: skip
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=1)


def moved_centroids(centroids, features, labels, step):
    """Centroids after each feature drew the centroid of its label towards itself, by `step` of their difference.

    Where a label is repeated its moves add up (docs/published.md D7).

    Args:
        centroids: float32 [c, d] before the move; all differences are to these.
        features: float32 [n, d].  labels: int32 [n].
        step: 1 - center_loss_alfa, so 0.05 by default; the paper prints 0.95.

    Returns:
        float32 [c, d], without gradient.
    """
    centroids = tf.convert_to_tensor(centroids)
    difference = tf.stop_gradient(tf.gather(centroids, labels) - features)
    return tf.tensor_scatter_nd_sub(centroids, labels[:, None], step * difference)


def center_loss(features, labels, centroids):
    """Mean over batch and dimensions of (feature - centroid of its label)^2 (after Wen et al. 2016). A scalar."""
    return tf.reduce_mean(tf.square(features - tf.stop_gradient(tf.gather(centroids, labels))))


def softmax_loss(logits, labels):
    """Mean cross-entropy of float32 logits [n, c] against int32 labels [n]. A scalar."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def binary_identity_loss(logits, labels):
    """DA-GAN eq. 6: a yes or no for each person, -(Y log D + (1 - Y) log(1 - D)) summed over the people.

    Args:
        logits: float32 [n, c].  labels: int32 [n], whose one-hot vectors are Y.

    Returns:
        The mean over images, a scalar.
    """
    wanted = tf.one_hot(labels, tf.shape(logits)[1])
    return tf.reduce_mean(tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits), axis=1))


def latent_divergence(mean, log_variance):
    """KL divergence of N(mean, exp(log_variance)) from N(0, 1), summed over the numbers of a latent vector.

    CFS eq. 5: 1/2 (mu' mu + sum(exp(eps) - eps - 1)).

    Args:
        mean, log_variance: float32 [n, z].

    Returns:
        The mean over images, a scalar.
    """
    return 0.5 * tf.reduce_mean(tf.reduce_sum(mean**2 + tf.exp(log_variance) - log_variance - 1.0, axis=1))


def intraclass_correlation(a, b):
    """Which part of the variance of codes is that of the classes, from two codes of each class (Fisher 1925).

    The covariance of the two over the variance of both, each column for itself, so that one of small numbers counts as
    much. 0 where the code does not tell the class; of a small batch it may be less.

    Args:
        a, b: float32 [n, d], rows of one class in one place.

    Returns:
        float32 [d]. No gradient flows through the variance: larger codes are no cure.
    """
    both = tf.stack([a, b])
    both -= tf.reduce_mean(both, axis=[0, 1])
    variance = tf.reduce_mean(both**2, axis=[0, 1])
    covariance = tf.reduce_mean(both[0] * both[1], axis=0)
    return covariance / tf.stop_gradient(variance + 1e-6)


def spread(images):
    """How much the images of a batch differ: standard deviation over the batch, meaned over pixels. A scalar."""
    return tf.reduce_mean(tf.math.reduce_std(images, axis=0)) + 1e-8
