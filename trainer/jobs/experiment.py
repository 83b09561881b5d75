"""The job `experiment`: does generated data help a recogniser? The ECCV paper's protocol as one command.

Real identities are split into those that are trained on and those that are tested on; with --lfw_dir all are trained
on, and tested is on the pairs of --lfw_pairs. A fraction is taken, by identity; a recogniser learns it with and without
the generated data, from the same start, for the same number of steps on real images; --compare adds rows: with the
renders in their place, and real images alone for as many images in all. Each of these cells is done for several seeds,
which draw the split, the weights and the batches. The result of a finished cell is kept, its checkpoints are deleted.
"""

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_loader.generated_folder import alignment_of, is_generated
from data_loader.joined import SubsetIndex, identities_of, people_of
from data_loader.protocols import read_yaws
from data_loader.training_sources import index_folder, named_folders
from trainer.evaluation import classification, experiment_report
from trainer.evaluation.experiment_test import HeldOutIdentities, PairsFile
from trainer.face_networks.network import open_recognizer
from trainer.face_networks.table import with_sizes
from trainer.systems.flags_read import SYSTEM_FLAGS
from trainer.training.devices import tell_device
from trainer.training.recognition import kept_result
from utils import runs
from utils.claim import Claim
from utils.errors import UserError
from utils.files import refuse_in_inputs, sha256_of
from utils.flags import FLAGS

FILES = ("learning_rate_schedule_file", "pretrained_rec")  # of these flags the content counts
# What a cell's result depends on, beside the data and these files: all that a recogniser reads but where it lies.
SHAPING = (
    *(name for name in SYSTEM_FLAGS["recognizer"] if not FLAGS[name].path),
    *("batch_size", "test_share"),
)


# What is beside the real images in a batch, by the name of its row.
DATA = {"without": "without generated", "longer": "without generated, twice the steps", "renders": "with renders",
        "known": "with generated images of the real people", "with": "with generated"}  # fmt: skip
OTHERS = ("renders", "known")  # rows of --syn_dataset's images
SHARING = ("dagan", "ipgan")  # systems whose generated people are the real ones


@dataclass(frozen=True)
class Cell:
    """One recogniser: trained on `fraction` per cent of the real identities, and on what DATA says beside them."""

    fraction: int
    data: str
    seed: int

    @property
    def name(self):
        return f"{self.fraction:03d}_{self.data}_{self.seed}"

    def __str__(self):
        return f"{self.fraction} % of the real identities, {DATA[self.data]}, seed {self.seed}"


def run(options):
    """Train and test every cell that has no result yet, then write the report into --report_dir.

    Returns:
        Exit status: 0; 1 where a signal stopped it, after which the same command goes on.

    Raises:
        UserError: a folder is missing or too small, a fraction that is none, or results of other settings.
    """
    options = options.changed(shared_people=options.shared_people or options.system in SHARING)
    fractions, rows = _fractions(options.fractions), _rows(options)
    steps = options.max_step if "max_step" in options.explicit else options.experiment_steps
    options = with_sizes(options.changed(max_step=steps, explicit=options.explicit | {"max_step"}))
    _refuse_report_in_inputs(options)
    if options.image_sets:
        return _run_sets(options)
    indexes = _indexes(options, rows)
    real = indexes["real"]
    test = _test_set(real, options)
    folder = Path(options.report_dir).expanduser()
    settings = {name: getattr(options, name) for name in SHAPING} | _contents(options) | test.settings
    settings |= {"dataset": real.digest, "save_syn_dataset": indexes["with"].digest}
    for row in set(OTHERS) & set(rows):
        settings["syn_dataset"] = indexes[row].digest
    if options.most_frontal:
        settings["most_frontal"] = options.most_frontal
    with Claim(folder, "experiment.json", settings, "--report_dir"):
        return _run_cells(folder, fractions, rows, indexes, test, options)


def _refuse_report_in_inputs(options):
    given = named_folders(options, ("dataset", "syn_dataset", "save_syn_dataset", "image_sets"))
    given += [("lfw_dir", options.lfw_dir)] if options.lfw_dir and "lfw_dir" in options.explicit else []
    refuse_in_inputs("report_dir", Path(options.report_dir).expanduser(), given)


