"""Identification: who in a gallery is it? Ranks, misses at a false alarm rate, and templates of several images."""

import numpy as np
from scipy.spatial.distance import cdist


def template_features(features, templates, media):
    """One embedding for each template: the mean within each medium (a video's frames), then over media, to length 1.

    Args:
        features: [n, d].
        templates, media: int [n]. A medium that occurs in two templates counts in either by its images there.

    Returns:
        (names, features): the distinct templates, ascending, int [t], and float64 [t, d].
    """
    pairs, medium_of = np.unique(np.stack([templates, media], axis=1), axis=0, return_inverse=True)
    names, template_of = np.unique(pairs[:, 0], return_inverse=True)
    means = _means(_means(np.asarray(features, np.float64), medium_of.ravel()), template_of)
    return names, means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-10)


def subject_distances(probes, gallery, gallery_subjects):
    """Squared distance of each probe to each enrolled subject: to the nearest template of that subject.

    Args:
        probes, gallery: [p, d], [g, d].
        gallery_subjects: int [g].

    Returns:
        (distances, subjects): float64 [p, s] and the distinct subjects, ascending, int [s].
    """
    order = np.argsort(gallery_subjects, kind="stable")
    subjects, starts = np.unique(gallery_subjects[order], return_index=True)
    return np.minimum.reduceat(cdist(probes, gallery[order], "sqeuclidean"), starts, axis=1), subjects


def mate_ranks(distances, subjects, probe_subjects):
    """Rank of each probe's own subject: int64 [p], 1 the nearest; 0 where the subject is not enrolled.

    Ties count against the network: everyone at the mate's distance ranks before it.
    """
    mates, enrolled = _mates(distances, subjects, probe_subjects)
    return np.where(enrolled, np.count_nonzero(distances <= mates[:, None], axis=1), 0)


def rank_rates(ranks, at=(1, 5)):
    """Closed set: share of enrolled probes whose mate ranks among the first k, for each k; None without such probes."""
    ranks = ranks[ranks > 0]
    return [float(np.mean(ranks <= k)) if len(ranks) else None for k in at]


def miss_rates(distances, subjects, probe_subjects, fpirs=(0.1, 0.01)):
    """Open set, FNIR@FPIR: the smallest share of enrolled probes missed at a threshold whose FPIR is at most `fpir`.

    A false alarm is a probe that is not enrolled and has any subject within the threshold; a miss is an enrolled probe
    whose own subject is not within it, whatever its rank. Probes that are not enrolled and lie at equal distances raise
    the alarm together.

    Returns:
        list of float; None where there are no enrolled probes or where fpir is finer than one probe that is not.
    """
    mates, enrolled = _mates(distances, subjects, probe_subjects)
    nearest = np.sort(np.min(distances[~enrolled], axis=1))
    return [_miss_rate(mates[enrolled], nearest, fpir) for fpir in fpirs]


def _miss_rate(mates, nearest, fpir):
    if not len(mates) or not len(nearest) or fpir < 1 / len(nearest):
        return None
    alarms = np.searchsorted(nearest, nearest, side="right") / len(nearest)  # FPIR with the threshold at each of them
    refused = nearest[alarms > fpir]
    return float(np.mean(mates >= refused[0])) if len(refused) else 0.0


def _mates(distances, subjects, probe_subjects):
    """Distance of each probe to its own subject [p], meaningless where the second, bool [p], is False."""
    column = np.minimum(np.searchsorted(subjects, probe_subjects), len(subjects) - 1)
    return distances[np.arange(len(distances)), column], subjects[column] == probe_subjects


def _means(values, groups):
    """Mean of the rows of each group: [n, d], int [n] in 0...m-1 -> [m, d]."""
    sums = np.zeros((np.max(groups) + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums / np.bincount(groups)[:, None]
