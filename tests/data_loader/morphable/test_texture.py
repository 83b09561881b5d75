import dataclasses

import numpy as np
import pytest

from data_loader.morphable import sampling
from data_loader.morphable.texture import BEARDS, Painter


@pytest.fixture(scope="module")
def painter(model):
    return Painter(model, 256)


@pytest.fixture(scope="module")
def plain(model):
    return dataclasses.replace(sampling.identity(model, 0, 1).look, tone=0.2, hair="dark", beard="none", freckles=0.0,
                               moles=0, lines=0.0, mottle=0.0, grey=0.0, shade=1.0, shadow=0.0,
                               hair_style="cropped")


def skin(painter, look):
    """The skin's texels float [k, 3]."""
    return painter(look)[:painter.side].reshape(-1, 3)[painter.texels["skin"]]


def changed(painter, plain, **changes):
    """Positions float [k, 3] of the skin that these fields darken by more than a twentieth, and how many others."""
    before, after = (skin(painter, look).mean(axis=1)
                     for look in (plain, dataclasses.replace(plain, **changes)))
    assert (after <= before + 1e-6).all()
    return painter.position["skin"][after < 0.95 * before]


@pytest.mark.parametrize("beard", [beard for beard in BEARDS if beard != "none"])
def test_beards_grow_where_they_do(painter, plain, beard):
    x, y, z = changed(painter, plain, beard=beard, beard_opacity=0.8).T
    assert len(x) > 30 and y.max() < 7.0 and y.min() > 6.05
    assert (y.min() > 6.55) == (beard == "moustache") and (np.abs(x).max() > 0.5) == (beard in ("stubble", "full"))
    lips = painter.regions["lips"] > 0.95
    both = [skin(painter, look)[lips] for look in (plain, dataclasses.replace(plain, beard=beard))]
    np.testing.assert_allclose(*both, atol=1e-6)


def test_lines_moles_and_freckles_are_on_the_face(painter, plain):
    for name, value, share in (("lines", 0.7, 0.2), ("moles", 3, 0.03), ("freckles", 1.0, 0.3)):
        x, y, z = changed(painter, plain, **{name: value}).T
        assert 3 < len(x) < share * len(painter.position["skin"]), name
        assert z.min() > 0.6 and 6.2 < y.min() and y.max() < 7.9, name


def test_hair_recedes(painter, plain):
    look = dataclasses.replace(plain, hair_opacity=0.95, hairline=7.9)
    bare = changed(painter, dataclasses.replace(look, receding=0.25), receding=0.0)
    assert len(bare) > 20 and bare[:, 1].min() > 7.6


def test_an_unknown_beard_is_named(painter, plain):
    with pytest.raises(ValueError, match="goatee"):
        painter(dataclasses.replace(plain, beard="long"))
