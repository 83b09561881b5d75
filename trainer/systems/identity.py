"""How FaceGAN keeps a face's identity: a face network C looks at the generated image, a set loss compares."""

import keras
import numpy as np
import tensorflow as tf

from data_loader import chips
from data_loader.face_places import known_places
from data_loader.folders import readable_batches
from trainer.face_networks.network import build_network
from trainer.face_networks.preparation import preparation
from trainer.face_networks.table import kind_of
from trainer.step import losses, pixels, replicas
from trainer.step.streams import Stream, drawn
from utils.errors import UserError
from utils.images import to_float
from utils.progress import Progress

METHODS = ("none", "magnet", "softmax", "center")
CROPPED = 108  # side of the images that they see a random crop of, of all other sizes the whole
MEAN_OF = 2000  # images are enough for the mean features of all
INPUT_SIZE = 96  # the crop that the published code shows FaceNet's networks, whichever it is


class IdentityNetwork:
    """A face network C that a loss looks through, and how generated images are shown to it.

    Args:
        options: model_def, embedding_size, use_fixed_image_standardization.

    Attributes:
        network: C, keras.Model: faces as `prepare` gives them -> [n, embedding_size] before normalisation.
    """

    def __init__(self, options):
        self.network, self.kind = build_network(options), kind_of(options.model_def, "model_def")
        self.network.trainable = False
        self.prepare_levels = preparation(self.kind.look, options.use_fixed_image_standardization)

    def embed(self, images, crop_seed, chip=None):
        """What the network makes of images, as `prepare` takes them: float32 [n, embedding_size], not normalised."""
        return tf.cast(self.network(self.prepare(images, crop_seed, chip)), tf.float32)

    def features(self, images, crop_seed, chip=None):
        """As `embed`, of length 1."""
        return tf.math.l2_normalize(self.embed(images, crop_seed, chip), axis=1, epsilon=1e-10)

    def distances(self, images, wanted, chip=None):
        """1 - the cosine of each image's features and of `wanted`, float32 [n, embedding_size] of length 1."""
        return 1.0 - tf.reduce_sum(self.features(images, None, chip) * wanted, axis=1)

    def of_people(self, index, side, places=None, shown=lambda images: images):
        """The mean features of each person's images in a labelled index: float32 [people, embedding_size].

        Args:
            index: data_loader.folders.ImageIndex.  side: pixels to which images are read.
            places: float32 [images, 4], where their faces are, as `chip` elsewhere; None: at chips.FIXED.
            shown: images [n, side, side, 3] in [-1, 1] -> how they are shown to the network.

        Raises:
            UserError: no image of a person can be read.
        """
        positions, features = self._features_in(index, np.arange(len(index)), side, places, shown, "features of people")
        labels = index.labels[positions]
        missing = set(range(len(index.label_names))) - set(labels.tolist())
        if missing:
            name = index.label_names[min(missing)]
            raise UserError(f"{index.flag}: no image of {name} in {index.folder} can be read")
        return np.stack([features[labels == person].mean(axis=0) for person in range(len(index.label_names))])

    def of_all(self, index, side, places=None, shown=lambda images: images):
        """The mean features of all images in an index, of MEAN_OF of them where there are more: [embedding_size]."""
        chosen = np.unique(np.linspace(0, len(index) - 1, MEAN_OF).astype(int))
        return self._features_in(index, chosen, side, places, shown, "features of photographs")[1].mean(axis=0)

    def _features_in(self, index, positions, side, places, shown, what):
        """(which of the positions could be read, their features float32 [n, embedding_size])."""
        read, features = [], []
        look = tf.function(lambda images, chip: self.features(shown(images), None, chip), reduce_retracing=True)
        with Progress(len(positions), what) as progress:
            for some, images in readable_batches(index, positions, side):
                chip = None if places is None else tf.constant(places[some], tf.float32)
                features.append(look(to_float(images), chip).numpy())
                read.append(some)
                progress.update(len(some))
        return np.concatenate(read), np.concatenate(features)

    def maps(self, images, chip=None):
        """Its last maps of images, before they are pooled: float32 [n, h, w, c]; of dlib's network alone."""
        return tf.cast(self.network.maps(self.prepare(images, None, chip)), tf.float32)

    def prepare(self, images, crop_seed, chip=None):
        """[n, s, s, 3] in [-1, 1] -> what C takes.

        dlib's network, and FaceNet's from a Keras file, are shown the face's chip, cut where `chip` says; one that was
        trained here the whole image at its own size; nothing of it is random (ours). FaceNet's of TF1 checkpoints are
        shown 96x96 pixels, as published: at 108 a window, in training one random offset for the whole batch and a flip
        for each image (docs/published.md D18, D23); every other size is resized by TF1's corner rule, which the
        published code does at 64 (D29).
        """
        images = pixels.levels(images)
        if self.kind.alignment == "chip":
            if chip is None:
                chip = tf.tile(tf.constant([chips.FIXED]), [tf.shape(images)[0], 1])
            images = chips.cut_differentiably(images, chip, self.kind.size)
        elif self.kind.weights == "run":
            shown = round(self.kind.size * self.kind.margin)
            images = tf.image.resize(images, [shown, shown], antialias=True)
            images = pixels.centre_cropped(images, self.kind.size)
        elif images.shape[1] == CROPPED:
            images = _crop(images, crop_seed)
        else:
            images = tf.raw_ops.ResizeBilinear(images=images, size=[INPUT_SIZE, INPUT_SIZE])
        return self.prepare_levels(images)


