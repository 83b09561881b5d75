"""The `align` job: photographs to face crops of one size, found with MTCNN."""

from pathlib import Path

import numpy as np
from PIL import Image

from data_loader.crops import check_folders, outputs, resize, save
from data_loader.faces import MARGIN, choose_face, crop_square
from data_loader.folders import UnreadableImage, decode_whole, index_images
from data_loader.outcome import NoOutput, Outcome
from utils.errors import UserError
from utils.progress import Progress

COLUMNS = ("file", "path", "faces", "confidence", "left", "top", "side")
SMALLEST = 20  # pixels of a face, FaceNet's minsize
DETECTED_AT = 1000  # pixels of the longer side that faces are looked for at (ours)
LAST_THRESHOLD = 0.7  # FaceNet's for the third network; the package's own is 0.8


def run(options):
    """Cut the face out of every photograph of data_dir/dataset into data_dir/save_aligned, folders kept.

    One face a photograph, by faces.choose_face; what is around it by faces.crop_square. success.csv says where each
    crop was, failed.csv why there is none. A second run goes on where the first one stopped.

    Args:
        options: data_dir, dataset, save_aligned, size (pixels), image_format, asset_dir.

    Raises:
        UserError: mtcnn is not installed; no photographs; the output folder holds something else.
    """
    data = Path(options.data_dir).expanduser()
    source, folder = data / options.dataset, data / options.save_aligned
    check_folders(source, folder, "--save_aligned", options)
    index = index_images(source, Path(options.asset_dir).expanduser() / "index", flag="--dataset")
    files = [index.relative_path(i) for i in range(len(index))]
    settings = {"size": options.size, "image_format": options.image_format, "margin": round(MARGIN, 6)}
    detector = None
    with (Outcome(folder, "align", COLUMNS, settings, "--save_aligned") as outcome,
          Progress(len(files), "align", initial=sum(file in outcome for file in files)) as progress):
        for file, output in outputs(files, options.image_format):
            if file in outcome:
                continue
            try:
                if output is None:
                    raise NoOutput("another photograph has the same name but for its ending")
                pixels = decode_whole(source / file)
                detector = detector or _detector()
                crop, values = _crop(pixels, detector, options.size)
                save(crop, folder / output)
                outcome.success(file, [output, *values])
            except (UnreadableImage, NoOutput) as error:
                outcome.failure(file, getattr(error, "reason", str(error)))
            progress.update(failed=len(outcome.failed))
        outcome.finish(files)
    print(f"align: {len(outcome.succeeded)} faces in {folder}, {len(outcome.failed)} photographs in failed.csv")


def _crop(pixels, detector, size):
    """(crop uint8 [size, size, 3], what success.csv says of it)."""
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST:
        raise NoOutput(f"{width}x{height} pixels: smaller than {SMALLEST} pixels")
    scale = max(1.0, max(height, width) / DETECTED_AT)
    small = pixels
    if scale > 1:
        shape = max(SMALLEST, round(width / scale)), max(SMALLEST, round(height / scale))
        small = np.asarray(Image.fromarray(pixels).resize(shape, Image.Resampling.BILINEAR))
    found = detector(small)
    if not found:
        raise NoOutput("no face found")
    enlarge = np.array([width / small.shape[1], height / small.shape[0]])
    boxes = np.array([face["box"] for face in found], np.float64) * np.tile(enlarge, 2)
    best = choose_face(boxes, width, height)
    left, top, side = crop_square(boxes[best], width, height)
    crop = resize(pixels[top:top + side, left:left + side], size)
    return crop, [len(found), f"{float(found[best]['confidence']):.4f}", left, top, side]


def _detector():
    """A function: pixels uint8 [h, w, 3] -> list of {"box": left, top, right, bottom; "confidence"}."""
    try:
        import tensorflow as tf
        from mtcnn import MTCNN  # here: an extra that only this job needs
    except ImportError as error:
        raise UserError("align needs mtcnn: pip install -r requirements-faces.txt") from error
    network = MTCNN(device="GPU:0" if tf.config.list_physical_devices("GPU") else "CPU:0")
    return lambda pixels: network.detect_faces(pixels, fit_to_image=False, box_format="xyxy",
                                               min_face_size=SMALLEST, threshold_onet=LAST_THRESHOLD)
