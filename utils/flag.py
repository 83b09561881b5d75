"""One flag of the command line, and which jobs read which kind of flags."""

from dataclasses import dataclass

BENCHMARK = ("benchmark",)
TRAINING, RENDERING, CROPPING = ("train", *BENCHMARK), ("render",), ("align", "pair", "simulate")
FITTING = ("pair", "simulate")
RECOGNISING, EXPERIMENT = ("train_recognizer", "experiment"), ("experiment",)
RECOGNISER = (*RECOGNISING, *BENCHMARK)
ANY_TRAINING = ("train", *RECOGNISING)
EVALUATION = ("evaluate",)
WRITING = ("generate", "fit")
FILTERING = ("filter",)
MERGING, PACKING, SHOWING = ("merge", "status"), ("package",), ("gallery",)
FACE_NETWORKS = (*ANY_TRAINING, *EVALUATION, *FILTERING)
WEIGHTS = ("generate", "fit", "test", "export")
SHAPE = (*TRAINING, *WEIGHTS)  # that read a flag which shapes weights: of trained ones it may only repeat the run's
INPUTS = (*ANY_TRAINING, *WRITING, "test", *CROPPING, *EVALUATION, *BENCHMARK)  # that read folders of images
RUNS = (*ANY_TRAINING, *WEIGHTS, *EVALUATION, *FILTERING, *SHOWING)  # that make or look for run folders
SEEDED = (*ANY_TRAINING, *WEIGHTS, *RENDERING, *EVALUATION, *BENCHMARK)


@dataclass(frozen=True)
class Flag:
    """One flag; `kind` is int, float, bool or str; `low` and `high` are the ends of its range, both allowed."""

    name: str
    default: object
    help: str
    kind: type
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None
    multiple: int = 1
    jobs: tuple[str, ...] | None = None  # None: every job
    path: str = ""  # "one": a file or folder; "many": several, with commas between; "machine": a folder of this machine
    empty: tuple[str, ...] = ()  # jobs that take no path for it, where another one is the default


def flag(name, default, help, kind=None, **rest):
    """A Flag, of its default's kind where none is named."""
    return Flag(name, default, help, kind or type(default), **rest)


def unused(name, default, why, kind=None):
    """One that the published code had, or read without any effect."""
    return Flag(name, default, f"published: no effect; {why}", kind or type(default), jobs=())
