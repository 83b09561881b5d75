"""The command line: python main.py [JOB] [flags]. Picks the job, nothing else."""

import errno
import importlib
import os
import sys

from trainer.face_networks.table import KINDS, MODEL_DEFS
from trainer.systems import SYSTEMS, help_of_system, refuse_other_flags
from utils import command_line, environment
from utils.errors import UserError
from utils.quiet import quiet_start

JOBS = {  # the file of each is trainer/jobs/<name>.py
    "demo": "fetch faces, render, train a few minutes, generate, show where to look",
    "render": "draw labelled faces of a morphable model into a folder",
    "align": "cut the face out of every photograph (needs requirements-faces.txt)",
    "pair": "fit the face model to photographs: pairs of photograph and render",
    "simulate": "turn the faces of photographs to the side: labelled views, for a refiner such as DA-GAN's",
    "train": "train a system on renders and photographs",
    "train_recognizer": "train a face recogniser on labelled folders",
    "generate": "turn renders into a labelled data set of generated photographs",
    "merge": "complete a folder that shards of generate have written, or name those that are missing",
    "status": "how far a folder of generated images has come",
    "gallery": "a page to look at a folder of images: people, scores, what they were made of; scrolls through 100,000",
    "package": "pack a finished folder into WebDataset, Parquet, TFRecord or zip files, with its card and checksums",
    "filter": "keep the generated images whose scores are good enough, in a folder of their own",
    "fit": "turn photographs into renders with G'",
    "test": "write the fixed grid of a trained system",
    "evaluate": "judge faces by a face network: separability, leakage, FID, LFW, IJB-A; a report",
    "experiment": "compare recognisers trained with and without generated data; a report",
    "export": "write a SavedModel for TensorFlow Serving",
    "benchmark": "time training, generation, reading or rendering here; a line of JSON",
    "fidelity": "replay a reference run of the published code and print the differences",
}
CHOICES = {"system": SYSTEMS, "recognizer": KINDS, "model_def": MODEL_DEFS}  # flag -> the list of its values
DISK = (  # what a disk, or the rights on it, may say to a path that the user gave
    *("ENOSPC", "EDQUOT", "EFBIG", "EACCES", "EPERM", "EROFS", "EIO", "ENAMETOOLONG", "ENOTDIR", "EISDIR", "ELOOP"),
    *("EMFILE", "ENFILE", "ESTALE", "ENODEV", "ENXIO", "ETIMEDOUT"),
)


def main(argv):
    """Run one job; returns the exit status: 0, 1 (the job's own 'no') or 2 (a mistake in what the user gave)."""
    environment.pin_keras()
    try:
        job, options = command_line.parse(argv, JOBS, CHOICES)
        if job == "help":
            named, flags = options.help_for, options.flags
            print(command_line.help_text(JOBS, named, CHOICES, *help_of_system(named, flags)))
            return 0
        refuse_other_flags(job, options)
        if not options.use_gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # TensorFlow would take all of a GPU's memory
        with quiet_start():
            module = importlib.import_module(f"trainer.jobs.{job}")
        return module.run(options) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if errno.errorcode.get(error.errno) not in DISK:
            raise
        print(f"error: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        return 2
    except Exception as error:
        if not _out_of_memory(error):
            raise
        what = (str(error).strip().splitlines() or ["all is taken"])[0][:200]
        print(f"error: not enough memory: {what}; a smaller --batch_size or smaller images need less", file=sys.stderr)
        return 2


def _out_of_memory(error):
    """Whether Python, NumPy or TensorFlow, where a job has imported it, got no more memory."""
    tensorflow = sys.modules.get("tensorflow")
    kinds = (MemoryError, tensorflow.errors.ResourceExhaustedError) if tensorflow else MemoryError
    return isinstance(error, kinds)


if __name__ == "__main__":
    environment.keep_streams()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # of a job that does not wait for a good moment; what it writes is whole or not there
        print("stopped by SIGINT; what is done is kept where the job can go on", file=sys.stderr)
        sys.exit(130)
