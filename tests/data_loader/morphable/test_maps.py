"""Depth, normals and mask of a triangle whose place and direction are known."""

import numpy as np

from data_loader.morphable.camera import View, WeakPerspective
from data_loader.morphable.maps import depth, mask, normals


def view(points):
    points = np.float32(points)
    return View(WeakPerspective(1.0, (0.0, 8.0)), points, np.int32([[0, 1, 2]]), 8, 8)


def test_a_triangle_that_faces_the_camera():
    seen = view([(0, 0, 3), (8, 0, 3), (0, 8, 3)])  # nearer by 3 than the middle; from the lower left up
    levels, shown = depth(seen, 2.0), mask(seen, 2.0)
    assert levels.dtype == np.uint16 and levels[7, 0] == 32768 - 8192 * 3 // 2 and levels[0, 7] == 0
    assert shown.dtype == np.uint8 and shown[7, 0] == 255 and shown[0, 7] == 0 and 0 < shown[4, 4] < 255
    assert normals(seen, 2.0)[7, 0].tolist() == [128, 128, 255] and normals(seen, 2.0)[0, 7].tolist() == [0, 0, 0]


def test_one_that_is_turned_to_the_right_and_far_away():
    turned = normals(view([(0, 0, 0), (8, 0, -8), (0, 8, 0)]), 1.0)[6, 1].astype(int)
    assert abs(turned - [218, 128, 218]).max() <= 1  # half a right angle: 127.5 (1 + 0.7071)
    assert depth(view([(0, 0, -99), (8, 0, -99), (0, 8, -99)]), 1.0)[7, 0] == 65535
    assert depth(view([(0, 0, 99), (8, 0, 99), (0, 8, 99)]), 1.0)[7, 0] == 1  # 0 is nothing
