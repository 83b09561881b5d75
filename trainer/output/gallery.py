"""A page to look at a folder of images: sprite sheets, and one HTML file that scrolls, sorts and filters them.

    index.html           the page, with the names, people and numbers of all images in it
    sheets/00000.jpg …   256 images each, or fewer large ones, in the table's order; with each what lies beside it

The page loads the sheets of what is on the screen alone, so that it is used with 100,000 images as with ten.
"""

import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from data_loader.folders import UnreadableImage, decode
from data_loader.image_names import finder
from utils.errors import UserError
from utils.files import atomic_write
from utils.pages import rendered
from utils.progress import Progress

ACROSS, DOWN = 16, 16  # cells of a sheet
WIDE = 16_384  # pixels of a sheet that graphics cards show as one picture; with wide cells there are fewer across
WIDEST = 65_500  # pixels of a JPEG
QUALITY = 88
TEMPLATE = Path(__file__).parent / "gallery.html.j2"
MISSING = 96  # grey level of what cannot be read, or has nothing of its name beside it


def cells_across(columns, size):
    """How many cells of a sheet lie side by side, each of so many images of `size` pixels.

    Raises:
        UserError: not even one.
    """
    width = columns * size
    if width > WIDEST:
        raise UserError(f"--gallery_size {size}: {columns} images side by side are {width} pixels, and a sheet at most "
                        f"{WIDEST}: make them smaller, or name fewer --beside")  # fmt: skip
    return max(1, min(ACROSS, WIDE // width))


def write_sheets(target, index, beside, size, workers, stop):
    """Write the sheets that are not there.

    Args:
        target: Path of the gallery.
        index: ImageIndex of the images.
        beside: list of indexes whose images of the same names are shown left of them.
        size: pixels of a side.
        workers: threads.
        stop: utils.signals.StopRequest.

    Returns:
        Number of sheets that are done.
    """
    columns = len(beside) + 1
    across = cells_across(columns, size)
    each = across * DOWN
    count = -(-len(index) // each)
    finders = [(other, finder(other)) for other in beside]
    (target / "sheets").mkdir(exist_ok=True)

    def cell(i):
        name, images = index.relative_path(i), []
        for other, find in finders:
            j = find(name)
            images.append(_grey(size) if j is None else _read(other.path(j), size))
        return np.concatenate([*images, _read(index.path(i), size)], axis=1)

    with ThreadPoolExecutor(workers) as pool, Progress(len(index), "gallery") as progress:
        for number in range(count):
            path = target / "sheets" / f"{number:05d}.jpg"
            numbers = range(number * each, min((number + 1) * each, len(index)))
            if not path.is_file():
                if stop.name:
                    return number
                sheet = np.zeros((DOWN, size, across, columns * size, 3), np.uint8)
                for place, image in enumerate(pool.map(cell, numbers)):
                    sheet[place // across, :, place % across] = image
                used = -(-len(numbers) // across)
                pixels = sheet[:used].reshape(used * size, across * columns * size, 3)
                with atomic_write(path, durable=False) as file:
                    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
            progress.update(len(numbers))
    return count


def write_page(target, title, index, numbers, beside, size, figures=()):
    """Write index.html.

    Args:
        target: Path of the gallery.
        title: of the page.
        index: ImageIndex.
        numbers: {name: float64 [n]} by which images can be sorted and filtered; nan where one has none.
        beside: names of what is shown left of the images.
        size: pixels of a side.
        figures: list of (title, bytes of a PNG).

    Returns:
        Path of index.html.
    """
    columns = len(beside) + 1
    across = cells_across(columns, size)
    data = {
        "paths": [_text(index.relative_path(i)) for i in range(len(index))],
        "people": list(map(_text, index.label_names)) or ["all images"],
        "labels": np.maximum(index.labels, 0).tolist(),
        "numbers": [(_text(name), [None if np.isnan(v) else float(f"{v:.5g}") for v in values.tolist()])
                    for name, values in numbers.items()],
        "size": size, "columns": columns, "across": across, "each": across * DOWN,
        "captions": [*map(_text, beside), _text(title)],
        "folder": quote(os.fsencode(os.path.relpath(index.folder, target).replace(os.sep, "/"))),
    }  # fmt: skip
    drawn = [(name, base64.b64encode(png).decode()) for name, png in figures]
    data = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")  # a name cannot end the script
    page = rendered(TEMPLATE, title=_text(title), data=data, figures=drawn)
    with atomic_write(target / "index.html", "w", encoding="utf-8") as file:
        file.write(page)
    return target / "index.html"


def curves(scalars):
    """Figures of a training: list of (title, bytes of a PNG), one for each group of tags.

    Args:
        scalars: {tag: (steps [n], values [n])}.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = []
    for group in sorted({tag.partition("/")[0] for tag in scalars}):
        tags = [tag for tag in sorted(scalars) if tag.partition("/")[0] == group]
        canvas = Figure(figsize=(9, 2.1 * -(-len(tags) // 3)), dpi=110)
        FigureCanvasAgg(canvas)
        for place, tag in enumerate(tags, 1):
            axes = canvas.add_subplot(-(-len(tags) // 3), 3, place)
            axes.plot(*scalars[tag], linewidth=0.8)
            axes.set_title(tag, fontsize=8)
            axes.tick_params(labelsize=6)
            axes.grid(True, linewidth=0.3, alpha=0.5)
        canvas.tight_layout()
        buffer = BytesIO()
        canvas.savefig(buffer, format="png", metadata={"Software": None})
        found.append((group, buffer.getvalue()))
    return found


def _read(path, size):
    try:
        return decode(path, size)
    except UnreadableImage:
        return _grey(size)


def _grey(size):
    return np.full((size, size, 3), MISSING, np.uint8)


def _text(name):
    """A file name of any bytes as text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