class IdentityLoss(IdentityNetwork):
    """The identity term of G's loss and the per-image identity score.

    Args:
        options: method_c, model_def, embedding_size, center_loss_alfa, relax_c, paper_variance, move_centers,
            identity_blur, centroids, use_fixed_image_standardization, random_seed.
        n_id: identities, the largest label plus one.

    Attributes:
        centroids: float32 [n_id, embedding_size], one for each identity, starting at 0; of --centroids renders where
            `centre_on` puts them.
        weights, biases: the softmax layer on top of C's output, trained by G's optimizer.
    """

    def __init__(self, options, n_id):
        if options.method_c not in METHODS:
            raise UserError(f"--method_c: {options.method_c!r} is none of {', '.join(METHODS)}")
        super().__init__(options)
        self.options = options
        self.network.trainable = options.relax_c
        size = options.embedding_size
        initial = keras.initializers.TruncatedNormal(stddev=0.1, seed=options.random_seed)
        self.centroids = keras.Variable(
            tf.zeros((n_id, size)), trainable=False, aggregation="only_first_replica", name="centroids"
        )
        self.weights = keras.Variable(initial((size, n_id)), name="identity_weights")
        self.biases = keras.Variable(tf.zeros(n_id), name="identity_biases")

    @property
    def state(self):
        """What of it must survive a restart, by name."""
        return {
            "identity/centroids": self.centroids,
            "identity/weights": self.weights,
            "identity/biases": self.biases,
        }

    @property
    def trained_variables(self):
        """Variables that G's optimizer trains beside G's own."""
        head = [self.weights, self.biases] if self.options.method_c == "softmax" else []
        return head + list(self.network.trainable_variables)

    def centre_on(self, renders, places, photographs, side, shown):
        """Put each identity's centroid where the network sees its renders, as the loss looks at them, moved by what
        tells photographs from renders in the mean: it is faces in photographs that are drawn to it.

        Args:
            renders, photographs: indexes.  side: of the images.
            places: float32 [n, 4], where the renders' faces are; None for a network that is not shown face chips.
            shown: images -> as the system's networks see them.
        """

        def looked_at(images):
            return pixels.blurred(shown(images), self.options.identity_blur)

        people = self.of_people(renders, side, places, looked_at)
        in_photographs = None if places is None else chip_places(photographs)
        mean = self.of_all(photographs, side, in_photographs, looked_at)
        self.centroids.assign(people - people.mean(axis=0) + mean)

    def __call__(self, images, labels, crop_seed, chip=None):
        """Loss of a batch in training; moves the centroids, but for --centroids renders.

        Args:
            images: float32 [n, s, s, 3] in [-1, 1].  labels: int32 [n].
            crop_seed: int32 [2] for crop and flip, or None for the central crop.
            chip: float32 [n, 4], places of the faces (data_loader/chips.py), for a network that takes face chips;
                None: all at chips.FIXED.

        Returns:
            Scalar loss, and the score of each image [n] (magnet) or None (the published code has none there).
        """
        images = pixels.blurred(images, self.options.identity_blur)
        codes = replicas.gathered(self.embed(images, crop_seed, chip))
        labels = replicas.gathered(labels)  # magnet's variance and the centroids are the whole batch's
        features = tf.math.l2_normalize(codes, axis=1, epsilon=1e-10)
        method, step = self.options.method_c, 1.0 - self.options.center_loss_alfa
        if method == "magnet":
            if self.options.centroids == "moving":
                self.centroids.assign(losses.moved_centroids(self.centroids, features, labels, step))
            scores = self._magnet(features, labels)
            return tf.reduce_mean(scores), scores
        if method == "center":
            loss = losses.center_loss(features, labels, self.centroids)
            if self.options.move_centers:
                self.centroids.assign(losses.moved_centroids(self.centroids, features, labels, step))
            return loss, None
        if method == "softmax":
            return losses.softmax_loss(tf.matmul(codes, self.weights) + self.biases, labels), None
        raise ValueError(f"no identity loss for method_c {method!r}; one of {', '.join(METHODS[1:])}")

    def scores(self, images, labels, chip=None):
        """Identity score of each generated image, float32 [n] (magnet), centroids left alone; None elsewhere."""
        if self.options.method_c != "magnet":
            return None
        return self._magnet(self.features(images, None, chip), labels)

    def _magnet(self, features, labels):
        squared = not self.options.paper_variance
        return losses.magnet_loss_per_image(features, labels, self.centroids, squared_variance=squared)


