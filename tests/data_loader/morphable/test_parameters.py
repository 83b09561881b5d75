import csv

import numpy as np

from data_loader.morphable import parameters, sampling


def test_a_light_comes_back_from_its_numbers(model):
    light = sampling.image(model, 0, 1, 1, 30, 10, 5).light
    numbers = parameters.light_numbers(light)
    assert len(numbers) == len(parameters.LIGHT)
    np.testing.assert_allclose(parameters.light_numbers(sampling.light_from(numbers)), numbers, rtol=1e-6)
    named = dict(zip(parameters.LIGHT, numbers, strict=True))
    assert (named["light_key"], named["light_ambient"], named["gloss"]) == (light.key, light.ambient, light.gloss)
    assert (named["ground_red"], named["sky_blue"]) == (light.ground[0], light.sky[2])


def test_a_mean_of_lights_is_mended():
    light = sampling.light_from([0, 0, 0.1, -1, *[0.5] * 11, -2])
    np.testing.assert_array_equal(light.direction, [0, 0, 1])
    assert light.key == 0 and light.gloss_power == 1


def test_lines_are_csv_that_other_programs_read():
    assert len(parameters.LANDMARKS) == 204 and parameters.LANDMARKS[:4] == ("x_1", "y_1", "visible_1", "x_2")
    points = np.arange(136).reshape(68, 2) + 0.25
    fields = ["a,b.png", 1, 0.123456, *parameters.landmark_numbers(points, points[:, 0] > 3)]
    row = next(csv.reader([parameters.csv_line(fields)]))
    assert row[:9] == ["a,b.png", "1", "0.1235", "0.2", "1.2", "0", "2.2", "3.2", "0"] and len(row) == 207
    assert parameters.csv_line([1]) == "1\n"
