"""Verification: do two images show one person? Pairs, their distances, and what is read off them.

Distances are squared Euclidean distances of embeddings: small means one person. A *genuine* pair shows one person, an
*impostor* pair two. A pair is accepted where its distance is small enough.

Ties: pairs at equal distances are accepted or refused together, never split, so that an embedding that is the same for
every image gains nothing: AUC 0.5, EER 0.5, TAR 0 below FAR 1. A FAR finer than one impostor pair (FAR < 1 / impostors)
cannot be measured: None stands there, not a number.
"""

import numpy as np
from sklearn.metrics import auc, det_curve, roc_curve

from utils.errors import UserError

FARS = (0.1, 0.01, 0.001, 0.0001)
VALIDATION_FAR = 1e-3  # FaceNet's
SPAN = 4.0  # the largest squared distance of two unit vectors, where FaceNet's thresholds end
ACCURACY_STEP, VALIDATION_STEP = 0.01, 0.001  # of FaceNet's thresholds
BLOCK = 1 << 22  # numbers that pair_distances subtracts at once


def labelled_pairs(labels, limit=0, seed=0):
    """Pairs of images of a labelled set, each once.

    Args:
        labels: int [n].
        limit: 0: all n (n - 1) / 2 pairs. Else at most so many, drawn without replacement: half of them genuine, half
            impostor; where there are fewer of a kind, all of it, and more of the other. Memory then goes by `limit`.
        seed: int >= 0, of the drawing.

    Returns:
        (first, second, same): int64 [m], int64 [m] with first < second, bool [m]; genuine pairs first, either kind in
        the order of labels.

    Raises:
        UserError: all labels are equal, or no label occurs twice.
    """
    labels = np.asarray(labels)
    order = np.argsort(labels, kind="stable")
    place = np.arange(len(labels))
    end = np.searchsorted(labels[order], labels[order], side="right")  # of the label's run in `order`
    partners = {True: (place + 1, end - 1 - place), False: (end, len(labels) - end)}  # first of them, how many
    counts = {kind: int(many.sum()) for kind, (_, many) in partners.items()}
    if not counts[False]:
        raise UserError("all images are of one identity: there is no pair of two people")
    if not counts[True]:
        raise UserError("every identity has one image only: there is no pair of one person")
    wanted = _shares(counts, limit)
    generator = np.random.default_rng(seed)
    drawn = {kind: np.arange(counts[kind]) if wanted[kind] == counts[kind]
             else np.sort(generator.choice(counts[kind], wanted[kind], replace=False, shuffle=False))
             for kind in (True, False)}
    pairs = np.concatenate([_numbered_pairs(*partners[kind], drawn[kind]) for kind in (True, False)], axis=1)
    first, second = np.sort(order[pairs], axis=0)
    return first, second, np.arange(len(first)) < wanted[True]


