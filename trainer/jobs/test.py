"""The job `test`: the fixed grid of a trained system, as `--is_train False` of the published code."""

from pathlib import Path

from data_loader import folders
from trainer.jobs.train import fixed_renders
from trainer.training.load import load_trained
from utils import runs
from utils.images import save_grid


def run(options):
    """Write test_G.png and syn_fixed.png, the renders it came from, into the run folder.

    A TF1 checkpoint has no run folder: a new one is made under --log_dir. --load_path wins over --pretrained_gen.
    """
    trained = load_trained(options, "load_path" if options.load_path else "pretrained_gen")
    source = Path(options.data_dir).expanduser() / options.syn_dataset
    cache = Path(options.asset_dir).expanduser() / "index"
    renders = fixed_renders(folders.index_images(source, cache, labelled=True, flag="--syn_dataset"), options)
    images = trained.system.generate_grid(renders)
    folder = trained.run
    if folder is None:
        folder = runs.new_run_folder(options)
        runs.write_params(folder, options)
    save_grid(renders, folder / "syn_fixed.png", options.num_log_samples)
    save_grid(images, folder / "test_G.png", options.num_log_samples)
    print(f"{folder / 'test_G.png'}: {len(renders)} images made from {folder / 'syn_fixed.png'}")
