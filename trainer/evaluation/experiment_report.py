"""What an experiment found: a table and a plot, with the paper's own figures beside them."""

from pathlib import Path

import numpy as np

from data_loader.generated_folder import trained_on
from trainer.evaluation import figures, report

METRICS = ("one_minus_eer", "auc", "accuracy", "tar_at_far_0.1", "tar_at_far_0.01", "val_at_far_0.001")
PROFILES = "profile_"  # before a metric's name: of the pairs with a face that is turned far
PRINTED = ("one_minus_eer", "accuracy", f"{PROFILES}one_minus_eer", f"{PROFILES}accuracy")
# (row, row that it is compared with), as trainer.jobs.experiment.DATA names them.
COMPARISONS = (
    *(("with", "without"), ("renders", "without"), ("longer", "without")),
    *(("with", "renders"), ("with", "longer"), ("known", "without"), ("known", "longer"), ("with", "known")),
)
# LFW of the ECCV paper's figure: per cent of VGG-Face's 2,622 identities -> (without, with GANFaces). The published
# repository's figures/final.mat, rows named by its figure_eccv.m.
PUBLISHED = {
    20: {"accuracy": (0.861, 0.888), "one_minus_eer": (0.860, 0.890), "auc": (0.932, 0.955)},
    50: {"accuracy": (0.924, 0.923), "one_minus_eer": (0.923, 0.927), "auc": (0.976, 0.980)},
    100: {"accuracy": (0.948, 0.949), "one_minus_eer": (0.946, 0.951), "auc": (0.987, 0.987)},
}
# LFW of the CFS paper's Table 2: recogniser -> (without, with known people, with new people), accuracy.
PUBLISHED_SYNTHESIS = {
    "Light CNN-29": (0.9223, 0.9353, 0.9313),
    "Concentrate Loss": (0.9312, 0.9422, 0.9420),
}
# IJB-A of the DA-GAN paper's poster: TAR at FAR -> (real photographs, with simulated views, with DA-GAN's), each with
# its standard deviation over ten splits.
PUBLISHED_PROFILES = {
    0.1: ((0.989, 0.003), (0.978, 0.003), (0.991, 0.003)),
    0.01: ((0.963, 0.007), (0.950, 0.009), (0.976, 0.007)),
    0.001: ((0.920, 0.006), (0.901, 0.008), (0.930, 0.005)),
}


def write(folder, results, real, generated, tested, options):
    """Write evaluation.json, the CSV tables and report.html of an experiment, and print the main table.

    Args:
        folder: the report's.
        results: {trainer.jobs.experiment.Cell: {metric: number}} of every cell.
        real, generated: their indexes.
        tested: what on, a sentence.
        options: the flags.

    Returns:
        Path of report.html.
    """
    rows, gain_rows = summary(results), gains(results)
    header = ["real identities %", "generated", "seeds"]
    header += [f"{name} {what}" for name in metrics_of(results) for what in ("mean", "sd")]
    section = report.Section(
        key="experiment",
        title="Does the generated data help?",
        text=_text(results, real, generated, tested, options),
        metrics={"cells": len(results)} | _gain_metrics(gain_rows),
        tables={
            "summary": (header, rows),
            "gain": (["real identities %", "generated", "against", "metric", "seeds", "mean difference", "sd",
                      "standard error", "seeds with a gain"], gain_rows),
            "cells": (["real identities %", "generated", "seed", *next(iter(results.values()))], _cells(results)),
            "published": _published(options.system),
        },
        figures=[
            figures.fraction_figure("1 - EER on the test pairs, mean ± sd over seeds",
                                    series(results, "one_minus_eer"), "1 - EER"),
            figures.fraction_figure("AUC on the test pairs, mean ± sd over seeds", series(results, "auc"), "AUC"),
            *_published_figures(options.system),
        ],
    )  # fmt: skip
    _print(metrics_of(results), header, rows, gain_rows)
    settings = {"dataset": real.folder, "save_syn_dataset": generated.folder}
    settings |= {name: getattr(options, name) for name in ("recognizer", "image_size", "max_step", "batch_size")}
    return report.write_report(folder, [section], settings)


def metrics_of(results):
    """METRICS, and those of profiles where they were measured."""
    found = next(iter(results.values()))
    return METRICS + tuple(f"{PROFILES}{name}" for name in METRICS if f"{PROFILES}{name}" in found)


def summary(results):
    """A row for each fraction and what came with it: mean and standard deviation (over seeds, n - 1) of each metric."""
    rows = []
    for fraction, data in _in_order(results):
        some = [metrics for cell, metrics in results.items() if (cell.fraction, cell.data) == (fraction, data)]
        row = [fraction, data, len(some)]
        for name in metrics_of(results):
            row += mean_and_sd([metrics[name] for metrics in some])
        rows.append(row)
    return rows


def gains(results):
    """What one row changes against another, seed by seed: rows of fraction, row, the other, metric, seeds, mean
    difference, its standard deviation (n - 1), its standard error, seeds with a gain."""
    rows, values = [], {(cell.fraction, cell.data, cell.seed): metrics for cell, metrics in results.items()}
    for fraction in sorted({cell.fraction for cell in results}):
        for data, other in COMPARISONS:
            pairs = [(values[fraction, other, cell.seed], metrics) for cell, metrics in results.items()
                     if (cell.fraction, cell.data) == (fraction, data)
                     and (fraction, other, cell.seed) in values]  # fmt: skip
            for name in metrics_of(results) if pairs else ():
                changes = [b[name] - a[name] for a, b in pairs if a[name] is not None and b[name] is not None]
                if changes:
                    mean, spread = mean_and_sd(changes)
                    error = None if spread is None else spread / len(changes) ** 0.5
                    better = sum(change > 0 for change in changes)
                    rows.append([fraction, data, other, name, len(changes), mean, spread, error, better])
    return rows


