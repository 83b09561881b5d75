"""Images through a face network: each cut as the network was trained on, then embedded."""

import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from data_loader import assets, chips, five_points
from data_loader.crops import resize
from data_loader.face_places import known_places, place
from data_loader.folders import UnreadableImage, decode_whole
from data_loader.generated_folder import alignment_of
from data_loader.morphable.landmarks import Detector
from trainer.face_networks.network import EMBEDDED_AT_ONCE
from utils.errors import UserError
from utils.progress import Progress

LONGEST = 1600  # pixels that a photograph's longer side is shrunk to, as `pair` does (ours)
AHEAD = 2 * EMBEDDED_AT_ONCE  # images that may wait for the network
NO_FACE = "no face found: a fixed central crop was used"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """What a face network makes of images. Squared Euclidean distances compare them: small is the same person.

    Attributes:
        features: float32 [m, d], of length 1 where the network says so.
        labels: int32 [m]; -1 where there are no labels.
        positions: int64 [m], which images these are: those that could be read, in order.
        paths: m relative paths.
        label_names: names of the labels.
        failed: list of (relative path, reason): images that could not be read and have no row here, and those in which
            no face was found.
    """

    features: np.ndarray
    labels: np.ndarray
    positions: np.ndarray
    paths: list
    label_names: list
    failed: list


def embed_folder(face_network, index, options):
    """Embed every image of a folder.

    With --align auto a face is cut by the landmarks of the folder's metadata.csv (renders) or of that of the renders it
    was made from (generated images), else by those that dlib finds; with none the central square is shown as it lies.

    Args:
        face_network: trainer.face_networks.network.FaceNetwork.
        index: data_loader.folders.ImageIndex.
        options: align, num_worker, asset_dir.

    Returns:
        Embeddings.

    Raises:
        UserError: no image can be read; a damaged metadata.csv.
    """
    if face_network.alignment == alignment_of(index.roots, index.flag):
        options = options.changed(align="none")  # they are cut already
    cutter = _Cutter(face_network, options)
    places = _known_places(index, face_network.alignment) if cutter.aligns else np.full((len(index), 4), np.nan)

    def read(i):
        return cutter(decode_whole(index.path(i), LONGEST), places[i])

    result = _embed(face_network, len(index), read, index.relative_path, options)
    labels, names = index.labels[result.positions], index.label_names
    if not len(result.positions):
        path, reason = result.failed[0]
        raise UserError(f"{index.flag}: no image in {index.folder} can be read, for one {path}: {reason}")
    return Embeddings(result.features, labels, result.positions, result.paths, names, result.failed)


def embed_images(face_network, images, options, cut="none"):
    """Embed images that come from elsewhere than a folder; faces are found by dlib, with --align auto.

    Args:
        images: a sequence of uint8 [h, w, 3]; only its length and its items are asked for.
        face_network, options: as embed_folder takes them.
        cut: how their faces are cut already, as alignment_of says.

    Returns:
        Embeddings of all images, in order; paths are "image <position>", labels -1.
    """
    if cut == face_network.alignment:
        options = options.changed(align="none")
    cutter = _Cutter(face_network, options)
    unknown = np.full(4, np.nan)
    return _embed(face_network, len(images), lambda i: cutter(images[i], unknown), "image {}".format, options)


def _known_places(index, alignment):
    """As known_places; says where only a part of the images has landmarks, which are then cut in two ways."""
    places = known_places(index, alignment)
    unknown = np.isnan(places[:, 0])
    if unknown.any() and not unknown.all():
        print(f"warning: {index.flag}: {unknown.sum()} of {len(places)} images in {index.folder} have no landmarks in "
              "a metadata.csv: their faces are looked for", file=sys.stderr)  # fmt: skip
    return places


class _Cutter:
    """Shows a face network what it was trained on. Safe between threads."""

    def __init__(self, face_network, options):
        if options.align not in ("auto", "none"):
            raise UserError(f"--align: {options.align!r} is none of auto, none")
        self.size, self.alignment = face_network.size, face_network.alignment
        self.aligns = options.align == "auto" and self.alignment != "none"
        self.asset_dir = options.asset_dir
        self.detector, self.lock = None, threading.Lock()

    def __call__(self, pixels, known):
        """(uint8 [size, size, 3], reason why it is no proper cut or None).

        Args:
            pixels: uint8 [h, w, 3].
            known: the face's place, fractions of the square image; nan where it is to be found.
        """
        height, width = pixels.shape[:2]
        if not self.aligns:
            return resize(_central(pixels), self.size), None
        if np.isfinite(known).all():
            return self._cut(pixels, np.multiply(known, width)), None
        face = self._find(pixels)
        if face is not None:
            return self._cut(pixels, place(face.landmarks, self.alignment, width, height)), None
        square = _central(pixels)
        if self.alignment == "chip":
            return self._cut(square, np.multiply(chips.FIXED, len(square))), NO_FACE
        return resize(square, self.size), NO_FACE

    def _cut(self, pixels, where):
        if self.alignment == "chip":
            return chips.cut(pixels, where, self.size)
        if self.alignment == "arcface":
            return five_points.cut(pixels, where, self.size)
        x, y, side, _ = where
        side = min(round(side), *pixels.shape[:2])
        left, top = (int(np.clip(round(middle - side / 2), 0, most - side))
                     for middle, most in ((x, pixels.shape[1]), (y, pixels.shape[0])))
        return resize(pixels[top:top + side, left:left + side], self.size)

    def _find(self, pixels):
        with self.lock:
            if self.detector is None:
                self.detector = Detector(assets.fetch("dlib_models", self.asset_dir))
        return self.detector(pixels)


def _embed(face_network, count, read, name, options):
    """Embeddings without labels of images 0...count - 1, read by threads ahead of the network."""
    features, positions, failed, waiting = [], [], [], []

    def flush():
        features.append(face_network.embed(np.stack(waiting)))
        waiting.clear()

    with ThreadPoolExecutor(options.num_worker) as pool, Progress(count, "embed") as progress:
        for i, future in _ahead(pool, read, count):
            try:
                image, reason = future.result()
                waiting.append(image)
                positions.append(i)
            except UnreadableImage as error:
                reason = error.reason
            if reason:
                failed.append((name(i), reason))
            if len(waiting) == EMBEDDED_AT_ONCE:
                flush()
            progress.update(failed=len(failed))
        if waiting:
            flush()
    features = np.concatenate(features) if features else np.zeros((0, 0), np.float32)
    paths, labels = [name(i) for i in positions], np.full(len(positions), -1, np.int32)
    return Embeddings(features, labels, np.array(positions, np.int64), paths, [], failed)


def _ahead(pool, work, count):
    """Yield (i, future of work(i)) in order; AHEAD of them are under way."""
    waiting = deque()
    for i in range(count):
        waiting.append((i, pool.submit(work, i)))
        if len(waiting) > AHEAD:
            yield waiting.popleft()
    yield from waiting


def _central(pixels):
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top:top + side, left:left + side]
