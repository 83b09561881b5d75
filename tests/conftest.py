"""Settings of all tests."""

import pytest
from hypothesis import settings

from tests.small import untraced

settings.register_profile("any machine", deadline=None)  # a loaded machine is no fault of the code
settings.load_profile("any machine")


@pytest.fixture(name="untraced")
def without_tracing():
    """A test whose few steps are not worth a tracing."""
    with untraced():
        yield
