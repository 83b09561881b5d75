"""Labels, pairs, the errors a user can make, and decoding of every format."""

import io
import os
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data_loader.folders import (
    UnreadableImage,
    decode,
    decode_whole,
    index_images,
    index_pairs,
    readable_batches,
    upright_size,
)
from utils.errors import UserError

RAMP = np.linspace(0, 255, 24 * 24 * 3).astype(np.uint8).reshape(24, 24, 3)


def save(path, pixels=RAMP, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels)).save(path, **options)
    return path


def touch(folder, *files):
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


READ = ".jpg, .jpeg, .jpe, .jfif, .png, .bmp, .webp, .gif, .tif, .tiff, .avif, .ppm, .pgm, .pnm"


@settings(deadline=None, max_examples=30)
@given(names=st.lists(st.one_of(st.integers(0, 1000).map(str), st.text("abZ01_", min_size=1, max_size=5)),
                      unique=True, min_size=1, max_size=8), images=st.integers(1, 3))
def test_labels_are_the_first_folder_level(tmp_path_factory, names, images):
    root = tmp_path_factory.mktemp("labels")
    touch(root / "set", *(f"{name}/deep/{k}.png" for name in names for k in range(images)), "beside.png")
    index = index_images(root / "set", root / "cache", labelled=True, min_per_label=images)
    assert sorted(index.label_names) == sorted(names) and len(index) == images * len(names)
    assert index.labels.dtype == np.int32 and set(index.labels) == set(range(len(names)))
    for i in range(len(index)):
        assert index.relative_path(i).partition("/")[0] == index.label_names[index.label(i)]


def test_numeric_labels_sort_as_numbers(tmp_path):
    touch(tmp_path / "set", *(f"{name}/1.png" for name in (10, 9, 1, 100)))
    assert index_images(tmp_path / "set", tmp_path / "cache", labelled=True).label_names == ["1", "9", "10", "100"]


def test_an_unlabelled_folder_has_no_labels(tmp_path):
    touch(tmp_path / "set", "1/1.png", "2.jpeg", "3dmm/4.bmp")
    index = index_images(tmp_path / "set", tmp_path / "cache", exclude=("3dmm",))
    assert [index.relative_path(i) for i in range(len(index))] == ["1/1.png", "2.jpeg"]
    assert index.label_names == [] and index.labels.tolist() == [-1, -1]


def test_nothing_is_written_into_the_folder(tmp_path):
    touch(tmp_path / "set", "1/1.png")
    before = sorted(os.walk(tmp_path / "set"))
    os.chmod(tmp_path / "set", 0o555)
    index_images(tmp_path / "set", tmp_path / "cache", labelled=True)
    assert sorted(os.walk(tmp_path / "set")) == before


@pytest.mark.parametrize(("files", "options", "message"), [
    (None, {}, "--x: no such folder: {set}"),
    ([], {}, "--x: no images in {set} ({read} are read)"),
    (["notes.txt"], {}, "--x: no images in {set} ({read} are read)"),
    ([], {"labelled": True}, "--x: no images in {set} ({read} are read)"),
    (["a/1.HEIC", "a/2.heic", "b/3.cr2"], {},
     "--x: no images in {set} ({read} are read, not 3 images that cannot be read (1 .cr2, 2 .heic), for one a/1.HEIC)"),
    (["1.jpg"], {"labelled": True}, "--x: images but no label folders (expected <label>/<file>) in {set}"),
    (["a/1.jpg", "a/2.jpg", "b/1.jpg", "c/1.jpg"], {"labelled": True, "min_per_label": 2},
     "--x: label folder {set}/b needs at least 2 images, has 1"),
])
def test_user_errors_of_a_folder(tmp_path, files, options, message):
    folder = tmp_path / "set"
    if files is not None:
        folder.mkdir()
        touch(folder, *files)
    with pytest.raises(UserError, match=f"^{re.escape(message.format(set=folder, read=READ))}$"):
        index_images(folder, tmp_path / "cache", flag="--x", **options)


def test_a_file_is_no_folder(tmp_path):
    touch(tmp_path, "set")
    with pytest.raises(UserError, match="--dataset: not a folder: .*set$"):
        index_images(tmp_path / "set", tmp_path / "cache")


