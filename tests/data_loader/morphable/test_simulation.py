"""Heads of which everything is known, drawn, taken for photographs and turned."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter

from data_loader.morphable.camera import View, camera_of, rotation
from data_loader.morphable.fitting import Fit, head_of
from data_loader.morphable.projection import Picture
from data_loader.morphable.simulation import PLAIN, Simulator

SIZE, ROOM = 64, 40  # of the crop, and around it
WALL = (0, 0, 255)


@pytest.fixture(scope="module")
def simulator(model):
    return Simulator(model, SIZE, "photograph")


def photograph(model, yaw):
    """A person whose two sides are alike, before a blue wall: (uint8 [h, w, 3], square, the Fit that drew it)."""
    macro, shape = np.zeros(len(model.macro.names)), np.zeros(len(model.shape.names))
    macro[0] = 0.5
    expression, whole = np.zeros(len(model.expression.names)), SIZE + 2 * ROOM
    fit = Fit(macro, shape, expression, yaw, 0.0, 0.0, 0.8, (0.0, 0.0), np.zeros((68, 2)), 0.0)
    head, place = head_of(model, macro, shape), model.mean * (1, 1, 1)
    grain = 30 * np.sin(9 * place[:, 1:2]) * np.sin(7 * abs(place[:, :1]) + 5 * place[:, 2:])
    view = View(camera_of(whole, head.scale, replace(fit, zoom=0.8 * SIZE / whole)),
                (head.points @ rotation(yaw, 0, 0).T).astype(np.float32), model.corners[model.triangles], whole, whole)
    picture = view.average((np.float32([190, 140, 110]) + grain).astype(np.float32))
    picture += (1 - view.mask[..., None]) * np.float32(WALL)
    return picture.round().astype(np.uint8), (ROOM, ROOM, SIZE), fit


def crop(pixels):
    return pixels[ROOM:-ROOM, ROOM:-ROOM].astype(float)


def test_at_its_own_yaw_a_view_is_the_photograph(model, simulator):
    pixels, square, fit = photograph(model, 20)
    view, _, shown = simulator(pixels, square, fit)(20)
    assert abs(view - crop(pixels)).mean() < 4 and shown > 0.6


def test_at_its_own_yaw_a_view_is_as_sharp_as_the_photograph(model, simulator):
    """Blurred it would have what a discriminator of photographs sees before all else."""
    pixels, square, fit = photograph(model, 0)
    noise = gaussian_filter(np.random.default_rng(4).normal(0, 40, pixels.shape[:2]), 0.7)[..., None]
    pixels = (0.8 * pixels + 25 + noise).round().clip(0, 255).astype(np.uint8)
    view, drawn, _ = simulator(pixels, square, fit)(0)
    fine = [image - gaussian_filter(image, (1, 1, 0)) for image in (view.astype(float), crop(pixels))]
    for shown in (drawn.mask > 0.99, ~binary_dilation(drawn.mask > 0, iterations=6)):
        ours, theirs = (image[shown].std() for image in fine)
        assert 0.85 * theirs < ours < 1.1 * theirs


def test_the_hidden_side_is_the_mirrored_one(model, simulator):
    """The person is the same on both sides, so that a view to the right is the photograph to the left, mirrored."""
    pixels, square, fit = photograph(model, -30)
    subject = simulator(pixels, square, fit)
    view, drawn, shown = subject(30)
    seen, mirrored = np.moveaxis(drawn.average(subject.skin.values[:, 4:6]), 2, 0)
    hidden = (seen < 0.1) & (mirrored > 0.9)
    assert hidden.sum() > 200 and shown < 0.6
    here, truth = view[hidden].mean(axis=1), crop(pixels)[:, ::-1][hidden].mean(axis=1)
    assert np.corrcoef(here, truth)[0, 1] > 0.9 and abs(here - truth).mean() < 8


def test_no_wall_is_seen_on_the_face_nor_a_hole(model, simulator):
    pixels, square, fit = photograph(model, 0)
    subject = simulator(pixels, square, fit)
    for yaw in (-90, -45, 45, 90):
        view, drawn, _ = subject(yaw)
        red, blue = view[..., 0].astype(int), view[..., 2].astype(int)
        inside, around = drawn.mask > 0.99, ~binary_dilation(drawn.mask > 0, iterations=6)
        assert (blue - red < 60)[inside].mean() > 0.99, yaw  # skin is red
        assert around.sum() > 50 and abs(view[around].astype(int) - WALL).max() < 12, yaw


def test_what_was_behind_the_head_has_the_texture_of_the_wall(model, simulator):
    """Smoothly filled it would have none, and a refiner would draw strokes there."""
    pixels, square, fit = photograph(model, 0)
    noise = gaussian_filter(np.random.default_rng(3).normal(0, 60, pixels.shape[:2]), 1)[..., None]
    wall = (pixels == WALL).all(axis=2, keepdims=True)
    pixels = np.where(wall, (150, 150, 200) + noise, pixels).round().clip(0, 255).astype(np.uint8)
    subject = simulator(pixels, square, fit)
    (_, front, _), (view, side, _) = subject(0), subject(90)
    free = ~binary_dilation(side.mask > 0, iterations=3)
    behind, elsewhere = free & (front.mask > 0.99), free & ~binary_dilation(front.mask > 0, iterations=8)
    fine = view - gaussian_filter(view.astype(float), (2, 2, 0))
    assert behind.sum() > 50 < elsewhere.sum() and fine[behind].std() > 0.5 * fine[elsewhere].std()
    assert abs(view[behind].mean(axis=0) - (150, 150, 200)).max() < 10


def test_large_views_of_a_small_photograph_do_not_make_it_large(model):
    pixels, square, fit = photograph(model, 0)
    picture = Simulator(model, 8 * SIZE, "plain")(pixels, square, fit).skin.picture.pixels
    assert picture.shape[0] <= 2 * len(pixels)


def test_a_plain_background_is_grey(model):
    pixels, square, fit = photograph(model, 0)
    view, drawn, _ = Simulator(model, SIZE, "plain")(pixels, square, fit)(60)
    around = ~binary_dilation(drawn.mask > 0, iterations=6)
    assert around.sum() > 50 and (view[around] == PLAIN).all()


def test_a_difference_of_light_makes_no_seam(model, simulator):
    """Looked at from the front, a face whose right half has half the light, and of which x > 0.3 is hidden."""
    line = np.linspace(-2, 2, 400)
    pattern = 20 * np.sin(14 * line)  # along y, the same on both sides
    lit = np.where(line > 0, 60, 120) + pattern[:, None]
    picture = Picture(np.repeat(lit[..., None], 3, axis=2).astype(np.float32), (-2.0, -2.0), (100.0, 100.0))
    places = model.mean[:, :2] - np.float32([0, 7])
    seen = (places[:, 0] < 0.3).astype(float)
    joined = simulator.projector(seen, seen, places, picture, None).values[:, 6]
    a, b = model.corners[model.triangles[:, :2]].T
    front = model.mean[:, 2] > 0.9
    across = (seen[a] != seen[b]) & front[a]
    assert np.median(abs(joined[a] - joined[b])[across]) < 10  # the plain mirror would jump by 60
    hidden = front & (places[:, 0] > 0.35) & (model.normals(model.mean)[:, 2] > 0.5)  # not what lies in the mouth
    there = np.interp(places[hidden, 1], line, pattern)
    assert np.corrcoef(joined[hidden], there)[0, 1] > 0.8  # its pattern comes from the other side
    assert abs((joined[hidden] - there).mean() - 60) < 20  # and its light from its own


def test_a_picture_is_looked_up_between_its_pixels():
    pixels = np.zeros((2, 3, 3), np.float32)
    pixels[..., 0] = [[0, 10, 20], [100, 110, 120]]
    picture = Picture(pixels, (-0.5, 0.0), (2.0, 2.0))
    places = np.float32([[-0.25, 0.25], [0.0, 0.25], [0.25, 0.5], [9, 9]])
    np.testing.assert_allclose(picture(places)[:, 0], [0, 5, 60, 120])
    assert picture.inside(np.float32([[0.2, 0.4], [-0.6, 0.4], [1.2, 0.4]])).tolist() == [True, False, False]
