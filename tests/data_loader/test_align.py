"""Finding and cutting out one face, with a detector that finds what it is told."""

import numpy as np
import pytest
from PIL import Image

from data_loader import align
from data_loader.align import Aligner, crop_face
from data_loader.crops import NoOutput
from data_loader.folders import UnreadableImage


def detector(*boxes, seen=None):
    def detect(pixels):
        if seen is not None:
            seen.append(pixels.shape)
        return [{"box": box, "confidence": 0.87654} for box in boxes]

    return detect


def photograph(height, width):
    """Red grows to the right, green downwards."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return pixels


def test_the_largest_face_near_the_centre_is_cut_out():
    pixels = photograph(300, 400)
    crop, values = crop_face(pixels, detector((0, 0, 138, 138), (131, 81, 269, 219)), 50)
    assert crop.shape == (50, 50, 3)
    assert values == [2, "0.8765", 109, 59, 182]  # 138 / (1 - 44 / 182) pixels about (200, 150)
    assert abs(int(crop[25, 25, 0]) - pixels[150, 200, 0]) < 4 and abs(int(crop[0, 0, 1]) - pixels[59, 0, 1]) < 4


def test_large_photographs_are_looked_at_small_and_cut_out_whole():
    seen = []
    _, values = crop_face(photograph(1500, 2000), detector((300, 200, 438, 338), seen=seen), 50)
    assert seen == [(750, 1000, 3)] and values[2:] == [556, 356, 364]  # twice 300...438, 200...338, with its margin


def test_a_strip_is_not_shrunk_to_nothing():
    seen = []
    with pytest.raises(NoOutput, match="no face found"):
        crop_face(photograph(25, 4000), detector(seen=seen), 50)
    assert seen == [(20, 1000, 3)]


def test_no_detector_before_there_is_something_to_look_at(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(align, "open_detector", lambda: opened.append(1) or detector((31, 31, 69, 69)))
    (tmp_path / "broken.jpg").write_bytes(b"no")
    for name, size in (("tiny.png", (400, 19)), ("a.png", (100, 100)), ("b.png", (100, 100))):
        Image.new("RGB", size).save(tmp_path / name)
    aligner = Aligner(tmp_path, tmp_path / "out", 32)
    with pytest.raises(UnreadableImage):
        aligner("broken.jpg", "broken.png")
    with pytest.raises(NoOutput, match="400x19 pixels: smaller than 20"):
        aligner("tiny.png", "tiny.png")
    assert not opened and not (tmp_path / "out").exists()
    for name in ("a.png", "b.png"):
        assert aligner(name, f"deep/{name}") == [f"deep/{name}", 1, "0.8765", 25, 25, 50]
        with Image.open(tmp_path / "out" / "deep" / name) as image:
            assert image.size == (32, 32)
    assert len(opened) == 1