def test_pairs_match_by_name_whatever_the_ending(tmp_path):
    touch(tmp_path / "set", "1.jpg", "2.jpg", "2-b.jpg", "sub/3.png", "4.jpg", "4.png",
          "3dmm/1.jpg", "3dmm/2.png", "3dmm/2-b.jpg", "3dmm/sub/3.jpg", "3dmm/4.jpg", "3dmm/4.png", "3dmm/more.jpg")
    pairs = index_pairs(tmp_path / "set", tmp_path / "cache")
    found = {pairs.relative_path(i): os.path.relpath(pairs.render_path(i), pairs.folder) for i in range(len(pairs))}
    assert found == {"1.jpg": "3dmm/1.jpg", "2.jpg": "3dmm/2.png", "2-b.jpg": "3dmm/2-b.jpg",
                     "sub/3.png": "3dmm/sub/3.jpg", "4.jpg": "3dmm/4.jpg", "4.png": "3dmm/4.png"}
    assert pairs.files(0) == (pairs.path(0), pairs.render_path(0))


@pytest.mark.parametrize(("files", "message"), [
    (["1.jpg", "2.jpg", "3.jpg", "3dmm/1.jpg"], "--dataset_3dmm: 2 of 3 photographs .* no render in 3dmm.*: 2.jpg$"),
    (["1.jpg"], "--dataset_3dmm: no such folder: .*3dmm$"),
    (["3dmm/1.jpg"], "--dataset_3dmm: no images in .*set \\(.jpg"),
])
def test_user_errors_of_pairs(tmp_path, files, message):
    touch(tmp_path / "set", *files)
    with pytest.raises(UserError, match=message):
        index_pairs(tmp_path / "set", tmp_path / "cache")


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "webp", "gif", "tif", "tiff", "TIF",
                                    "ppm", "pnm", "avif", "PNG"])
def test_an_image_of_the_size_keeps_its_pixels(tmp_path, ending):
    path = save(tmp_path / "set" / f"1.{ending}")
    assert index_images(tmp_path / "set", tmp_path / "cache").files(0) == (str(path),)
    pixels = decode(path, 24)
    assert pixels.dtype == np.uint8 and pixels.shape == (24, 24, 3)
    np.testing.assert_array_equal(pixels, np.asarray(Image.open(path).convert("RGB")))


