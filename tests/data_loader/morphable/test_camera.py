import dataclasses

import numpy as np
import pytest

from data_loader.morphable import lighting, sampling
from data_loader.morphable.camera import (
    DARKEST,
    Perspective,
    Studio,
    View,
    WeakPerspective,
    from_pose_para,
    rotation,
    to_srgb,
)


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


def test_projections_by_hand():
    points = np.float32([[0, 0, 0], [1, 2, 0], [1, 2, 2], [1, 2, -4]])
    weak = WeakPerspective(10, (50, 40))(points)
    np.testing.assert_allclose(weak, [[50, 40, 0], [60, 20, 0], [60, 20, -2], [60, 20, 4]])
    near = Perspective(10, (50, 40), 4)(points)  # twice as large at z = 2, half at z = -4
    np.testing.assert_allclose(near, [[50, 40, -1], [60, 20, -1], [70, 0, -2], [55, 30, -0.5]])
    far = Perspective(10, (50, 40), 4e5)(points)
    np.testing.assert_allclose(far[:, :2], weak[:, :2], atol=1e-3)
    with pytest.raises(ValueError, match="reach z = 2, the camera stands at 2"):
        Perspective(10, (50, 40), 2)(points)


@pytest.mark.parametrize("camera", [WeakPerspective(8.0, (8, 8)), Perspective(8.0, (8, 8), 6.0)])
def test_depth_normals_and_mask_of_a_slope(camera):
    points = np.float32([[-9, -9, -9], [9, -9, 9], [0, 9, 0]]) / 4  # the plane z = x, which faces (-1, 0, 1)
    view = View(camera, points, np.array([[0, 1, 2]]), 16, 16)
    assert view.mask[8, 8] == 1 and view.mask[0, 0] == 0 and np.isinf(view.depth[0, 0])
    step = (8.5 - 8) / 8  # x where z is 0; in perspective the ray meets the slope at x = 6 step / (6 + step)
    expected = -6 * step / (6 + step) if camera.perspective else -step
    np.testing.assert_allclose(view.depth[8, 8], expected, atol=2e-4)
    np.testing.assert_allclose(view.normals[8, 8], np.array([-1, 0, 1]) / np.sqrt(2), atol=1e-6)
    assert not view.normals[0, 0].any() and view.seen.all()
    flat = view.average(points)[8, 8]
    np.testing.assert_allclose([flat[2], flat[2]], [flat[0], -view.depth[8, 8]], atol=1e-6)


def test_a_view_of_a_head_knows_what_is_hidden(studio, model, head, frontal):
    head = dataclasses.replace(head, worn=None)
    view = studio.view(head, frontal)
    tip, back = np.argmax(view.points[:, 2]), np.argmin(view.points[:, 2])
    assert view.seen[tip] and not view.seen[back]
    nearest = np.unravel_index(view.depth.argmin(), view.depth.shape)
    assert 18 < nearest[1] < 30 and -view.points[tip, 2] <= view.depth.min() < -view.points[tip, 2] + 0.1
    shown = studio.develop(view, head, frontal).max(axis=2) >= DARKEST
    np.testing.assert_array_equal(shown[view.mask >= 0.5], True)
    assert view.normals[28:32, 22:26, 2].mean() > 0.5
    np.testing.assert_allclose(view.screen[tip, :2], np.add(nearest[::-1], 0.5), atol=1)
    weak = Studio(model, 48, projection="weak").view(head, frontal)
    assert view.mask.mean() != weak.mask.mean() and np.abs(view.mask - weak.mask).mean() < 0.1
    with pytest.raises(ValueError, match="perspective, weak"):
        Studio(model, 48, projection="fish")


def test_other_lights_turn_with_the_head(studio, head, frontal):
    def brightness(yaw, phi):
        light = lighting.Phong((0.1,) * 3, (0.8,) * 3, 0.0, phi, 0.0, 1.0)
        return studio.picture(head, dataclasses.replace(frontal, yaw=yaw, light=light)).astype(float).mean()
    # turned to the image's right, the head shows its side on the image's left
    assert brightness(60, -np.pi / 2) > 1.5 * brightness(60, np.pi / 2)
    assert brightness(-60, np.pi / 2) > 1.5 * brightness(-60, -np.pi / 2)
    plain = np.zeros((9, 3))
    plain[0] = 2.0
    assert studio.picture(head, dataclasses.replace(frontal, light=lighting.Harmonics(plain))).mean() > 20


def test_pose_para_by_hand():
    turn, camera = from_pose_para([0, 0, 0, 30, 80, 0, 0.5], height=100)
    np.testing.assert_allclose(turn, np.eye(3), atol=1e-12)
    # 1-based pixel (31, 101 - 82 = 19), whose centre is at (30.5, 18.5)
    np.testing.assert_allclose(camera(np.float32([[2, 4, 0]]))[0, :2], [30.5, 18.5])
    phi, gamma, theta = 0.3, -0.5, 0.2
    about_x = [[1, 0, 0], [0, np.cos(phi), np.sin(phi)], [0, -np.sin(phi), np.cos(phi)]]
    about_y = [[np.cos(gamma), 0, -np.sin(gamma)], [0, 1, 0], [np.sin(gamma), 0, np.cos(gamma)]]
    about_z = [[np.cos(theta), np.sin(theta), 0], [-np.sin(theta), np.cos(theta), 0], [0, 0, 1]]
    turn, _ = from_pose_para([phi, gamma, theta, 0, 0, 0, 1], height=100)
    np.testing.assert_allclose(turn, np.array(about_x) @ about_y @ about_z, atol=1e-12)
    with pytest.raises(ValueError, match="6 numbers"):
        from_pose_para([0] * 6, height=100)


def test_linear_light_is_encoded_as_srgb():
    np.testing.assert_array_equal(to_srgb(np.array([-1, 0, 0.002, 0.214, 1, 9])).astype(int), [0, 0, 6, 127, 255, 255])