def _run_cells(folder, fractions, rows, indexes, test, options):
    """Every cell, then the report; returns the exit status."""
    tell_device(options)
    tf.get_logger().setLevel("ERROR")  # each cell traces the step anew, which TensorFlow takes for a mistake
    cells = [Cell(fraction, data, seed) for seed in range(1, options.seeds + 1) for fraction in fractions
             for data in rows if fraction or data in ("with", *OTHERS)]  # fmt: skip
    results = {}
    for number, cell in enumerate(cells, 1):
        start = time.monotonic()
        result = _result(folder / "cells" / cell.name, cell, indexes, test, options)
        if result is None:
            print(f"stopped in cell {number} of {len(cells)}; the same command goes on there")
            return 1
        results[cell] = result
        print(f"[{number}/{len(cells)}] {cell}: 1-EER {result['one_minus_eer']:.4f}, AUC {result['auc']:.4f} "
              f"({time.monotonic() - start:.0f} s)", flush=True)  # fmt: skip
    page = experiment_report.write(folder, results, indexes["real"], indexes["with"], test.text, options)
    print(f"report: {page}")
    return 0


def _run_sets(options):
    """Whom recognisers of --dataset's photographs see in each of --image_sets; returns the exit status."""
    if options.head != "softmax":
        raise UserError(f"--image_sets: needs --head softmax, not {options.head}")
    real = index_folder(options, "dataset", labelled=True)
    sets, folder = classification.read_sets(real.label_names, options), Path(options.report_dir).expanduser()
    settings = {name: getattr(options, name) for name in SHAPING} | _contents(options) | {"dataset": real.digest}
    _check_crops(real, sets.values())
    settings |= {"image_sets": {name: index.digest for name, index in sets.items()}}
    with Claim(folder, "experiment.json", settings, "--report_dir"):
        tell_device(options)
        tf.get_logger().setLevel("ERROR")
        results = []
        for seed in range(1, options.seeds + 1):
            found = classification.measured(folder / "cells" / f"classifier_{seed}", options.random_seed + 1000 * seed,
                                            real, sets, options)  # fmt: skip
            if found is None:
                print(f"stopped in recogniser {seed} of {options.seeds}; the same command goes on there")
                return 1
            results.append(found)
        print(f"report: {classification.write(folder, results, real, options)}")
    return 0


def split_identities(count, test_count, fraction, seeds):
    """Which identities are trained and tested on.

    Args:
        count: real identities.  test_count: of them, tested on.
        fraction: per cent of the others that is trained on, rounded up, two at least; 0: none.
        seeds: ints that draw the split. A larger fraction holds the identities of a smaller one.

    Returns:
        (trained on, tested on): int arrays.
    """
    order = np.random.default_rng(seeds).permutation(count)
    rest = order[test_count:]
    taken = max(2, math.ceil(len(rest) * fraction / 100)) if fraction else 0
    return np.sort(rest[:taken]), np.sort(order[:test_count])


def _result(folder, cell, indexes, test, options):
    """A cell's metrics: read where they are there, else trained and measured; None where a signal stopped it."""
    real, seed = indexes["real"], options.random_seed + 1000 * cell.seed
    steps = options.max_step * (2 if cell.data == "longer" else 1)
    options = options.changed(random_seed=seed, max_minutes=0.0, task=cell.name, max_step=steps)
    trained, tested = split_identities(len(real.label_names), test.identities, cell.fraction, [options.random_seed])
    sources = {}
    if len(trained):
        sources["labelled"] = identities_of(real, trained)
    if cell.data in indexes:
        beside = indexes[cell.data]
        if cell.data == "known":
            options = options.changed(shared_people=True)
        if options.shared_people and sources:
            beside = people_of(beside, sources["labelled"].label_names)
            if beside is None:
                raise UserError(f"--fractions {cell.fraction}: none of its people is in {indexes[cell.data].folder}")
        sources["synthetic" if sources else "labelled"] = beside

    def measure():
        metrics = test.measure(open_recognizer(folder), real, tested, options)
        return metrics | {"trained_identities": len(trained), "trained_images": sum(map(len, sources.values()))}

    return kept_result(folder, options, sources, measure, {*experiment_report.METRICS, "trained_images"})


def _rows(options):
    """What the recognisers of a fraction are trained with: keys of DATA, in their order."""
    more = [word.strip() for word in options.compare.split(",") if word.strip()]
    for word in more:
        if word not in (*OTHERS, "longer"):
            raise UserError(f"--compare: {word!r} is none of {', '.join(OTHERS)}, longer")
    for word in set(OTHERS) & set(more):
        if "syn_dataset" not in options.explicit:
            raise UserError(f"--compare {word}: --syn_dataset names them")
    if set(OTHERS) <= set(more):
        raise UserError(f"--compare: {' or '.join(OTHERS)}: --syn_dataset names one of them")
    return [data for data in DATA if data in ("without", "with", *more)]


