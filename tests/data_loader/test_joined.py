import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data_loader.folders import index_images
from data_loader.joined import JoinedIndex, SubsetIndex
from data_loader.pipeline import SkippedFiles, training_batches
from tests.small import SOURCES


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Three roots whose label names repeat; the pixels of an image are its own number."""
    home, number, parts = tmp_path_factory.mktemp("roots"), 0, []
    for root, counts in (("a", (2, 3)), ("b", (1,)), ("c", (2, 1, 2))):
        for label, count in enumerate(counts):
            for image in range(count):
                path = home / root / f"s{label}" / f"{image}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (8, 8), (number, number, number)).save(path)
                number += 1
        parts.append(index_images(home / root, home / "cache", labelled=True))
    return parts


def test_joined_roots_keep_their_order_and_get_labels_of_their_own(parts):
    index = JoinedIndex(parts)
    assert len(index) == 11
    assert index.labels.dtype == np.int32
    assert index.labels.tolist() == [0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5] == [index.label(i) for i in range(11)]
    assert index.label_names == ["a/s0", "a/s1", "b/s0", "c/s0", "c/s1", "c/s2"]
    assert index.relative_path(5) == "b/s0/0.png" and index.files(8) == (index.path(8),)
    pixels = [np.asarray(Image.open(index.path(i)))[0, 0, 0] for i in range(11)]
    assert pixels == list(range(11))


@given(st.lists(st.integers(0, 10), min_size=1, max_size=30))
def test_a_subset_has_the_images_asked_for_and_labels_without_gaps(parts, positions):
    base = JoinedIndex(parts)
    index = SubsetIndex(base, positions)
    assert [index.path(i) for i in range(len(index))] == [base.path(i) for i in positions]
    assert [index.relative_path(i) for i in range(len(index))] == [base.relative_path(i) for i in positions]
    assert [index.label_names[index.label(i)] for i in range(len(index))] == [
        base.label_names[base.label(i)] for i in positions
    ]
    assert sorted(set(index.labels.tolist())) == list(range(len(index.label_names)))


def test_batches_are_read_through_both(parts):
    index = SubsetIndex(JoinedIndex(parts), [4, 5, 9, 10])
    batches = training_batches(SOURCES, {"labelled": index}, 4, 8, 0, SkippedFiles())
    (batch,) = list(batches.take(1).as_numpy_iterator())
    numbers = np.rint((batch["real"][:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()
    assert dict(zip(numbers, batch["real_identity"].tolist(), strict=True)) == {4: 0, 5: 1, 9: 2, 10: 2}


def test_unreadable_files_are_named_from_the_folder_above(parts, tmp_path):
    for root in ("x", "y"):
        (tmp_path / root / "1").mkdir(parents=True)
        (tmp_path / root / "1" / "1.png").write_bytes(b"text")
    roots = [index_images(tmp_path / root, tmp_path / "cache", labelled=True) for root in ("x", "y")]
    skipped = SkippedFiles()
    list(training_batches(SOURCES, {"labelled": JoinedIndex(roots)}, 1, 8, 0, skipped).take(1))
    assert f"2 images in {tmp_path} cannot be read" in str(skipped.error)


def test_nothing_is_no_index(parts):
    with pytest.raises(ValueError, match="no index to join"):
        JoinedIndex([])
    with pytest.raises(ValueError, match="no image is left"):
        SubsetIndex(parts[0], [])
