"""The pictures of a report: numbers in, trainer.evaluation.report.Figure out. Nothing is computed here."""

from io import BytesIO
from itertools import cycle

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from scipy.stats import norm

from trainer.evaluation.report import Figure, shown
from utils.printable import plotted

SIZE = (4.4, 3.4)  # inches: small, so that the letters can still be read at a phone's width
DOTS = 190  # pixels per inch
CAPTION = 0.33  # inches below each pair
GENUINE, IMPOSTOR, OTHER = "#0072b2", "#d55e00", "#555555"  # told apart by the colour-blind too
COLOURS = (GENUINE, IMPOSTOR, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("-", "--", "-.", ":")
RATES = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5)  # ticks of a DET curve


def roc_figure(title, curves):
    """True against false accepts, the latter logarithmic.

    Args:
        title: of the figure.
        curves: {name: (false accept rates, true accept rates)}, rising, each [n] in 0…1.
    """
    canvas, axes = _axes("false accept rate", "true accept rate")
    lowest = min([_lowest(rates) for rates, _ in curves.values()], default=1e-3)
    for (name, (false, true)), style in zip(curves.items(), _styles(), strict=False):
        axes.step(np.maximum(false, lowest), true, where="post", label=plotted(name), **style)
    axes.set_xscale("log")
    axes.set_xlim(lowest, 1)
    axes.set_ylim(0, 1.02)
    _legend(axes, "lower right")
    ends = "; ".join(
        f"{name}: {100 * float(np.interp(0.01, false, true)):.1f} % accepted at 1 % false accepts"
        for name, (false, true) in curves.items()
    )
    return _figure(canvas, title, f"ROC curve. {ends}.")


def det_figure(title, curves):
    """False rejects against false accepts, both on the scale of normal deviates.

    Args:
        title: of the figure.
        curves: {name: (false accept rates, true accept rates)}, as for roc_figure.
    """
    canvas, axes = _axes("false accept rate", "false reject rate")
    for (name, (false, true)), style in zip(curves.items(), _styles(), strict=False):
        inner = [norm.ppf(np.clip(rate, RATES[0], 1 - RATES[0])) for rate in (false, 1 - np.asarray(true))]
        axes.step(*inner, where="post", label=plotted(name), **style)
    for axis, limit in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        axis.set_ticks(norm.ppf(RATES), [f"{100 * rate:g} %" for rate in RATES])
        limit(norm.ppf(RATES[0]), norm.ppf(0.6))
    axes.plot([-4, 1], [-4, 1], color=OTHER, linewidth=0.7, linestyle=":")
    _legend(axes, "upper right")
    return _figure(
        canvas, title, "DET curve: nearer to the lower left corner is better; the dotted line is equal error."
    )


def histogram_figure(title, groups, threshold=None, label="squared distance"):
    """Densities of several groups of numbers over the same bins.

    Args:
        title: of the figure.
        groups: {name: numbers [n]}, e.g. genuine and impostor distances.
        threshold: where a vertical line goes, or None.
        label: of the axis.
    """
    canvas, axes = _axes(label, "density")
    everything = np.concatenate([np.asarray(numbers, float) for numbers in groups.values()])
    low, high = float(everything.min()), float(everything.max())
    bins = np.linspace(low, high if high > low else low + 1, 61)
    for (name, numbers), colour in zip(groups.items(), COLOURS, strict=False):
        axes.hist(numbers, bins, density=True, alpha=0.55, color=colour, label=f"{plotted(name)} ({len(numbers):,})")
    if threshold is not None:
        axes.axvline(threshold, color=OTHER, linewidth=1, linestyle="--", label=f"threshold {shown(threshold)}")
    _legend(axes, "best")
    means = "; ".join(f"{name}: mean {shown(float(np.mean(numbers)))}" for name, numbers in groups.items())
    return _figure(canvas, title, f"Histograms. {means}.")


def scatter_figure(title, score, quality, labels, note):
    """A point for each image or identity: what a score said of it against how good it is.

    Args:
        title: of the figure.
        score, quality: numbers [n].
        labels: of the two axes.
        note: what the points say, e.g. their rank correlation; above it and in the alt text.
    """
    canvas, axes = _axes(*labels)
    axes.scatter(score, quality, s=7, alpha=0.5, color=GENUINE, linewidths=0)
    axes.set_title(plotted(note), loc="right", fontsize=8, color=OTHER)
    return _figure(canvas, title, f"{len(score)} points, {labels[1]} over {labels[0]}: {note}.")


def map_figure(title, groups):
    """Points in a plane that has no scale, a colour for each group.

    Args:
        title: of the figure.
        groups: {name: [n, 2]}.
    """
    canvas, axes = _axes("", "")
    for (_, points), colour, marker in zip(groups.items(), cycle(COLOURS), cycle("ooooooxxxxxx"), strict=False):
        axes.scatter(*points.T, s=9, color=colour, marker=marker, alpha=0.8, linewidths=0.8)
    axes.set_xticks([])
    axes.set_yticks([])
    return _figure(canvas, title, f"{sum(map(len, groups.values()))} points of {len(groups)} groups.")


