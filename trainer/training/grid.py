"""The fixed grid: what a system makes of the same few inputs, step after step."""

import numpy as np

from utils.images import save_grid, to_float

DRAWN_AT_ONCE = 32  # images of a grid in one batch
INPUTS = "syn_fixed.png"  # in a run folder: the inputs, where they are images


class Grid:
    """A row for each of the first labels of an Input, its first images as columns.

    A row that has fewer images is filled up with black inputs.

    Args:
        maker: trainer.systems.system.Maker.
        inputs: data_loader.inputs.Input that the maker takes.
        rows, columns: at most so many labels, so many images of each.
    """

    def __init__(self, maker, inputs, rows, columns):
        self.maker, self.columns = maker, columns
        shown = np.unique(inputs.labels[inputs.labels >= 0])[:rows]
        rows = len(shown)
        spec = {key: inputs.spec[key] for key, _ in maker.arguments.values()}
        self.batch = {
            key: np.zeros((rows * columns, *value.shape), value.dtype.as_numpy_dtype) for key, value in spec.items()
        }
        for row in range(rows):
            for column, i in enumerate(np.flatnonzero(inputs.labels == shown[row])[:columns]):
                one = inputs.read(int(i))
                for key, values in self.batch.items():
                    values[row * columns + column] = one[key]

    @classmethod
    def of(cls, system, options, params, indexes=None):
        """The grid of what the job `generate` makes, or None where the system makes nothing with it.

        Args:
            options: num_log_id, num_log_samples, and what the maker's input reads.
            params: the run's params.json, or of a new run what it will say of its people.
            indexes: {source: index} of what a training has indexed already.
        """
        maker = system.makers.get("generate")
        if not maker:
            return None
        inputs = maker.open_input(options, params, (), indexes or {})
        return cls(maker, inputs, options.num_log_id, options.num_log_samples)

    def __len__(self):
        return len(next(iter(self.batch.values())))

    def save(self, path):
        """Draw what the system makes of it now into a PNG."""
        save_grid(draw(self.maker, self.batch), path, self.columns)

    def save_inputs(self, folder):
        """Write syn_fixed.png into a run folder, where the inputs are images; returns its path, or None."""
        images = [values for values in self.batch.values() if values.dtype == np.uint8 and values.ndim == 4]
        if not images:
            return None
        save_grid(images[0], folder / INPUTS, self.columns)
        return folder / INPUTS


def read_batch(maker, inputs, numbers):
    """{key: array [n, …]}: what a maker cannot do without, of some of an Input's list."""
    read = [inputs.read(int(i)) for i in numbers]
    return {key: np.stack([one[key] for one in read]) for key, _ in maker.arguments.values()}


def draw(maker, batch):
    """What a maker makes of {key: array [n, …]}, a part at a time: float32 [n, s, s, 3] in [-1, 1]."""
    made = []
    for start in range(0, len(next(iter(batch.values()))), DRAWN_AT_ONCE):
        part = {key: as_tensors(values[start : start + DRAWN_AT_ONCE]) for key, values in batch.items()}
        made.append(maker.make(part, scores=())["image"].numpy())
    return np.concatenate(made)


def as_tensors(values):
    """What a network is given of a batch's array: uint8 images become float32 in [-1, 1]."""
    return to_float(values) if values.dtype == np.uint8 else values
