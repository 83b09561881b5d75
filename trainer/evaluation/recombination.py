"""The section about faces that have the identity of one image and the pose of another (IP-GAN).

What came out is compared with both sources. The two codes are asked whether they tell of each other: the pose code who
is shown, the identity vector how the head is turned; neither should.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.manifold import TSNE
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data_loader import assets
from data_loader.face_places import described
from data_loader.folders import UnreadableImage, decode_whole, index_images, readable_batches
from data_loader.generated_folder import read_run
from data_loader.image_names import finder, rows_of
from data_loader.joined import SubsetIndex
from data_loader.morphable.fitting import Fitter
from data_loader.morphable.landmarks import Detector
from data_loader.morphable.model import load_makehuman
from data_loader.morphable.parameters import METADATA
from data_loader.training_sources import index_cache
from trainer.evaluation import figures, verification
from trainer.evaluation.report import Section
from trainer.face_networks.embedding import embed_folder
from trainer.face_networks.judge import NAMES_ONE
from trainer.systems import system_class
from trainer.systems.identity import chip_places
from trainer.training.load import load_system
from utils import runs
from utils.errors import UserError
from utils.images import to_float
from utils.progress import Progress
from utils.tables import Table

SOURCES = ("identity_image", "pose_image")  # columns of metadata.csv
MOST = 600  # images whose pose is measured, and whose codes are probed, drawn where there are more (ours)
FOLDS = 2  # of the probes
PEOPLE = 10  # shown in the pictures of the codes
PERPLEXITY = 15  # of t-SNE


@dataclass(frozen=True)
class Sources:
    """What a folder of recombined faces was made of.

    Attributes:
        people, poses: ImageIndex of the faces that gave identity and pose; `poses` is None where poses were random.
        identity, pose: int [n]: of each generated image, its place in `people` and in `poses`.
    """

    people: object
    poses: object
    identity: np.ndarray
    pose: np.ndarray | None


def read_sources(generated, options):
    """Sources of a generated folder, or None where its images have no such sources.

    Args:
        generated: ImageIndex.
        options: asset_dir.

    Raises:
        UserError: a folder that it was made from is gone or holds other images.
    """
    folder, flag = Path(generated.folder), generated.flag
    if not (folder / METADATA).is_file() or not (folder / "run.json").is_file():
        return None
    table, told = Table(folder / METADATA, flag), read_run(folder, flag)["inputs"].get("sources") or {}
    if SOURCES[0] not in table.header or SOURCES[0] not in told:
        return None
    indexes = {name: index_images(folder / told[name], index_cache(options), flag=flag) for name in told}
    places, finders = table.places(tuple(indexes)), [finder(index) for index in indexes.values()]
    found = np.full((len(indexes), len(generated)), -1)
    for i, line, row in rows_of(table, generated):
        for number, (place, find_source) in enumerate(zip(places, finders, strict=True)):
            if (source := find_source(row[place])) is None:
                raise UserError(f"{table.where(line)}: {row[place]} is not in {told[tuple(indexes)[number]]} any more")
            found[number, i] = source
    if (found < 0).any():
        raise UserError(f"{flag}: {folder / METADATA} does not name every image of the folder")
    people, poses = indexes[SOURCES[0]], indexes.get(SOURCES[1])
    return Sources(people, poses, found[0], found[1] if poses is not None else None)


def check_codes(options):
    """Raise UserError where the run of --pretrained_gen has no codes to probe."""
    found = runs.find_weights(options.pretrained_gen, options.log_dir, "pretrained_gen")
    name = runs.read_params(found.run).get("system") if found.run else "facegan"
    if not hasattr(system_class(name), "codes"):
        raise UserError(f"--pretrained_gen: --system {name} has no codes of identity and pose")


def recombination_section(made, sources, face_network, options):
    """Whether identity and pose are those of the sources.

    Args:
        made: LabelledSet of the generated images.
        sources: Sources.
        face_network: the judge, FaceNetwork.
        options: random_seed, asset_dir, num_worker, align; pretrained_gen in `explicit`: whose codes are probed.
    """
    metrics, tables, drawn, text = {}, {}, [], []
    kept, figure = _identity_kept(made, sources, face_network, options)
    metrics |= kept
    drawn.append(figure)
    text.append("Identity: each image is compared with the face that gave it its identity, and with those that gave "
                "theirs to others; their AUC is that of telling these apart.")
    if sources.poses is not None:
        taken, found = _pose_taken(made, sources, options)
        metrics |= taken
        drawn += found
        text.append("Pose: degrees by the head model fitted to dlib's landmarks of the image, against those of the "
                    "face that gave the pose: of its metadata.csv, or by the same fit.")
    if "pretrained_gen" in options.explicit:
        probed, found = _probes(sources.people, options)
        metrics |= probed
        drawn += found
        text.append("Codes: a linear probe learns from one half of the images' codes and is asked about the other.")
    return Section("recombination", "Identity of one, pose of another", " ".join(text), metrics, tables, drawn)


def _identity_kept(made, sources, face_network, options):
    used = np.unique(sources.identity)
    embeddings = embed_folder(face_network, SubsetIndex(_unlabelled(sources.people), used), options)
    row_of = {int(used[position]): row for row, position in enumerate(embeddings.positions)}
    own = np.array([row_of.get(int(sources.identity[i]), -1) for i in made.embeddings.positions])
    distances = cdist(made.embeddings.features[own >= 0], embeddings.features, "sqeuclidean")
    same = own[own >= 0][:, None] == np.arange(len(embeddings.features))
    metrics = {
        "identity_auc": verification.area_under_curve(distances.ravel(), same.ravel()),
        "identity_distance": float(distances[same].mean()),
        "impostor_distance": float(distances[~same].mean()),
        "nearest_is_own": float(np.mean(same[np.arange(len(same)), distances.argmin(axis=1)])),
    }
    groups = {"own source": distances[same], "those of others": distances[~same]}
    return metrics, figures.histogram_figure("Distance to the face that gave the identity", groups)


def _pose_taken(made, sources, options):
    """Yaw and pitch of what came out against those of the pose images."""
    rng = np.random.default_rng(options.random_seed)
    chosen = np.sort(rng.permutation(len(sources.pose))[:MOST])
    measure, wanted = _PoseMeasure(options), _told_poses(sources.poses)
    rows = []
    with Progress(len(chosen), "poses") as progress:
        for i in chosen.tolist():
            found = measure(made.index.path(i))
            pose = int(sources.pose[i])
            asked = wanted[pose] if np.isfinite(wanted[pose]).all() else measure(sources.poses.path(pose))
            rows.append([*found, *asked])
            progress.update()
    rows = np.array(rows, float)
    seen = rows[np.isfinite(rows).all(axis=1)]
    metrics = {"pose_images": len(chosen), "pose_found_share": float(len(seen) / len(rows))}
    drawn = []
    for place, name in enumerate(("yaw", "pitch")):
        out, asked = seen[:, place], seen[:, 2 + place]
        related = float(np.corrcoef(out, asked)[0, 1]) if len(seen) > 2 and out.std() and asked.std() else None
        metrics |= {f"{name}_correlation": related,
                    f"{name}_error": float(np.abs(out - asked).mean()) if len(seen) else None}  # fmt: skip
        if related is not None:
            axes = (f"{name} of the pose image, degrees", f"{name} of what came out")
            drawn.append(figures.scatter_figure(name.capitalize(), asked, out, axes, f"correlation {related:.3f}"))
    return metrics, drawn


class _PoseMeasure:
    """Yaw and pitch, in degrees, of the face in a file; nan where none is found. Each file is measured once."""

    def __init__(self, options):
        face, models = (assets.fetch(name, options.asset_dir) for name in ("morphable_face", "dlib_models"))
        self.detect, self.fit, self.known = Detector(models), Fitter(load_makehuman(face)), {}

    def __call__(self, path):
        if path not in self.known:
            self.known[path] = self._measured(path)
        return self.known[path]

    def _measured(self, path):
        try:
            pixels = decode_whole(path)
        except UnreadableImage:
            return np.nan, np.nan
        face = self.detect(pixels)
        if face is None:
            return np.nan, np.nan
        try:
            fit = self.fit(face.landmarks / max(pixels.shape[:2]))
        except (ValueError, np.linalg.LinAlgError, RuntimeError):  # SciPy's, where nothing converges
            return np.nan, np.nan
        return fit.yaw, fit.pitch


def _told_poses(index):
    """float [n, 2]: yaw and pitch of the images of an index by their metadata.csv; nan where it does not say."""
    found, folder = np.full((len(index), 2), np.nan), described(Path(index.folder))
    table = Table(folder / METADATA, index.flag) if folder else None
    if table is None or not {"yaw", "pitch"} <= set(table.header):
        return found
    places = table.places(("yaw", "pitch"))
    for i, line, row in rows_of(table, index):
        if row[places[0]]:
            found[i] = [table.number(line, row, place) for place in places]
    return found


def _probes(people, options):
    """What the codes of images tell that they should not."""
    system = load_system(options.changed(explicit=options.explicit - NAMES_ONE)).system  # those name who judges, here
    labelled = index_images(people.folder, index_cache(options), labelled=True, flag=people.flag)
    counts = np.bincount(labelled.labels)
    order = np.random.default_rng(options.random_seed).permutation(np.flatnonzero(counts >= FOLDS))
    some = order[np.cumsum(counts[order]) <= 2 * MOST]  # whole people: the probe learns of each
    chosen = np.flatnonzero(np.isin(labelled.labels, some))
    if len(some) < 2:
        raise UserError(f"--pretrained_gen: {labelled.folder}: the probe needs two people with {FOLDS} images")
    places, told, readable = chip_places(labelled), [], []
    for positions, images in readable_batches(labelled, chosen, system.side):
        told.append([np.asarray(code) for code in system.codes(to_float(images), places[positions])])
        readable.append(positions)
    chosen = np.concatenate(readable)
    identities, poses, deviations = (np.concatenate(each) for each in zip(*told, strict=True))
    labels = labelled.labels[chosen]
    noise = np.random.default_rng(options.random_seed).normal(size=poses.shape)
    codes = {"pose_code": poses, "drawn_pose_code": poses + deviations * noise,
             "identity_code": identities}  # fmt: skip
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    asked = {name: cross_val_predict(classifier, each, labels, cv=FOLDS) == labels for name, each in codes.items()}
    count = len(np.unique(labels))
    metrics = {"probe_people": count, "probe_chance": 1.0 / count}
    metrics |= {f"person_by_{name}": float(right.mean()) for name, right in asked.items()}
    yaws = _told_poses(labelled)[chosen, 0]
    known = np.isfinite(yaws)
    if known.sum() > 10:
        for name in ("pose_code", "identity_code"):
            probe = make_pipeline(StandardScaler(), Ridge(alpha=10.0))
            predicted = cross_val_predict(probe, codes[name][known], yaws[known], cv=FOLDS)
            metrics[f"yaw_by_{name}"] = float(np.corrcoef(predicted, yaws[known])[0, 1])
    return metrics, _pictures(identities, poses, labels, options.random_seed)


def _pictures(identities, poses, labels, seed):
    """Both codes of the people with the most images, in two dimensions (van der Maaten and Hinton 2008)."""
    shown = np.isin(labels, np.argsort(-np.bincount(labels), kind="stable")[:PEOPLE])
    if shown.sum() < 3 * PERPLEXITY:
        return []
    drawn = []
    for title, codes in (("Identity vectors", identities), ("Pose codes", poses)):
        places = TSNE(perplexity=PERPLEXITY, random_state=seed, init="pca").fit_transform(codes[shown])
        names = {f"person {number}": places[labels[shown] == label]
                 for number, label in enumerate(np.unique(labels[shown]), 1)}  # fmt: skip
        drawn.append(figures.map_figure(f"{title} by t-SNE, a colour for each person", names))
    return drawn


def _unlabelled(index):
    """An index whose images are all of one label, where it has none: what SubsetIndex takes."""
    if index.labels[0] < 0:
        index.labels, index.label_names = np.zeros(len(index), np.int32), ["all"]
    return index
