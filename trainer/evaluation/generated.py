"""What lies beside generated images: the renders they were made from, and their confidence scores."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from data_loader.folders import UnreadableImage, decode, decode_whole
from data_loader.generated_folder import TABLE, read_scores
from data_loader.image_names import finder
from utils.errors import UserError
from utils.images import LUMINANCE
from utils.progress import Progress


def match_renders(generated, renders):
    """The render of each generated image, the one of the same path but for its ending: int64 [n].

    Args:
        generated, renders: ImageIndex.

    Raises:
        UserError: generated images without a render: how many, and the first.
    """
    found = map(finder(renders), map(generated.relative_path, range(len(generated))))
    matches = np.array([-1 if i is None else i for i in found], np.int64)
    missing = np.flatnonzero(matches < 0)
    if len(missing):
        raise UserError(
            f"{renders.flag}: {len(missing)} of {len(matches)} images in {generated.folder} have no render in "
            f"{renders.folder}, the first: {generated.relative_path(missing[0])}"
        )
    return matches


def render_differences(generated, renders, matches, workers=2):
    """Mean absolute difference of each generated image and its render, at the former's size, in grey levels 0...255.

    Args:
        generated, renders: ImageIndex.
        matches: of match_renders.
        workers: threads that decode.

    Returns:
        (of the three colours, of the brightness alone), float64 [n] each: taking colour away changes only the first.
        nan where either image cannot be read.
    """

    def difference(i):
        try:
            size = min(decode_whole(generated.path(i)).shape[:2])
            images = [decode(path, size) for path in (generated.path(i), renders.path(int(matches[i])))]
        except UnreadableImage:
            return np.nan, np.nan
        change = images[0].astype(float) - images[1]
        return np.mean(np.abs(change)), np.mean(np.abs(change @ LUMINANCE))

    rows = []
    with ThreadPoolExecutor(workers) as pool, Progress(len(generated), "renders compared") as progress:
        for row in pool.map(difference, range(len(generated))):
            rows.append(row)
            progress.update()
    return tuple(np.array(rows).T)


def indexed_scores(index):
    """The scores of the images of a generated folder.

    Returns:
        {name: float64 [n]} in the index's order, nan for an image without; scores that are all empty are left out. {}
        where the folder has no confidence_scores.csv.

    Raises:
        UserError: a file that is no table of scores, or one of other images.
    """
    if not (Path(index.folder) / TABLE).is_file():
        return {}
    table = read_scores(index.folder, index.flag)
    rows = {path: row for row, path in enumerate(table.paths)}
    order = np.array([rows.get(index.relative_path(i), -1) for i in range(len(index))])
    if rows and (order < 0).all():
        raise UserError(f"{index.flag}: {Path(index.folder) / TABLE} names no image of the folder, its first is "
                        f"{table.paths[0]}")  # fmt: skip
    found = {name: np.append(column, np.nan)[order] for name, column in table.values.items()}  # -1 finds the nan
    return {name: column for name, column in found.items() if np.isfinite(column).any()}
