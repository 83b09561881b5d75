"""Whether labels can be told apart by a face network: pairs, identities, leakage, diversity, scores. Numbers only.

Distances are squared Euclidean distances of embeddings: small means one person. Two faces are *near* where their
distance is at most a threshold.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr
from sklearn.metrics import pairwise_distances_argmin_min

from trainer.evaluation import verification

DLIB_THRESHOLD = 0.36  # dlib: 0.6 between two faces means one person; squared here
ROWS = 1024  # identities compared with all others at once
KEPT = (1.0, 0.75, 0.5, 0.25)  # shares of the images, the best by a score, whose separability is measured


@dataclass(frozen=True, eq=False)
class Pairs:
    """Compared pairs. first, second: int64 [m], rows of the features; same: bool [m]; distances: float64 [m]."""

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    distances: np.ndarray

    @cached_property
    def curve(self):
        """The ROC curve, verification.roc's."""
        return verification.roc(self.distances, self.same)

    def among(self, rows):
        """The pairs whose images are both among `rows`, bool [n]."""
        inside = rows[self.first] & rows[self.second]
        return Pairs(self.first[inside], self.second[inside], self.same[inside], self.distances[inside])

    def hardest(self, same, count):
        """The genuine pairs that lie furthest apart, or the impostor pairs that lie nearest: int64 [count or fewer]."""
        members = np.flatnonzero(self.same == same)
        order = np.argsort(self.distances[members] * (-1 if same else 1), kind="stable")
        return members[order[:count]]


@dataclass(frozen=True, eq=False)
class Identities:
    """Mean embeddings. labels: int [k], ascending, those that have images; means: float64 [k, d]; images: int [k]."""

    labels: np.ndarray
    means: np.ndarray
    images: np.ndarray


def compare_pairs(features, labels, limit=0, seed=0):
    """All pairs of a labelled set, or `limit` of them drawn by `seed` where there are more; 0: all.

    Raises:
        UserError: one identity only, or no identity with two images.
    """
    first, second, same = verification.labelled_pairs(labels, limit, seed)
    return Pairs(first, second, same, verification.pair_distances(features, first, second))


def pair_metrics(pairs):
    """What the distances of genuine and impostor pairs say, as metrics of a report."""
    genuine, impostor = pairs.distances[pairs.same], pairs.distances[~pairs.same]
    rates = verification.acceptance_rates(pairs.distances, pairs.same, curve=pairs.curve)
    return {
        "genuine_pairs": len(genuine),
        "impostor_pairs": len(impostor),
        "auc": verification.area_under_curve(pairs.distances, pairs.same, pairs.curve),
        "eer": verification.equal_error_rate(pairs.distances, pairs.same, pairs.curve),
        "eer_threshold": eer_threshold(pairs),
        "d_prime": d_prime(genuine, impostor),
        "genuine_distance": float(genuine.mean()),
        "genuine_distance_sd": float(genuine.std()),
        "impostor_distance": float(impostor.mean()),
        "impostor_distance_sd": float(impostor.std()),
    } | {f"tar_at_far_{far:g}": rate for far, rate in zip(verification.FARS, rates, strict=True)}


def eer_threshold(pairs):
    """The least distance that occurs, at which no fewer impostor pairs are accepted than genuine ones refused."""
    far, tar, thresholds = pairs.curve
    return float(thresholds[np.argmax(far + tar >= 1)])


def d_prime(genuine, impostor):
    """(mean impostor - mean genuine) / ((variance + variance) / 2)^(1/2); None where neither varies."""
    spread = np.sqrt((np.var(genuine) + np.var(impostor)) / 2)
    return float((np.mean(impostor) - np.mean(genuine)) / spread) if spread > 0 else None


def mean_embeddings(features, labels, unit_length):
    """The Identities of a labelled set; their means are brought back to length 1 where embeddings have it."""
    kept, row_of, images = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.zeros((len(kept), features.shape[1]))
    np.add.at(means, row_of, features.astype(np.float64))
    means /= images[:, None]
    if unit_length:
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-10)
    return Identities(kept, means, images)


def nearest_others(identities):
    """Of each identity, the other one whose mean is nearest: (rows int64 [k], distances float64 [k])."""
    nearest, distances = [], []
    for block in _other_distances(identities.means):
        nearest.append(np.argmin(block, axis=1))
        distances.append(np.min(block, axis=1))
    return np.concatenate(nearest), np.concatenate(distances)


def count_near(identities, threshold):
    """How many pairs of identities are near each other."""
    return sum(np.count_nonzero(block <= threshold) for block in _other_distances(identities.means)) // 2


def diversity_within(features, labels):
    """Mean distance of two images of one identity: float64 [k] in the order of the labels; nan where it has one image.

    By the variance: the mean over pairs of |a - b|^2 is 2 sum |a - mean|^2 / (n - 1).
    """
    images = np.unique(labels, return_counts=True)[1]
    return 2 * variances_within(features, labels)[1] * images / np.where(images > 1, images - 1.0, np.nan)


