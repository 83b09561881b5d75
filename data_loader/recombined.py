"""What IP-GAN's faces are made of: people, each in so many poses, of other faces or of nobody's."""

import json
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_loader import assets, chips
from data_loader.crops import NoOutput, read_photograph, resize
from data_loader.faces import crop_square, landmark_box
from data_loader.folders import UnreadableImage, decode, decode_whole
from data_loader.inputs import Input
from data_loader.morphable.landmarks import Detector
from utils.errors import UserError

LOOKED_AT = 50  # images of a folder of poses, of which one must show a face (ours)


class RecombinedInput(Input):
    """Each person of a labelled folder, whom its first image that can be read shows, in poses.

    Which poses follows from random_seed, the person's number and the image's number; with same_latents from the
    image's number alone.

    Args:
        people: labelled data_loader.folders.ImageIndex.
        places: float32 [n, 4] of its faces, fractions of the image's side, for the identity network.
        size: pixels of a side.
        options: images_per_id, random_seed, z_num, same_latents; `explicit`.
        poses: index of the faces whose poses are taken, all of them where images_per_id is not named; None: so many
            pose codes from N(0, 1).
    """

    def __init__(self, people, places, size, options, poses=None):
        self.people, self.places, self.size, self.options, self.poses = people, places, size, options, poses
        self.firsts = np.flatnonzero(np.diff(people.labels, prepend=-1))
        self.label_names, self.flag, self.folder = people.label_names, people.flag, people.folder
        self.all_poses = poses is not None and "images_per_id" not in options.explicit
        self.each = len(poses) if self.all_poses else options.images_per_id
        self.labels = np.repeat(np.arange(len(self.label_names), dtype=np.int32), self.each)
        content = [people.digest, poses and poses.digest, self.each, options.random_seed, options.same_latents]
        self.digest = blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()
        self.columns = ("identity_image", "pose_image" if poses else "pose_seed")
        self.sources = {"identity_image": people.folder} | ({"pose_image": poses.folder} if poses else {})
        self._shown = lru_cache(32)(lambda i: decode(people.path(i), size))  # read once for all of a person's poses
        self._face = lru_cache(None)(self._first_readable)
        image = tf.TensorSpec([size, size, 3], tf.uint8)
        self.spec = {"identity_image": image, "identity_chip": tf.TensorSpec([4], tf.float32)}
        self.spec |= {"pose_image": image} if poses else {"pose_code": tf.TensorSpec([options.z_num], tf.float32)}

    def read(self, i):
        face = self._face(i // self.each)
        found = {"identity_image": self._shown(face), "identity_chip": self.places[face]}
        if self.poses:
            return found | {"pose_image": decode(self.poses.path(self.pose(i)), self.size)}
        return found | {"pose_code": np.float32(self._random(i).standard_normal(self.options.z_num))}

    def pose(self, i):
        """Which image of `poses` gives its pose to image i."""
        return i % self.each if self.all_poses else int(self._random(i).integers(len(self.poses)))

    def row(self, i):
        source = self.poses.relative_path(self.pose(i)) if self.poses else "-".join(map(str, self._seeds(i)))
        return [self.people.relative_path(self._face(i // self.each)), source]

    def path(self, i):
        return self.people.path(self._face(i // self.each))

    def _first_readable(self, person):
        """The first of a person's images that can be read; where none can, the first."""
        first, end = (*self.firsts[person : person + 2].tolist(), len(self.people))[:2]
        for i in range(first, end):
            try:
                self._shown(i)
                return i
            except UnreadableImage:
                continue
        return first

    def _random(self, i):
        return np.random.default_rng(self._seeds(i))

    def _seeds(self, i):
        person, image = divmod(int(i), self.each)
        return [self.options.random_seed, 0 if self.options.same_latents else person + 1, image + 1]


class PairInput(Input):
    """One face in the pose of another, of two photographs as they come from a camera: each is cut as `align` does.

    Args:
        options: identity_image, pose_image, asset_dir.
        size: pixels of a side.

    Raises:
        UserError: a file that cannot be read, or in which no face is found.
    """

    def __init__(self, options, size):
        detect = Detector(assets.fetch("dlib_models", options.asset_dir))
        (identity, chip), (pose, _) = (
            _face(getattr(options, flag), flag, detect, size) for flag in ("identity_image", "pose_image")
        )
        self.batch = {"identity_image": identity, "identity_chip": chip, "pose_image": pose}
        self.paths = [Path(options.identity_image), Path(options.pose_image)]
        self.labels, self.label_names = np.array([-1], np.int32), []
        self.flag, self.folder = "--identity_image", ""
        self.digest = blake2b(b"".join(image.tobytes() for image in (identity, pose)), digest_size=16).hexdigest()
        self.columns = ("identity_image", "pose_image")
        self.spec = {key: tf.TensorSpec(value.shape, value.dtype) for key, value in self.batch.items()}

    def read(self, i):
        return self.batch

    def name(self, i):
        return "_as_".join(path.stem for path in self.paths)

    def row(self, i):
        return [path.name for path in self.paths]


def refuse_faceless(index, options):
    """An error where none of the first images of a folder of poses shows a face."""
    detect = Detector(assets.fetch("dlib_models", options.asset_dir))
    for i in range(min(len(index), LOOKED_AT)):
        try:
            if detect(decode_whole(index.path(i))) is not None:
                return
        except UnreadableImage:
            continue
    raise UserError(f"{index.flag}: no face found in the first {min(len(index), LOOKED_AT)} images of {index.folder}: "
                    "cut them with align first")  # fmt: skip


def _face(path, flag, detect, size):
    """(the square around the face of a photograph, uint8 [size, size, 3]; the place of its chip there, float32 [4])."""
    try:
        pixels = read_photograph(Path(path).expanduser())
    except UnreadableImage as error:
        raise UserError(f"--{flag}: {error}") from error
    except NoOutput as error:
        raise UserError(f"--{flag}: {path}: {error}") from error
    face = detect(pixels)
    if face is None:
        raise UserError(f"--{flag}: no face found in {path}")
    left, top, side = crop_square(landmark_box(face.landmarks), pixels.shape[1], pixels.shape[0])
    chip = chips.fractions(chips.place(face.landmarks - (left, top)), side)
    return resize(pixels[top : top + side, left : left + side], size), np.float32(chip)
