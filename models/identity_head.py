"""DA-GAN's identity agent: whom the code of an auto-encoder shows."""

import keras
import tensorflow as tf


class IdentityHead(keras.Model):
    """One dense layer from a code to a logit for each person (its layers are not given in the poster; ours).

    Args:
        count: number of people.
        code_size: length z of the code.
    """

    def __init__(self, count, code_size, name="identity_head"):
        super().__init__(name=name)
        self.logits = keras.layers.Dense(count, name="logits")
        self(tf.zeros((1, code_size)))  # creates the weights

    def call(self, code):
        """Code float32 [n, z] -> logits float32 [n, people]."""
        return tf.cast(self.logits(code), tf.float32)
