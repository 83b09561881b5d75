"""KID of what a system makes while it is trained: of the same inputs, to the same photographs, by a judge."""

from hashlib import blake2b

import numpy as np

from data_loader.face_places import known_places
from data_loader.inputs import FolderInput
from trainer.evaluation.image_quality import kernel_distance, kernel_features
from trainer.training.grid import draw, read_batch
from utils.errors import UserError
from utils.images import LUMINANCE

IMAGES = 256  # of each kind, spread over the whole list; ours
LEAST = 4


class TrainingKid:
    """KID (Binkowski et al. 2018) of the images that averaged weights make.

    Inputs and photographs are those of the training: a figure to choose a checkpoint by, not to report.

    Args:
        system: trainer.systems.system.System, with a maker "generate".
        inputs: data_loader.inputs.Input of that maker.
        photographs: data_loader.folders.ImageIndex.
        judge: trainer.face_networks.network.FaceNetwork.

    Attributes:
        content: hex name of the inputs and photographs it looks at.

    Raises:
        UserError: fewer than 4 inputs or photographs.
    """

    def __init__(self, system, inputs, photographs, judge):
        self.system, self.maker, self.judge = system, system.makers["generate"], judge
        for flag, count in ((inputs.flag, len(inputs)), (photographs.flag, len(photographs))):
            if count < LEAST:
                raise UserError(f"--keep_best: KID needs at least {LEAST} images, {flag} has {count}")
        numbers = _spread(len(inputs))
        self.batch = read_batch(self.maker, inputs, numbers)
        index = inputs.index if isinstance(inputs, FolderInput) else None
        self.places = self._places(index, numbers)
        numbers = _spread(len(photographs))
        shown = FolderInput(photographs, system.side, "photograph")
        images = np.stack([shown.read(i)["photograph"] for i in numbers])
        if system.options.grayscale:  # as the training shows them
            images = np.rint(images @ LUMINANCE).astype(np.uint8)[..., None].repeat(3, axis=-1)
        self.content = _name_of(*self.batch.values(), images)
        self.photographs = kernel_features(judge.embed_at(images, self._places(photographs, numbers)))

    @property
    def meaning(self):
        """For people, what is measured."""
        return f"KID to {len(self.photographs)} photographs of the training, features of {self.judge.name}"

    def __call__(self):
        """The KID now, a float. The system's weights are as they were afterwards."""
        with self.system.players.averaged():
            images = draw(self.maker, self.batch)
        return kernel_distance(self.photographs, kernel_features(self.judge.embed_at(images, self.places)))[0]

    def _places(self, index, numbers):
        if index is None or self.judge.alignment == "none":
            return np.full((len(numbers), 4), np.nan, np.float32)
        return known_places(index, self.judge.alignment)[numbers]


def _name_of(*arrays):
    """A hex name of what arrays hold."""
    name = blake2b(digest_size=16)
    for values in arrays:
        name.update(np.ascontiguousarray(values))
    return name.hexdigest()


def _spread(count):
    """At most IMAGES numbers out of so many, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, IMAGES)).round().astype(int))
