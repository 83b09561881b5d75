"""The job `train_recognizer`: labelled folders in, a run folder with a face recogniser out."""


from data_loader.generated_folder import is_generated
from data_loader.joined import JoinedIndex
from data_loader.training_sources import folder_names, index_named
from trainer.training import setup
from trainer.training.devices import tell_device
from trainer.training.recognition import train_recognizer
from utils import runs
from utils.errors import UserError


def run(options):
    """Train. Everything that can be wrong with the input is found before anything is written."""
    resumed, options = setup.resumed_run(options, job="train_recognizer")
    runs.check_run_folder(options)
    tell_device(options)
    train_recognizer(options, read_roots(options), resumed=resumed)


def read_roots(options):
    """Index the roots that --dataset names: {"labelled": index} and, where any was generated, "synthetic": index.

    Roots of one kind share one label space, one after the other. Where all roots were generated they take the real
    ones' place. What `filter` kept of a generated folder is a folder like it: nothing is filtered here.

    Raises:
        UserError: a root is missing, named twice or not labelled.
    """
    names = folder_names(options, "dataset")
    if len(set(names)) < len(names):
        raise UserError(f"--dataset {options.dataset}: a folder is named twice")
    parts = {"labelled": [], "synthetic": []}
    for name in names:
        index = index_named(name, options, "dataset", labelled=True)
        parts["synthetic" if is_generated(index.folder, "--dataset") else "labelled"].append(index)
    if not parts["labelled"]:
        print("--dataset: all of it was generated, and is trained on as real images would be (lambda_syn is off)")
        parts = {"labelled": parts["synthetic"]}
    return {name: part[0] if len(part) == 1 else JoinedIndex(part) for name, part in parts.items() if part}
