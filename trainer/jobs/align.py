"""The `align` job: photographs to face crops of one size, found with MTCNN."""

from pathlib import Path

from data_loader.align import COLUMNS, Aligner
from data_loader.crops import check_folders
from data_loader.faces import MARGIN
from data_loader.outcome import Outcome
from data_loader.training_sources import index_folder
from trainer.training.devices import tell_device


def run(options):
    """Cut the face out of every photograph of data_dir/dataset into data_dir/save_aligned, folders kept.

    One face a photograph, by faces.choose_face; what is around it by faces.crop_square. success.csv says where each
    crop was, failed.csv why there is none. A second run goes on where the first one stopped.

    Args:
        options: data_dir, dataset, save_aligned, size (pixels), image_format, asset_dir.

    Raises:
        UserError: mtcnn is not installed; no photographs; the output folder holds something else.
    """
    data = Path(options.data_dir).expanduser()
    source, folder = data / options.dataset, data / options.save_aligned
    check_folders(source, folder, "--save_aligned", options)
    index = index_folder(options, "dataset")
    files = [index.relative_path(i) for i in range(len(index))]
    settings = {"size": options.size, "image_format": options.image_format, "margin": round(MARGIN, 6),
                "input_content": index.digest}
    tell_device(options)
    with Outcome(folder, "align", ("file", "path", *COLUMNS), settings, "--save_aligned") as outcome:
        outcome.work_through(files, options.image_format, Aligner(source, folder, options.size))
    print(f"align: {len(outcome.succeeded)} faces in {folder}, {len(outcome.failed)} photographs in failed.csv")
