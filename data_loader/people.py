"""What faces are made of where no image is: people that a training knew, or mixtures of them, and random vectors."""

import json
from hashlib import blake2b

import numpy as np
import tensorflow as tf

from data_loader.folders import decode
from data_loader.inputs import Input
from utils.errors import UserError

MIXED = 3  # known people in a new one (CFS, strategy 2)


class PeopleInput(Input):
    """So many images of each known person, or with --n_id of each of so many new ones, mixtures of three.

    The three, their weights (evenly drawn of all that sum to 1; not given in the paper, ours) and each image's latent
    vector follow from random_seed, the person's number and the image's number alone.

    Args:
        names: of the known people, in the order of their numbers.
        options: n_id, images_per_id, random_seed, z_num, same_latents (image j of every person has one latent vector);
            `explicit`.
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
        self.columns = ("mixture", "latent_seed")
        content = [self.known, new, self.each, options.random_seed, options.z_num, options.same_latents]
        self.digest = blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()
        sizes = {"people": len(names), "latent": options.z_num}
        self.spec = {key: tf.TensorSpec([size], tf.float32) for key, size in sizes.items()}

    def read(self, i):
        person, image = divmod(int(i), self.each)
        latent = np.random.default_rng(self._latent_seeds(person, image)).standard_normal(self.options.z_num)
        return {"people": self.weights(person), "latent": np.float32(latent)}

    def row(self, i):
        """Of each known person in the mixture the name and the weight; the numbers that seed NumPy's default_rng."""
        person, image = divmod(int(i), self.each)
        weights = self.weights(person)
        mixed = [f"{self.known[place]}:{weights[place]:.6g}" for place in np.flatnonzero(weights)]
        return [";".join(mixed), "-".join(map(str, self._latent_seeds(person, image)))]

    def weights(self, person):
        """Row of weights of a person: float32 [known], which sum to 1."""
        row = np.zeros(len(self.known), np.float32)
        if not self.new:
            row[person] = 1.0
            return row
        random = np.random.default_rng([self.options.random_seed, 1, person, 0])
        row[random.choice(len(self.known), MIXED, replace=False)] = random.dirichlet(np.ones(MIXED))
        return row

    def _latent_seeds(self, person, image):
        if self.options.same_latents:
            return [self.options.random_seed, 2, image + 1]
        return [self.options.random_seed, int(self.new), person, image + 1]


class StripInput(Input):
    """From one photograph of each person to another in even steps: their latent vectors, mixed (CFS, figure 6).

    The two are the first and the last of each person's; people with one photograph are left out.

    Args:
        index: labelled data_loader.folders.ImageIndex.
        size: pixels of a side.
        steps: images of a strip, two at least: the first is the one photograph's, the last the other's.
        people: float32 [n, known], each photograph's row of weights.

    Raises:
        UserError: nobody has two photographs.
    """

    columns = ("from_image", "to_image", "share")

    def __init__(self, index, size, steps, people):
        self.index, self.size, self.each, self.people = index, size, steps, people
        firsts = np.flatnonzero(np.diff(index.labels, prepend=-1))
        lasts = np.append(firsts[1:], len(index)) - 1
        self.ends = [(int(a), int(b)) for a, b in zip(firsts, lasts, strict=True) if a < b]
        if not self.ends:
            raise UserError(f"{index.flag}: {index.folder}: nobody has two photographs")
        self.label_names = [index.label_names[index.labels[first]] for first, _ in self.ends]
        self.labels = np.repeat(np.arange(len(self.ends), dtype=np.int32), steps)
        self.flag, self.folder = index.flag, index.folder
        self.digest = blake2b(f"{index.digest} {steps}".encode(), digest_size=16).hexdigest()
        image = tf.TensorSpec([size, size, 3], tf.uint8)
        self.spec = {"people": tf.TensorSpec(people.shape[1:], tf.float32), "real": image, "other": image,
                     "share": tf.TensorSpec([], tf.float32)}  # fmt: skip

    def read(self, i):
        (first, last), share = self._place(i)
        images = (decode(self.index.path(number), self.size) for number in (first, last))
        seen = dict(zip(("real", "other"), images, strict=True))
        return seen | {"people": self.people[first], "share": np.float32(share)}

    def row(self, i):
        (first, last), share = self._place(i)
        return [self.index.relative_path(first), self.index.relative_path(last), f"{share:.6g}"]

    def path(self, i):
        return self.index.path(self._place(i)[0][0])

    def _place(self, i):
        return self.ends[i // self.each], i % self.each / (self.each - 1)
