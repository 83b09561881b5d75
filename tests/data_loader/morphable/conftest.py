import pytest

from data_loader import assets
from data_loader.morphable.model import load_makehuman


@pytest.fixture(scope="session")
def model():
    return load_makehuman(assets.fetch("morphable_face", "~/.cache/facegan"))
