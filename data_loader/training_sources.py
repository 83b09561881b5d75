"""Where the batches of a training come from: for each source a folder, and the keys of its images and labels."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from data_loader import folders
from data_loader.joined import JoinedIndex, with_shared_people
from data_loader.sample_weights import read_weights
from utils.errors import UserError
from utils.files import several

INPUTS = ("dataset", "syn_dataset", "dataset_3dmm", "pose_dataset")  # flags of folders that are only read


@dataclass(frozen=True)
class Source:
    """One kind of images in a training batch.

    Attributes:
        flag: the flag that names its folder under data_dir.
        images: keys of a batch: of its images, or of a pair's photograph and render.
        label: key of its labels, the names of the first folder level; "": it is not labelled.
        folders: whether its images lie in folders of people though nobody learns these.
        least: fewest images that a label may have.
        weights: the flag that names a file of how often each image is drawn; "": all equally often.
        people: whether its labels are numbers in one list of people, shared with the other sources that say so.
        annotate: index -> {key: array [n, …]}: what else a batch brings for each image; None: nothing.
        example: {key: such an annotation of one image}, for batches that are made up.
        same: key of another image of the same label, drawn for each position of the stream; of a label with one image
            that one. Its annotations have this key and "_" before theirs. "": none.
        several: whether the flag may name several folders, as A,B; whose people are other people then, each folder's.
    """

    flag: str
    images: tuple[str, ...]
    label: str = ""
    folders: bool = False
    least: int = 1
    weights: str = ""
    people: bool = False
    annotate: Callable | None = None
    example: dict = field(default_factory=dict)
    same: str = ""
    several: bool = False

    def annotations(self, index):
        """{key: array [n, …]} of an index's images."""
        return self.annotate(index) if self.annotate else {}


def read_sources(sources, options):
    """Index the folders that the flags of sources name.

    Args:
        sources: {name: Source}.
        options: data_dir, asset_dir, and the flags that the sources name.

    Returns:
        {name: ImageIndex, or PairIndex where a source has two images}.

    Raises:
        UserError: as folders.index_images and index_pairs.
    """
    indexes = {}
    for name, source in sources.items():
        if len(source.images) == 2:
            folder = Path(options.data_dir).expanduser() / getattr(options, source.flag)
            indexes[name] = folders.index_pairs(folder, index_cache(options), flag=f"--{source.flag}")
        else:
            labelled = source.folders or bool(source.label)
            indexes[name] = index_folder(options, source.flag, labelled, source.least, source.several)
    return indexes | with_shared_people({name: indexes[name] for name, source in sources.items() if source.people})


def read_sample_weights(sources, indexes, options):
    """{source: float64 [n]} where a source's flag names a file of weights; Raises as sample_weights.read_weights."""
    named = {name: source.weights for name, source in sources.items() if source.weights}
    return {name: read_weights(getattr(options, flag), indexes[name], f"--{flag}") for name, flag in named.items()
            if getattr(options, flag)}  # fmt: skip


def index_folder(options, flag, labelled=False, least=1, several=False):
    """The ImageIndex of the folder under data_dir that a flag names; Args and Raises as folders.index_images.

    several: the JoinedIndex of all that it names with commas between, where these are more than one.
    """
    names = folder_names(options, flag) if several else [getattr(options, flag)]
    parts = [index_named(name, options, flag, labelled, least) for name in names]
    return JoinedIndex(parts) if len(parts) > 1 else parts[0]


def index_named(name, options, flag, labelled=False, least=1):
    """The ImageIndex of one of the folders under data_dir that a flag names."""
    folder = Path(options.data_dir).expanduser() / name
    return folders.index_images(folder, index_cache(options), labelled, min_per_label=least, flag=f"--{flag}")


def folder_names(options, flag):
    """The folders under data_dir that a flag names with commas between, list of str; [] of ''.

    Raises:
        UserError: one of the names is empty, which would be data_dir itself.
    """
    data, value = Path(options.data_dir).expanduser(), getattr(options, flag)
    names = several(value, lambda name: os.path.isdir(data / name)) if value else []
    if "" in names:
        raise UserError(f"--{flag} {value}: an empty name")
    return names


def named_folders(options, flags=INPUTS):
    """[(flag, path)] of the folders that these flags name below data_dir."""
    data = Path(options.data_dir).expanduser()
    return [(flag, data / name) for flag in flags for name in folder_names(options, flag)]


def index_cache(options):
    """The folder below --asset_dir in which indexes are kept."""
    return Path(options.asset_dir).expanduser() / "index"
