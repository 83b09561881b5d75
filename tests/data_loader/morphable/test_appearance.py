from dataclasses import replace

import numpy as np
import pytest

from data_loader.morphable import sampling
from data_loader.morphable.appearance import SHADES, Colourist, to_grey
from data_loader.morphable.camera import Studio

SIZE = 96
PLAIN = {"hair_style": "cropped", "glasses": "none", "beard_length": 0.0, "shadow": 0.0, "grey": 0.0, "shade": 1.0,
         "tint": (1.0, 1.0, 1.0), "mottle": 0.03, "brow_opacity": 0.8, "receding": 0.0}  # fits are drawn without more


@pytest.fixture(scope="module")
def colourist(model):
    return Colourist(Studio(model, SIZE))


def found(colourist, grey=False, yaw=10.0, **look):
    """What is found in a picture of a person whose look is changed, lit from the image's right and above."""
    studio = colourist.studio
    who = sampling.identity(studio.model, 4, 2)
    plain = {"beard": "none", "hair": "dark", "hair_opacity": 0.9, **PLAIN}
    who = replace(who, look=replace(who.look, **{**plain, **look}))
    shot = sampling.image(studio.model, 4, 2, 1, 0, 0, 0)
    shot = replace(shot, expression=np.zeros(52), yaw=yaw, zoom=0.8, shift=(0, 0))
    light = replace(shot.light, direction=np.float32([0.8, 0.3, 0.52]), key=1.2, ambient=0.4)
    shot = replace(shot, light=light)
    head = studio.head(who)
    pixels = studio.picture(head, shot)
    return colourist(studio.view(head, shot), shot, to_grey(pixels) if grey else pixels)


def test_light_and_skin_come_back(colourist):
    light, dark = found(colourist, tone=0.15), found(colourist, tone=0.75)
    for appearance in (light, dark):
        assert appearance.light.direction[0] > 0.3 and appearance.light.key > appearance.light.ambient * 0.5
        assert not appearance.grey
    assert light.look.tone + 0.3 < dark.look.tone
    assert abs(light.look.tone - 0.15) < 0.25 and abs(dark.look.tone - 0.75) < 0.25


@pytest.mark.parametrize("yaw", [-40.0, 40.0])
def test_light_is_that_of_the_room_whichever_way_the_head_turns(colourist, yaw):
    assert found(colourist, yaw=yaw).light.direction @ (0.8, 0.3, 0.52) > 0.75


def test_beards_are_seen(colourist):
    assert found(colourist, tone=0.2).look.beard == "none"
    assert found(colourist, tone=0.2, beard="full", beard_opacity=0.9).look.beard == "full"
    assert found(colourist, tone=0.2, beard="moustache", beard_opacity=0.9).look.beard == "moustache"


def test_hair_is_seen(colourist):
    black, fair = (SHADES.index(found(colourist, tone=0.2, hair=hair).look.hair) for hair in ("black", "fair"))
    assert black < fair and SHADES[fair] == "fair"
    assert found(colourist, tone=0.2, hair_style="bald").look.hair_style == "bald"


def test_a_grey_photograph_is_known_as_grey(colourist):
    appearance = found(colourist, grey=True, tone=0.3)
    assert appearance.grey and appearance.look.tint == (1.0, 1.0, 1.0)
    assert appearance.light.direction[0] > 0.3


def test_grey_keeps_the_luminance():
    pixels = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [90, 90, 90]]], np.uint8)
    assert to_grey(pixels)[..., 0].tolist() == [[76, 150], [29, 90]]
