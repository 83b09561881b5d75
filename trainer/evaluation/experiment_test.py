"""What the recognisers of an experiment are tested on: identities held out of their data, or the pairs of a file."""

from hashlib import blake2b
from pathlib import Path

import numpy as np

from data_loader.generated_folder import alignment_of
from data_loader.joined import identities_of
from data_loader.protocols import read_lfw_pairs, read_yaws
from trainer.evaluation import verification
from trainer.evaluation.experiment_report import PROFILES
from trainer.evaluation.protocols import LazyImages, read_image
from trainer.face_networks.embedding import embed_folder, embed_images
from utils.errors import UserError
from utils.files import sha256_of

FOLDS = 10
PROFILE = 30  # degrees: a pair with a face that is turned by more is one of profiles
MOST_PAIRS = 5_000_000  # that a recogniser is tested on, as --num_pairs of evaluate: 20,000 images have 200 million


class HeldOutIdentities:
    """A share of the real identities, of which no recogniser of a seed learns any.

    Args:
        count: real identities.
        options: test_share.

    Attributes:
        identities: how many are held out.  settings: what a result depends on.  text: for the report.

    Raises:
        UserError: fewer than two are left to train or to test on.
    """

    def __init__(self, count, options):
        share = options.test_share
        self.identities, self.settings = round(count * share), {}
        for left, use in ((count - self.identities, "train"), (self.identities, "test")):
            if left < 2:
                raise UserError(f"--test_share {share:g}: leaves {left} of {count} identities to {use} on; two are "
                                "needed")  # fmt: skip
        self.text = f"Of the real identities {share:.0%} are tested on and never trained on; a seed draws which."

    def measure(self, network, real, tested, options):
        """{metric: number} on the pairs of the test identities, at most MOST_PAIRS of them.

        Args:
            network: trainer.face_networks.network.FaceNetwork.
            real: index of the real images.  tested: labels in it that are held out.
            options: random_seed, and what embed_folder takes.
        """
        embeddings = embed_folder(network, identities_of(real, tested), options)
        first, second, same = verification.labelled_pairs(embeddings.labels, MOST_PAIRS, options.random_seed)
        distances = verification.pair_distances(embeddings.features, first, second)
        count = min(FOLDS, same.sum(), (~same).sum())
        folds = verification.make_folds(same, count, seed=options.random_seed)
        return verification.verification_metrics(distances, same, folds)


class PairsFile:
    """The pairs of --lfw_pairs, of people who are not among the real identities: none of these is held out.

    Args:
        options: lfw_dir, lfw_pairs, lfw_file_ext, lfw_nrof_folds; lfw_poses: metrics of the pairs with a face that is
            turned by more than PROFILE degrees stand beside the others, PROFILES before their names.

    Attributes:
        identities, settings, text: as HeldOutIdentities.

    Raises:
        UserError: as read_lfw_pairs and read_yaws; an image that cannot be read; too few pairs of profiles.
    """

    def __init__(self, options):
        self.pairs = read_lfw_pairs(options.lfw_pairs, options.lfw_dir, options.lfw_file_ext)
        self.identities, self.cut = 0, alignment_of([options.lfw_dir], "--lfw_dir")
        self.settings = {
            "lfw_pairs": sha256_of(Path(options.lfw_pairs).expanduser()),
            "lfw_images": _content(self.pairs.images),
            "lfw_nrof_folds": options.lfw_nrof_folds,
        } | ({"lfw_cut": self.cut} if self.cut != "none" else {})
        self.text = (
            f"All real identities are trained on; tested is on the pairs of {Path(options.lfw_pairs).name}, the "
            f"threshold of each of {options.lfw_nrof_folds} folds being the best one on all others."
        )
        self.profiles = None
        if options.lfw_poses:
            self.profiles = self._profiles(options)
            self.settings["lfw_poses"] = sha256_of(Path(options.lfw_poses).expanduser())
            self.text += (
                f" In {self.profiles.sum()} of the pairs a face is turned by more than {PROFILE} degrees, after "
                f"{Path(options.lfw_poses).name}: {PROFILES} stands before what is measured on these alone."
            )

    def _profiles(self, options):
        """bool [pairs]."""
        yaws = np.abs(read_yaws(options.lfw_poses, options.lfw_dir, self.pairs.images))
        found = (yaws[self.pairs.first] > PROFILE) | (yaws[self.pairs.second] > PROFILE)
        if min(np.bincount(self.pairs.same[found], minlength=2)) < 2:
            raise UserError(f"--lfw_poses: {options.lfw_poses} has a face turned by more than {PROFILE} degrees in "
                            f"{found.sum()} pairs, not in two of one person and two of different people")  # fmt: skip
        return found

    def measure(self, network, real, tested, options):
        """As HeldOutIdentities.measure; nothing of the real images is looked at."""
        images = LazyImages(self.pairs.images, lambda path: read_image(path, "--lfw_dir"))
        embeddings = embed_images(network, images, options, self.cut)
        distances = verification.pair_distances(embeddings.features, self.pairs.first, self.pairs.second)
        folds = verification.make_folds(self.pairs.same, options.lfw_nrof_folds, seed=options.random_seed)
        metrics = verification.verification_metrics(distances, self.pairs.same, folds)
        if self.profiles is not None:
            distances, same = distances[self.profiles], self.pairs.same[self.profiles]
            count = min(options.lfw_nrof_folds, *np.bincount(same))
            folds = verification.make_folds(same, count, seed=options.random_seed)
            some = verification.verification_metrics(distances, same, folds)
            metrics |= {f"{PROFILES}{name}": value for name, value in some.items()}
        return metrics


def _content(paths):
    """Hex name of what images show, each of which is read once: better now than behind the first training."""
    name = blake2b(digest_size=16)
    for path in paths:
        pixels = read_image(path, "--lfw_dir")
        name.update(repr(pixels.shape).encode() + pixels.tobytes())
    return name.hexdigest()
