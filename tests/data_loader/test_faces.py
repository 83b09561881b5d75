import numpy as np
import pytest

from data_loader.faces import MARGIN, choose_face, crop_square, landmark_box


def test_the_largest_face_counts_unless_it_is_far_out():
    small, large = (40, 40, 60, 60), (45, 45, 90, 90)  # 400 against 2025 - 1225
    assert choose_face([small, large], 100, 100) == 1
    assert choose_face([(480, 480, 510, 510), (0, 0, 60, 60)], 1000, 1000) == 0  # 900 - 50 against 3600 - 441,800


def test_the_margin_is_the_same_part_of_every_crop():
    assert pytest.approx(44 / 182) == MARGIN
    for height in (69, 138, 276):
        left, top, side = crop_square((500 - height / 4, 300, 500 + height / 4, 300 + height), 1000, 1000)
        assert side == height * 182 // 138
        assert abs(left + side / 2 - 500) <= 1 and abs(top + side / 2 - 300 - height / 2) <= 1


@pytest.mark.parametrize(("box", "expected"), [
    ((-20, -20, 49, 49), (0, 0, 91)),  # moved into the photograph
    ((151, 231, 220, 300), (109, 209, 91)),
    ((0, 0, 190, 190), (0, 0, 200)),  # no larger than the shorter side
    ((90, 90, 90, 90), (90, 90, 1)),
])
def test_the_square_stays_in_the_photograph(box, expected):
    assert crop_square(box, 200, 300) == expected


def test_a_box_around_landmarks_reaches_up_to_the_forehead():
    landmarks = np.random.default_rng(0).uniform((100, 50), (180, 150), (66, 2))
    landmarks = np.concatenate([landmarks, [(100, 50), (180, 150)]])
    assert landmark_box(landmarks) == pytest.approx((100, 16, 180, 145))
