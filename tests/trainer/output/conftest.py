"""An exported model and what the job `generate` makes, for those who serve it."""

import numpy as np
import pytest

import main
from data_loader import folders


@pytest.fixture(scope="session")
def exported(trained_run, tmp_path_factory):
    """A folder with the SavedModel model/1, renders.npy uint8 [5, 16, 16, 3], and generate's out/."""
    folder = tmp_path_factory.mktemp("exported")
    assert main.main(trained_run.words("export", "--export_dir", folder / "model")) == 0
    words = trained_run.words("generate", "--save_syn_dataset", folder / "out", "--image_format", "png")
    assert main.main(words) == 0
    paths = sorted((trained_run.data / "syn").rglob("*.png"))[:5]
    np.save(folder / "renders.npy", np.stack([folders.decode(path, 16) for path in paths]))
    return folder
