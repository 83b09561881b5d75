"""Margin heads: a classifier of directions that makes the own class harder to reach, so that persons lie closer."""

import math

import numpy as np
import tensorflow as tf

MARGINS = {"arcface": 0.5, "cosface": 0.35}  # of the papers; insightface runs CosFace at 0.4
LEAST = 1e-12  # of a squared sine: at 0 its root has no gradient (ours)


def own_margin(head, margin):
    """The margin that --margin means: its own value, or where that is 0 the head's published one."""
    return margin or MARGINS[head]


def harder(head, cosines, margin):
    """What takes the place of the cosine to the own class.

    ArcFace (Deng et al. 2019, eq. 3): cos(theta + margin). From theta = pi - margin on, where that would rise again,
    cos(theta) - margin sin(margin), which goes on falling (as the authors' code without easy_margin).
    CosFace (Wang et al. 2018, eq. 4): cos(theta) - margin.

    Args:
        head: "arcface" or "cosface".
        cosines: float32 of any shape, -1 … 1.
        margin: radians for ArcFace, a cosine for CosFace.

    Raises:
        ValueError: another head.
    """
    if head == "cosface":
        return cosines - margin
    if head == "arcface":
        sines = tf.sqrt(tf.maximum(1.0 - cosines**2, LEAST))
        beyond = cosines <= math.cos(math.pi - margin)
        return tf.where(
            beyond, cosines - margin * math.sin(margin), cosines * math.cos(margin) - sines * math.sin(margin)
        )
    raise ValueError(f"no margin head {head!r}; one of {', '.join(MARGINS)}")


def cosines(features, weights):
    """Cosines of the angles between features [n, d] and the columns of weights [d, c]: float32 [n, c]."""
    return tf.matmul(tf.math.l2_normalize(features, axis=1), tf.math.l2_normalize(weights, axis=0))


def margin_logits(head, cosines, labels, margin, scale):
    """Logits of a softmax loss: `scale` times the cosines [n, c], that of each row's label int32 [n] made harder."""
    rows = tf.stack([tf.range(tf.shape(labels)[0]), labels], axis=1)  # [n, 2]
    own = tf.gather_nd(cosines, rows)
    return scale * tf.tensor_scatter_nd_update(cosines, rows, harder(head, own, margin))


def guess_loss(head, margin, scale, count):
    """Cross-entropy of a network that has learnt nothing: all cosines 0, `count` classes."""
    own = scale * float(harder(head, tf.constant(0.0), margin))
    return float(np.logaddexp(own, math.log(count - 1))) - own