def _test_set(real, options):
    """What recognisers are tested on: the pairs of a file where --lfw_dir names images, else held-out identities."""
    if "lfw_dir" in options.explicit and options.lfw_dir:
        return PairsFile(options)
    return HeldOutIdentities(len(real.label_names), options)


def _indexes(options, rows):
    """{"real": …, "with": …, "renders": where they are a row}: labelled indexes."""
    found = {"real": _frontal(index_folder(options, "dataset", labelled=True, least=2), options)}
    found["with"] = index_folder(options, "save_syn_dataset", labelled=True)
    folder = Path(options.data_dir).expanduser() / options.save_syn_dataset
    if not is_generated(folder, "--save_syn_dataset"):
        raise UserError(f"--save_syn_dataset: {folder} is no folder that generate has made")
    for row in set(OTHERS) & set(rows):
        found[row] = index_folder(options, "syn_dataset", labelled=True)
    _check_crops(found["real"], found.values())
    shared = set(found) if options.shared_people else {"real", "known"} & set(found)
    if len(shared) > 1:
        _tell_missing({row: found[row] for row in found if row in shared})
    return found


def _check_crops(real, indexes):
    """An error where the faces of two folders are cut in two ways; a warning where that is known of one of them alone:
    a recogniser of both is then shown faces as they lie, one of the other alone cut ones."""
    wanted = alignment_of(real.roots, real.flag)
    for index in indexes:
        crop = alignment_of(index.roots, index.flag)
        if crop != wanted and "none" not in (crop, wanted):
            raise UserError(f"{index.flag}: the faces in {index.folder} are cut as {crop}, in {real.folder} as "
                            f"{wanted}: `align --crop` cuts both alike")  # fmt: skip
        if crop != wanted:
            known, other = (real, index) if crop == "none" else (index, real)
            print(f"warning: {known.folder} holds faces that align has cut ({wanted if known is real else crop}), of "
                  f"{other.folder} that is not known: what learns both is tested on faces as they lie, what learns "
                  "one of them on cut ones", file=sys.stderr)  # fmt: skip


def _frontal(index, options):
    """Of each person the most_frontal images with the least turned faces, after a table; all of them where it is 0."""
    if not options.most_frontal:
        if options.dataset_poses:
            raise UserError("--dataset_poses: is read with --most_frontal")
        return index
    if not options.dataset_poses:
        raise UserError(f"--most_frontal {options.most_frontal}: --dataset_poses names a table of yaws")
    paths = [index.path(i) for i in range(len(index))]
    turned = np.abs(read_yaws(options.dataset_poses, index.folder, paths, "--dataset_poses"))
    order = np.lexsort((np.nan_to_num(turned, nan=np.inf), index.labels))  # by person, the least turned first
    firsts = np.searchsorted(index.labels[order], index.labels[order], "left")
    return SubsetIndex(index, np.sort(order[np.arange(len(order)) - firsts < options.most_frontal]))


def _tell_missing(indexes):
    """Say which real people are not shown; an error where that are all."""
    real = indexes["real"]
    for index in indexes.values():
        missing = sorted(set(real.label_names) - set(index.label_names))
        if len(missing) == len(real.label_names):
            raise UserError(f"{index.flag}: {index.folder} shows nobody of {real.folder}: folders of one name are one "
                            "person")  # fmt: skip
        if missing:
            print(f"{index.flag}: {index.folder} does not show {len(missing)} of {len(real.label_names)} people, the "
                  f"first: {missing[0]}")  # fmt: skip


def _contents(options):
    """{flag: SHA-256 of what it names}, of the files that the recognisers are trained with."""
    used = {"learning_rate_schedule_file": options.learning_rate < 0,
            "pretrained_rec": "pretrained_rec" in options.explicit}  # fmt: skip
    return {flag: _content(getattr(options, flag), flag, options) if used[flag] else None for flag in FILES}


def _content(path, flag, options):
    if flag == "pretrained_rec":
        found = runs.find_weights(path, options.log_dir, flag)
        path = found.checkpoint if found.run else f"{found.checkpoint}.index"  # which holds checksums of the weights
    try:
        return sha256_of(path)
    except OSError as error:
        raise UserError(f"--{flag}: cannot read {path}: {error.strerror}") from error


def _fractions(text):
    try:
        fractions = [int(part) for part in text.split(",")]
    except ValueError:
        fractions = []
    if not fractions or any(not 0 <= fraction <= 100 for fraction in fractions) or len(set(fractions)) < len(fractions):
        raise UserError(f"--fractions {text}: percentages from 0 to 100, each once, like 20,50,100")
    return sorted(fractions)
