"""Streams: no two of a step draw the same numbers, and none has changed."""

import numpy as np
import tensorflow as tf

from trainer.step.streams import RecognizerStream, Stream, drawn, step_seed

BLOCKS = range(100)  # a generator's dropout


def test_no_two_streams_of_a_step_draw_alike():
    seed = step_seed(7, tf.constant(3, tf.int64))
    for streams in ((*BLOCKS, *Stream), tuple(RecognizerStream)):
        numbers = {tuple(drawn(seed, stream).numpy()) for stream in streams}
        assert len(numbers) == len(streams)


def test_streams_follow_seed_and_step():
    seeds = [step_seed(seed, tf.constant(step, tf.int64)) for seed in (1, 2) for step in (0, 1)]
    assert len({tuple(drawn(seed, Stream.PHOTOGRAPH_FLIP).numpy()) for seed in seeds}) == 4


def test_numbers_keep_their_meaning():
    """A changed number changes every run that is resumed: System.streams must grow with it."""
    assert {stream.name: int(stream) for stream in Stream} == {
        "PHOTOGRAPH_FLIP": 100, "PHOTOGRAPH_VARIATION": 200, "IDENTITY_FLIP": 300, "AUGMENTED_REAL": 400,
        "AUGMENTED_FAKE": 500, "LATENT": 600, "BETWEEN": 700, "POSE_INPUT": 800, "REPLICA": 1000,
    }  # fmt: skip
    assert [int(stream) for stream in RecognizerStream] == [0, 1]
    seed = tf.constant([123, 5], tf.int64)
    flip = drawn(step_seed(123, tf.constant(5, tf.int64)), Stream.PHOTOGRAPH_FLIP)
    np.testing.assert_array_equal(flip, tf.random.experimental.stateless_fold_in(seed, 100))
