import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.evaluation import separability as sep
from utils.errors import UserError

PERFECT = np.array([[0.0], [1], [10], [11]]), np.array([0, 0, 1, 1])
# genuine: 0-2 (4), 1-3 (4); impostor: 0-1 (1), 0-3 (9), 1-2 (1), 2-3 (1)
MIXED = np.array([[0.0], [1], [2], [3]]), np.array([0, 1, 0, 1])


def two_people(n=3):
    rng = np.random.default_rng(2)
    labels = np.repeat([4, 7], n)
    return rng.normal(size=(2 * n, 3)) + labels[:, None], labels


def test_perfect():
    metrics = sep.pair_metrics(sep.compare_pairs(*PERFECT))
    assert (metrics["genuine_pairs"], metrics["impostor_pairs"]) == (2, 4)
    assert (metrics["auc"], metrics["eer"], metrics["eer_threshold"]) == (1, 0, 1)
    # impostor: 100, 121, 81, 100: mean 100.5, variance (0.25 + 420.25 + 380.25 + 0.25) / 4 = 200.25; genuine: 1, 1
    assert metrics["impostor_distance"] == 100.5 and metrics["impostor_distance_sd"] == np.sqrt(200.25)
    assert (metrics["genuine_distance"], metrics["genuine_distance_sd"]) == (1, 0)
    assert metrics["d_prime"] == pytest.approx(99.5 / np.sqrt(100.125))


def test_random():
    metrics = sep.pair_metrics(sep.compare_pairs(np.zeros((6, 2)), np.array([0, 0, 0, 1, 1, 1])))
    assert (metrics["auc"], metrics["eer"], metrics["d_prime"]) == (0.5, 0.5, None)


def test_mixed():
    metrics = sep.pair_metrics(sep.compare_pairs(*MIXED))
    assert metrics["auc"] == 2 / 8  # of 2 x 4 couples, only 4 < 9, twice
    assert metrics["eer_threshold"] == 4  # at 1, 0.75 accepted and all refused; at 4, 0.75 accepted and none refused
    assert metrics["eer"] == pytest.approx(0.75)  # the curve stays at TAR 0 until FAR 0.75, then rises to (0.75, 1)
    assert metrics["d_prime"] == pytest.approx((3 - 4) / np.sqrt((0 + 12) / 2))


def test_identities_that_stayed_are_told_from_those_that_became_others():
    """By hand. Moving and scaling a whole set changes nothing."""
    sources = np.array([[2.0, 0], [-1, 1], [-1, -1]])  # mean 0
    cosines, auc, nearest = sep.stayed(3 * sources + 7, sources)
    np.testing.assert_allclose(cosines, 1)
    assert auc == 1 and nearest.all()
    cosines, auc, nearest = sep.stayed(sources[[2, 0, 1]], sources)
    np.testing.assert_allclose(cosines, [-np.sqrt(0.5), -np.sqrt(0.5), 0], atol=1e-12)
    assert not nearest.any()
    # own -.707, -.707, 0; others' 1, 1, 1, -.707, -.707, 0: of 18 couples ties 2 x 2 and 1, wins 2 of the third own
    assert auc == pytest.approx((2.5 + 2) / 18)


def test_many_identities_are_compared_in_part():
    means = np.random.default_rng(0).normal(size=(3000, 4))
    assert len(sep.stayed(means, means)[0]) == sep.ROWS


def test_hardest_and_kept_pairs():
    pairs = sep.compare_pairs(np.array([[0.0], [1], [3], [7]]), np.array([0, 0, 0, 1]))
    told = [(int(pairs.first[i]), int(pairs.second[i])) for i in (*pairs.hardest(True, 2), *pairs.hardest(False, 9))]
    assert told == [(0, 2), (1, 2), (2, 3), (1, 3), (0, 3)]
    left = pairs.among(np.array([True, False, True, True]))
    assert list(zip(left.first, left.second, left.same, left.distances, strict=True)) == [
        (0, 2, True, 9), (0, 3, False, 49), (2, 3, False, 16)
    ]  # fmt: skip


def test_a_limit_draws_pairs_by_the_seed():
    features, labels = two_people(6)
    some, again, other = (sep.compare_pairs(features, labels, 20, seed) for seed in (1, 1, 2))
    assert len(some.same) == 20 and (some.first == again.first).all() and (some.first != other.first).any()


def test_one_identity_is_a_users_mistake():
    with pytest.raises(UserError, match="one identity"):
        sep.compare_pairs(np.zeros((3, 2)), np.zeros(3, int))


def test_means_of_identities():
    features = np.array([[1.0, 0], [0, 1], [0, 2]])
    raw = sep.mean_embeddings(features, np.array([5, 5, 9]), unit_length=False)
    assert raw.labels.tolist() == [5, 9] and raw.images.tolist() == [2, 1]
    assert raw.means.tolist() == [[0.5, 0.5], [0, 2]]
    unit = sep.mean_embeddings(features, np.array([5, 5, 9]), unit_length=True).means
    np.testing.assert_allclose(unit, [[0.5**0.5, 0.5**0.5], [0, 1]])


