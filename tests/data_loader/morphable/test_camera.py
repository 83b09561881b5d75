import dataclasses

import numpy as np
import pytest

from data_loader.morphable import sampling
from data_loader.morphable.camera import DARKEST, Studio, rotation


@pytest.fixture(scope="module")
def studio(model):
    return Studio(model, 48)


@pytest.fixture(scope="module")
def frontal(model):
    shot = sampling.image(model, 0, 1, 1, 0, 0, 0)
    return dataclasses.replace(shot, expression=np.zeros_like(shot.expression), zoom=1.0, shift=(0.0, 0.0))


@pytest.fixture(scope="module")
def head(studio, model):
    return studio.head(sampling.identity(model, 0, 1))


def test_rotation_turns_as_it_says():
    nose = np.array([0.0, 0, 1])
    np.testing.assert_allclose(rotation(90, 0, 0) @ nose, [1, 0, 0], atol=1e-9)  # to the image's right
    np.testing.assert_allclose(rotation(0, 90, 0) @ nose, [0, 1, 0], atol=1e-9)  # up
    np.testing.assert_allclose(rotation(0, 0, 90) @ [0, 1, 0], [1, 0, 0], atol=1e-9)  # clockwise
    turn = rotation(20, 30, 40)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)


def test_face_fills_the_frame_on_black(studio, head, frontal):
    picture = studio.picture(head, frontal)
    assert picture.shape == (48, 48, 3) and picture.dtype == np.uint8
    shown = picture.max(axis=2) >= DARKEST
    assert shown[:, 24].all() and shown.mean() > 0.5  # forehead to neck
    assert (picture[~shown] < DARKEST).all() and (~shown).sum() > 50  # beside the cheeks
    assert (picture[8:40, 16:32].min(axis=(0, 1)) >= DARKEST).all()


def test_skin_is_skin_coloured_in_the_order_red_green_blue(studio, head, frontal):
    cheek = studio.picture(head, frontal)[26:32, 14:34].reshape(-1, 3).astype(float).mean(axis=0)
    assert cheek[0] > cheek[1] > cheek[2]


def test_yaw_moves_the_nose_to_the_right(studio, head, frontal):
    def covered_right(yaw):
        shown = studio.picture(head, dataclasses.replace(frontal, yaw=yaw)).max(axis=2) >= DARKEST
        return shown[24:34, 24:].sum() - shown[24:34, :24].sum()
    assert covered_right(-35) > 10 > -10 > covered_right(35)  # the back of the head goes the other way


def test_people_differ_more_than_nothing_and_pictures_repeat(studio, model, head, frontal):
    other = studio.picture(studio.head(sampling.identity(model, 0, 2)), frontal).astype(float)
    first = studio.picture(head, frontal)
    assert np.abs(other - first).mean() > 5
    np.testing.assert_array_equal(first, studio.picture(head, frontal))


def test_light_from_the_left_lights_the_left(studio, head, frontal):
    light = dataclasses.replace(frontal.light, direction=np.float32([-0.8, 0, 0.6]), key=1.0, ambient=0.2)
    picture = studio.picture(head, dataclasses.replace(frontal, light=light)).astype(float).mean(axis=2)
    assert picture[26:34, 12:22].mean() > 1.3 * picture[26:34, 26:36].mean()


def test_light_stays_where_it_is_when_the_head_turns(studio, head, frontal):
    def brightness(direction, gloss):
        light = dataclasses.replace(frontal.light, direction=np.float32(direction), key=1.0, ambient=0.1, gloss=gloss)
        shot = dataclasses.replace(frontal, yaw=70, pitch=20, light=light)
        return studio.picture(head, shot).astype(float).mean()
    assert brightness([0, 0, 1], 0) > 1.5 * brightness([0, 0, -1], 0)
    assert brightness([0.6, 0, 0.8], 0) > 1.1 * brightness([0, -0.8, 0.6], 0)
    assert brightness([0, 0, 1], 0.5) - brightness([0, 0, 1], 0) > 5
