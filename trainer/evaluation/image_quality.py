"""How near a generated set is to photographs as a whole: FID, KID, inception score on features of any network."""

import numpy as np

from trainer.evaluation.report import Section
from utils.errors import UserError

KID_SUBSETS, KID_SUBSET_SIZE = 100, 1000  # as torchmetrics and clean-fid
KID_LEAST = 4  # images of a kind: two subsets of two
SPLITS = 10  # of the inception score, as Salimans et al. 2016


def frechet_distance(real, generated):
    """FID (Heusel et al. 2017): |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), means and covariances (n - 1) of features.

    The trace of the root is the sum of the singular values of X1 X2^T / ((n1 - 1) (n2 - 1))^(1/2), X the centred
    features, whose squares are the eigenvalues of S1 S2. That is exact, needs no matrix root, and holds with fewer
    images than features, where a root needs something added to the diagonal. QR first keeps the matrix at [d, d].

    Args:
        real, generated: [n, d], [m, d], at least two images each.
    """
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    shift = real.mean(axis=0) - generated.mean(axis=0)
    (root1, root2) = (
        np.linalg.qr(features - features.mean(axis=0), mode="r") / np.sqrt(len(features) - 1)
        for features in (real, generated)
    )
    cross = np.linalg.svd(root1 @ root2.T, compute_uv=False).sum()
    return float(shift @ shift + np.sum(root1**2) + np.sum(root2**2) - 2 * cross)


def kernel_distance(real, generated, seed=0, subsets=KID_SUBSETS, size=None):
    """KID (Binkowski et al. 2018): the unbiased squared MMD with the kernel (x.y / d + 1)^3, on random subsets.

    Args:
        real, generated: [n, d], [m, d].
        seed: of the subsets; each takes its real images first, then its generated ones, without replacement.
        subsets: how many.
        size: of a subset; None: 1000, but at most half of the smaller set (ours: whole sets would all be the same
            subset, and their standard deviation 0).

    Returns:
        (mean, standard deviation over the subsets).
    """
    generator = np.random.default_rng(seed)
    size = size or _subset_size(real, generated)
    values = [
        _squared_mmd(*(features[generator.choice(len(features), size, replace=False)].astype(np.float64)
                       for features in (real, generated)))
        for _ in range(subsets)
    ]  # fmt: skip
    return float(np.mean(values)), float(np.std(values))


def kernel_features(embeddings):
    """A face network's embeddings as KID's kernel takes them: of length sqrt(d), so that x.y / d is a cosine (ours).

    At length 1 the kernel would be all but linear in 128 dimensions, and see the mean of a set alone.

    Args:
        embeddings: [n, d].
    """
    embeddings = np.asarray(embeddings, np.float64)
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings * (embeddings.shape[1] ** 0.5 / np.maximum(lengths, 1e-12))


def inception_score(probabilities, seed=0, splits=SPLITS):
    """Inception score (Salimans et al. 2016): exp of the mean KL divergence of p(class | image) from p(class).

    Args:
        probabilities: [n, classes], rows that sum to 1, n at least `splits`.
        seed: of the order: a data set lies in the order of its labels, and a split should not be a few people.
        splits: equal parts.

    Returns:
        (mean, standard deviation over the splits).
    """
    order = np.random.default_rng(seed).permutation(len(probabilities))
    scores = []
    for part in np.array_split(np.asarray(probabilities, np.float64)[order], splits):
        logs = np.log(np.maximum(part, 1e-16)) - np.log(np.maximum(part.mean(axis=0), 1e-16))
        scores.append(np.exp(np.mean(np.sum(part * logs, axis=1))))
    return float(np.mean(scores)), float(np.std(scores))


def check_sizes(real, generated, inception=False):
    """Find out before anything is computed that there are too few images.

    Args:
        real, generated: numbers of images.
        inception: whether an inception score is wanted.

    Raises:
        UserError: fewer than 4 images of a kind, or fewer generated ones than the splits of the inception score.
    """
    for flag, count in (("--dataset", real), ("--save_syn_dataset", generated)):
        if count < KID_LEAST:
            raise UserError(f"{flag}: FID and KID need at least {KID_LEAST} images, there are {count}")
    if inception and generated < SPLITS:
        raise UserError(f"--save_syn_dataset: the inception score needs at least {SPLITS} images, has {generated}")


def quality_section(network, real, generated, probabilities=None, seed=0):
    """FID, KID and inception score as a Section "image_quality".

    Args:
        network: name of the network that the features are of; part of each metric's name.
        real, generated: features [n, d], [m, d].
        probabilities: class probabilities of the generated images [m, classes], or None for a face network, which has
            none, and whose features KID sees by kernel_features.
        seed: of subsets and splits.
    """
    kid, kid_sd = kernel_distance(*(features if probabilities is not None else kernel_features(features)
                                    for features in (real, generated)), seed)  # fmt: skip
    metrics = {
        f"fid on {network}": frechet_distance(real, generated),
        f"kid on {network}": kid,
        f"kid_sd on {network}": kid_sd,
    }
    if probabilities is not None:
        score, score_sd = inception_score(probabilities, seed)
        metrics |= {f"inception_score on {network}": score, f"inception_score_sd on {network}": score_sd}
    size = _subset_size(real, generated)
    few = " There are fewer images than features: FID is then far from its value on many images."
    return Section(
        "image_quality",
        "Generated images against photographs",
        f"{len(real):,} photographs and {len(generated):,} generated images, compared by the {real.shape[1]} features "
        f"of {network}; KID over {KID_SUBSETS} subsets of {size} images. Both depend on the network, on the crops and "
        "(FID) on the number of images: compare only what was measured alike."
        + (few if min(len(real), len(generated)) <= real.shape[1] else "")
        + ("" if probabilities is not None else " KID's kernel sees embeddings at one length, (cosine + 1)^3. No "
           "inception score: this network gives no class probabilities."),
        metrics,
    )


def _subset_size(real, generated):
    return max(2, min(KID_SUBSET_SIZE, min(len(real), len(generated)) // 2))


def _squared_mmd(x, y):
    """Unbiased: without the diagonals within a set. x, y: [m, d]."""
    m, d = x.shape
    within = [(features @ features.T / d + 1) ** 3 for features in (x, y)]
    across = (x @ y.T / d + 1) ** 3
    return sum((kernel.sum() - np.trace(kernel)) / (m * (m - 1)) for kernel in within) - 2 * across.mean()
