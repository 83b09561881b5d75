from types import SimpleNamespace

import numpy as np
import pytest

from data_loader.morphable import lighting


def light(direction=(0, 0, 1), key=0.0, ambient=0.0, gloss=0.0):
    return SimpleNamespace(direction=np.array(direction, np.float32), key=key, colour=(1, 1, 1), ambient=ambient,
                           sky=(1, 1, 1), ground=(1, 1, 1), gloss=gloss, gloss_power=20)


def shade_sphere(lamp, reach=1.0):
    normals, directions = lighting.sphere(300), lighting.sphere()
    reach = np.full((300, len(directions)), reach, np.float32)
    view = np.tile(np.float32([0, 0, 1]), (300, 1))
    return normals, lighting.shade(normals, view, lamp, lighting.environment(lamp, directions), directions, reach)


def test_directions_are_even():
    directions = lighting.sphere()
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(directions.mean(axis=0), 0, atol=0.01)


def test_even_light_falls_evenly_on_a_sphere():
    _, shade = shade_sphere(light(ambient=1.0))
    np.testing.assert_allclose(shade[:, :3], 1, atol=0.03)  # the mean of max(cos, 0) over all directions is 1/4


def test_the_key_lights_a_sphere_by_the_cosine():
    normals, shade = shade_sphere(light((0.6, 0, 0.8), key=1.0))
    cosine = normals @ np.float32([0.6, 0, 0.8])
    assert np.corrcoef(np.maximum(cosine, 0), shade[:, 0])[0, 1] > 0.99
    assert shade[cosine < -0.5, 0].max() < 0.01 and 0.8 < shade[:, 0].max() < 1.05


def test_highlight_lies_between_light_and_eye_and_shadow_takes_all():
    normals, shade = shade_sphere(light((0.6, 0, 0.8), key=1.0, gloss=0.1))
    half = np.float32([0.6, 0, 1.8]) / np.hypot(0.6, 1.8)
    assert normals[shade[:, 3].argmax()] @ half > 0.98
    np.testing.assert_array_equal(shade[:, 3:4].repeat(3, axis=1), shade[:, 3:])
    assert not shade_sphere(light(key=1.0, gloss=0.1), reach=0.0)[1].any()


def test_open_parts_are_reached_and_hidden_ones_are_not(model):
    directions = np.float32([[0, 0, 1], [0, -1, 0]])
    reach = lighting.visibility(model, directions)
    tip, crown = np.argmax(model.mean[:, 2]), np.argmax(model.mean[:, 1])
    assert reach[tip, 0] == 1 and reach[crown, 1] < 0.2


def test_phong_by_hand():
    numbers = [0.1, 0.2, 0.3, 1.0, 0.5, 0.25, 0.0, np.pi / 2, 51, 2]  # light from the right; 51 of 255 is 0.2
    phong = lighting.Phong.from_numbers(np.array([numbers]))
    np.testing.assert_allclose(phong.direction, [1, 0, 0], atol=1e-12)
    normals = np.float32([[1, 0, 0], [0.6, 0, 0.8], [-1, 0, 0], [0, 0, 1]])
    shade = phong(normals)
    np.testing.assert_allclose(shade[:, 0], [1.1, 0.7, 0.1, 0.1], atol=1e-6)
    np.testing.assert_allclose(shade[:, 2], [0.55, 0.45, 0.3, 0.3], atol=1e-6)
    shine = np.array([0.5, 1.4 ** 2 / 2, 0, 0.5])  # (n.h)^2, h = (1, 0, 1) / sqrt 2
    np.testing.assert_allclose(shade[:, 3], 0.2 * shine, atol=1e-6)
    np.testing.assert_allclose(shade[:, 5], 0.05 * shine, atol=1e-6)
    up = lighting.Phong.from_numbers([0] * 6 + [np.pi / 6, 0, 0, 1]).direction
    np.testing.assert_allclose(up, [0, 0.5, np.sqrt(0.75)])
    with pytest.raises(ValueError, match="9 numbers"):
        lighting.Phong.from_numbers(numbers[:9])


def test_harmonics_are_orthonormal_and_light_as_they_say():
    normals = lighting.sphere(4000)
    basis = lighting.harmonics(normals)
    np.testing.assert_allclose(basis.T @ basis * 4 * np.pi / 4000, np.eye(9), atol=2e-3)
    coefficients = np.zeros((9, 3))
    coefficients[0, 0], coefficients[1, 1], coefficients[3, 2] = np.sqrt(4 * np.pi) * np.array([1, 1, 1])
    shade = lighting.Harmonics(coefficients)(np.float32([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, -1, 0]]))
    root = np.sqrt(3)
    np.testing.assert_allclose(shade[:, :3], [[1, root, 0], [1, 0, root], [1, 0, 0], [1, 0, 0]], atol=1e-6)
    assert not shade[:, 3:].any()


def test_colours_are_greyed_then_gained_then_moved():
    colour = np.float32([[[1.0, 0.5, 0.0]]])  # grey is 0.3 + 0.295 = 0.595
    changed = lighting.recolour(colour, [2, 1, 0.5, 0, 25.5, -25.5, 0.5])
    np.testing.assert_allclose(changed, [[[2 * 0.7975, 0.5475 + 0.1, 0.5 * 0.2975 - 0.1]]], atol=1e-6)
    np.testing.assert_allclose(lighting.recolour(colour, [1, 1, 1, 0, 0, 0, 1]), colour)
    with pytest.raises(ValueError, match="6 numbers"):
        lighting.recolour(colour, [1] * 6)
