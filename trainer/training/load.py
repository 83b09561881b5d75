"""A trained system, ready to use: what --pretrained_gen or --load_path leads to."""

import glob
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from trainer.published import tf1_import
from trainer.systems import SYSTEMS, system_class
from trainer.systems.system import System
from trainer.training import checkpoint, setup
from utils import runs
from utils.errors import UserError

# Flags that shaped the weights: they come from the run, and the command line may only repeat them.
SHAPING = (
    *("system", "input_scale_size", "conv_hidden_num", "conv_hidden_num_back", "conv_hidden_num_res", "num_res_rep"),
    *("z_num", "method_c", "relax_c", "model_def", "embedding_size", "grayscale"),
)


IDENTITY = ("method_c", "relax_c", "model_def", "embedding_size")  # those of the identity loss, not of G, G', D_R, D_S


@dataclass(frozen=True)
class Trained:
    """A system with its averaged weights.

    Attributes:
        system: trainer.systems.system.System, dropout off in all that it hands out.
        run: the run folder, or None for a TF1 checkpoint of the published code.
        checkpoint: path of the checkpoint; a prefix for TF1.
        params: the run's flags, n_id and label_names; {} for TF1.
    """

    system: System
    run: Path | None
    checkpoint: Path
    params: dict = field(repr=False)

    def files(self):
        """The checkpoint's files, in order."""
        if self.run is not None:
            return [self.checkpoint]
        data = self.checkpoint.parent.glob(f"{glob.escape(self.checkpoint.name)}.data-*")
        return [Path(f"{self.checkpoint}.index"), *sorted(data)]

    def sha256(self):
        """{file name: SHA-256 in hex} of the checkpoint's files."""
        return {path.name: _sha256(path) for path in self.files()}


def load_trained(options, flag="pretrained_gen"):
    """Build a system and read its averaged weights; prints which checkpoint is taken.

    Args:
        options: the flags. Those that the command line does not name become the run's, for a TF1 checkpoint the widths
            that its shapes show.
        flag: the flag that names the weights, "pretrained_gen" or "load_path".

    Returns:
        Trained.

    Raises:
        UserError: no such checkpoint, one that does not fit, or a flag that contradicts what the run was trained with.
    """
    found = runs.find_weights(getattr(options, flag), options.log_dir, flag)
    if found.run is None:
        trained_with = tf1_import.published_options(found.checkpoint)
        params, n_id = {}, 1
    else:
        trained_with = params = runs.read_params(found.run)
        if params.get("system") == setup.RECOGNIZER:
            raise UserError(f"--{flag}: {found.run} holds a face recogniser, which generates no images")
        n_id = params["n_id"]
    _take_shape(options, trained_with, found.checkpoint)
    if found.run is not None:
        runs.adopt(options, found.run)
    setup.seed_everything(options)  # the same bytes every time, on a GPU too
    system = system_class(options.system)(options, n_id)
    if found.run is None:
        tf1_import.load_published(system, found.checkpoint)
    else:
        checkpoint.restore_weights(system, found.checkpoint)
    print(f"checkpoint: {found.checkpoint}")
    return Trained(system, found.run, found.checkpoint, params)


def starting_weights(options):
    """What `train --pretrained_gen` begins with: a function that reads it into a system; None without the flag.

    Networks begin with the run's averaged weights, k_t's where they were; steps count from 0, Adam starts anew. The
    run's widths, image size and colour are taken over. The identity loss is this command line's own.

    Raises:
        UserError: no such run, or a flag that contradicts the shape of its networks.
    """
    if "pretrained_gen" not in options.explicit:
        return None
    found = runs.find_weights(options.pretrained_gen, options.log_dir, "pretrained_gen")
    trained_with = runs.read_params(found.run) if found.run else {}
    if trained_with.get("system") not in SYSTEMS or trained_with["system"] == setup.RECOGNIZER:
        raise UserError(f"--pretrained_gen: training starts from a run folder of the job train, not {found.checkpoint}")
    _take_shape(options, {k: v for k, v in trained_with.items() if k not in IDENTITY}, found.checkpoint)
    print(f"starting from {found.checkpoint}")
    others = ("identity_network/", "state/identity/", "state/step", "state/loss_scale")
    return lambda system: checkpoint.restore_weights(system, found.checkpoint, others)


def _take_shape(options, trained_with, source):
    for name in SHAPING:
        if name in trained_with:
            if name in options.explicit and getattr(options, name) != trained_with[name]:
                raise UserError(f"--{name} {getattr(options, name)}: {source} was trained with {trained_with[name]}")
            setattr(options, name, trained_with[name])


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
