from types import SimpleNamespace

import numpy as np

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
    assert not shade_sphere(light(key=1.0, gloss=0.1), reach=0.0)[1].any()


def test_open_parts_are_reached_and_hidden_ones_are_not(model):
    directions = np.float32([[0, 0, 1], [0, -1, 0]])
    reach = lighting.visibility(model, directions)
    tip, crown = np.argmax(model.mean[:, 2]), np.argmax(model.mean[:, 1])
    assert reach[tip, 0] == 1 and reach[crown, 1] < 0.2
