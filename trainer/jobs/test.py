"""The job `test`: the fixed grid of a trained system, as `--is_train False` of the published code."""

from trainer.training.grid import Grid
from trainer.training.load import load_system
from utils import runs


def run(options):
    """Write test_G.png and syn_fixed.png, the inputs it came from, into the run folder.

    A TF1 checkpoint has no run folder: a new one is made under --log_dir. --load_path wins over --pretrained_gen.
    """
    loaded = load_system(options, "load_path" if options.load_path else "pretrained_gen")
    loaded.maker("generate")
    grid, folder = Grid.of(loaded.system, loaded.options, loaded.params), loaded.run
    if folder is None:
        folder = runs.new_run_folder(loaded.options)
        runs.write_params(folder, loaded.options)
    inputs = grid.save_inputs(folder)
    grid.save(folder / "test_G.png")
    print(f"{folder / 'test_G.png'}: {len(grid)} images" + (f" made from {inputs}" if inputs else ""))
