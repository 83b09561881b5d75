"""Images of a folder by the names that tables and other folders have for them."""

import os

from utils.files import spellings


def finder(index):
    """A function: a relative path, as another system or folder may spell it -> number of the image, or None.

    It is the image of just that path, else the first one whose path differs in its ending alone: a render's generated
    image may be a JPEG, a photograph's crop a PNG.

    Args:
        index: data_loader.folders.ImageIndex, or anything with its `relative_path` and length.
    """
    exact = {index.relative_path(i): i for i in range(len(index))}
    by_stem = {}
    for path, i in exact.items():
        by_stem.setdefault(_stem(path), i)

    def find(name):
        ways = spellings(name)
        for numbers, names in ((exact, ways), (by_stem, map(_stem, ways))):
            for way in names:
                if way in numbers:
                    return numbers[way]
        return None

    return find


def rows_of(table, index):
    """Yield (number of the image, line, row) for each row of a utils.tables.Table that names one of an index's images.

    Raises:
        UserError: the table has no column of paths, or is damaged.
    """
    place, find = table.path_place(), finder(index)
    for line, row in table:
        if (i := find(row[place])) is not None:
            yield i, line, row


def _stem(path):
    return os.path.splitext(path)[0]
