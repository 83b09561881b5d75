import numpy as np
import pytest
import tensorflow as tf

from models.patches import PatchDiscriminator


def test_weights_are_those_of_its_table():
    """3x3x3x4; 4x4 from 4 to 8, 16, 32; 3x3 from 32 to 32 and to 1: each with its offsets."""
    table = [(3, 3, 4), (4, 4, 8), (4, 8, 16), (4, 16, 32), (3, 32, 32), (3, 32, 1)]
    assert PatchDiscriminator(4).count_params() == sum(k * k * before * after + after for k, before, after in table)


@pytest.mark.parametrize(("halvings", "seen"), [(3, 56), (2, 28), (1, 14)])
def test_how_many_pixels_a_score_sees_and_how_many_scores_there_are(halvings, seen):
    network, side = PatchDiscriminator(2, halvings), 96 // 2**halvings
    images = tf.Variable(tf.random.stateless_normal((1, 96, 96, 3), [0, 1]))
    with tf.GradientTape() as tape:
        scores = network(images)
        middle = scores[0, side // 2, side // 2, 0]
    assert scores.shape == (1, side, side, 1) and scores.dtype == tf.float32
    rows, columns = np.nonzero(np.abs(tape.gradient(middle, images)[0]).sum(axis=2))
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == seen