def mean_distances(one, other):
    """Mean distance of an image of one identity to an image of another, by the means and variances of both.

    Args:
        one, other: (means float64 [k, d], variances float64 [k]) of variances_within, row by row an identity each.

    Returns:
        float64 [k].
    """
    return np.sum((one[0] - other[0]) ** 2, axis=1) + one[1] + other[1]


def variances_within(features, labels):
    """(means float64 [k, d] as they are, mean distance of an identity's images to its own: float64 [k])."""
    identities = mean_embeddings(features, labels, unit_length=False)
    row_of = np.searchsorted(identities.labels, labels)
    squares = np.sum((features.astype(np.float64) - identities.means[row_of]) ** 2, axis=1)
    return identities.means, np.bincount(row_of, squares) / identities.images


def nearest_means(generated, real):
    """Of each generated identity's mean, the nearest real one's: [k, d], [l, d] -> (rows int64 [k], distances [k])."""
    return pairwise_distances_argmin_min(generated, real, metric="sqeuclidean")


def stayed(means, sources):
    """Whether identities stayed themselves where one set was made of another, as faces of renders.

    Of each set its mean is taken off: what tells photographs from renders says nothing of who it is. Of more than ROWS
    identities so many are compared.

    Args:
        means, sources: [k, d], of the same identity in the same row; two rows at least.

    Returns:
        (cosine of each compared and its own source float64 [n], the chance that one is more alike to its own source
        than to another's, whether no other source is more alike bool [n]).
    """
    chosen = np.unique(np.linspace(0, len(means) - 1, ROWS).astype(int))
    units = [rows[chosen] - rows.mean(axis=0) for rows in (means, sources)]
    units = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-10) for rows in units]
    cosines = units[0] @ units[1].T
    own = np.diag(cosines).copy()
    auc = verification.area_under_curve(-cosines.ravel(), np.eye(len(own), dtype=bool).ravel())
    return own, auc, cosines.argmax(axis=1) == np.arange(len(own))


def nearest_images(features, labels, real_features):
    """Of each generated identity, the one image that is nearest to any real image.

    Args:
        features, labels: of the generated images, [n, d] and int [n].
        real_features: [m, d].

    Returns:
        (rows of generated images, rows of real images, distances), [k] each in the order of the labels.
    """
    nearest, distances = pairwise_distances_argmin_min(
        features.astype(np.float64), real_features.astype(np.float64), metric="sqeuclidean"
    )
    order = np.lexsort((distances, labels))  # by label, the nearest first
    first = order[np.unique(labels[order], return_index=True)[1]]
    return first, nearest[first], distances[first]


def margins(features, labels, unit_length):
    """How well each image belongs to its identity: distance to the nearest other mean - distance to its own mean.

    Its own mean is that of the other images of its identity, so that it does not vouch for itself. Positive: the image
    would be given its label. nan where an identity has one image, or there is one identity.

    Returns:
        float64 [n].
    """
    identities = mean_embeddings(features, labels, unit_length=False)
    row_of = np.searchsorted(identities.labels, labels)
    images = identities.images[row_of][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        own = (identities.means[row_of] * images - features) / (images - 1)
    centres = mean_embeddings(features, labels, unit_length).means
    if unit_length:
        own = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-10)
    result = np.full(len(features), np.nan)
    if len(centres) < 2:
        return result
    for start in range(0, len(features), ROWS):
        rows = slice(start, start + ROWS)
        distances = cdist(features[rows], centres, "sqeuclidean")
        distances[np.arange(len(distances)), row_of[rows]] = np.inf
        result[rows] = distances.min(axis=1) - np.sum((features[rows] - own[rows]) ** 2, axis=1)
    return result


def rank_correlation(score, margin):
    """Spearman's rank correlation over the images that have both; None where either is the same throughout."""
    both = np.isfinite(score) & np.isfinite(margin)
    if np.count_nonzero(both) < 3 or np.ptp(score[both]) == 0 or np.ptp(margin[both]) == 0:
        return None
    return float(spearmanr(score[both], margin[both]).statistic)


def kept_by_score(score, pairs, labels):
    """What filtering by a score would do: rows of (share kept, images, identities, AUC, EER).

    Low scores are good. AUC and EER are None where no pair of a kind is left.
    """
    rows = []
    for share in KEPT:
        kept = np.zeros(len(score), bool)
        kept[np.argsort(score, kind="stable")[: max(1, round(share * len(score)))]] = True
        left = pairs.among(kept)
        whole = left.same.any() and not left.same.all()
        rates = (f(left.distances, left.same, left.curve) if whole else None
                 for f in (verification.area_under_curve, verification.equal_error_rate))  # fmt: skip
        rows.append([share, int(kept.sum()), len(np.unique(labels[kept])), *rates])
    return rows


def _other_distances(means):
    """Distances of ROWS means at a time to all of them, infinite to themselves: yields float64 [rows, k]."""
    for start in range(0, len(means), ROWS):
        block = cdist(means[start : start + ROWS], means, "sqeuclidean")
        block[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        yield block
