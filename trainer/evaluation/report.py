"""What an evaluation found, as evaluation.json, CSV files and one page of HTML that needs nothing else."""

import base64
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from trainer.evaluation.meanings import meaning
from utils.files import atomic_write
from utils.pages import rendered
from utils.printable import printable
from utils.tables import write_rows

TEMPLATE = Path(__file__).parent / "report.html.j2"
ROWS_SHOWN = 12  # of a table, on the page; the CSV holds all
RESERVED = ("settings",)  # keys of evaluation.json that no section may take


@dataclass
class Figure:
    """A picture of the report. title: what is shown. png: its bytes. alt: what it says to those who cannot see it."""

    title: str
    png: bytes
    alt: str


@dataclass
class Section:
    """One part of an evaluation.

    Attributes:
        key: of evaluation.json, and the first part of its CSV files' names: letters, digits, "_", "-", ".".
        title: heading on the page.
        text: what was measured and how, one paragraph.
        metrics: {name of trainer.evaluation.meanings: number, text, or None where it is not defined}. "_sd" behind a
            name: that metric's standard deviation; " on <network>": on whose features; " of <score>": which score.
        tables: {name: (header, rows)}; each becomes <key>_<name>.csv.
        figures: list of Figure.
    """

    key: str
    title: str
    text: str
    metrics: dict
    tables: dict[str, tuple[list[str], list[list]]] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)


def write_report(folder, sections, settings, top=None):
    """Write evaluation.json, a CSV for each table and report.html. Files of that name are replaced, each as a whole.

    Args:
        folder: made if it is missing.
        sections: list of Section, in the order of the page.
        settings: {name: value}: what was evaluated and how.
        top: numbers that evaluation.json holds beside the sections, e.g. {"auc": 0.99}.

    Returns:
        Path of report.html.

    Raises:
        ValueError: a key twice or not a plain word, or a metric that trainer.evaluation.meanings does not explain.
    """
    folder = Path(folder)
    content = _json(sections, settings, top or {})
    page = _page(sections, settings)
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for name, (header, rows) in section.tables.items():
            with atomic_write(folder / csv_name(section, name), "w", newline="\n", encoding="utf-8") as file:
                write_rows(file, [header, *map(_plain, rows)])
    with atomic_write(folder / "evaluation.json", "w", encoding="utf-8") as file:
        file.write(content)
    with atomic_write(folder / "report.html", "w", encoding="utf-8") as file:
        file.write(page)
    return folder / "report.html"


def csv_name(section, table):
    """The file of one table."""
    return f"{section.key}_{table}.csv"


def main_figures(sections):
    """The few numbers to look at first: list of (section's title, metric's title, value as text, direction)."""
    return [
        (section.title, row["title"], row["value"], row["better"])
        for section in sections
        for row in _metric_rows(section.metrics)
        if row["main"]
    ]


def shown(value):
    """A number as people read it: "1,234", "0.9998", "–" for what is not defined."""
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return {True: "yes", False: "no"}.get(value, value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}" if 1e-4 <= abs(value) < 1e5 else f"{value:.3e}"


def _spread(value):
    return "–" if value is None else f"{value:.2g}"


def _json(sections, settings, top):
    keys = [*RESERVED, *top, *(section.key for section in sections)]
    for key in keys:
        if keys.count(key) > 1 or not re.fullmatch(r"[\w.-]+", key, re.ASCII):
            raise ValueError(f"key of a section that is taken or no plain word: {key!r}")
    content = top | {section.key: section.metrics for section in sections} | {"settings": settings}
    return json.dumps(_plain(content), indent=1, allow_nan=False, ensure_ascii=False)


def _plain(value):
    """NumPy's numbers as Python's; what is not finite as None; file names of any bytes as text that can be encoded."""
    if isinstance(value, dict):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _page(sections, settings):
    parts = [
        {
            "key": section.key,
            "title": printable(section.title),
            "text": printable(section.text),
            "metrics": _metric_rows(section.metrics),
            "main": [row for row in _metric_rows(section.metrics) if row["main"]],
            "figures": [
                (printable(figure.title), printable(figure.alt), base64.b64encode(figure.png).decode())
                for figure in section.figures
            ],
            "tables": [
                (csv_name(section, name), header, _plain(rows[:ROWS_SHOWN]), rows)
                for name, (header, rows) in section.tables.items()
            ],
        }
        for section in sections
    ]
    return rendered(TEMPLATE, {"shown": shown}, sections=parts, settings=_plain(settings))


def _metric_rows(metrics):
    """One row a metric; its standard deviation, where there is one, beside the value."""
    rows = []
    for name, value in _plain(metrics).items():
        base, about = re.fullmatch(r"(.*?)( (?:on|of) .*)?", name).groups(default="")
        spread = f"{base}_sd{about}"
        if base.endswith("_sd") and f"{base.removesuffix('_sd')}{about}" in metrics:
            continue
        told = meaning(base)
        text = shown(value) + (f" ± {_spread(_plain(metrics[spread]))}" if spread in metrics else "")
        rows.append({"title": told.title + about, "value": text, "unit": told.unit, "text": told.text,
                     "better": told.better, "main": told.main})  # fmt: skip
    return rows
