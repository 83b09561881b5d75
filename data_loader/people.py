"""What faces are made of where no image is: people that a training knew, or mixtures of them, and random vectors."""

import json
from hashlib import blake2b

import numpy as np
import tensorflow as tf

from data_loader.inputs import Input
from utils.errors import UserError

MIXED = 3  # known people in a new one (CFS, strategy 2)


class PeopleInput(Input):
    """So many images of each known person, or with --n_id of each of so many new ones, mixtures of three.

    The three, their weights (evenly drawn of all that sum to 1; not given in the paper, ours) and each image's latent
    vector follow from random_seed, the person's number and the image's number alone.

    Args:
        names: of the known people, in the order of their numbers.
        options: n_id, images_per_id, random_seed, z_num; `explicit`.
    """

    def __init__(self, names, options):
        self.known, self.options = list(names), options
        new = options.n_id if "n_id" in options.explicit else 0
        if new and len(names) < MIXED:
            raise UserError(f"--n_id {new}: a new person is a mixture of {MIXED}, and the weights know {len(names)}")
        self.new = bool(new)
        self.label_names = [f"{number + 1:05d}" for number in range(new)] if new else self.known
        self.each = options.images_per_id
        self.labels = np.repeat(np.arange(len(self.label_names), dtype=np.int32), self.each)
        self.flag, self.folder = "--pretrained_gen", ""
        content = [self.known, new, self.each, options.random_seed, options.z_num]
        self.digest = blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()
        sizes = {"people": len(names), "latent": options.z_num}
        self.spec = {key: tf.TensorSpec([size], tf.float32) for key, size in sizes.items()}

    def read(self, i):
        person, image = divmod(int(i), self.each)
        latent = self._random(person, image + 1).standard_normal(self.options.z_num)
        return {"people": self.weights(person), "latent": np.float32(latent)}

    def weights(self, person):
        """Row of weights of a person: float32 [known], which sum to 1."""
        row = np.zeros(len(self.known), np.float32)
        if not self.new:
            row[person] = 1.0
            return row
        random = self._random(person, 0)
        row[random.choice(len(self.known), MIXED, replace=False)] = random.dirichlet(np.ones(MIXED))
        return row

    def name(self, i):
        person, image = divmod(int(i), self.each)
        return f"{self.label_names[person]}/{image + 1:05d}"

    def _random(self, *numbers):
        return np.random.default_rng([self.options.random_seed, int(self.new), *numbers])
