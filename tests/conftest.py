"""Settings of all tests."""

from functools import cache

import pytest
from hypothesis import settings

from tests.small import untraced

settings.register_profile("any machine", deadline=None)  # a loaded machine is no fault of the code
settings.load_profile("any machine")


@pytest.fixture(scope="module")
def face_read_once():
    """The MakeHuman face is read once for all tests of a file: it takes longer than to draw a few pictures of it."""
    from data_loader import portraits
    from data_loader.morphable import sources

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "load_makehuman", read := cache(sources.load_makehuman))
        patch.setattr(portraits, "load_makehuman", read)
        yield


@pytest.fixture(name="untraced")
def without_tracing():
    """A test whose few steps are not worth a tracing."""
    with untraced():
        yield
