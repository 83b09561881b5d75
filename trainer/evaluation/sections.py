"""Sections of a report about labelled folders: how well their identities are told apart."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_loader.folders import ImageIndex, UnreadableImage, decode_whole
from trainer.evaluation import figures, separability
from trainer.evaluation.report import Section, shown
from trainer.face_networks.embedding import Embeddings
from utils.printable import printable

POINTS = 1000  # of a curve that is drawn or written
SHEET = 6  # pairs on a contact sheet
PICTURE = 160  # pixels that the longer side of an image on a contact sheet is shrunk to

# Figures of the published repository (its hist_*.mat: 1,000 pairs each, squared distances of FaceNet embeddings of
# length 1); the EER is computed from them.
PUBLISHED = (
    ("GANFaces (published)", 0.530, 0.186, 1.444, 0.402, 0.060),
    ("renders (published)", 0.596, 0.238, 1.071, 0.294, 0.188),
    ("VGG Face (published)", 1.198, 0.471, 1.953, 0.308, 0.182),
)


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """A labelled folder, embedded. key and title: of its section. unit_length: of its network's embeddings."""

    key: str
    title: str
    index: ImageIndex
    embeddings: Embeddings
    pairs: separability.Pairs
    unit_length: bool

    @property
    def identities(self):
        """Mean embeddings of its identities."""
        return separability.mean_embeddings(self.embeddings.features, self.embeddings.labels, self.unit_length)

    def name(self, label):
        """The folder's name of a label."""
        return self.embeddings.label_names[label]

    def picture(self, row):
        """The image of one row of the embeddings, for a contact sheet: uint8 [h, w, 3]; grey where it is unreadable."""
        try:
            return decode_whole(self.index.path(int(self.embeddings.positions[row])), PICTURE)
        except UnreadableImage:
            return np.full((PICTURE, PICTURE, 3), 128, np.uint8)


def separability_section(labelled, threshold):
    """How well the labels of one set are told apart.

    Args:
        labelled: LabelledSet.
        threshold: trainer.evaluation.sections.Threshold.
    """
    pairs, embeddings = labelled.pairs, labelled.embeddings
    accepted = pairs.distances <= threshold.value
    identities = labelled.identities
    nearest, distances = separability.nearest_others(identities)
    spread = separability.diversity_within(embeddings.features, embeddings.labels)
    metrics = {
        **_counts(labelled),
        **separability.pair_metrics(pairs),
        "threshold": threshold.value,
        "false_accept_rate": float(np.mean(accepted[~pairs.same])),
        "false_reject_rate": float(np.mean(~accepted[pairs.same])),
        "close_identities": separability.count_near(identities, threshold.value),
        "close_identities_share": float(np.mean(distances <= threshold.value)),
        "diversity_within": float(np.nanmean(spread)),
        "diversity_within_sd": float(np.nanstd(spread)),
    }
    far, tar, thresholds = roc_points(pairs)
    groups = {"genuine": pairs.distances[pairs.same], "impostor": pairs.distances[~pairs.same]}
    order = np.argsort(distances, kind="stable")
    table = [[labelled.name(identities.labels[i]), labelled.name(identities.labels[nearest[i]]), distances[i],
              spread[i], identities.images[i]] for i in order]  # fmt: skip
    return Section(
        labelled.key,
        labelled.title,
        f"{len(pairs.same):,} pairs of images of {Path(labelled.index.folder).name}, compared by the squared distance "
        f"of their embeddings. {threshold.text} What is at most that far apart counts as one person. The means of two "
        "identities are compared by the same threshold, though means lie nearer to each other than single images.",
        metrics,
        {
            "identities": (["identity", "nearest", "distance", "distance_within", "images"], table),
            "roc": (["far", "tar", "threshold"], np.stack([far, tar, thresholds], axis=1).tolist()),
        },
        [
            figures.histogram_figure("Distances of pairs", groups, threshold.value),
            figures.roc_figure("ROC", {labelled.title: (far, tar)}),
            figures.det_figure("DET", {labelled.title: (far, tar)}),
            *(_sheet(labelled, same) for same in (True, False)),
        ],
    )


