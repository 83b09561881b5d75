"""Ranks, misses and templates worked by hand, then against brute force on the AT&T faces' pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loader.assets import fetch
from data_loader.folders import decode, index_images
from trainer.evaluation import identification as ident

# On a line, gallery: subject 1 at 0, subject 2 at 10 and at 50, subject 3 at 20. Probes of 1, 2, 3 and of strangers:
GALLERY, GALLERY_SUBJECTS = np.array([[20.0], [0], [50], [10]]), np.array([3, 1, 2, 2])
PROBES = np.array([[1.0], [14], [13], [41], [22], [90]])
PROBE_SUBJECTS = np.array([1, 2, 3, 2, 77, 78])
#            to subject 1   2           3         rank
# 1 (of 1)   1              81          361       1
# 14 (of 2)  196            16          36        1
# 13 (of 3)  169            9           49        2
# 41 (of 2)  1681           81 (to 50)  441       1
# 22 (of 77) 484            144         4         alarm from 4 on
# 90 (of 78) 8100           1600        4900      alarm from 1600 on
DISTANCES = [[1, 81, 361], [196, 16, 36], [169, 9, 49], [1681, 81, 441], [484, 144, 4], [8100, 1600, 4900]]


def table(probes=PROBES):
    return *ident.subject_distances(probes, GALLERY, GALLERY_SUBJECTS), PROBE_SUBJECTS


def test_a_subject_is_as_near_as_its_nearest_template():
    distances, subjects, _ = table()
    assert subjects.tolist() == [1, 2, 3] and distances.tolist() == DISTANCES


def test_ranks_of_the_mixed_case():
    ranks = ident.mate_ranks(*table())
    assert ranks.tolist() == [1, 1, 2, 1, 0, 0]
    assert ident.rank_rates(ranks, (1, 2, 5)) == [0.75, 1, 1]


def test_misses_of_the_mixed_case():
    # mates at 1, 16, 49, 81; strangers alarm at 4 and at 1600. FPIR .5 (one of two): thresholds below 1600, no miss.
    # FPIR .99 allows no second one either; 1 allows both. With strangers at 4 and 30: thresholds below 30: 49 and 81
    # are missed. Below one stranger in two nothing can be measured.
    assert ident.miss_rates(*table(), (0.5, 0.99, 1, 0.49)) == [0, 0, 0, None]
    distances, subjects, probe_subjects = table()
    distances[5] = [30, 40, 50]
    assert ident.miss_rates(distances, subjects, probe_subjects, (0.5,)) == [0.5]
    distances[5] = [4, 40, 50]  # both strangers at 4: they alarm together, so that FPIR .5 means a threshold below 4
    assert ident.miss_rates(distances, subjects, probe_subjects, (0.5, 1)) == [0.75, 0]


def test_the_mate_counts_at_any_rank_in_the_open_set():
    # probe 13 of subject 3: its mate lies at 49, second. A threshold of 50 finds it.
    distances, subjects, probe_subjects = table()
    assert ident.miss_rates(distances[2:], subjects, probe_subjects[2:], (0.5,)) == [0]


def test_perfect_and_constant_networks():
    perfect = GALLERY[[1, 3, 0, 2]]
    probes = np.concatenate([perfect, [[1000.0], [2000]]])
    distances, subjects, probe_subjects = table(probes)
    assert ident.rank_rates(ident.mate_ranks(distances, subjects, probe_subjects)) == [1, 1]
    assert ident.miss_rates(distances, subjects, probe_subjects, (0.5,)) == [0]
    same = np.zeros_like(distances)  # one embedding for all: everyone ties, ranks last, and alarms with the strangers
    assert ident.rank_rates(ident.mate_ranks(same, subjects, probe_subjects), (1, 2, 3)) == [0, 0, 1]
    assert ident.miss_rates(same, subjects, probe_subjects, (0.5,)) == [1]


def test_random_distances_rank_at_chance():
    rng = np.random.default_rng(0)
    distances, subjects = rng.random((4000, 20)), np.arange(20)
    probe_subjects = np.arange(4000) % 40  # every second one is a stranger
    rates = ident.rank_rates(ident.mate_ranks(distances, subjects, probe_subjects))
    assert rates == pytest.approx([1 / 20, 5 / 20], abs=0.03)
    # a stranger stays silent up to t with probability (1 - t) ** 20: FPIR .1 means t = 1 - .9 ** .05, and FNIR 1 - t
    assert ident.miss_rates(distances, subjects, probe_subjects, (0.1,)) == pytest.approx([0.9 ** 0.05], abs=0.01)


def test_without_enrolled_probes_or_strangers_nothing_is_measured():
    distances, subjects, probe_subjects = table()
    assert ident.rank_rates(ident.mate_ranks(distances[4:], subjects, probe_subjects[4:])) == [None, None]
    assert ident.miss_rates(distances[4:], subjects, probe_subjects[4:], (0.5,)) == [None]
    assert ident.miss_rates(distances[:4], subjects, probe_subjects[:4], (0.5,)) == [None]


def test_a_template_is_the_mean_of_its_media():
    # template 7: a photograph (medium 1) at (4, 0), a video (medium 2) of three frames at (0, 1) (0, 2) (0, 6), mean
    # (0, 3). Mean of media (2, 1.5), length 2.5: (0.8, 0.6). Over all four faces it would be (1, 2.25).
    # template 3: medium 2 alone, here one frame (0, -5): (0, -1). Its frame is none of template 7's.
    features = np.array([[0, 1], [4, 0], [0, -5], [0, 2], [0, 6]], np.float32)
    names, means = ident.template_features(features, np.array([7, 7, 3, 7, 7]), np.array([2, 1, 2, 2, 2]))
    assert names.tolist() == [3, 7] and means == pytest.approx(np.array([[0, -1], [0.8, 0.6]]))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20), st.integers(0, 99))
def test_templates_agree_with_loops(faces, seed):
    templates, media = np.array(faces).T
    features = np.random.default_rng(seed).normal(size=(len(faces), 3))
    names, means = ident.template_features(features, templates, media)
    assert names.tolist() == sorted(set(templates.tolist()))
    for name, mean in zip(names, means, strict=True):
        of_media = [features[(templates == name) & (media == m)].mean(axis=0)
                    for m in set(media[templates == name].tolist())]
        expected = sum(of_media) / len(of_media)
        assert mean == pytest.approx(expected / np.linalg.norm(expected))


def test_search_agrees_with_loops_on_the_att_faces(tmp_path):
    index = index_images(fetch("att_faces", "~/.cache/facegan"), tmp_path, labelled=True)
    features = np.stack([decode(index.path(i), 12).ravel() for i in range(len(index))]) / 255
    labels, order = index.labels, np.arange(len(index)) % 10
    enrolled = (order < 2) & (labels < 30)  # ten people are strangers
    probes, subjects = features[order >= 2], labels[order >= 2]
    distances, names = ident.subject_distances(probes, features[enrolled], labels[enrolled])
    ranks, mates, alarms = [], [], []
    for probe, subject in zip(probes, subjects, strict=True):
        to = {}
        for feature, label in zip(features[enrolled], labels[enrolled], strict=True):
            to[label] = min(to.get(label, np.inf), ((probe - feature) ** 2).sum())
        nearest = sorted(to, key=to.get)
        if subject in to:
            ranks.append(nearest.index(subject) + 1)
            mates.append(to[subject])
        else:
            alarms.append(to[nearest[0]])
    found = ident.mate_ranks(distances, names, subjects)
    assert found[found > 0].tolist() == ranks
    assert ident.rank_rates(found) == [np.mean([r <= k for r in ranks]) for k in (1, 5)]
    threshold = sorted(alarms)[8]  # 80 strangers: FPIR 0.1 allows 8 alarms
    misses = np.mean([mate >= threshold for mate in mates])
    assert ident.miss_rates(distances, names, subjects, (0.1, 0.0125, 0.01))[0] == misses
    assert 0.05 < misses < 0.95
    assert ident.miss_rates(distances, names, subjects, (0.01,)) == [None]  # one of 80 is 0.0125
