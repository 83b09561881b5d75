"""The `align` job: photographs to face crops of one size."""

from pathlib import Path

import numpy as np

from data_loader import licences
from data_loader.align import CROPS, Aligner, columns
from data_loader.crops import check_folders
from data_loader.face_places import known_places
from data_loader.faces import MARGIN
from data_loader.generated_folder import ALIGNMENTS, is_generated
from data_loader.morphable.parameters import METADATA
from data_loader.outcome import Outcome
from data_loader.training_sources import index_folder
from trainer.training.devices import tell_device
from utils.errors import UserError

DETECTORS = {"dlib": ("dlib", "landmarks"), "mtcnn": ("mtcnn",)}  # names in licences.KNOWN


def run(options):
    """Cut the face out of every photograph of data_dir/dataset into data_dir/save_aligned, folders kept.

    One face a photograph, by faces.choose_face. --crop square: what is around it, by faces.crop_square; arcface,
    facenet, dlib: turned and scaled, by landmarks, which for renders, for images generated from them and for pairs come
    from their metadata.csv.
    success.csv says where each crop was, failed.csv why there is none. A second run goes on where the first stopped.

    Args:
        options: data_dir, dataset, save_aligned, crop, detector, size (pixels), image_format, asset_dir.

    Raises:
        UserError: mtcnn is not installed; no photographs; the output folder holds something else.
    """
    data = Path(options.data_dir).expanduser()
    source, folder = data / options.dataset, data / options.save_aligned
    alignment = ALIGNMENTS.get(options.crop)
    if alignment:
        options = options.defaulting(size=CROPS[options.crop].size)
    if alignment == "chip" and options.detector == "mtcnn":
        raise UserError(f"--crop {options.crop} is cut by 68 landmarks, of which mtcnn finds five: --detector dlib")
    check_folders(source, folder, "--save_aligned", options)
    index = index_folder(options, "dataset")
    files = [index.relative_path(i) for i in range(len(index))]
    known, refused = _known(index, files, alignment) if alignment else ({}, {})
    settings = {name: getattr(options, name) for name in ("crop", "detector", "size", "image_format")}
    settings |= {"margin": round(MARGIN, 6)} if options.crop == "square" else {"landmarks_known": len(known)}
    settings |= {"input_content": index.digest}
    settings |= {"generated": True} if is_generated(source, "--dataset") else {}
    if options.detector == "mtcnn":
        tell_device(options)
    with Outcome(folder, "align", ("file", "path", *columns(options.crop)), settings, "--save_aligned") as outcome:
        licences.write(folder, DETECTORS[options.detector], [source])
        outcome.work_through(files, options.image_format, Aligner(source, folder, options, known, refused))
    print(f"align: {len(outcome.succeeded)} faces in {folder}, {len(outcome.failed)} photographs in failed.csv")


def _known(index, files, alignment):
    """Of the images whose landmarks a metadata.csv has: {file: place of its crop, fractions of its side}, and {file:
    why these landmarks are no face}."""
    refused = {}
    places = known_places(index, alignment, refused)
    known = {file: places[i] for i, file in enumerate(files) if np.isfinite(places[i]).all()}
    return known, {files[i]: f"{METADATA}: {reason}" for i, reason in refused.items()}