def test_grey_palette_cmyk_and_16_bit_become_rgb(tmp_path):
    grey = RAMP[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(decode(save(tmp_path / "1.pgm", grey), 24), expected)
    np.testing.assert_array_equal(decode(save(tmp_path / "2.png", grey), 24), expected)
    np.testing.assert_array_equal(decode(save(tmp_path / "3.png", grey.astype(np.uint16) * 257), 24), expected)
    wide = (grey.astype(">u2") * 257).tobytes()
    (tmp_path / "4.pgm").write_bytes(b"P5 24 24 65535\n" + wide)
    np.testing.assert_array_equal(decode(tmp_path / "4.pgm", 24), expected)
    Image.fromarray(grey).convert("P").save(tmp_path / "5.png")
    np.testing.assert_array_equal(decode(tmp_path / "5.png", 24), expected)
    Image.fromarray(RAMP).convert("CMYK").save(tmp_path / "6.jpg", quality=100)
    assert np.abs(decode(tmp_path / "6.jpg", 24).astype(int) - RAMP).max() < 12
    assert np.ptp(decode(save(tmp_path / "7.png", grey > 128), 24)) == 255


def test_transparency_lies_on_black(tmp_path):
    alpha = np.zeros((24, 24, 1), np.uint8)
    alpha[:, 12:] = 255
    pixels = decode(save(tmp_path / "1.png", np.concatenate([RAMP, alpha], axis=2)), 24)
    assert not pixels[:, :12].any()
    np.testing.assert_array_equal(pixels[:, 12:], RAMP[:, 12:])
    save(tmp_path / "2.png", np.full((24, 24), 200, np.uint8), transparency=200)
    assert not decode(tmp_path / "2.png", 24).any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    upright = np.zeros((24, 24, 3), np.uint8)
    upright[:8, :12] = 255
    stored = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
              5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: upright[::-1, ::-1].transpose(1, 0, 2),
              8: np.rot90(upright, 3)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    wide = save(tmp_path / "2.tif", RAMP[:12], exif=exif)
    assert decode_whole(wide).shape[1::-1] == upright_size(wide) == ((12, 24) if orientation > 4 else (24, 12))
    for name in ("1.jpg", "1.png", "1.webp", "1.tif", "1.avif"):  # Pillow takes the number out when it writes AVIF
        pixels = decode(save(tmp_path / name, np.ascontiguousarray(stored), exif=exif), 24)
        assert np.abs(pixels.astype(int) - upright).mean() < 8


def test_broken_exif_leaves_the_image_as_stored(tmp_path):
    path = save(tmp_path / "1.jpg", exif=b"Exif\0\0broken")
    np.testing.assert_array_equal(decode(path, 24), np.asarray(Image.open(path)))


def test_the_centre_is_cropped_and_resizing_is_antialiased(tmp_path):
    pixels = np.zeros((64, 200, 3), np.uint8)
    pixels[:, 68:132] = (np.indices((64, 64)).sum(axis=0) % 2 * 255)[..., None]  # a chequerboard in the centre square
    assert np.abs(decode(save(tmp_path / "1.png", pixels), 16).astype(int) - 127).max() < 20
    assert np.abs(decode(save(tmp_path / "2.png", pixels.transpose(1, 0, 2)), 16).astype(int) - 127).max() < 20
    assert decode(tmp_path / "1.png", 96).shape == (96, 96, 3)


def test_a_large_jpeg_decodes_as_its_png(tmp_path):
    x, y = np.meshgrid(np.arange(1000), np.arange(800))
    pixels = np.stack([128 + 100 * np.sin(x / 60), 128 + 100 * np.cos(y / 50), (x + y) / 8], axis=2).astype(np.uint8)
    jpeg, png = save(tmp_path / "1.jpg", pixels, quality=95), save(tmp_path / "1.png", pixels)
    assert np.abs(decode(jpeg, 64).astype(int) - decode(png, 64)).max() < 8


@pytest.mark.parametrize(("content", "reason"), [
    (b"this is text", "not a JPEG"), (b"", "not a JPEG"), ("truncated jpeg", "runcated"), ("truncated png", "runcated"),
    (b"P5 20000 20000 255\n", "pixels"), (b"P5 10000 10000 255\n", "too large"), (b"P5 24 24 255\nxx", "runcated"),
    (b"gimp xcf file\0" + bytes(99), "not a JPEG"), (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9", "not a JPEG"),
])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_unreadable_files_say_why(tmp_path, content, reason):
    if isinstance(content, str):
        whole = io.BytesIO()
        Image.fromarray(RAMP).save(whole, content.split()[1])
        content = whole.getvalue()[:len(whole.getvalue()) * 2 // 3]
    (tmp_path / "1.jpg").write_bytes(content)
    with pytest.raises(UnreadableImage) as caught:
        decode(tmp_path / "1.jpg", 24)
    assert caught.value.path == str(tmp_path / "1.jpg") and caught.value.reason and "\n" not in str(caught.value)
    assert reason in caught.value.reason


@settings(deadline=None, max_examples=30)
@given(cut=st.integers(0, 2000), at=st.integers(0, 2000), value=st.integers(0, 255))
def test_damaged_files_are_an_image_or_unreadable(tmp_path_factory, cut, at, value):
    for kind in ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "AVIF", "PPM"):
        whole = io.BytesIO()
        Image.fromarray(RAMP).save(whole, kind)
        content = bytearray(whole.getvalue()[:max(1, len(whole.getvalue()) - cut)])
        content[at % len(content)] = value
        path = tmp_path_factory.getbasetemp() / "damaged.jpg"
        path.write_bytes(content)
        try:
            assert decode(path, 24).shape == (24, 24, 3)
        except UnreadableImage as error:
            assert error.reason


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path):
    with pytest.raises(UnreadableImage, match="No such file"):
        decode(tmp_path / "1.jpg", 24)
    with pytest.raises(UnreadableImage, match="directory"):
        decode(tmp_path, 24)


def test_batches_leave_out_what_cannot_be_read(tmp_path, capsys):
    for number in range(5):
        save(tmp_path / "set" / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
    for number in (0, 1, 3):
        (tmp_path / "set" / f"{number}.png").write_bytes(b"none")
    index = index_images(tmp_path / "set", tmp_path / "cache")
    batches = list(readable_batches(index, np.array([0, 1, 4, 2, 3]), 8, at_once=2))
    assert [positions.tolist() for positions, _ in batches] == [[4, 2]]
    assert batches[0][1].shape == (2, 8, 8, 3) and batches[0][1][:, 0, 0, 0].tolist() == [4, 2]
    assert "3 of 5 images" in capsys.readouterr().err
    with pytest.raises(UserError, match="2 of 2 images in .* cannot be read, for one 0.png: "):
        list(readable_batches(index, np.array([0, 1]), 8))
