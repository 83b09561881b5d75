"""A trained system, ready to use: what --pretrained_gen or --load_path leads to."""

import glob
from dataclasses import dataclass, field
from pathlib import Path

from trainer.face_networks import identity_loss
from trainer.systems import system_class
from trainer.systems.system import System
from trainer.training import checkpoint
from trainer.training.devices import tell_device
from trainer.training.setup import seed_everything, shape_of, with_shape
from utils import runs
from utils.errors import UserError
from utils.files import sha256_of
from utils.flags import FLAGS
from utils.options import Options


@dataclass(frozen=True)
class Loaded:
    """A system with its averaged weights.

    Attributes:
        system: trainer.systems.system.System.
        options: the flags, the run's adopted.
        run: the run folder, or None for a TF1 checkpoint of the published code.
        checkpoint: path of the checkpoint; a prefix for TF1.
        params: the run's params.json; {} for TF1.
    """

    system: System
    options: Options
    run: Path | None
    checkpoint: Path
    params: dict = field(repr=False)

    def maker(self, job):
        """The system's Maker of a job.

        Raises:
            UserError: it makes nothing with it.
        """
        if job not in self.system.makers:
            raise UserError(f"--system {self.options.system} makes nothing with the job {job}")
        return self.system.makers[job]

    def files(self):
        """The checkpoint's files, in order."""
        if self.run is not None:
            return [self.checkpoint]
        data = self.checkpoint.parent.glob(f"{glob.escape(self.checkpoint.name)}.data-*")
        return [Path(f"{self.checkpoint}.index"), *sorted(data)]

    def sha256(self):
        """{file name: SHA-256 in hex} of the checkpoint's files."""
        return {path.name: sha256_of(path) for path in self.files()}


def load_system(options, flag="pretrained_gen"):
    """Build a system and read its averaged weights; prints which checkpoint is taken.

    Args:
        options: the flags. Those that the command line does not name become the run's, for a TF1 checkpoint the widths
            that its shapes show.
        flag: the flag that names the weights, "pretrained_gen" or "load_path".

    Returns:
        Loaded.

    Raises:
        UserError: no such checkpoint, one that does not fit, or a flag that contradicts what the run was trained with.
    """
    found = runs.find_weights(getattr(options, flag), options.log_dir, flag)
    params = runs.read_params(found.run) if found.run else {}
    kind = system_class(params.get("system", options.system))
    if kind.job != "train":
        raise UserError(f"--{flag}: {found.run} is a run of the job {kind.job}, which makes no images")
    if found.run:
        shape = shape_of(params, ("system", *kind.shaping))
        options = runs.adopted(with_shape(options, shape, found.checkpoint), params)
    else:
        if not kind.published:
            raise UserError(f"--{flag} {found.checkpoint}: no TF1 checkpoints of --system {options.system} are known")
        options = with_shape(options, kind.published.options_of(found.checkpoint), found.checkpoint)
    tell_device(options)
    seed_everything(options)  # the same bytes every time, on a GPU too
    counts = kind.label_counts(params)
    for name, source in kind.sources_of(options).items():
        if source.label and found.run and name not in counts:
            raise UserError(f"{found.run / 'params.json'} is damaged: labels has no number of {name}")
    system = kind(options, counts)
    if found.run:
        checkpoint.restore_weights(system, found.checkpoint)
    else:
        kind.published.load(system, found.checkpoint)
    print(f"checkpoint: {found.checkpoint}")
    return Loaded(system, options, found.run, found.checkpoint, params)


def earlier_networks(options, resumed=None):
    """list of --model_defs through which earlier trainings of the weights that a training begins with looked.

    Args:
        options: the flags, of which `--pretrained_gen` names what it starts from.
        resumed: runs.Weights of a run that goes on, whose list it stays.
    """
    if resumed:
        return identity_loss.networks_before(runs.read_params(resumed.run))
    if "pretrained_gen" not in options.explicit:
        return []
    found = runs.find_weights(options.pretrained_gen, options.log_dir, "pretrained_gen")
    return identity_loss.all_networks(looked_through(runs.read_params(found.run)) if found.run else {})


def looked_through(params):
    """{flag: value} of a run's params.json, of what its training looked through, and trainings before it.

    Exported weights are without these parts; their params.json says what they were.

    Raises:
        UserError: what it says of that is damaged.
    """
    if "trained_with" in params:
        if not isinstance(params["trained_with"], dict):
            raise UserError(f"params.json is damaged: trained_with is {params['trained_with']!r}")
        return params["trained_with"]
    before = identity_loss.networks_before(params)
    looked = system_class(params.get("system", FLAGS["system"].default)).looked_through(params)
    return looked | ({identity_loss.BEFORE: before} if before else {})


def starting_weights(options):
    """What `train --pretrained_gen` begins with.

    Networks begin with the run's averaged weights, k_t's where they were; steps count from 0, Adam starts anew. The
    run's widths, image size and colour are taken over. What only training needs is this command line's own.

    Returns:
        (the flags with the run's shape, a function that reads the weights into a system); (the flags, None) without
        the flag.

    Raises:
        UserError: no such run, or a flag that contradicts the shape of its networks.
    """
    if "pretrained_gen" not in options.explicit:
        return options, None
    found = runs.find_weights(options.pretrained_gen, options.log_dir, "pretrained_gen")
    params = runs.read_params(found.run) if found.run else {}
    if not params or system_class(params.get("system")).job != "train":
        raise UserError(f"--pretrained_gen: training starts from a run folder of the job train, not {found.checkpoint}")
    kind = system_class(params["system"])
    wanted = {"system", *kind.shaping} - set(kind.training_only_flags)
    options = with_shape(options, shape_of(params, wanted), found.checkpoint)
    print(f"starting from {found.checkpoint}")
    others = (*kind.training_only_names, "state/step", "state/loss_scale")
    return options, lambda system: checkpoint.restore_weights(system, found.checkpoint, others)
