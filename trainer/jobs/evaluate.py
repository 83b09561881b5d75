"""The job `evaluate`: what a face network makes of the folders and protocols that the flags name, as a report."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data_loader import folders, ijba
from data_loader.generated_folder import high_scores, is_generated
from data_loader.protocols import read_bin_set, read_lfw_pairs
from data_loader.training_sources import folder_names, index_cache
from trainer.evaluation import (
    generated,
    generated_sections,
    groups,
    image_quality,
    protocols,
    recombination,
    sections,
    separability,
)
from trainer.evaluation.inception import NAME, Inception
from trainer.evaluation.report import main_figures, write_report
from trainer.face_networks.embedding import embed_folder
from trainer.face_networks.judge import open_named_or_judge
from trainer.training.devices import tell_device
from utils.errors import UserError
from utils.files import check_writable, refuse_in_inputs
from utils.versions import versions

EVALUATED = {  # flag -> what it names
    "dataset": "labelled folders",
    "save_syn_dataset": "a generated folder (with --syn_dataset: and its renders)",
    "lfw_dir": "LFW's images",
    "bin_sets": "insightface sets",
    "ijba_dir": "IJB-A",
}


def run(options):
    """Evaluate what the command line names. Everything that can be wrong with it is found before anything is long."""
    started = time.monotonic()
    inputs = read_inputs(options)
    tell_device(options)
    made = inputs.generated and inputs.generated.folder
    face_network, judged = open_named_or_judge(options, made, "--save_syn_dataset")
    found = []
    for title, section in _protocols(face_network, options):
        with _timed(title):
            found.append(section())
    labelled, threshold = _labelled_sections(face_network, inputs, options, found)
    settings = {"face network": face_network.name} | judged | _settings(face_network, inputs, threshold, options)
    settings |= {"seconds": round(time.monotonic() - started, 1)}
    top = {"auc": separability.pair_metrics(labelled[0].pairs)["auc"]} if labelled else {}
    page = write_report(inputs.report, found, settings, top)
    _print_main_figures(found)
    print(f"{time.monotonic() - started:.0f} s; the report is {page}")


@dataclass
class Inputs:
    """What the flags name, indexed and checked.

    Attributes:
        real: list of ImageIndex, of --dataset.
        generated, renders: ImageIndex or None.
        matches: the render of each generated image, or None.
        scores: {name: float64 [n]} of the generated images. high: names of those of which high is good.
        inception: Inception or None.
        groupings: list of trainer.evaluation.groups.Grouping of the generated images.
        recombined: Sources of identity and pose of the generated images, where they have both.
        report: Path, where the report goes.
    """

    real: list = field(default_factory=list)
    generated: folders.ImageIndex | None = None
    renders: folders.ImageIndex | None = None
    matches: np.ndarray | None = None
    scores: dict = field(default_factory=dict)
    high: set = field(default_factory=set)
    inception: Inception | None = None
    groupings: list = field(default_factory=list)
    recombined: recombination.Sources | None = None
    report: Path = Path("report")


def read_inputs(options):
    """The Inputs that the command line names.

    Raises:
        UserError: nothing named, or anything wrong with what is named.
    """
    named = [flag for flag in EVALUATED if flag in options.explicit and getattr(options, flag)]
    if not named:
        raise UserError(
            f"nothing to evaluate: name {', '.join(f'--{flag} ({what})' for flag, what in EVALUATED.items())}"
        )
    inputs = Inputs(report=Path(options.report_dir).expanduser())
    if "dataset" in named:
        names = filter(None, folder_names(options, "dataset"))
        inputs.real = [_labelled_index(name, "--dataset", options) for name in names]
    if "save_syn_dataset" in named:
        inputs.generated = _labelled_index(options.save_syn_dataset, "--save_syn_dataset", options)
        inputs.scores = generated.indexed_scores(inputs.generated)
        inputs.high = high_scores(inputs.generated.folder, inputs.generated.flag)
        inputs.recombined = recombination.read_sources(inputs.generated, options)
    if "pretrained_gen" in options.explicit:
        if not inputs.recombined:
            raise UserError(
                "--pretrained_gen: probes the codes of what --system ipgan made: --save_syn_dataset names that"
            )
        recombination.check_codes(options)
    if "syn_dataset" in options.explicit:
        if not inputs.generated:
            raise UserError("--syn_dataset: renders are compared with what was made of them: --save_syn_dataset")
        inputs.renders = _labelled_index(options.syn_dataset, "--syn_dataset", options)
        inputs.matches = generated.match_renders(inputs.generated, inputs.renders)
    _refuse_report_in_inputs(inputs, options, named)
    _check_protocols(options, named)
    for flag in ("inception_weights", "groups"):
        if getattr(options, flag) and not (inputs.real and inputs.generated):
            raise UserError(f"--{flag}: needs both --dataset and --save_syn_dataset")
    if options.groups:
        inputs.groupings = groups.read_groupings(options.groups, inputs.generated, inputs.renders)
    if inputs.real and inputs.generated:
        inputs.inception = Inception(options.inception_weights) if options.inception_weights else None
        image_quality.check_sizes(
            sum(map(len, inputs.real)),
            len(inputs.generated),
            bool(inputs.inception and inputs.inception.has_classes),
        )
    return inputs


def _labelled_index(name, flag, options):
    folder = Path(options.data_dir).expanduser() / name
    index = folders.index_images(folder, index_cache(options), labelled=True, flag=flag)
    is_generated(index.folder, flag)  # an error where it is half written
    if len(index.label_names) < 2:
        raise UserError(f"{flag}: {index.folder} has one identity, {index.label_names[0]}: nothing to tell apart")
    if np.bincount(index.labels).max() < 2:
        raise UserError(f"{flag}: {index.folder} has one image of each identity: no pair shows one person")
    return index


def _refuse_report_in_inputs(inputs, options, named):
    """Nothing is written into what the user gave."""
    indexes = [*inputs.real, inputs.generated, inputs.renders]
    indexes += [inputs.recombined.people, inputs.recombined.poses] if inputs.recombined else []
    given = [(index.flag.removeprefix("--"), index.folder) for index in indexes if index]
    given += [(flag, getattr(options, flag)) for flag in ("lfw_dir", "ijba_dir") if flag in named]
    refuse_in_inputs("report_dir", inputs.report, given)
    check_writable(inputs.report, "--report_dir")


def _check_protocols(options, named):
    """Read the protocols' lists once, so that a mistake in the last of them does not come after hours of the first.

    IJB-A is evaluated first, and its reader checks all that it needs before an image is embedded.
    """
    if "lfw_dir" in named:
        read_lfw_pairs(options.lfw_pairs, options.lfw_dir, options.lfw_file_ext)
    if "bin_sets" in named:
        for path in protocols.bin_paths(options):
            read_bin_set(path)
    if "ijba_dir" in named:
        ijba.find_splits(options.ijba_dir)


def _protocols(face_network, options):
    """(title, function that makes the section) of each protocol that the command line names."""
    if "ijba_dir" in options.explicit and options.ijba_dir:
        yield "IJB-A", lambda: protocols.ijba_section(face_network, options)
    if "lfw_dir" in options.explicit and options.lfw_dir:
        yield "LFW", lambda: protocols.lfw_section(face_network, options)
    if "bin_sets" in options.explicit and options.bin_sets:
        for path in protocols.bin_paths(options):
            yield path.name, lambda path=path: protocols.bin_section(face_network, path, options)


def _labelled_sections(face_network, inputs, options, found):
    """Add the sections of the labelled folders to `found`. Returns (list of LabelledSet, Threshold or None)."""
    wanted = [
        ("dataset" if i == 0 else f"dataset_{i + 1}", "Photographs", index) for i, index in enumerate(inputs.real)
    ]
    wanted += [("generated", "Generated images", inputs.generated)] if inputs.generated else []
    wanted += [("syn_dataset", "Renders", inputs.renders)] if inputs.renders else []
    labelled = [_embedded(face_network, *one, options) for one in wanted]
    if not labelled:
        return [], None
    threshold = sections.choose_threshold(options.threshold, face_network.unit_length, labelled[0])
    for one in labelled:
        with _timed(one.title):
            found.append(sections.separability_section(one, threshold))
    if len(labelled) > 1:
        found.append(sections.comparison_section(labelled))
    if inputs.generated:
        real, (made, *drawn) = labelled[: len(inputs.real)], labelled[len(inputs.real) :]
        found += _generated_sections(face_network, inputs, made, real, drawn, threshold, options)
    return labelled, threshold


def _embedded(face_network, key, kind, index, options):
    with _timed(f"embeddings of {index.folder}"):
        embeddings = embed_folder(face_network, index, options)
        pairs = separability.compare_pairs(
            embeddings.features, embeddings.labels, options.num_pairs, options.random_seed
        )
    title = f"{kind}: {Path(index.folder).name}"
    return sections.LabelledSet(key, title, index, embeddings, pairs, face_network.unit_length)


def _generated_sections(face_network, inputs, made, real, drawn, threshold, options):
    if drawn:
        with _timed("renders"):
            differences = generated.render_differences(
                inputs.generated, inputs.renders, inputs.matches, options.num_worker
            )
        yield generated_sections.renders_section(made, drawn[0], inputs.matches, *differences)
    if real:
        with _timed("leakage"):
            yield generated_sections.leakage_section(made, real, threshold)
        with _timed("image quality"):
            quality = _quality_features(face_network, inputs, made, real, options)
            yield image_quality.quality_section(*quality, options.random_seed)
        if inputs.groupings:
            name, *seen = quality[:3]
            if not inputs.inception:
                seen = [image_quality.kernel_features(features) for features in seen]
            with _timed("groups"):
                yield groups.groups_section(made, real, threshold, inputs.groupings, name, *seen, options.random_seed)
    if inputs.recombined:
        with _timed("identity and pose"):
            yield recombination.recombination_section(made, inputs.recombined, face_network, options)
    if inputs.scores:
        with _timed("scores"):
            yield generated_sections.scores_section(made, inputs.scores, inputs.high)


def _quality_features(face_network, inputs, made, real, options):
    """(name of the network, features of the photographs and of the generated images, class probabilities or None)."""
    if not inputs.inception:
        photographs = np.concatenate([labelled.embeddings.features for labelled in real])
        return face_network.name, photographs, made.embeddings.features, None
    def seen(labelled):
        return inputs.inception.features(labelled.index, labelled.embeddings.positions, options.num_worker)

    photographs = np.concatenate([seen(labelled)[0] for labelled in real])
    features, probabilities = seen(made)
    return NAME, photographs, features, probabilities


def _settings(face_network, inputs, threshold, options):
    shown = {"faces cut": face_network.alignment if options.align == "auto" else "no"}
    shown |= {"distances": "squared Euclidean, " + ("length 1" if face_network.unit_length else "raw embeddings")}
    shown |= {"threshold": threshold.text} if threshold else {}
    for index in (*inputs.real, inputs.generated, inputs.renders):
        if index:
            shown[f"{index.flag} {index.folder}"] = f"{len(index)} images, index {index.digest}"
    shown |= {f"--{flag}": getattr(options, flag) for flag in EVALUATED
              if flag in options.explicit and flag not in ("dataset", "save_syn_dataset")}  # fmt: skip
    others = ("num_pairs", "random_seed", "inception_weights", "groups")
    shown |= {f"--{flag}": getattr(options, flag) for flag in others}
    return shown | {f"version of {name}": version for name, version in versions().items()}


def _print_main_figures(found):
    rows = main_figures(found)
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True)).rstrip())


@contextmanager
def _timed(title):
    started = time.monotonic()
    yield
    print(f"{title}: {time.monotonic() - started:.1f} s", flush=True)