def pair_distances(features, first, second):
    """Squared Euclidean distances of pairs of rows: features [n, d], first and second int [m] -> float64 [m]."""
    block = max(1, BLOCK // features.shape[1])
    distances = np.empty(len(first))
    for start in range(0, len(first), block):
        some = slice(start, start + block)
        difference = features[first[some]].astype(np.float64) - features[second[some]]
        distances[some] = np.einsum("md,md->m", difference, difference)
    return distances


def make_folds(same, count, seed=None):
    """Which of `count` folds each pair is in: int64 [m]. Every fold gets its share of either kind.

    Without a seed either kind is cut in its own order into equal runs: the folds of pairs.txt and of the .bin sets,
    which list fold by fold. With a seed (for pairs that come sorted by label) either kind is shuffled first.

    Raises:
        UserError: fewer pairs of a kind than folds.
    """
    folds = np.empty(len(same), np.int64)
    generator = None if seed is None else np.random.default_rng(seed)
    for kind, name in ((True, "genuine"), (False, "impostor")):
        members = np.flatnonzero(same == kind)
        if len(members) < count:
            raise UserError(f"--lfw_nrof_folds {count}: there are only {len(members)} {name} pairs")
        if generator:
            members = generator.permutation(members)
        folds[members] = np.arange(len(members)) * count // len(members)
    return folds


def accuracy_by_folds(distances, same, folds):
    """Accuracy on each fold at the threshold that is best on all others.

    As FaceNet: thresholds 0, 0.01 … 3.99, the smallest of the best ones, accepted where distance < threshold. Where a
    distance exceeds 4 (embeddings not of unit length), the thresholds are stretched to the largest distance (ours).

    Args:
        distances, same, folds: [m] each, folds as from make_folds.

    Returns:
        (accuracies, thresholds): float64 [folds] each. LFW's figure is the mean of the first; FaceNet prints their
        standard deviation (over folds, not divided by its root) beside it.
    """
    thresholds = _thresholds(distances, ACCURACY_STEP)
    below, totals = _counts(distances, same, folds, thresholds)
    right = below[True] + totals[False][:, None] - below[False]  # [folds, thresholds]
    best = np.argmax(right.sum(axis=0) - right, axis=1)
    accuracies = right[np.arange(len(right)), best] / (totals[True] + totals[False])
    return accuracies, thresholds[best]


def validation_by_folds(distances, same, folds, far=VALIDATION_FAR):
    """FaceNet's VAL@FAR: the share of a fold's genuine pairs that is accepted, the threshold chosen on all others.

    As FaceNet: thresholds 0, 0.001 … 3.999 (stretched as in accuracy_by_folds); between the last one whose FAR on the
    other folds is below `far` and the next, linear interpolation to `far`; accepted where distance < threshold. Ours:
    where so many impostors lie at one distance that the interpolated threshold more than doubles `far` on the other
    folds, the last threshold below `far` is taken (FaceNet would there report VAL 1 at FAR 1 for constant embeddings).

    Returns:
        (rates, fars, thresholds): float64 [folds] each: VAL and FAR measured on each fold; or None where `far` is finer
        than one impostor pair of the other folds.
    """
    thresholds = _thresholds(distances, VALIDATION_STEP)
    below, totals = _counts(distances, same, folds, thresholds)
    others = totals[False].sum() - totals[False]
    if (far < 1 / others).any():
        return None
    other_fars = (below[False].sum(axis=0) - below[False]) / others[:, None]
    chosen = np.array([_interpolated(fars, thresholds, far, distances[~same & (folds != fold)])
                       for fold, fars in enumerate(other_fars)])
    accepted = distances < chosen[folds]
    rates, fars = (np.bincount(folds, accepted & (same == kind), len(others)) / totals[kind] for kind in (True, False))
    return rates, fars, chosen


def roc(distances, same):
    """The ROC curve: (FAR, TAR, threshold), float64 [k] each, one point for each distinct distance, from (0, 0) on."""
    far, tar, scores = roc_curve(same, -np.asarray(distances), drop_intermediate=False)
    return far, tar, -scores


def det(distances, same):
    """The DET curve as scikit-learn cuts it: (FAR, share of genuine pairs refused, threshold), float64 [k] each."""
    far, missed, scores = det_curve(same, -np.asarray(distances))
    return far, missed, -scores


def equal_error_rate(distances, same, curve=None):
    """Where FAR = 1 - TAR on the straight lines between the ROC curve's points. 1-EER is LFW's second figure.

    Args:
        curve: of `roc`, where it is at hand: a large one takes long to sort.
    """
    far, tar, _ = curve or roc(distances, same)
    return float(np.interp(0.0, far + tar - 1, far))  # the left side rises at every point, from -1 to 1


def area_under_curve(distances, same, curve=None):
    """The share of (genuine, impostor) couples where the genuine distance is the smaller one; equal ones count half.

    Args:
        curve: as equal_error_rate.
    """
    far, tar, _ = curve or roc(distances, same)
    return float(auc(far, tar))


def acceptance_rates(distances, same, fars=FARS, curve=None):
    """TAR@FAR: the largest share of genuine pairs accepted at a threshold whose FAR is at most `far`.

    Nothing is interpolated. None where `far` is finer than one impostor pair. curve: as equal_error_rate.
    """
    measured, tar, _ = curve or roc(distances, same)
    impostors = np.count_nonzero(~np.asarray(same))
    return [float(tar[measured <= far].max()) if far >= 1 / impostors else None for far in fars]


def verification_metrics(distances, same, folds):
    """Everything above in one dict of numbers, for a report. VAL and TARs are None where they cannot be measured."""
    accuracies, _ = accuracy_by_folds(distances, same, folds)
    validation = validation_by_folds(distances, same, folds)
    rates, fars = validation[:2] if validation else (None, None)
    curve = roc(distances, same)
    tars = zip(FARS, acceptance_rates(distances, same, curve=curve), strict=True)
    eer = equal_error_rate(distances, same, curve)
    return {
        "pairs": len(same), "genuine_pairs": int(same.sum()), "impostor_pairs": int((~same).sum()),
        "folds": len(accuracies), "accuracy": float(accuracies.mean()), "accuracy_sd": float(accuracies.std()),
        "one_minus_eer": 1 - eer, "eer": eer, "auc": area_under_curve(distances, same, curve),
        f"val_at_far_{VALIDATION_FAR:g}": None if rates is None else float(rates.mean()),
        f"val_at_far_{VALIDATION_FAR:g}_sd": None if rates is None else float(rates.std()),
        "val_measured_far": None if fars is None else float(fars.mean()),
    } | {f"tar_at_far_{far:g}": rate for far, rate in tars}


def _shares(counts, limit):
    """How many pairs of either kind are wanted, {kind: number}."""
    if not limit or limit >= sum(counts.values()):
        return counts
    genuine = min(counts[True], max(limit // 2, limit - counts[False]))
    return {True: genuine, False: limit - genuine}


def _numbered_pairs(first_partner, partners, numbers):
    """Pairs by number, int64 [2, k], where image i's pairs are with `partners[i]` images from `first_partner[i]` on."""
    ends = np.cumsum(partners)
    images = np.searchsorted(ends, numbers, side="right")
    return np.stack([images, first_partner[images] + numbers - (ends - partners)[images]])


def _thresholds(distances, step):
    return np.arange(round(SPAN / step)) * step * (max(SPAN, np.max(distances)) / SPAN)


def _counts(distances, same, folds, thresholds):
    """Pairs below each threshold, and all pairs, by kind: {kind: int [folds, thresholds]}, {kind: int [folds]}."""
    below, totals = {}, {}
    for kind in (True, False):
        parts = [np.sort(distances[(same == kind) & (folds == fold)]) for fold in range(np.max(folds) + 1)]
        below[kind] = np.stack([np.searchsorted(part, thresholds, side="left") for part in parts])
        totals[kind] = np.array([len(part) for part in parts])
    return below, totals


def _interpolated(fars, thresholds, far, impostors):
    """The threshold at which the rising `fars` reach `far`, given the impostor distances that they count."""
    after = int(np.argmax(fars >= far)) if fars[-1] >= far else len(fars)
    if after in (0, len(fars)):
        return thresholds[0]  # FaceNet's rule: accept nothing
    low, high = fars[after - 1], fars[after]
    threshold = np.interp(far, [low, high], thresholds[after - 1:after + 1])
    return threshold if np.mean(impostors < threshold) <= 2 * far else thresholds[after - 1]
