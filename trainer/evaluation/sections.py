"""Sections of a report about labelled folders: their separability, leakage, scores and renders."""

from dataclasses import dataclass

import numpy as np

from data_loader.folders import ImageIndex, UnreadableImage, decode_whole
from trainer.embedding import Embeddings
from trainer.evaluation import figures, separability, verification
from trainer.evaluation.report import Section, shown

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
        f"{len(pairs.same):,} pairs of images in {labelled.index.folder}, compared by the squared distance of their "
        f"embeddings. {threshold.text} What is at most that far apart counts as one person; the means of two "
        "identities are compared by the same threshold.",
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


def leakage_section(generated, real, threshold):
    """Whether generated identities are people of the photographs.

    Args:
        generated: LabelledSet.
        real: list of LabelledSet.
        threshold: Threshold.
    """
    means = np.concatenate([labelled.identities.means for labelled in real])
    owners = [(labelled, label) for labelled in real for label in labelled.identities.labels]
    identities = generated.identities
    nearest, distances = separability.nearest_means(identities.means, means)
    rows_of = [(labelled, row) for labelled in real for row in range(len(labelled.embeddings.features))]
    images, real_images, image_distances = separability.nearest_images(
        generated.embeddings.features, generated.embeddings.labels,
        np.concatenate([labelled.embeddings.features for labelled in real]),
    )  # fmt: skip
    table, pictures = [], []
    for i in np.argsort(image_distances, kind="stable"):
        labelled, row = rows_of[real_images[i]]
        person_set, person = owners[nearest[i]]
        paths = generated.embeddings.paths[images[i]], labelled.embeddings.paths[row]
        table.append([generated.name(identities.labels[i]), person_set.name(person), distances[i], *paths,
                      image_distances[i]])  # fmt: skip
        if len(pictures) < SHEET:
            pictures.append((generated.picture(images[i]), labelled.picture(row), _caption(*paths, image_distances[i])))
    return Section(
        "leakage",
        "Leakage: generated identities that are real ones",
        "Each generated identity beside the real one whose mean embedding is nearest, and beside the single nearest "
        f"photograph. {threshold.text} Photographs of another person than those compared cannot be found this way. The "
        "share of real identities that have a double among themselves says how often two people look so alike to this "
        "network anyhow.",
        {
            "threshold": threshold.value,
            "leaked_identities": int(np.sum(distances <= threshold.value)),
            "leaked_share": float(np.mean(distances <= threshold.value)),
            "leaked_image_share": float(np.mean(image_distances <= threshold.value)),
            "nearest_real_distance": float(distances.mean()),
            "nearest_real_distance_sd": float(distances.std()),
            "nearest_real_image_distance": float(image_distances.mean()),
            "nearest_real_image_distance_sd": float(image_distances.std()),
        },
        {"nearest": (["identity", "nearest_real", "distance", "image", "nearest_image", "image_distance"], table)},
        [
            figures.histogram_figure("Distance of each generated identity to the nearest real one",
                                     {"means": distances, "nearest images": image_distances}, threshold.value),
            figures.pairs_figure("Nearest: generated on the left, photograph on the right", pictures,
                                 "Pairs of a generated image and the photograph nearest to it, the nearest first."),
        ],
    )  # fmt: skip


def scores_section(generated, scores):
    """Whether the confidence scores know which images belong to their identity.

    Args:
        generated: LabelledSet.
        scores: {name: float64 [images of the folder]} of trainer.evaluation.generated.read_scores.
    """
    embeddings = generated.embeddings
    margin = separability.margins(embeddings.features, embeddings.labels, generated.unit_length)
    metrics, drawn, rows = {"margin": float(np.nanmean(margin)) if np.isfinite(margin).any() else None}, [], []
    for name, values in scores.items():
        score = values[embeddings.positions]
        correlation = separability.rank_correlation(score, margin)
        metrics[f"rank_correlation of {name}"] = correlation
        both = np.isfinite(score) & np.isfinite(margin)
        drawn.append(figures.scatter_figure(f"{name} against the margin", score[both], margin[both], (name, "margin"),
                                            f"rank correlation {shown(correlation)}"))  # fmt: skip
        rows += [[name, *row] for row in separability.kept_by_score(score, generated.pairs, embeddings.labels)]
    return Section(
        "scores",
        "Confidence scores",
        "Low scores are meant to be good. An image's margin is its distance to the nearest other identity's mean less "
        "that to the mean of the other images of its own: positive where it would be given its label. The table says "
        "what is left, and how well it separates, when only the best images by a score are kept.",
        metrics,
        {"filtered": (["score", "share_kept", "images", "identities", "auc", "eer"], rows)},
        drawn,
    )


def renders_section(generated, renders, matches, differences, brightness):
    """How far generated images are from their renders.

    Args:
        generated, renders: ImageIndex.
        matches, differences, brightness: of match_renders and render_differences.
    """
    read = np.flatnonzero(np.isfinite(differences))
    order = read[np.argsort(differences[read], kind="stable")]
    spread = order[np.linspace(0, len(order) - 1, min(SHEET, len(order))).astype(int)]
    pictures = [
        (decode_whole(renders.path(int(matches[i])), PICTURE), decode_whole(generated.path(int(i)), PICTURE),
         f"{_short(generated.relative_path(int(i)))}\n{differences[i]:.3g}")
        for i in spread
    ]  # fmt: skip
    rows = [[generated.relative_path(int(i)), differences[i], brightness[i]] for i in order]
    return Section(
        "renders",
        "Generated images against their renders",
        f"{len(read):,} images and their renders in {renders.folder}, at the generated images' size. A generator that "
        "changes nothing has 0; one that only takes colour away has 0 in brightness.",
        {
            "difference": float(differences[read].mean()),
            "difference_sd": float(differences[read].std()),
            "difference_least": float(differences[read].min()),
            "difference_brightness": float(brightness[read].mean()),
            "difference_brightness_sd": float(brightness[read].std()),
        },
        {"differences": (["path", "difference", "brightness"], rows)},
        [
            figures.histogram_figure("|generated - render| of each image",
                                     {"colours": differences[read], "brightness": brightness[read]},
                                     label="grey levels, 0…255"),
            figures.pairs_figure("Render on the left, generated on the right: from the least changed to the most",
                                 pictures, "Pairs of a render and the image generated from it."),
        ],
    )  # fmt: skip


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
    far, tar, thresholds = (values[1:] for values in verification.roc(pairs.distances, pairs.same))  # the first: none
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
        caption = _caption(paths[a], paths[b], pairs.distances[pair])
        pictures.append((labelled.picture(a), labelled.picture(b), caption))
    title, alt = (
        ("Hardest genuine pairs: one identity, furthest apart", "Pairs of images of one identity, the furthest first.")
        if same
        else (
            "Hardest impostor pairs: two identities, nearest",
            "Pairs of images of two identities, the nearest first.",
        )
    )
    return figures.pairs_figure(title, pictures, alt)


def _caption(first, second, distance):
    return f"{_short(first)}, {_short(second)}\n{distance:.3g}"


def _short(path, most=22):
    return path if len(path) <= most else f"…{path[1 - most :]}"
