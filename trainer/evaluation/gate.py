"""Which generated images look like a real person, and which generated people like each other: flat in memory."""

import hashlib

import numpy as np
from scipy.spatial.distance import cdist

from data_loader.folders import index_images
from data_loader.training_sources import index_cache
from trainer.evaluation.separability import mean_embeddings, nearest_means
from trainer.face_networks.embedding import embed_folder
from trainer.face_networks.judge import open_named_or_judge
from trainer.training.devices import tell_device
from utils.errors import UserError

AT_ONCE = 4096  # images that are compared with all real ones at a time
PEOPLE_AT_ONCE = 1024  # generated people that are compared with each other at a time


def look_alike(source, table, real, options):
    """For each image of a generated folder why it looks like somebody whom it must not, '' where it does not.

    Args:
        source: Path of the folder.
        table: data_loader.generated_folder.Scores of it.
        real: indexes of photographs of people whom no image may look like.
        options: max_leakage, max_twins, real_dataset, and what open_named_or_judge and embed_folder take.

    Returns:
        (list of the reasons, {"weights_sha256": that of the network} of who looked).

    Raises:
        UserError: a photograph of a real person cannot be read: nobody could say whether an image looks like it.
    """
    reasons = [""] * len(table.paths)
    tell_device(options)
    network, _ = open_named_or_judge(options, source, "--save_syn_dataset")
    flag = "--save_syn_dataset"
    made = embed_folder(network, index_images(source, index_cache(options), labelled=True, flag=flag), options)
    row_of = {path: row for row, path in enumerate(made.paths)}
    rows = [row_of.get(path, -1) for path in table.paths]
    if real:
        embedded = [embed_folder(network, index, options) for index in real]
        for index, embeddings in zip(real, embedded, strict=True):
            if len(embeddings.paths) < len(index):
                read = set(embeddings.paths)
                path, reason = next(found for found in embeddings.failed if found[0] not in read)
                raise UserError(f"--real_dataset: {path} cannot be read ({reason}), so nothing is known of who looks "
                                "like it: mend it, or take it out")  # fmt: skip
        distances, names = nearest_real(made, embedded, network.unit_length)
        for i, row in enumerate(rows):
            if row >= 0 and distances[row] < options.max_leakage:
                reasons[i] = (f"distance {distances[row]:.4f} to {names[row]} of {options.real_dataset}, under "
                              f"--max_leakage {options.max_leakage:g}")  # fmt: skip
    alike = twins(made, network.unit_length, options.max_twins) if options.max_twins else {}
    for i, (identity, row) in enumerate(zip(table.identities, rows, strict=True)):
        if row < 0:
            reasons[i] = "cannot be read"
        elif not reasons[i] and identity in alike:
            other, distance = alike[identity]
            reasons[i] = f"identity {identity} is at {distance:.4f} of {other}, under --max_twins {options.max_twins:g}"
    return reasons, {"weights_sha256": _sha256(network.network)}


def _sha256(network):
    digest = hashlib.sha256()
    for weight in network.weights:
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def nearest_real(made, real, unit_length):
    """How near each generated image is to real people: to the centre of each, and to every one of their photographs.

    Args:
        made: Embeddings of generated images.
        real: list of Embeddings of labelled photographs.
        unit_length: of the network's embeddings.

    Returns:
        (squared distances float64 [m], list of m names: the person of a centre, or the photograph).
    """
    points, names = [], []
    for embeddings in real:
        centres = mean_embeddings(embeddings.features, embeddings.labels, unit_length)
        points += [centres.means, embeddings.features.astype(np.float64)]
        names += [f"the centre of {embeddings.label_names[label]}" for label in centres.labels]
        names += list(embeddings.paths)
    points = np.concatenate(points)
    distances, nearest = np.zeros(len(made.features)), []
    for first in range(0, len(made.features), AT_ONCE):
        part = made.features[first : first + AT_ONCE].astype(np.float64)
        rows, distances[first : first + AT_ONCE] = nearest_means(part, points)
        nearest += [names[row] for row in rows]
    return distances, nearest


def twins(made, unit_length, least):
    """Generated people who are nearer to one that stays than `least`, by their means; of a pair the later one goes.

    Args:
        made: Embeddings of generated images.
        unit_length: of the network's embeddings.
        least: squared distance.

    Returns:
        {name: (name of the one that stays, distance)}.
    """
    people, found = mean_embeddings(made.features, made.labels, unit_length), {}
    names = [made.label_names[label] for label in people.labels]
    kept, rows, count = np.empty_like(people.means), np.empty(len(names), np.int64), 0  # of those that stay
    for first in range(0, len(names), PEOPLE_AT_ONCE):
        block = people.means[first : first + PEOPLE_AT_ONCE]
        among, nearest, distances = cdist(block, block, "sqeuclidean"), [-1] * len(block), [np.inf] * len(block)
        if count:
            places, distances = nearest_means(block, kept[:count])
            nearest = rows[places]
        stay = []  # of the block
        for row, (other, distance) in enumerate(zip(nearest, distances, strict=True)):
            if stay and (inside := among[row, stay]).min() < distance:
                other, distance = first + stay[int(inside.argmin())], inside.min()
            if distance < least:
                found[names[first + row]] = names[other], float(distance)
            else:
                stay.append(row)
        kept[count : count + len(stay)], rows[count : count + len(stay)] = block[stay], first + np.array(stay, np.int64)
        count += len(stay)
    return found
