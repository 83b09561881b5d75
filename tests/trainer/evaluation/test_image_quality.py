"""References are written out from the formulas of clean-fid (FID, KID) and torchmetrics (KID, inception score)."""

import numpy as np
import pytest
from scipy import linalg, stats

from trainer.evaluation import image_quality
from trainer.evaluation.image_quality import (
    frechet_distance,
    inception_score,
    kernel_distance,
    kernel_features,
    quality_section,
)
from utils.errors import UserError


def feature_sets(n=90, m=120, d=16):
    rng = np.random.default_rng(5)
    mix = rng.normal(size=(d, d))
    return (rng.normal(size=(n, d)) @ mix).astype(np.float32), (rng.normal(0.4, 1.3, (m, d)) @ mix).astype(np.float32)


def reference_fid(x, y):
    m1, m2 = np.mean(x, axis=0, dtype=np.float64), np.mean(y, axis=0, dtype=np.float64)
    s1, s2 = np.cov(x.astype(np.float64), rowvar=False), np.cov(y.astype(np.float64), rowvar=False)
    root = linalg.sqrtm(s1.dot(s2))
    return (m1 - m2).dot(m1 - m2) + np.trace(s1) + np.trace(s2) - 2 * np.trace(np.real(root))


def reference_mmd(x, y):
    """Sums over single pairs."""

    def kernel(a, b):
        return (float(np.dot(a.astype(np.float64), b.astype(np.float64))) / len(a) + 1.0) ** 3

    n, m = len(x), len(y)
    xx = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


def test_fid_equals_the_matrix_root():
    x, y = feature_sets()
    assert frechet_distance(x, y) == pytest.approx(reference_fid(x, y), rel=1e-6)
    assert frechet_distance(y, x) == pytest.approx(reference_fid(x, y), rel=1e-6)


def test_fid_by_hand():
    # means 0 and 3, variances 2 and 8: 9 + 2 + 8 - 2 sqrt(16) = 11
    assert frechet_distance(np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])) == pytest.approx(11)
    # crossed axes, variances (2, 0) and (0, 2): the product of the covariances is 0, so 2 + 2
    along, across = np.array([[-1.0, 0], [1, 0]]), np.array([[0.0, -1], [0, 1]])
    assert frechet_distance(along, across) == pytest.approx(4)


def test_fid_of_known_gaussians():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (40000, 3)), rng.normal([1, 0, 0], [2, 1, 1], (40000, 3))
    assert frechet_distance(x, y) == pytest.approx(1 + (2 - 1) ** 2, rel=0.05)


def test_fid_of_a_set_with_itself_is_zero_even_with_fewer_images_than_features():
    x, _ = feature_sets(n=10)
    assert abs(frechet_distance(x, x)) < 1e-9 * np.var(x) * x.shape[1]
    shifted = x.astype(np.float64) + 0.5
    assert frechet_distance(x, shifted) == pytest.approx(16 * 0.25, rel=1e-6)


def test_kid_equals_the_sum_over_pairs():
    x, y = feature_sets(n=30, m=30)
    mean, sd = kernel_distance(x, y, subsets=2, size=30)
    assert mean == pytest.approx(reference_mmd(x, y), rel=1e-6) and sd == pytest.approx(0, abs=1e-6 * mean)


def test_a_face_networks_kid_is_of_cosines():
    """(cosine + 1)^3 whatever the lengths; of class networks the features count as they are."""
    x, y = feature_sets(n=20, m=30)
    lengths = np.random.default_rng(5).uniform(0.1, 9, (20, 1))
    np.testing.assert_allclose(kernel_features(lengths * x), kernel_features(x), rtol=1e-6)
    unit = [features / np.linalg.norm(features, axis=1, keepdims=True) for features in (x, y)]
    a, b, across = ((left @ right.T + 1) ** 3 for left, right in (unit[:1] * 2, unit[1:] * 2, unit))
    mean, _ = kernel_distance(kernel_features(x), kernel_features(y[:20]), subsets=1, size=20)
    b, across = b[:20, :20], across[:, :20]
    expected = sum((k.sum() - np.trace(k)) / (20 * 19) for k in (a, b)) - 2 * across.mean()
    assert mean == pytest.approx(expected, rel=1e-5)
    section = quality_section("net", x, y, seed=1)
    assert section.metrics["kid on net"] == kernel_distance(kernel_features(x), kernel_features(y), 1)[0]


def test_kid_over_subsets():
    x, y = feature_sets(n=20, m=30)
    rng = np.random.default_rng(3)
    expected = [
        reference_mmd(x[rng.choice(20, 10, replace=False)], y[rng.choice(30, 10, replace=False)]) for _ in range(4)
    ]
    mean, sd = kernel_distance(x, y, seed=3, subsets=4)  # half of the smaller set: 10
    assert mean == pytest.approx(np.mean(expected), rel=1e-6)
    assert sd == pytest.approx(np.sqrt(np.mean((np.array(expected) - np.mean(expected)) ** 2)), rel=1e-6)


def test_kid_is_unbiased():
    """Two samples of one distribution: 0 on average, on either side of it."""
    values = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values.append(kernel_distance(rng.normal(size=(8, 4)), rng.normal(size=(8, 4)), subsets=1, size=8)[0])
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200) and min(values) < 0 < max(values)


def test_inception_score_by_hand():
    sure = np.eye(4)[np.arange(40) % 4]
    assert inception_score(sure, splits=1)[0] == pytest.approx(4)  # every class, always sure
    assert inception_score(np.full((40, 4), 0.25)) == pytest.approx((1, 0))  # knows nothing
    assert inception_score(np.tile([1.0, 0, 0, 0], (40, 1)))[0] == pytest.approx(1)  # always the same class
    two = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert inception_score(two, splits=1)[0] == pytest.approx(np.exp(0.9 * np.log(1.8) + 0.1 * np.log(0.2)))


def test_inception_score_of_splits():
    p = np.random.default_rng(1).dirichlet(np.ones(5), 40)
    parts = np.split(p[np.random.default_rng(7).permutation(40)], 4)
    expected = [np.exp(np.mean([stats.entropy(row, part.mean(axis=0)) for row in part])) for part in parts]
    mean, sd = inception_score(p, seed=7, splits=4)
    assert mean == pytest.approx(np.mean(expected), rel=1e-6) and sd == pytest.approx(np.std(expected), rel=1e-6)


def test_the_section_names_the_network_and_what_weakens_it():
    x, y = feature_sets(n=12, m=12)
    section = quality_section("net", x, y, np.full((12, 2), 0.5), seed=1)
    assert list(section.metrics) == ["fid on net", "kid on net", "kid_sd on net", "inception_score on net",
                                     "inception_score_sd on net"]  # fmt: skip
    assert section.metrics["fid on net"] == frechet_distance(x, y)
    assert (section.metrics["kid on net"], section.metrics["kid_sd on net"]) == kernel_distance(x, y, 1)
    assert "fewer images than features" in section.text and "subsets of 6 images" in section.text
    alone = quality_section("net", *feature_sets())
    assert "fewer images" not in alone.text and "no class probabilities" in alone.text and len(alone.metrics) == 3


@pytest.mark.parametrize(
    ("counts", "flag"), [((3, 9), "--dataset"), ((9, 3), "--save_syn_dataset"), ((9, 9, True), "inception score needs")]
)
def test_too_few_images(counts, flag):
    with pytest.raises(UserError, match=flag):
        image_quality.check_sizes(*counts)
