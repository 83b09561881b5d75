"""Batches: each epoch a permutation, any position without replay, unreadable files."""

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data_loader import pipeline
from data_loader.folders import UnreadableImage, index_images, index_pairs
from data_loader.inputs import FolderInput
from data_loader.pipeline import (
    SkippedFiles,
    check_readable,
    checked,
    ordered_batches,
    permutation,
    shuffled_order,
    training_batches,
)
from tests.small import SOURCES
from utils.errors import UserError

SIZE = 8


def write(folder, name, value):
    """A grey image of one value, so that a batch tells which file it holds."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((SIZE, SIZE, 3), value, np.uint8)).save(path)


def numbers(images):
    """The values that `write` was given, from float batches."""
    return np.rint((np.asarray(images)[..., 0, 0, 0] + 1) * 127.5).astype(int).tolist()


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    for k in range(13):
        write(root / "real", f"{k}.png", k)
    for k in range(10):
        write(root / "synthetic", f"{k // 2 + 1:05d}/{k}.png", 100 + k)
    for k in range(5):
        write(root / "pairs", f"{k}.png", 50 + k)
        write(root / "pairs", f"3dmm/{k}.png", 60 + k)
    cache = root / "cache"
    return {"real": index_images(root / "real", cache),
            "synthetic": index_images(root / "synthetic", cache, labelled=True),
            "pair": index_pairs(root / "pairs", cache)}


def take(sources, count, **options):
    options = {"batch_size": 4, "size": SIZE, "seed": 3, "skipped": SkippedFiles()} | options
    batches = checked(training_batches(SOURCES, sources, **options), options["skipped"])
    return [{key: value.numpy() for key, value in batch.items()} for batch in itertools.islice(batches, count)]


def same(batches, others):
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys()
        for key in batch:
            np.testing.assert_array_equal(batch[key], other[key])


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 2**63), st.sampled_from(["real", "synthetic"]), st.integers(0, 2**40))
def test_each_epoch_is_a_permutation(n, seed, stream, epoch):
    assert sorted(permutation(n, seed, stream, epoch)) == list(range(n))
    order = shuffled_order(n, seed, stream)
    assert [order(epoch * n + k) for k in range(n)] == permutation(n, seed, stream, epoch).tolist()


def test_seeds_streams_and_epochs_shuffle_differently():
    orders = [permutation(50, *which).tolist() for which in ((0, "real", 0), (1, "real", 0), (0, "pair", 0),
                                                             (0, "real", 1))]
    assert all(a != b for a, b in itertools.combinations(orders, 2))


def test_a_batch_holds_what_its_sources_give(sources):
    (batch,) = take(sources, 1)
    assert set(batch) == {"real", "synthetic", "identity", "pair_image", "pair_render"}
    for key in ("real", "synthetic", "pair_image", "pair_render"):
        assert batch[key].dtype == np.float32 and batch[key].shape == (4, SIZE, SIZE, 3)
    assert batch["identity"].dtype == np.int32
    assert batch["identity"].tolist() == [(value - 100) // 2 for value in numbers(batch["synthetic"])]
    assert [value + 10 for value in numbers(batch["pair_image"])] == numbers(batch["pair_render"])
    assert set(take({"real": sources["real"]}, 1)[0]) == {"real"}


def test_pixels_are_scaled_to_minus_one_and_one(tmp_path):
    for value in (0, 51, 255):
        write(tmp_path / "set", f"{value}.png", value)
    batch = take({"real": index_images(tmp_path / "set", tmp_path / "cache")}, 1, batch_size=3)[0]["real"]
    assert sorted(batch[:, 0, 0, 0].tolist()) == [-1, np.float32(51) / np.float32(127.5) - 1, 1]


def test_every_epoch_shows_every_image(sources):
    seen = [value for batch in take(sources, 13) for value in numbers(batch["real"])]
    for epoch in range(4):
        assert sorted(seen[13 * epoch:13 * epoch + 13]) == list(range(13))


@settings(max_examples=8, deadline=None)
@given(step=st.integers(0, 12), workers=st.integers(1, 6), seed=st.integers(0, 100))
def test_a_resumed_run_equals_the_straight_run(sources, step, workers, seed):
    same(take(sources, 15, seed=seed, workers=2)[step:], take(sources, 15 - step, seed=seed, start_step=step,
                                                              workers=workers))


def test_parts_for_workers_make_up_the_whole_batch(sources):
    wholes = take(sources, 3, batch_size=6, start_step=2)
    parts = [take(sources, 3, batch_size=2, start_step=2, part=(p, 3)) for p in range(3)]
    joined = [{key: np.concatenate([part[i][key] for part in parts]) for key in wholes[0]} for i in range(3)]
    same(joined, wholes)


def test_a_source_does_not_depend_on_the_others(sources):
    alone = take({"synthetic": sources["synthetic"]}, 3)
    beside = take(sources, 3)
    same(alone, [{key: batch[key] for key in ("synthetic", "identity")} for batch in beside])


def test_an_unknown_source_is_named():
    with pytest.raises(ValueError, match="unknown source 'fake'; choose from real, synthetic, pair"):
        training_batches(SOURCES, {"fake": None}, 4, SIZE, 0, SkippedFiles())


def test_an_unreadable_file_is_replaced_by_the_next_and_listed_once(tmp_path):
    for k in range(120):
        write(tmp_path / "set", f"{k}.png", k)
    (tmp_path / "set/7.png").write_bytes(b"text")
    index = index_images(tmp_path / "set", tmp_path / "cache")
    skipped = SkippedFiles()
    seen = [value for batch in take({"real": index}, 60, skipped=skipped) for value in numbers(batch["real"])]
    assert sorted(seen) == sorted(2 * [8 if k == 7 else k for k in range(120)])
    assert skipped.rows == [(str(tmp_path / "set/7.png"), "not a JPEG, PNG, BMP, WebP, GIF, TIFF, AVIF or PNM image")]
    assert skipped.error is None


def test_too_many_unreadable_files_end_the_batches_with_one_line(tmp_path, capfd):
    for k in range(120):
        write(tmp_path / "set", f"{k}.png", k)
    for k in (7, 30):
        (tmp_path / f"set/{k}.png").write_bytes(b"text")
    index = index_images(tmp_path / "set", tmp_path / "cache", flag="--real")
    skipped = SkippedFiles()
    with pytest.raises(UserError, match=r"^--real: 2 of 120 images in .*set cannot be read, for one \d+.png: not a"):
        take({"real": index}, 60, skipped=skipped)
    assert len(skipped.rows) == 2 and "Traceback" not in capfd.readouterr().err


def test_a_pair_is_replaced_whole(tmp_path):
    for k in range(4):
        write(tmp_path / "set", f"{k}.png", k)
        write(tmp_path / "set", f"3dmm/{k}.png", 100 + k)
    (tmp_path / "set/3dmm/3.png").write_bytes(b"text")
    index = index_pairs(tmp_path / "set", tmp_path / "cache")
    (batch,) = take({"pair": index}, 1, skipped=SkippedFiles(0.5))
    assert sorted(numbers(batch["pair_image"])) == [0, 0, 1, 2]
    assert [value + 100 for value in numbers(batch["pair_image"])] == numbers(batch["pair_render"])


def test_a_folder_of_unreadable_files_ends(tmp_path):
    for k in range(3):
        (tmp_path / f"{k}.png").write_bytes(b"text")
    index = index_images(tmp_path, tmp_path / "cache")
    with pytest.raises(UserError, match="3 of 3 images"):
        take({"real": index}, 1, skipped=SkippedFiles(1.0))
    with pytest.raises(UserError, match="3 of 3 images"):
        list(checked(ordered_batches(FolderInput(index, SIZE, "image"), 2, skipped := SkippedFiles(1.0)), skipped))


def test_skipped_files_is_safe_between_threads(sources):
    index, skipped = sources["real"], SkippedFiles(1.0)

    def record(i):
        for k in range(12):
            skipped.record(index, k, UnreadableImage(index.path(k), f"reason {i}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record, range(8)))
    assert sorted(path for path, _ in skipped.rows) == sorted(index.path(k) for k in range(12))


def test_check_readable_counts_and_names(tmp_path):
    for k in range(200):
        write(tmp_path / "set", f"{k}.png", k)
    (tmp_path / "set/7.png").write_bytes(b"text")
    index = index_images(tmp_path / "set", tmp_path / "cache", flag="--real")
    reason = "not a JPEG, PNG, BMP, WebP, GIF, TIFF, AVIF or PNM image"
    assert check_readable(index) == [(str(tmp_path / "set/7.png"), reason)]
    assert check_readable(index, sample=50, seed=2) == []
    for k in (8, 9):
        (tmp_path / f"set/{k}.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"^--real: 3 of 200 images in .*set cannot be read, for one 7.png: not a"):
        check_readable(index)


def test_check_readable_reads_both_halves_of_a_pair(sources, tmp_path):
    assert check_readable(sources["pair"]) == []
    write(tmp_path, "1.png", 1)
    (tmp_path / "3dmm").mkdir()
    (tmp_path / "3dmm/1.png").write_bytes(b"text")
    with pytest.raises(UserError, match="--dataset_3dmm: 1 of 1 images .* 3dmm/1.png"):
        check_readable(index_pairs(tmp_path, tmp_path / "cache"))


@pytest.mark.parametrize("workers", [1, 5])
def test_ordered_batches_keep_every_position(tmp_path, workers):
    for k in range(10):
        write(tmp_path / "set", f"{k // 5}/{k}.png", k)
    (tmp_path / "set/0/3.png").write_bytes(b"text")
    index = index_images(tmp_path / "set", tmp_path / "cache", labelled=True)
    inputs, skipped = FolderInput(index, SIZE, "image", {"label": index.labels}), SkippedFiles(0.5)
    batches = list(checked(ordered_batches(inputs, 4, skipped, workers=workers), skipped))
    assert [len(batch["image"]) for batch in batches] == [4, 4, 2]
    joined = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    assert joined["image"].dtype == np.uint8 and joined["position"].tolist() == list(range(10))
    assert joined["image"][:, 0, 0, 0].tolist() == [0, 1, 2, 0, 4, 5, 6, 7, 8, 9]
    assert joined["readable"].tolist() == [k != 3 for k in range(10)]
    assert joined["label"].tolist() == [0, 0, 0, 0, 0] + [1] * 5  # that of what is unreadable is 0 too
    assert [path for path, _ in skipped.rows] == [str(tmp_path / "set/0/3.png")]
    later = list(ordered_batches(inputs, 4, skipped, range(8, len(inputs), 4), workers))
    assert [batch["position"].numpy().tolist() for batch in later] == [[8, 9]]
    assert list(ordered_batches(inputs, 4, skipped, range(12, len(inputs), 4))) == []


def test_files_that_take_long_keep_their_place(tmp_path):
    for k in range(40):
        write(tmp_path / "set", f"{k}.png", k)
        if k % 10 == 0:
            Image.fromarray(np.full((1500, 1500, 3), k, np.uint8)).save(tmp_path / f"set/{k}.png")
    index = index_images(tmp_path / "set", tmp_path / "cache")
    batches = list(ordered_batches(FolderInput(index, SIZE, "image"), 1, SkippedFiles(), workers=4))
    assert [batch["image"].numpy()[0, 0, 0, 0] for batch in batches] == list(range(40))


def in_another_process(code, *arguments):
    code = ("import sys; from data_loader.folders import index_images; from data_loader.pipeline import *\n"
            "from tests.small import SOURCES\n"
            "index, skipped = index_images(sys.argv[1], sys.argv[2]), SkippedFiles()\n" + code)
    root = Path(pipeline.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=root, check=True, timeout=60)


def test_another_process_reads_the_same_batches_and_ends_while_it_still_decodes(sources, tmp_path):
    for k in range(4):
        path = tmp_path / f"set/{k}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((1500, 1500, 3), k, np.uint8)).save(path)
    in_another_process("batches = training_batches(SOURCES, {'real': index}, 4, 8, 3, skipped, start_step=2)\n"
                       "batches = checked(batches, skipped)\n"
                       "np.save(sys.argv[3], next(batches)['real'].numpy())\n"
                       "large = index_images(sys.argv[4], sys.argv[2])\n"
                       "batches = training_batches(SOURCES, {'real': large}, 2, 8, 3, skipped, workers=4)\n"
                       "batches = checked(batches, skipped)\n"
                       "next(batches)\n",
                       sources["real"].folder, tmp_path / "cache", tmp_path / "batch.npy", tmp_path / "set")
    np.testing.assert_array_equal(np.load(tmp_path / "batch.npy"), take({"real": sources["real"]}, 3)[2]["real"])
