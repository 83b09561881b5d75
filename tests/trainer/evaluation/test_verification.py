"""Every metric on pairs worked by hand, then against brute force on the AT&T faces' pixels."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loader.assets import fetch
from data_loader.folders import decode, index_images
from trainer.evaluation import verification as v
from utils.errors import UserError

# Eight pairs, sorted by distance; g genuine, i impostor:   g   g   i   g   i   g   i   i
MIXED = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
MIXED_SAME = np.array([True, True, False, True, False, True, False, False])
PERFECT, PERFECT_SAME = np.array([0.1, 0.2, 0.1, 0.2, 0.8, 0.9, 0.8, 0.9]), np.arange(8) < 4
TWO_FOLDS = np.array([0, 0, 0, 1, 0, 1, 1, 1])  # genuine .1 .2 | .4 .6, impostor .3 .5 | .7 .8


def test_perfect_distances_score_perfectly():
    folds = v.make_folds(PERFECT_SAME, 2)
    assert v.accuracy_by_folds(PERFECT, PERFECT_SAME, folds)[0].tolist() == [1, 1]
    assert v.equal_error_rate(PERFECT, PERFECT_SAME) == 0
    assert v.area_under_curve(PERFECT, PERFECT_SAME) == 1
    assert v.acceptance_rates(PERFECT, PERFECT_SAME, (0.25, 0.5)) == [1, 1]


@pytest.mark.parametrize("distance", [0.0, 1.0, 7.0])
def test_an_embedding_that_is_the_same_for_all_gains_nothing(distance):
    distances, folds = np.full(8, distance), v.make_folds(MIXED_SAME, 2)
    assert v.accuracy_by_folds(distances, MIXED_SAME, folds)[0].tolist() == [0.5, 0.5]
    assert v.equal_error_rate(distances, MIXED_SAME) == 0.5
    assert v.area_under_curve(distances, MIXED_SAME) == 0.5
    assert v.acceptance_rates(distances, MIXED_SAME, (0.25, 0.999, 1.0)) == [0, 0, 1]


@pytest.mark.parametrize("distance", [0.0, 1.0005, 7.0])
def test_the_validation_rate_of_an_embedding_that_is_the_same_for_all_is_0(distance):
    same = np.arange(40) % 2 == 0
    rates, fars, _ = v.validation_by_folds(np.full(40, distance), same, v.make_folds(same, 2), far=0.1)
    assert rates.tolist() == [0, 0] and fars.tolist() == [0, 0]


def test_random_distances_are_at_chance():
    rng = np.random.default_rng(0)
    distances, same = rng.random(20000) * 4, np.arange(20000) % 2 == 0
    folds = v.make_folds(same, 10)
    # standard errors: accuracy and AUC about 0.004, TAR at 0.1 0.003
    assert v.accuracy_by_folds(distances, same, folds)[0].mean() == pytest.approx(0.5, abs=0.02)
    assert v.area_under_curve(distances, same) == pytest.approx(0.5, abs=0.02)
    assert v.equal_error_rate(distances, same) == pytest.approx(0.5, abs=0.02)
    assert v.acceptance_rates(distances, same, (0.1,))[0] == pytest.approx(0.1, abs=0.015)
    rates, fars, _ = v.validation_by_folds(distances, same, folds, 0.1)
    assert rates.mean() == pytest.approx(0.1, abs=0.015) and fars.mean() == pytest.approx(0.1, abs=0.015)


def test_accuracy_takes_the_threshold_from_the_other_folds():
    # Fold 0's threshold comes from fold 1 (genuine .4 .6, impostor .7 .8): the first that is perfect there is 0.61, and
    # on fold 0 it accepts all four pairs: 2 of 4 right. Fold 1's comes from fold 0 (genuine .1 .2, impostor .3 .5):
    # 0.21, and on fold 1 it refuses all four: 2 of 4 right. Chosen on all pairs, 0.21 would have given 4/4 on fold 0.
    accuracies, thresholds = v.accuracy_by_folds(MIXED, MIXED_SAME, TWO_FOLDS)
    assert accuracies.tolist() == [0.5, 0.5] and thresholds == pytest.approx([0.61, 0.21])
    # Folds as make_folds cuts another order: genuine .1 .6 | .2 .4, impostor .3 .7 | .5 .8. From fold 1 (g g i i) comes
    # 0.41: of fold 0 it accepts .1 and .3: .3 and .6 are wrong. From fold 0 (g .1, i .3, g .6, i .7) come 0.11 and
    # 0.61 with 3 of 4 each: the smaller one, 0.11, refuses all of fold 1: 2 of 4.
    folds = np.array([0, 1, 0, 1, 1, 0, 0, 1])
    accuracies, thresholds = v.accuracy_by_folds(MIXED, MIXED_SAME, folds)
    assert accuracies.tolist() == [0.5, 0.5] and thresholds == pytest.approx([0.41, 0.11])


def test_accuracy_reaches_distances_beyond_those_of_unit_vectors():
    folds = v.make_folds(PERFECT_SAME, 2)
    assert v.accuracy_by_folds(100 * PERFECT, PERFECT_SAME, folds)[0].tolist() == [1, 1]


def test_equal_error_rate_of_the_mixed_case():
    # accepting up to .4: three of four genuine (refused 1/4), one of four impostors (FAR 1/4): they meet at 0.25
    assert v.equal_error_rate(MIXED, MIXED_SAME) == 0.25
    # g i g g i: ROC (0, 1/3) (1/2, 1/3) (1/2, 2/3) ...: at FAR 1/2 TAR rises from 1/3 to 2/3 and passes 1/2: EER 1/2
    assert v.equal_error_rate(MIXED[:5], np.array([1, 0, 1, 1, 0], bool)) == pytest.approx(0.5)
    # g at .1 and a tie of g and i at .2: from (0, 1/2) straight to (1, 1): FAR = 1/2 - FAR/2: EER 1/3
    assert v.equal_error_rate(np.array([0.1, 0.2, 0.2]), np.array([1, 1, 0], bool)) == pytest.approx(1 / 3)


def test_area_under_curve_of_the_mixed_case():
    # genuine .1 and .2 are nearer than all 4 impostors, .4 than 3, .6 than 2: 13 of 16 couples
    assert v.area_under_curve(MIXED, MIXED_SAME) == 13 / 16
    # .2 g, .2 i: a tie counts half; .1 g before .2 i counts one: 1.5 of 2
    assert v.area_under_curve(np.array([0.1, 0.2, 0.2]), np.array([1, 1, 0], bool)) == 0.75


def test_true_accepts_at_a_false_accept_rate_of_the_mixed_case():
    # no impostor: .1 .2 -> 2/4; one of four (.25): .1 .2 .4 -> 3/4; two (.5): .6 too -> 1. 0.49 allows no second one.
    assert v.acceptance_rates(MIXED, MIXED_SAME, (0.25, 0.49, 0.5)) == [0.75, 0.75, 1]
    # finer than one impostor in four: cannot be measured
    assert v.acceptance_rates(MIXED, MIXED_SAME, (0.24, 0.001)) == [None, None]
    # impostors tied at .3: both or none, so that FAR .25 stays at the genuine pairs below .3
    tied = np.where(MIXED == 0.5, 0.3, MIXED)
    assert v.acceptance_rates(tied, MIXED_SAME, (0.25, 0.5)) == [0.5, 1]


def test_a_rate_that_is_met_exactly_counts_as_met():
    same = np.repeat([True, False], [1, 3000])
    distances = np.concatenate([[3.5], np.arange(1, 3001)])  # three impostors of 3000 are nearer: FAR 0.001
    assert v.acceptance_rates(distances, same, (0.001,)) == [1]


def test_validation_rate_of_the_mixed_case():
    # Fold 0: fold 1 has impostors .7005 .8005, so FAR 0.5 is reached at 0.701, with the first of them below. On
    # fold 0 it accepts everything: VAL 1 at FAR 1. Fold 1: fold 0 has .3005 .5005, so 0.301: VAL 0 at FAR 0.
    rates, fars, thresholds = v.validation_by_folds(MIXED + 0.0005, MIXED_SAME, TWO_FOLDS, far=0.5)
    assert thresholds == pytest.approx([0.701, 0.301], abs=1e-9)
    assert rates.tolist() == [1, 0] and fars.tolist() == [1, 0]


def test_validation_rate_interpolates_on_the_other_folds():
    # Fold 1's threshold, for FAR 0.25: fold 0 has impostors .1003 .2003 ... 1.0003. Below 0.300 lie two of ten, below
    # 0.301 three: half way from .2 to .3 is 0.3005. Of fold 1 (g .3004 .3006, i .2 .25 .9 .95) it accepts g .3004 and
    # i .2 .25: VAL 1/2 at FAR 1/2. Fold 0's: below 0.201 lies one of four, exactly 0.25. Of fold 0 it accepts g .05 and
    # i .1003 .2003: VAL 1 at FAR 0.2.
    distances = np.concatenate([np.arange(1, 11) / 10 + 0.0003, [0.05], [0.2, 0.25, 0.9, 0.95], [0.3004, 0.3006]])
    same, folds = np.repeat([False, True, False, True], [10, 1, 4, 2]), np.repeat([0, 1], [11, 6])
    rates, fars, thresholds = v.validation_by_folds(distances, same, folds, far=0.25)
    assert thresholds == pytest.approx([0.201, 0.3005], abs=1e-9)
    assert rates == pytest.approx([1, 0.5]) and fars == pytest.approx([0.2, 0.5])


def test_validation_rate_below_one_impostor_cannot_be_measured():
    assert v.validation_by_folds(MIXED, MIXED_SAME, TWO_FOLDS, far=0.49) is None
    assert v.verification_metrics(MIXED, MIXED_SAME, TWO_FOLDS)["val_at_far_0.001"] is None


def test_folds_in_order_are_those_of_pairs_txt():
    # two folds of 2 + 2, listed fold by fold, as pairs.txt does
    same = np.array([True, True, False, False, True, True, False, False])
    assert v.make_folds(same, 2).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@given(genuine=st.integers(2, 40), impostors=st.integers(2, 40), count=st.integers(2, 10), seed=st.integers(0, 3))
def test_every_fold_gets_its_share_of_either_kind(genuine, impostors, count, seed):
    same = np.random.default_rng(seed).permutation(np.repeat([True, False], [genuine, impostors]))
    if min(genuine, impostors) < count:
        with pytest.raises(UserError, match=f"--lfw_nrof_folds {count}: there are only {min(genuine, impostors)}|only"):
            v.make_folds(same, count, seed)
        return
    for folds in (v.make_folds(same, count), v.make_folds(same, count, seed)):
        for kind in (True, False):
            sizes = np.bincount(folds[same == kind], minlength=count)
            assert sizes.max() - sizes.min() <= 1


def test_shuffled_folds_are_drawn_by_the_seed():
    same = np.arange(40) < 20
    folds = [v.make_folds(same, 4, seed) for seed in (None, 0, 0, 1)]
    assert np.array_equal(folds[1], folds[2])
    assert not np.array_equal(folds[0], folds[1]) and not np.array_equal(folds[1], folds[3])
    drawn = np.array([v.make_folds(same, 4, seed) for seed in range(2000)])  # each fold a quarter, deviation 0.0097
    assert abs((drawn[..., None] == np.arange(4)).mean(axis=0) - 0.25).max() < 0.05


@given(labels=st.lists(st.integers(0, 4), min_size=2, max_size=25), limit=st.integers(0, 60), seed=st.integers(0, 99))
def test_pairs_are_drawn_once_and_labelled_right(labels, limit, seed):
    labels = np.array(labels)
    every = list(combinations(range(len(labels)), 2))
    genuine = sum(labels[a] == labels[b] for a, b in every)
    if genuine in (0, len(every)):
        with pytest.raises(UserError, match="no pair of"):
            v.labelled_pairs(labels, limit, seed)
        return
    first, second, same = v.labelled_pairs(labels, limit, seed)
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs) == min(limit or len(every), len(every)) and set(pairs) <= set(every)
    assert same.tolist() == (labels[first] == labels[second]).tolist()
    if limit and limit < len(every):  # half of either kind, or all that there are
        assert same.sum() == min(genuine, max(limit // 2, limit - (len(every) - genuine)))
    again = v.labelled_pairs(labels, limit, seed)
    assert all(np.array_equal(a, b) for a, b in zip((first, second, same), again, strict=True))


def test_the_seed_decides_which_pairs_are_drawn_evenly():
    labels = np.repeat(np.arange(5), 4)  # 30 genuine pairs, 160 impostor pairs
    times = np.zeros((20, 20), int)
    for seed in range(400):
        first, second, _ = v.labelled_pairs(labels, 40, seed)
        times[first, second] += 1
    same, upper = labels[:, None] == labels, np.triu(np.ones((20, 20), bool), 1)
    # 20 of 30 and 20 of 160 each time: 266.7 and 50 times in 400, standard deviations 9.4 and 6.6
    assert abs(times[same & upper] - 800 / 3).max() < 45 and abs(times[~same & upper] - 50).max() < 33


def test_a_sample_of_very_many_images_is_cheap():
    labels = np.arange(200000) // 10  # 20,000 million pairs
    first, second, same = v.labelled_pairs(labels, 1000, 1)
    assert same.sum() == 500 and (same == (labels[first] == labels[second])).all()


def test_distances_are_squared_and_the_same_in_blocks(monkeypatch):
    features = np.array([[0, 0], [3, 4], [1, 1]], np.float32)
    first, second = np.array([0, 0, 1]), np.array([1, 2, 2])
    assert v.pair_distances(features, first, second).tolist() == [25, 2, 13]
    monkeypatch.setattr(v, "BLOCK", 4)  # two pairs at once
    assert v.pair_distances(features, first, second).tolist() == [25, 2, 13]


@pytest.fixture(scope="module")
def att(tmp_path_factory):
    """Distances of all pairs of the AT&T faces as unit vectors of 12 x 12 pixels: float64 [79800], bool [79800]."""
    index = index_images(fetch("att_faces", "~/.cache/facegan"), tmp_path_factory.mktemp("index"), labelled=True)
    features = np.stack([decode(index.path(i), 12).ravel() for i in range(len(index))]).astype(np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    first, second, same = v.labelled_pairs(index.labels)
    # by another way: the Gram matrix of all
    squared = 2 - 2 * features @ features.T
    distances = v.pair_distances(features, first, second)
    assert len(first) == 79800 and same.sum() == 1800
    assert distances == pytest.approx(squared[first, second], abs=1e-12)
    return distances, same


def test_metrics_agree_with_counting_on_the_att_faces(att):
    distances, same = att
    genuine, impostors = np.sort(distances[same]), np.sort(distances[~same])
    # AUC: for each genuine pair, how many impostors are farther
    farther = sum(np.count_nonzero(impostors > d) + 0.5 * np.count_nonzero(impostors == d) for d in genuine)
    assert v.area_under_curve(distances, same) == pytest.approx(farther / len(genuine) / len(impostors), abs=1e-12)
    # TAR@FAR: try every distance as threshold
    for far, rate in zip((0.1, 0.01, 0.001), v.acceptance_rates(distances, same, (0.1, 0.01, 0.001)), strict=True):
        allowed = int(far * len(impostors))
        assert rate == np.count_nonzero(genuine < impostors[allowed]) / len(genuine)
    # EER: the two errors at every genuine distance; the crossing lies between
    false_accepts = np.array([np.count_nonzero(impostors <= d) for d in genuine]) / len(impostors)
    refused = 1 - np.arange(1, len(genuine) + 1) / len(genuine)
    crossing = np.argmax(false_accepts >= refused)
    eer = v.equal_error_rate(distances, same)
    assert refused[crossing] <= eer <= refused[crossing - 1] and false_accepts[crossing - 1] <= eer
    assert 0.02 < eer < 0.4  # pixels are no perfect face network, and no coin


def test_folds_agree_with_a_loop_over_thresholds_on_the_att_faces(att):
    distances, same = att
    first, second, same_some = v.labelled_pairs(np.arange(400) // 10, 1200, 5)
    row = {pair: i for i, pair in enumerate(zip(*v.labelled_pairs(np.arange(400) // 10)[:2], strict=True))}
    some = distances[[row[pair] for pair in zip(first, second, strict=True)]]
    folds = v.make_folds(same_some, 5, seed=3)
    accuracies, _ = v.accuracy_by_folds(some, same_some, folds)
    rates, fars, _ = v.validation_by_folds(some, same_some, folds, far=0.0105)
    for fold in range(5):
        inside = folds == fold
        best, chosen = -1.0, None
        for k in range(400):
            right = np.mean((some[~inside] < k * 0.01) == same_some[~inside])
            if right > best:
                best, chosen = right, k * 0.01
        assert accuracies[fold] == np.mean((some[inside] < chosen) == same_some[inside])
        others = some[~inside & ~same_some]
        k = next(k for k in range(4000) if np.mean(others < k * 0.001) >= 0.0105)
        low, high = np.mean(others < (k - 1) * 0.001), np.mean(others < k * 0.001)
        threshold = (k - 1) * 0.001 + 0.001 * (0.0105 - low) / (high - low)
        assert rates[fold] == np.mean(some[inside & same_some] < threshold)
        assert fars[fold] == np.mean(some[inside & ~same_some] < threshold)


def test_roc_and_det_tell_the_same():
    far, tar, thresholds = v.roc(MIXED, MIXED_SAME)
    assert list(zip(far, tar, strict=True)) == [(0, 0), (0, 0.25), (0, 0.5), (0.25, 0.5), (0.25, 0.75), (0.5, 0.75),
                                                (0.5, 1), (0.75, 1), (1, 1)]  # fmt: skip
    assert thresholds[1:].tolist() == MIXED.tolist()
    false_accepts, refused, at = v.det(MIXED, MIXED_SAME)
    for accepts, misses, threshold in zip(false_accepts, refused, at, strict=True):
        assert accepts == np.mean(MIXED[~MIXED_SAME] <= threshold) and misses == np.mean(MIXED[MIXED_SAME] > threshold)


def test_all_numbers_of_the_mixed_case_at_once():
    metrics = v.verification_metrics(MIXED, MIXED_SAME, TWO_FOLDS)
    assert metrics["pairs"] == 8 and metrics["genuine_pairs"] == metrics["impostor_pairs"] == 4
    assert metrics["accuracy"] == 0.5 and metrics["accuracy_sd"] == 0 and metrics["folds"] == 2
    assert metrics["eer"] == 0.25 and metrics["one_minus_eer"] == 0.75 and metrics["auc"] == 13 / 16
    assert [metrics[f"tar_at_far_{far}"] for far in ("0.1", "0.01", "0.001", "0.0001")] == [None] * 4
