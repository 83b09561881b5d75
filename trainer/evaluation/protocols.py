"""Published protocols on a face network, as sections of a report: LFW, insightface's .bin sets, IJB-A."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_loader import ijba
from data_loader.folders import UnreadableImage, decode_whole
from data_loader.generated_folder import alignment_of
from data_loader.protocols import decode_bytes, read_bin_set, read_lfw_pairs
from trainer.evaluation.figures import det_figure, histogram_figure, roc_figure
from trainer.evaluation.report import Section
from trainer.evaluation.splits import CMC, make_templates, mean_over_splits, search, split_table, verify
from trainer.evaluation.verification import (
    VALIDATION_FAR,
    accuracy_by_folds,
    make_folds,
    pair_distances,
    roc,
    validation_by_folds,
    verification_metrics,
)
from trainer.face_networks.embedding import embed_images
from utils.errors import UserError
from utils.files import several

RULES = (
    "Squared Euclidean distances of embeddings; small means one person. Accuracy: the threshold of each fold is the "
    f"best one on all others (mean and standard deviation over folds). VAL at FAR {VALIDATION_FAR:g} as FaceNet "
    "measures it: the threshold interpolated on the other folds. TAR at a FAR: nothing interpolated, pairs at one "
    "distance accepted or refused together. A dash: the FAR is finer than one of the impostor pairs there are."
)

TEMPLATES = (
    "A template is a set of images and video frames: embeddings are averaged within a medium, then over media, then "
    "brought to length 1; squared Euclidean distances. Means and standard deviations over splits. Verification: TAR at "
    "a FAR, nothing interpolated. Search: rank 1 and 5 over probes whose subject is enrolled; FNIR at a FPIR: enrolled "
    "probes whose own subject is farther than the threshold, whatever its rank, where the threshold lets that share of "
    "the others find anybody. Ties count against the network. A dash: finer than one impostor pair or one probe. Faces "
    "are cut by the protocol's boxes; train_N.csv is not used: no network is tuned to a split."
)


class LazyImages(Sequence):
    """Images for embed_images that are decoded when they are asked for, so that never all are held.

    Args:
        sources: what is decoded, list.
        decode: a function: source -> uint8 [h, w, 3]; it raises UserError where it cannot.
    """

    def __init__(self, sources, decode):
        self.sources, self.decode = sources, decode

    def __len__(self):
        return len(self.sources)

    def __getitem__(self, i):
        return self.decode(self.sources[i])


def lfw_section(face_network, options):
    """The pairs of a pairs.txt, LFW's or one's own.

    Args:
        face_network: trainer.face_networks.network.FaceNetwork.
        options: lfw_dir, lfw_pairs, lfw_file_ext, lfw_nrof_folds, and what embed_images takes.

    Returns:
        a Section with key "lfw".

    Raises:
        UserError: as read_lfw_pairs; an image that cannot be read; more folds than pairs of a kind.
    """
    pairs = read_lfw_pairs(options.lfw_pairs, options.lfw_dir, options.lfw_file_ext)
    images = LazyImages(pairs.images, lambda path: read_image(path, "--lfw_dir"))
    text = f"The pairs of {Path(options.lfw_pairs).name} in {options.lfw_nrof_folds} folds, in the file's order."
    cut = alignment_of([options.lfw_dir], "--lfw_dir")
    return _pairs_section("lfw", "LFW", text, pairs, images, face_network, options, cut)


def bin_paths(options):
    """The files that `--bin_sets` names, list of Path.

    Raises:
        UserError: one that is missing, or two of one name.
    """
    words = several(options.bin_sets, lambda name: os.path.isfile(Path(name).expanduser()))
    paths = [Path(word).expanduser() for word in words if word]
    for path in paths:
        if not os.path.isfile(path):
            raise UserError(f"--bin_sets: no such file: {path}")
    keys = [_bin_key(path) for path in paths]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"--bin_sets: two files have the name {key.removeprefix('bin_')}")
    return paths


def bin_section(face_network, path, options):
    """The pairs of one insightface .bin set.

    Args:
        face_network: trainer.face_networks.network.FaceNetwork.
        path: one of bin_paths(options).
        options: lfw_nrof_folds, and what embed_images takes.

    Returns:
        a Section with key "bin_<name of the file>".

    Raises:
        UserError: as read_bin_set; an image that cannot be read; more folds than pairs of a kind.
    """
    pairs = read_bin_set(path)
    images = LazyImages(range(len(pairs.images)),
                        lambda i: decode_bytes(pairs.images[i], f"--bin_sets: {path}: image {i}"))
    text = f"The pairs of {Path(path).name} in {options.lfw_nrof_folds} folds, in the file's order."
    return _pairs_section(_bin_key(path), Path(path).stem, text, pairs, images, face_network, options, "arcface")


def ijba_section(face_network, options):
    """IJB-A 1:1 and 1:N, as far as `--ijba_dir` has the files.

    Args:
        face_network: trainer.face_networks.network.FaceNetwork.
        options: ijba_dir, and what embed_images takes.

    Returns:
        a Section with key "ijba".

    Raises:
        UserError: as data_loader.ijba's readers; an image that is missing or cannot be read.
    """
    found = ijba.find_splits(options.ijba_dir)
    faces = {path: ijba.read_faces(path) for kind in (ijba.METADATA, ijba.GALLERY, ijba.PROBES)
             for path in found[kind].values()}
    comparisons = {split: ijba.read_comparisons(path, faces[found[ijba.METADATA][split]])
                   for split, path in sorted(found[ijba.COMPARISONS].items())}
    counts, templates = _templates(face_network, faces, options)
    verified, searched, ranks, curves = {}, {}, [], {}
    for split, pairs in comparisons.items():
        verified[split], curves[f"split {split}"] = verify(templates[found[ijba.METADATA][split]], *pairs)
    for split in sorted(found[ijba.GALLERY]):
        enrolled, probes = (templates[found[kind][split]] for kind in (ijba.GALLERY, ijba.PROBES))
        searched[split], rates = search(enrolled, probes)
        ranks.append([split, *rates])
    tables = {name: split_table(rows) for name, rows in (("verification", verified), ("search", searched)) if rows}
    if ranks:
        tables["cmc"] = (["split", *(f"rank_{rank}" for rank in CMC)], ranks)
    figures = [roc_figure("IJB-A: ROC by split", curves)] if curves else []
    metrics = counts | mean_over_splits(verified) | mean_over_splits(searched)
    return Section("ijba", "IJB-A", TEMPLATES, metrics, tables, figures)


def read_image(path, flag):
    """uint8 [h, w, 3]; UserError, naming flag and file, where it cannot be read."""
    try:
        return decode_whole(path)
    except UnreadableImage as error:
        raise UserError(f"{flag}: {error}") from error


def _bin_key(path):
    return "bin_" + re.sub(r"[^\w.-]", "_", Path(path).stem, flags=re.ASCII)


def _pairs_section(key, title, text, pairs, images, face_network, options, cut):
    folds = make_folds(pairs.same, options.lfw_nrof_folds)
    embeddings = embed_images(face_network, images, options, cut)
    distances = pair_distances(embeddings.features, pairs.first, pairs.second)
    counts = {"images": len(images), "faces_not_found": len(embeddings.failed)}
    far, tar, threshold = roc(distances, pairs.same)
    curves = {title: (far, tar)}
    groups = {"genuine": distances[pairs.same], "impostor": distances[~pairs.same]}
    return Section(
        key, title, f"{text} {RULES}", counts | verification_metrics(distances, pairs.same, folds),
        {"folds": _fold_table(distances, pairs.same, folds),
         "roc": (["far", "tar", "threshold"], np.stack([far, tar, threshold], axis=1)[1:].tolist())},
        [roc_figure(f"{title}: ROC", curves), det_figure(f"{title}: DET", curves),
         histogram_figure(f"{title}: distances", groups)])


def _fold_table(distances, same, folds):
    accuracies, thresholds = accuracy_by_folds(distances, same, folds)
    columns = {"fold": np.arange(1, len(accuracies) + 1), "accuracy": accuracies, "threshold": thresholds}
    validation = validation_by_folds(distances, same, folds)
    if validation:
        columns |= dict(zip(("val", "val_far", "val_threshold"), validation, strict=True))
    return list(columns), [list(row) for row in zip(*(column.tolist() for column in columns.values()), strict=True)]


def _templates(face_network, faces, options):
    """({counts}, {path of a table: Templates}); each face is embedded once, however many tables name it."""
    places, rows = {}, {}
    for path, table in faces.items():
        images = ijba.image_paths(options.ijba_dir, table)
        ijba.check_boxes(table, images)
        rows[path] = [places.setdefault((image, *box), len(places))
                      for image, box in zip(images, table.boxes.tolist(), strict=True)]

    def cut(face):
        image, *box = face
        return ijba.crop(read_image(image, ijba.FLAG), box)

    embeddings = embed_images(face_network, LazyImages(list(places), cut), options)
    counts = {"images": len(places), "faces_not_found": len(embeddings.failed)}
    return counts, {path: make_templates(embeddings.features[rows[path]], table) for path, table in faces.items()}
