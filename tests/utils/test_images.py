import numpy as np
from PIL import Image

from utils.images import grid, save_grid, to_uint8


def test_pixels_are_rounded_and_stay_in_range():
    levels = np.array([-3.0, 0.0, 99.4, 99.6, 255.0, 300.0])
    assert to_uint8(levels / 127.5 - 1).tolist() == [0, 0, 99, 100, 255, 255]


def test_grid_lays_rows_two_pixels_apart():
    images = np.stack([np.full((4, 4, 3), value, np.uint8) for value in (10, 20, 30)])
    canvas = grid(images, columns=2)
    assert canvas.shape == (10, 10, 3)
    assert canvas[0, 0, 0] == 10 and canvas[0, 6, 0] == 20 and canvas[6, 0, 0] == 30
    assert canvas[:, 4:6].max() == 0 and canvas[6:, 6:].max() == 0


def test_float_images_are_saved_as_png(tmp_path):
    save_grid(np.ones((1, 4, 4, 3), np.float32), tmp_path / "g.png", 1)
    with Image.open(tmp_path / "g.png") as image:
        assert image.format == "PNG" and np.asarray(image).min() == 255