def takes_chips(options):
    """Whether the identity loss that `options` name looks at face chips, so that it wants to know where faces are."""
    return options.method_c != "none" and sees_chips(options)


def sees_chips(options):
    """Whether the face network that `options` name looks at face chips."""
    return kind_of(options.model_def, "model_def").alignment == "chip"


def draws(options):
    """Whether the identity loss draws random numbers in training: crop and mirroring of what FaceNet's networks see."""
    return options.method_c != "none" and not takes_chips(options) and options.input_scale_size == CROPPED


def chip_places(index):
    """Places of the faces in renders, or in photographs, for the batches' `chip`: float32 [n, 4].

    Those that no metadata.csv knows are at chips.FIXED; says how many.

    Args:
        index: data_loader.folders.ImageIndex, or JoinedIndex.
    """
    places = known_places(index, "chip")
    unknown = np.isnan(places[:, 0])
    places[unknown] = chips.FIXED
    if unknown.any():
        print(f"{unknown.sum()} of {len(places)} images in {index.folder} have no landmarks in a metadata.csv: the "
              "identity network looks at a fixed central crop of them")
    return places


# What a Source of images brings with them for a network that looks at face chips.
CHIPS = {"annotate": lambda index: {"chip": chip_places(index)}, "example": {"chip": chips.FIXED}}


def _crop(images, seed):
    if seed is None:
        return pixels.centre_cropped(images, INPUT_SIZE)
    margin = images.shape[1] - INPUT_SIZE
    top, left = tf.unstack(tf.random.stateless_uniform([2], seed, 0, margin + 1, tf.int32))
    window = tf.slice(images, [0, top, left, 0], [-1, INPUT_SIZE, INPUT_SIZE, -1])
    window = pixels.flipped(window, drawn(seed, Stream.IDENTITY_FLIP))
    return tf.ensure_shape(window, [None, INPUT_SIZE, INPUT_SIZE, 3])
