"""Sections of a report about a generated folder: leakage, confidence scores, distance from its renders."""

from pathlib import Path

import numpy as np

from data_loader.folders import decode_whole
from trainer.evaluation import figures, separability
from trainer.evaluation.report import Section, shown
from trainer.evaluation.sections import PICTURE, SHEET, caption, short


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
    among = np.concatenate([separability.nearest_others(labelled.identities)[1] for labelled in real])
    sets = [(labelled.embeddings.features, labelled.embeddings.labels) for labelled in (generated, *real)]
    own = np.concatenate([separability.diversity_within(*one) for one in sets[1:]])[nearest]
    made, *people = (separability.variances_within(*one) for one in sets)
    to_person = separability.mean_distances(made, [np.concatenate(part)[nearest] for part in zip(*people, strict=True)])
    compared = np.isfinite(own)  # whose nearest person has two photographs
    table, pictures = [], []
    for i in np.argsort(image_distances, kind="stable"):
        labelled, row = rows_of[real_images[i]]
        person_set, person = owners[nearest[i]]
        paths = generated.embeddings.paths[images[i]], labelled.embeddings.paths[row]
        table.append([generated.name(identities.labels[i]), person_set.name(person), distances[i], *paths,
                      image_distances[i], to_person[i], own[i]])  # fmt: skip
        if len(pictures) < SHEET:
            pictures.append((generated.picture(images[i]), labelled.picture(row), caption(*paths, image_distances[i])))
    return Section(
        "leakage",
        "Leakage: generated identities that are real ones",
        "Each generated identity beside the real one whose mean embedding is nearest, and beside the single nearest "
        f"photograph. {threshold.text} Compare with the share of real identities that are as near to another real "
        "one of their folder: so often two people look alike to this network; only what exceeds it hints at leakage. "
        "People who are not among the photographs cannot be found. Without a threshold: how far its images are from "
        "those of its nearest person in the mean (mean_distance), beside how far that person's photographs are from "
        "each other (own_distance), where there are two or more.",
        {
            "threshold": threshold.value,
            "leaked_identities": int(np.sum(distances <= threshold.value)),
            "leaked_share": float(np.mean(distances <= threshold.value)),
            "leaked_image_share": float(np.mean(image_distances <= threshold.value)),
            "real_double_share": float(np.mean(among <= threshold.value)),
            "own_compared": int(np.sum(compared)),
            "nearer_than_own": int(np.sum(to_person[compared] <= own[compared])) if compared.any() else None,
            "nearest_real_distance": float(distances.mean()),
            "nearest_real_distance_sd": float(distances.std()),
            "nearest_real_image_distance": float(image_distances.mean()),
            "nearest_real_image_distance_sd": float(image_distances.std()),
        },
        {"nearest": (["identity", "nearest_real", "distance", "image", "nearest_image", "image_distance",
                      "mean_distance", "own_distance"], table)},
        [
            figures.histogram_figure("Distance of means to the nearest real identity",
                                     {"generated to real": distances, "real to another real": among}, threshold.value),
            figures.pairs_figure("Nearest: generated on the left, photograph on the right", pictures,
                                 "Pairs of a generated image and the photograph nearest to it, the nearest first."),
        ],
    )  # fmt: skip


def scores_section(generated, scores, high=()):
    """Whether the confidence scores know which images belong to their identity.

    Args:
        generated: LabelledSet.
        scores: {name: float64 [images of the folder]} of trainer.evaluation.generated.indexed_scores.
        high: names of those of which high is good.
    """
    embeddings = generated.embeddings
    margin = separability.margins(embeddings.features, embeddings.labels, generated.unit_length)
    metrics, drawn, rows = {"margin": float(np.nanmean(margin)) if np.isfinite(margin).any() else None}, [], []
    for name, values in scores.items():
        score, axis = values[embeddings.positions], name
        if name in high:
            score, axis = -score, f"minus {name}"
        correlation = separability.rank_correlation(score, margin)
        metrics[f"rank_correlation of {name}"] = correlation
        both = np.isfinite(score) & np.isfinite(margin)
        drawn.append(figures.scatter_figure(f"{name} against the margin", score[both], margin[both], (axis, "margin"),
                                            f"rank correlation {shown(correlation)}"))  # fmt: skip
        rows += [[name, *row] for row in separability.kept_by_score(score, generated.pairs, embeddings.labels)]
    return Section(
        "scores",
        "Confidence scores",
        "Low scores are meant to be good; one of which high is good counts with its sign turned, in all figures here. "
        "An image's margin is its distance to the nearest other identity's mean less "
        "that to the mean of the other images of its own: positive where it would be given its label. The table says "
        "what is left, and how well it separates, when only the best images by a score are kept.",
        metrics,
        {"filtered": (["score", "share_kept", "images", "identities", "auc", "eer"], rows)},
        drawn,
    )


def renders_section(made, drawn, matches, differences, brightness):
    """How far generated images are from their renders, and whether they are still the same people.

    Args:
        made, drawn: LabelledSet of the generated images and of the renders.
        matches, differences, brightness: of match_renders and render_differences.
    """
    generated, renders = made.index, drawn.index
    read = np.flatnonzero(np.isfinite(differences))
    order = read[np.argsort(differences[read], kind="stable")]
    spread = order[np.linspace(0, len(order) - 1, min(SHEET, len(order))).astype(int)]
    pictures = [
        (decode_whole(renders.path(int(matches[i])), PICTURE), decode_whole(generated.path(int(i)), PICTURE),
         f"{short(generated.relative_path(int(i)))}\n{differences[i]:.3g}")
        for i in spread
    ]  # fmt: skip
    rows = [[generated.relative_path(int(i)), differences[i], brightness[i]] for i in order]
    return Section(
        "renders",
        "Generated images against their renders",
        f"{len(read):,} images and their renders in {Path(renders.folder).name}, at the generated images' size. "
        "A generator that changes nothing has 0; one that only takes colour away has 0 in brightness. People by their "
        "mean embeddings, of which each folder's mean is taken off: KID and pair AUC do not see a generator that "
        "makes other people of those rendered.",
        _people_kept(made, drawn) | {
            "difference": float(differences[read].mean()),
            "difference_sd": float(differences[read].std()),
            "difference_brightness": float(brightness[read].mean()),
            "difference_brightness_sd": float(brightness[read].std()),
            "difference_least": float(differences[read].min()),
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


def _people_kept(made, drawn):
    """Metrics of whether generated identities are the rendered ones, where two or more are in both."""
    people, sources = made.identities, drawn.identities
    rows = {drawn.name(label): row for row, label in enumerate(sources.labels)}
    names = [made.name(label) for label in people.labels]
    both = [(i, rows[name]) for i, name in enumerate(names) if name in rows]
    if len(both) < 2:
        return {}
    one, other = np.array(both).T
    cosines, auc, nearest = separability.stayed(people.means[one], sources.means[other])
    return {
        "rendered_person_auc": auc,
        "rendered_person_nearest": float(nearest.mean()),
        "rendered_person_cosine": float(cosines.mean()),
    }