def comparison_section(labelled_sets):
    """Several sets beside each other, and the published figures below them."""
    rows = []
    for labelled in labelled_sets:
        metrics = separability.pair_metrics(labelled.pairs)
        rows.append([labelled.title, *(metrics[name] for name in ("genuine_distance", "genuine_distance_sd",
                     "impostor_distance", "impostor_distance_sd", "eer"))])  # fmt: skip
    header = ["set", "genuine", "genuine_sd", "impostor", "impostor_sd", "eer"]
    curves = {labelled.title: roc_points(labelled.pairs)[:2] for labelled in labelled_sets}
    return Section(
        "comparison",
        "Side by side",
        "The same network on each set. The published figures are of another network and other images (1,000 pairs "
        "each, FaceNet embeddings of length 1): their order can be compared, their distances cannot.",
        {},
        {"pairs": (header, [*rows, *(list(row) for row in PUBLISHED)])},
        [figures.roc_figure("ROC of all sets", curves), figures.det_figure("DET of all sets", curves)],
    )


@dataclass(frozen=True)
class Threshold:
    """value: squared distance up to which two faces count as one person; text: where it comes from, a sentence."""

    value: float
    text: str


def choose_threshold(wanted, unit_length, labelled):
    """The Threshold: the wanted one, or dlib's, or, for embeddings of length 1, where the errors of a set are equal.

    Args:
        wanted: of --threshold; 0: choose.
        unit_length: of the network.
        labelled: LabelledSet whose EER threshold is taken.
    """
    if wanted:
        return Threshold(wanted, f"Threshold {shown(wanted)}, as given.")
    if not unit_length:
        return Threshold(separability.DLIB_THRESHOLD, "Threshold 0.36: dlib's 0.6, squared.")
    value = separability.eer_threshold(labelled.pairs)
    return Threshold(value, f"Threshold {shown(value)}: where the errors on {labelled.title} are equal.")


def roc_points(pairs):
    """The ROC curve of pairs, thinned to what can be seen: (FAR, TAR, threshold), [2 * POINTS or fewer] each."""
    far, tar, thresholds = (values[1:] for values in pairs.curve)  # the first: none
    evenly = np.linspace(0, len(far) - 1, min(POINTS, len(far))).astype(int)
    low = np.searchsorted(far, np.geomspace(1 / np.count_nonzero(~pairs.same), 1, POINTS)).clip(max=len(far) - 1)
    chosen = np.unique(np.concatenate([evenly, low]))
    return far[chosen], tar[chosen], thresholds[chosen]


def _counts(labelled):
    embeddings = labelled.embeddings
    failed = {path for path, _ in embeddings.failed}
    read = len(failed.intersection(embeddings.paths))
    return {
        "images": len(embeddings.features),
        "identities": len(np.unique(embeddings.labels)),
        "unreadable": len(failed) - read,
        "faces_not_found": read,
    }


def _sheet(labelled, same):
    pairs, paths = labelled.pairs, labelled.embeddings.paths
    pictures = []
    for pair in pairs.hardest(same, SHEET):
        a, b = int(pairs.first[pair]), int(pairs.second[pair])
        text = caption(paths[a], paths[b], pairs.distances[pair])
        pictures.append((labelled.picture(a), labelled.picture(b), text))
    title, alt = (
        ("Hardest genuine pairs: one identity, furthest apart", "Pairs of images of one identity, the furthest first.")
        if same
        else (
            "Hardest impostor pairs: two identities, nearest",
            "Pairs of images of two identities, the nearest first.",
        )
    )
    return figures.pairs_figure(title, pictures, alt)


def caption(first, second, distance):
    """Under a pair of pictures: two paths and their distance."""
    return f"{short(first)}, {short(second)}\n{distance:.3g}"


def short(path, most=22):
    """The end of a long path, as can be shown."""
    path = printable(path)
    return path if len(path) <= most else f"…{path[1 - most :]}"
