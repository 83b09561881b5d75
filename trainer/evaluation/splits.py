"""What IJB-A measures in one split, from templates to numbers, and over its splits."""

from dataclasses import dataclass

import numpy as np

from trainer.evaluation.identification import mate_ranks, miss_rates, rank_rates, subject_distances, template_features
from trainer.evaluation.verification import acceptance_rates, area_under_curve, equal_error_rate, pair_distances, roc

FARS, FPIRS, RANKS = (0.1, 0.01, 0.001), (0.1, 0.01), (1, 5)  # the benchmark's
CMC = range(1, 21)  # ranks of the curve


@dataclass(frozen=True)
class Templates:
    """names: distinct template ids, ascending, int64 [t]; subjects: int64 [t]; features: float64 [t, d], length 1."""

    names: np.ndarray
    subjects: np.ndarray
    features: np.ndarray


def make_templates(features, faces):
    """The Templates of a table of faces: features [n, d], data_loader.ijba.Faces of n rows."""
    names, means = template_features(features, faces.templates, faces.media)
    subject_of = faces.subject_of()
    return Templates(names, np.array([subject_of[name] for name in names.tolist()]), means)


def verify(templates, first, second, same):
    """Verification in one split.

    Args:
        templates: Templates.
        first, second: int64 [n], names of templates; same: bool [n].

    Returns:
        ({metric: number, None where it cannot be measured}, (FARs, TARs) of the ROC curve).
    """
    places = [np.searchsorted(templates.names, side) for side in (first, second)]
    distances = pair_distances(templates.features, *places)
    rates = acceptance_rates(distances, same, FARS)
    return {"genuine_pairs": int(same.sum()), "impostor_pairs": int((~same).sum()),
            "auc": area_under_curve(distances, same), "eer": equal_error_rate(distances, same),
            **{f"tar_at_far_{far:g}": rate for far, rate in zip(FARS, rates, strict=True)},
            }, roc(distances, same)[:2]


def search(gallery, probes):
    """Search in one split: each of the probes among the subjects of the gallery, Templates both.

    Returns:
        ({metric: number, None where it cannot be measured}, rates of the ranks of CMC).
    """
    distances, subjects = subject_distances(probes.features, gallery.features, gallery.subjects)
    ranks = mate_ranks(distances, subjects, probes.subjects)
    misses = miss_rates(distances, subjects, probes.subjects, FPIRS)
    return {"enrolled_subjects": len(subjects), "enrolled_probes": int((ranks > 0).sum()),
            "unknown_probes": int((ranks == 0).sum()),
            **{f"rank_{rank}": rate for rank, rate in zip(RANKS, rank_rates(ranks, RANKS), strict=True)},
            **{f"fnir_at_fpir_{fpir:g}": rate for fpir, rate in zip(FPIRS, misses, strict=True)},
            }, rank_rates(ranks, CMC)


def mean_over_splits(rows):
    """{split: {metric: number}} -> {metric: mean, metric_sd: standard deviation}, None where a split has None.

    Counts, which are whole numbers, are added up and have no deviation.
    """
    metrics = {}
    for name in next(iter(rows.values()), {}):
        values = [row[name] for row in rows.values()]
        if isinstance(values[0], int):
            metrics[name] = sum(values)
        else:
            measured = None not in values
            metrics[name] = float(np.mean(values)) if measured else None
            metrics[f"{name}_sd"] = float(np.std(values)) if measured else None
    return metrics


def split_table(rows):
    """{split: {metric: number}} -> (header, rows) of a table."""
    return ["split", *next(iter(rows.values()))], [[split, *row.values()] for split, row in rows.items()]
