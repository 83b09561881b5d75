"""The job `fit`: G' over photographs: what the render -> photograph -> render cycle takes them for."""

from pathlib import Path

from data_loader import folders
from trainer.output import provenance
from trainer.output.folder import OutputFolder, target_folder
from trainer.output.writer import Task, translate
from trainer.training.load import load_trained


def run(options):
    """Write <data_dir>/<save_fitting>/ with a render for each photograph of --dataset."""
    trained = load_trained(options)
    target = target_folder("save_fitting", options)
    cache = Path(options.asset_dir).expanduser() / "index"
    index = folders.index_images(Path(options.data_dir).expanduser() / options.dataset, cache, flag="--dataset")
    output = OutputFolder(target, provenance.describe("fit", trained, index, options))
    return translate(Task(index, output, lambda photographs, _: trained.system.fit({"real": photographs})), options)