def fraction_figure(title, curves, label):
    """A measure over the share of the real identities that were trained on, with error bars.

    Args:
        title: of the figure.
        curves: {name: (per cent, means, standard deviations)}, each [n].
        label: of the measure.
    """
    canvas, axes = _axes("real identities trained on, %", label)
    for (name, (percent, means, spreads)), style in zip(curves.items(), _styles(), strict=False):
        axes.errorbar(percent, means, spreads, label=plotted(name), marker="o", markersize=4, capsize=3, **style)
    _legend(axes, "lower right")
    points = "; ".join(
        f"{name}: " + ", ".join(f"{shown(mean)} at {at} %" for at, mean in zip(percent, means, strict=True))
        for name, (percent, means, _) in curves.items()
    )
    return _figure(canvas, title, f"{label}. {points}.")


def groups_figure(title, names, panels, spreads):
    """Measures of groups beside each other, one panel each; a dotted line where all images together lie.

    Args:
        title: of the figure.
        names: of the groups, [n]; the last one is that of all images.
        panels: {measure: [n]}, numbers; anything else is left out.
        spreads: {measure: standard deviations [n]} of some of them.
    """
    canvas = Canvas(figsize=(SIZE[0], 1.1 + 0.24 * len(names)), dpi=DOTS)
    FigureCanvasAgg(canvas)
    told = []
    for axes, (measure, values) in zip(canvas.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
        known = [i for i, value in enumerate(values) if isinstance(value, float)]
        error = [spreads[measure][i] for i in known] if measure in spreads else None
        axes.errorbar([values[i] for i in known], known, xerr=error, fmt="o", markersize=4, capsize=2, color=GENUINE)
        if known and known[-1] == len(names) - 1:
            axes.axvline(values[-1], color=OTHER, linewidth=0.8, linestyle=":")
        axes.set_xlabel(plotted(measure), fontsize=8)
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="x", nbins=3)
        axes.grid(True, axis="x", linewidth=0.4, alpha=0.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_yticks(range(len(names)), list(map(plotted, names)))
        axes.set_ylim(len(names) - 0.5, -0.5)
        told.append(f"{measure}: " + ", ".join(f"{names[i]} {shown(values[i])}" for i in known))
    return _figure(canvas, title, f"{'; '.join(told)}.")


def pairs_figure(title, pairs, alt, columns=2):
    """A contact sheet of image pairs, each with a caption.

    Args:
        title: of the figure.
        pairs: list of (image, image, caption), images uint8 [h, w, 3] of any size.
        alt: what the pairs are, for those who cannot see them.
        columns: pairs in a row.
    """
    cell = SIZE[0] / (2 * columns)  # inches
    picture = cell * max((image.shape[0] / image.shape[1] for pair in pairs for image in pair[:2]), default=1.0)
    height = -(-len(pairs) // columns) * (picture + CAPTION) or CAPTION
    canvas = Canvas(figsize=(SIZE[0], height), dpi=DOTS)
    FigureCanvasAgg(canvas)
    for number, (*images, caption) in enumerate(pairs):
        row, column = divmod(number, columns)
        top = 1 - row * (picture + CAPTION) / height
        for side, image in enumerate(images):
            left = (2 * column + side + 0.02) / (2 * columns)
            axes = canvas.add_axes((left, top - picture / height, 0.96 / (2 * columns), picture / height), anchor="S")
            axes.imshow(image, interpolation="nearest")
            axes.set_axis_off()
        canvas.text((2 * column + 0.02) / (2 * columns), top - (picture + 0.03) / height, caption, fontsize=7, va="top",
                    parse_math=False)  # fmt: skip
    return _figure(canvas, title, alt, fitted=False)


def _axes(x, y):
    canvas = Canvas(figsize=SIZE, dpi=DOTS)
    FigureCanvasAgg(canvas)
    axes = canvas.subplots()
    axes.set_xlabel(plotted(x))
    axes.set_ylabel(plotted(y))
    axes.grid(True, linewidth=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    return canvas, axes


def _styles():
    for dash in DASHES:
        for colour in COLOURS:
            yield {"color": colour, "linestyle": dash, "linewidth": 1.4}


def _lowest(rates):
    """The left end of a logarithmic axis: the least rate above 0, but no lower than it can be told apart from 0."""
    above = np.asarray(rates)[np.asarray(rates) > 0]
    return float(np.clip(above.min() if len(above) else 1e-3, 1e-6, 1e-1))


def _legend(axes, place):
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc=place, fontsize=8, frameon=False)


def _figure(canvas, title, alt, fitted=True):
    if fitted:
        canvas.tight_layout()
    buffer = BytesIO()
    canvas.savefig(buffer, format="png", metadata={"Software": None})
    return Figure(title, buffer.getvalue(), alt)
