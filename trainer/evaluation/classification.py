"""Table 1 of the CFS paper: whom a recogniser of photographs sees in images of the same people, and how they vary."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from data_loader.folders import readable_batches
from data_loader.training_sources import folder_names, index_named
from trainer.evaluation import report
from trainer.evaluation.experiment_report import mean_and_sd
from trainer.evaluation.image_quality import SPLITS, inception_score
from trainer.systems.recognizer import Recognizer
from trainer.training import checkpoint
from trainer.training.recognition import kept_result
from utils import runs
from utils.errors import UserError
from utils.images import to_float
from utils.progress import Progress

AT_ONCE = 64
# FaceScrub, 530 people, both papers: (of the CFS paper, top-1 by Light CNN-29), (of the CVAE-GAN paper, top-1 and its
# realism score, by GoogLeNet). Its other numbers are in a picture that could not be read.
PUBLISHED = (
    ("photographs", 0.9969, 0.9961, 20.85),
    ("CVAE", None, 0.0809, 10.29),
    ("CGAN", None, 0.6197, 15.79),
    ("CVAE-GAN", None, 0.9778, 19.03),
    ("CFS without the identity loss", 0.7950, None, None),
    ("CFS", 0.9956, None, None),
)


def read_sets(people, options):
    """{name: labelled index} of the folders that --image_sets names.

    Args:
        people: names whom the recogniser learns.

    Raises:
        UserError: a folder that shows a person whom it does not know, or fewer images than the score needs.
    """
    found = {}
    for name in folder_names(options, "image_sets"):
        found[name] = index_named(name, options, "image_sets", labelled=True)
        if strangers := sorted(set(found[name].label_names) - set(people)):
            raise UserError(f"--image_sets {name}: shows {strangers[0]}, of whom --dataset {options.dataset} has no "
                            "photographs")  # fmt: skip
        if len(found[name]) < SPLITS:
            raise UserError(f"--image_sets {name}: the inception score needs at least {SPLITS} images, has "
                            f"{len(found[name])}")  # fmt: skip
    return found


def measured(folder, seed, real, sets, options):
    """{name of a set: {"images", "top_1", "inception_score"}} by one recogniser, trained on photographs for it; None
    where a signal stopped it. What is finished is read, and its checkpoints are gone.

    Args:
        folder: of this recogniser.
        seed: draws its weights and batches.
        real: labelled index of photographs.
        sets: {name: labelled index}.
        options: those of a recogniser.
    """
    options = options.changed(random_seed=seed, max_minutes=0.0, task=folder.name, shared_people=False)

    def measure():
        system = Recognizer(options, {"labelled": len(real.label_names)})
        checkpoint.restore(system, runs.newest_checkpoint(folder))
        return {name: _of_set(system, index, real.label_names) for name, index in sets.items()}

    return kept_result(folder, options, {"labelled": real}, measure, set(sets))


def write(folder, results, real, options):
    """Write the report, and print its table.

    Args:
        folder: the report's.
        results: list of what `measured` gave.
        real: the photographs' index.

    Returns:
        Path of report.html.
    """
    rows = []
    for name in results[0]:
        of_seeds = [[result[name][metric] for result in results] for metric in ("top_1", "inception_score")]
        rows.append([name, results[0][name]["images"], *mean_and_sd(of_seeds[0]), *mean_and_sd(of_seeds[1])])
    chance = 1 / len(real.label_names)
    header = ["images of", "images", "top-1", "sd", "inception score", "sd"]
    section = report.Section(
        "classification",
        "Whom do the images show?",
        f"{options.recognizer} at {options.image_size} x {options.image_size}, {options.max_step} steps of "
        f"{options.batch_size} on {len(real)} photographs of {len(real.label_names)} people in "
        f"{Path(real.folder).name}, {len(results)} seeds. Top-1: how often the person it names is the one of the "
        f"image's folder; a guess: {chance:.4f}. Inception score: of its chances of each person, "
        f"{len(real.label_names)} at most, high where it is sure of each image and the images show many people. The "
        "published figures are of another set and other "
        "networks.",
        {},
        {
            "classification": (header, rows),
            "published_classification": (
                ["images of", "CFS: top-1", "CVAE-GAN: top-1", "CVAE-GAN: realism"], [list(row) for row in PUBLISHED]
            ),
        },
        [],
    )
    print(f"\n{'images of':>24} {'images':>8} {'top-1':>16} {'inception score':>18}   a guess: {chance:.4f}")
    for name, images, top, spread, score, of_score in rows:
        shown = [f"{report.shown(a)}" + (f" ± {report.shown(b)}" if b is not None else "")
                 for a, b in ((top, spread), (score, of_score))]  # fmt: skip
        print(f"{name:>24} {images:>8} {shown[0]:>16} {shown[1]:>18}")
    return report.write_report(folder, [section], {"dataset": real.folder, "image_sets": options.image_sets})


def _of_set(system, index, people):
    place = {name: number for number, name in enumerate(people)}
    wanted = np.array([place[name] for name in index.label_names])[index.labels]
    chances, readable = [], []
    with system.players.averaged(), Progress(len(index), "classified") as progress:
        for positions, images in readable_batches(index, np.arange(len(index)), system.side, AT_ONCE):
            chances.append(_chances(system, tf.constant(to_float(images))).numpy())
            readable.append(positions)
            progress.update(len(positions))
    chances, readable = np.concatenate(chances), np.concatenate(readable)
    return {"images": len(chances), "top_1": float(np.mean(chances.argmax(axis=1) == wanted[readable])),
            "inception_score": float(inception_score(chances)[0])}  # fmt: skip


@tf.function(reduce_retracing=True)
def _chances(system, images):
    features = tf.cast(system.network(system.face_input.prepare(images)), tf.float32)
    return tf.nn.softmax(system.heads["real"].logits(features, None)[1])
