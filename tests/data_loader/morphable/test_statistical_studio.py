import dataclasses

import numpy as np
import pytest

from data_loader.morphable import statistical_formats, statistical_sampling, statistics
from data_loader.morphable.camera import DARKEST
from data_loader.morphable.statistical_studio import StatisticalStudio
from tests.data_loader.morphable import published

RANGES = (30, 10, 5)


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    return statistical_formats.load(published.write_3ddfa(tmp_path_factory.mktemp("3ddfa")))


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fits")
    for number in range(5):
        published.write(folder / f"{number}.mat", published.fit(number))
    return statistics.read(folder, (), ())


def shot_of(face, **changes):
    plain = {"expression": np.zeros(3), "yaw": 0.0, "pitch": 0.0, "roll": 0.0, "zoom": 1.0, "shift": (0.0, 0.0),
             "illumination": np.array([0.8, 0.8, 0.8, 0, 0, 0, 0, 0, 0, 1]),
             "colour": np.array([1, 1, 1, 0, 0, 0, 1.0])}
    return dataclasses.replace(statistical_sampling.image(face, 0, 1, 1, *RANGES), **(plain | changes))


def test_samples_depend_on_their_numbers_alone(face):
    def sample(person, index):
        who = statistical_sampling.identity(face, 7, person)
        shot = statistical_sampling.image(face, 7, person, index, *RANGES)
        return (*who.shape, *who.texture, *shot.expression, shot.yaw, shot.pitch, shot.roll, *shot.illumination)
    first = {key: sample(*key) for key in ((1, 1), (1, 2), (2, 1))}
    assert {key: sample(*key) for key in reversed(first)} == first
    assert len(set(first.values())) == 3
    assert first[1, 1][:9] == first[1, 2][:9] != first[2, 1][:9]  # the same person
    assert all(abs(values[12]) <= 30 and abs(values[13]) <= 10 and abs(values[14]) <= 5 for values in first.values())


def test_shape_is_the_models_prior_and_texture_the_fits(face, fits):
    shapes = np.array([statistical_sampling.identity(face, 0, person).shape for person in range(2000)])
    np.testing.assert_allclose(shapes.std(axis=0), [1, 2, 3, 4, 5], rtol=0.1)
    textures = np.array([statistical_sampling.identity(face, 0, person, fits).texture for person in range(2000)])
    np.testing.assert_allclose(textures.mean(axis=0), fits.groups["texture"].mean, atol=0.5)
    shot = statistical_sampling.image(face, 0, 1, 1, *RANGES, fits, frontal=True)
    assert abs(shot.yaw) < 5 and len(shot.expression) == 29 and len(shot.illumination) == 10 and len(shot.colour) == 7


def test_face_fills_the_frame_in_its_colours_on_black(face):
    studio = StatisticalStudio(face, 48)
    picture = studio.picture(studio.head(statistical_sampling.StatisticalIdentity(np.zeros(5), np.zeros(4))),
                             shot_of(face))
    assert picture.shape == (48, 48, 3) and picture.dtype == np.uint8
    np.testing.assert_allclose(picture[24, 24], (160, 120, 96), atol=1)  # 0.8 of the mean colour
    shown = picture.max(axis=2) >= DARKEST
    assert 0.2 < shown.mean() < 0.9 and not picture[~shown].any()


def test_expression_yaw_light_and_colour_show(face):
    studio = StatisticalStudio(face, 48)
    head = studio.head(statistical_sampling.identity(face, 0, 1))
    plain = studio.picture(head, shot_of(face))
    assert (studio.picture(head, shot_of(face, expression=np.full(3, 1.0))) != plain).any()
    turned = studio.view(head, shot_of(face, yaw=40.0))
    assert turned.mask.sum() < 0.95 * studio.view(head, shot_of(face)).mask.sum()
    tip = np.argmax(head.points[:, 2])
    assert turned.camera(turned.points[tip:tip + 1])[0, 0] > 24.3  # its front goes to the right
    light = np.array([0.2, 0.2, 0.2, 0.8, 0.8, 0.8, 0, 1.2, 0, 1])
    lit = studio.picture(head, shot_of(face, illumination=light)).astype(float).mean(axis=2)
    assert lit[20:28, 28:34].mean() > 1.2 * lit[20:28, 14:20].mean()  # azimuth > 0 is to the right
    grey = studio.picture(head, shot_of(face, colour=np.array([1, 1, 1, 0, 0, 0, 0.0])))
    assert np.ptp(grey.astype(int), axis=2).max() <= 1


def test_a_model_with_landmarks_is_framed_between_eyes_and_mouth(face):
    centre, scale = face.frame
    np.testing.assert_allclose(centre[:2], (-1770, 7), atol=1)
    assert scale == pytest.approx(1.2e5, rel=0.01)


def test_a_model_without_landmarks_is_framed_by_its_nose(tmp_path):
    face = statistical_formats.load(published.write(tmp_path / "a.mat", published.bfm_2009()))
    centre, scale = face.frame
    assert centre[2] == face.shape.mean[:, 2].max() and scale == pytest.approx(0.45 * 1.6e5)
    studio = StatisticalStudio(face, 32)
    shot = statistical_sampling.image(face, 0, 1, 1, *RANGES)
    picture = studio.picture(studio.head(statistical_sampling.identity(face, 0, 1)), shot)
    assert (picture.max(axis=2) >= DARKEST).mean() > 0.3