def _in_order(results):
    """(fraction, row) of all cells: fractions rising, rows as their cells come."""
    found = dict.fromkeys((cell.fraction, cell.data) for cell in results)
    return sorted(found, key=lambda one: one[0])


def mean_and_sd(values):
    """[mean, standard deviation (n - 1)] of those that are not None; None where there are too few."""
    values = [value for value in values if value is not None]
    return [float(np.mean(values)) if values else None, float(np.std(values, ddof=1)) if len(values) > 1 else None]


def series(results, name):
    """{what came with the real images: (fractions, means, standard deviations)} of one metric, for the plot."""
    titles = {"renders": "with renders", "longer": "without, twice the steps", "known": "with known people"}
    found = {}
    for fraction, data, _, *numbers in summary(results):
        mean, spread = numbers[2 * metrics_of(results).index(name):][:2]
        if mean is not None:
            title = titles.get(data, f"{data} generated data")
            found.setdefault(title, []).append((fraction, mean, spread or 0.0))
    return {label: tuple(zip(*points, strict=True)) for label, points in found.items()}


def _gain_metrics(rows):
    """What the generated data change at the largest fraction, as metrics of the report."""
    largest = max((row[0] for row in rows), default=None)
    metrics = {}
    for fraction, data, other, name, _, mean, spread, *_ in rows:
        if fraction == largest and (data, other) == COMPARISONS[0]:
            metrics |= {f"gain_{name}": mean, f"gain_{name}_sd": spread}
    return metrics


def _cells(results):
    return [[cell.fraction, cell.data, cell.seed, *metrics.values()]
            for cell, metrics in results.items()]  # fmt: skip


def _published(system):
    if system == "ipgan":  # of the paper only the abstract is public
        return ["metric"], []
    if system == "cfs":
        return (["LFW accuracy", "without", "with known people", "with new people"],
                [[name, *accuracies] for name, accuracies in PUBLISHED_SYNTHESIS.items()])  # fmt: skip
    if system == "dagan":
        rows = [[far, *(number for pair in pairs for number in pair)] for far, pairs in PUBLISHED_PROFILES.items()]
        columns = ("real", "with simulated views", "with DA-GAN's")
        return ["IJB-A: TAR at FAR", *(f"{name} {what}" for name in columns for what in ("mean", "sd"))], rows
    rows = [[fraction, name, *pair] for fraction, metrics in PUBLISHED.items() for name, pair in metrics.items()]
    return ["% of VGG-Face", "metric", "without", "with GANFaces-500K"], rows


def _published_figures(system):
    """FaceGAN's alone: the others have tables. The published file has no deviations."""
    if system != "facegan":
        return []
    curves = {
        label: tuple(zip(*((fraction, metrics["one_minus_eer"][i], 0.0) for fraction, metrics in PUBLISHED.items()),
                         strict=True))
        for i, label in enumerate(("VGG-Face alone", "with GANFaces-500K"))
    }  # fmt: skip
    return [figures.fraction_figure("Published: 1 - EER on LFW, by % of VGG-Face", curves, "1 - EER")]


def _text(results, real, generated, tested, options):
    pairs = next(iter(results.values()))["pairs"]
    start = options.pretrained_rec if "pretrained_rec" in options.explicit else "its usual start"
    text = (
        f"{options.recognizer} at {options.image_size} x {options.image_size}, {options.max_step} steps of "
        f"{options.batch_size} real images, and as many generated ones beside them where there are any, from {start}. "
        f"{len(real.label_names)} real identities ({len(real)} images); {len(generated.label_names)} generated "
        f"identities ({len(generated)} images). {tested} Each cell is tested on {pairs:,} pairs; a seed draws which "
        "real identities are a fraction, the weights and the batches."
    )
    if trained_on(generated.folder, "dataset") == Path(options.dataset).name:
        text += " The generator itself was trained on these photographs"
        held_out = not ("lfw_dir" in options.explicit and options.lfw_dir)
        text += ", those of the test identities included: the gain is an upper bound." if held_out else "."
    return text


def _print(metrics, header, rows, gain_rows):
    print(f"\n{header[0]:>18} {header[1]:>10} {header[2]:>6}" + "".join(f"{name:>22}" for name in metrics))
    for fraction, data, seeds, *numbers in rows:
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        cells = [report.shown(mean) + (f" ± {report.shown(sd)}" if sd is not None else "") for mean, sd in pairs]
        print(f"{fraction:>18} {data:>10} {seeds:>6}" + "".join(f"{cell:>22}" for cell in cells))
    for fraction, data, other, name, seeds, mean, _, error, better in gain_rows:
        if name in PRINTED:
            spread = f" ± {report.shown(error)} (standard error)" if error is not None else ""
            change = f"{data} against {other}: {name} {mean:+.4f}{spread}"
            print(f"at {fraction} %, {change}; {better} of {seeds} seeds gain")