def test_identities_near_each_other():
    identities = sep.Identities(np.arange(4), np.array([[0.0], [1], [3], [7]]), np.ones(4, int))
    nearest, distances = sep.nearest_others(identities)
    assert nearest.tolist() == [1, 0, 1, 2] and distances.tolist() == [1, 1, 4, 16]
    assert [sep.count_near(identities, limit) for limit in (0.5, 1, 4, 9, 100)] == [0, 1, 2, 3, 6]


def test_blocks_make_no_difference(monkeypatch):
    rng = np.random.default_rng(0)
    identities = sep.Identities(np.arange(7), rng.normal(size=(7, 2)), np.ones(7, int))
    features, labels = rng.normal(size=(9, 2)), np.arange(9) % 3
    whole = sep.nearest_others(identities), sep.count_near(identities, 2), sep.margins(features, labels, False)
    monkeypatch.setattr(sep, "ROWS", 2)
    parts = sep.nearest_others(identities), sep.count_near(identities, 2), sep.margins(features, labels, False)
    np.testing.assert_array_equal(whole[0], parts[0])
    assert whole[1] == parts[1] and (whole[2] == parts[2]).all()


@given(st.lists(st.integers(0, 3), min_size=2, max_size=12), st.integers(0, 99))
def test_diversity_is_the_mean_over_pairs(labels, seed):
    features, labels = np.random.default_rng(seed).normal(size=(len(labels), 2)), np.array(labels)
    expected = []
    for label in np.unique(labels):
        own = features[labels == label]
        pairs = [np.sum((a - b) ** 2) for i, a in enumerate(own) for b in own[i + 1 :]]
        expected.append(np.mean(pairs) if pairs else np.nan)
    np.testing.assert_allclose(sep.diversity_within(features, labels), expected, rtol=1e-9, atol=1e-12)


def test_leakage():
    real = np.array([[0.0], [2], [10], [12]])
    generated, labels = np.array([[9.0], [20], [1.5], [1.0], [3.0]]), np.array([0, 0, 3, 3, 3])
    sets = (generated, labels), (real, np.array([0, 0, 1, 1]))
    means = [sep.mean_embeddings(*one, unit_length=False).means for one in sets]
    nearest, distances = sep.nearest_means(*means)
    assert nearest.tolist() == [1, 0]
    np.testing.assert_allclose(distances, [(14.5 - 11) ** 2, (5.5 / 3 - 1) ** 2])
    images, real_images, distances = sep.nearest_images(generated, labels, real)
    assert images.tolist() == [0, 2] and real_images.tolist() == [2, 1] and distances.tolist() == [1, 0.25]


def test_mean_distances_by_hand():
    a, b = np.array([[0.0], [2], [5]]), np.array([[1.0], [3]])
    (mean,), (variance,) = sep.variances_within(b, np.array([2, 2]))
    found = sep.mean_distances(sep.variances_within(a, np.array([0, 0, 4])), (mean[None], variance))
    np.testing.assert_allclose(found, [(1 + 9 + 1 + 1) / 4, (16 + 4) / 2])


def test_margins_by_hand():
    features, labels = np.array([[0.0], [2], [10], [12], [5]]), np.array([0, 0, 1, 1, 2])
    # the first: own mean without itself 2, so 4; the nearest other mean is 5, so 25
    np.testing.assert_allclose(sep.margins(features, labels, False), [25 - 4, 9 - 4, 25 - 4, 49 - 4, np.nan])
    assert np.isnan(sep.margins(features[:2], labels[:2], False)).all()


def test_margins_of_unit_length():
    angles = np.radians([0, 20, 90, 100])
    features, labels = np.stack([np.cos(angles), np.sin(angles)], axis=1), np.array([0, 0, 1, 1])
    chord = [4 * np.sin(np.radians(degrees) / 2) ** 2 for degrees in (95, 20)]
    assert sep.margins(features, labels, True)[0] == pytest.approx(chord[0] - chord[1])


def test_rank_correlation():
    nan = np.nan
    assert sep.rank_correlation(np.array([1, 2, 3, 9.0]), np.array([8, 5, 1, nan])) == pytest.approx(-1)
    assert sep.rank_correlation(np.array([1, 2, 3, 4.0]), np.array([1, 8, 27, 64.0])) == pytest.approx(1)
    assert sep.rank_correlation(np.array([1, 1, 1.0]), np.array([1, 2, 3.0])) is None
    assert sep.rank_correlation(np.array([1, 2, nan]), np.array([1, 2, 3.0])) is None


def test_kept_by_score():
    features, labels = np.array([[0.0], [1], [10], [11], [5], [6], [10], [0]]), np.array([0, 0, 1, 1, 2, 2, 0, 1])
    rows = sep.kept_by_score(np.arange(8.0), sep.compare_pairs(features, labels), labels)
    assert [row[:3] for row in rows] == [[1.0, 8, 3], [0.75, 6, 3], [0.5, 4, 2], [0.25, 2, 1]]
    assert rows[0][3] < 1 and rows[1][3:] == [1, 0] and rows[2][3:] == [1, 0] and rows[3][3:] == [None, None]
