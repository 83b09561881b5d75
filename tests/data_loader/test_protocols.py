"""Readers of pairs.txt and of .bin sets: what they read, and that every mistake is one line that says where."""

import codecs
import io
import os
import pickle
import struct
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data_loader.protocols import decode_bytes, read_bin_set, read_lfw_pairs
from utils.errors import UserError

PEOPLE = {"Ann_Lee": 3, "Bo": 2, "Cy_de_Groot": 1}
PAIRS = ["1\t2", "Ann_Lee\t1\t3", "Bo\t1\t2", "Ann_Lee\t2\tBo\t1", "Cy_de_Groot\t1\tAnn_Lee\t3"]


def make_faces(folder, people, ending="jpg"):
    for name, count in people.items():
        (folder / name).mkdir(parents=True)
        for number in range(1, count + 1):
            (folder / name / f"{name}_{number:04d}.{ending}").write_bytes(b"")
    return folder


def written(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_pairs_are_read_in_order_and_each_image_once(tmp_path):
    faces = make_faces(tmp_path / "lfw", PEOPLE)
    pairs = read_lfw_pairs(written(tmp_path / "pairs.txt", PAIRS), faces)
    names = [(pairs.images[a].name, pairs.images[b].name, same)
             for a, b, same in zip(pairs.first, pairs.second, pairs.same.tolist(), strict=True)]
    assert names == [("Ann_Lee_0001.jpg", "Ann_Lee_0003.jpg", True), ("Bo_0001.jpg", "Bo_0002.jpg", True),
                     ("Ann_Lee_0002.jpg", "Bo_0001.jpg", False), ("Cy_de_Groot_0001.jpg", "Ann_Lee_0003.jpg", False)]
    assert len(pairs.images) == 6 and all(path.is_file() for path in pairs.images)


@pytest.mark.parametrize("change", [
    lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\t\n"), lambda text: text.replace("\n", "\t\t\r\n"),
    lambda text: text.replace("\t", ";").replace("\n", ";\r\n"), lambda text: text.replace("\n", "\r"),
    lambda text: text.replace("\t", " ").replace("\n", "  \n") + "\n\n",
])  # fmt: skip
def test_pairs_that_an_editor_or_excel_saved_are_the_same(tmp_path, change):
    faces = make_faces(tmp_path / "lfw", PEOPLE | {"José": 2})
    lines = [*PAIRS[:2], "José\t1\t2", *PAIRS[3:]]
    expected = read_lfw_pairs(written(tmp_path / "pairs.txt", lines), faces)
    (tmp_path / "again.txt").write_text(change((tmp_path / "pairs.txt").read_text()), encoding="utf-8", newline="")
    found = read_lfw_pairs(tmp_path / "again.txt", faces)
    assert found.images == expected.images and found.same.tolist() == expected.same.tolist()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_are_found_however_the_folder_was_copied(tmp_path, form):
    faces = make_faces(tmp_path / "lfw", PEOPLE | {unicodedata.normalize(form, "José"): 2})
    for spelt in ("NFC", "NFD"):
        lines = [*PAIRS[:2], unicodedata.normalize(spelt, "José\t1\t2"), *PAIRS[3:]]
        assert len(read_lfw_pairs(written(tmp_path / "pairs.txt", lines), faces).images) == 7


def test_the_line_that_is_not_utf_8_is_named(tmp_path):
    faces = make_faces(tmp_path / "lfw", PEOPLE | {"José": 2})
    (tmp_path / "pairs.txt").write_text("\n".join([*PAIRS[:2], "José\t1\t2", *PAIRS[3:]]), encoding="latin-1")
    with pytest.raises(UserError, match="^--lfw_pairs: .*pairs.txt line 3: not UTF-8 text; save the file as UTF-8$"):
        read_lfw_pairs(tmp_path / "pairs.txt", faces)


def test_the_file_ending_is_a_setting(tmp_path):
    faces = make_faces(tmp_path / "lfw", PEOPLE, "png")
    assert len(read_lfw_pairs(written(tmp_path / "pairs.txt", PAIRS), faces, "png").same) == 4
    with pytest.raises(UserError, match="line 2: no such image: .*Ann_Lee_0001.jpg"):
        read_lfw_pairs(tmp_path / "pairs.txt", faces, "jpg")


@pytest.mark.parametrize(("line", "text", "message"), [
    (3, "Bob\t1\t2", "line 3: no such person: .*lfw/Bob$"),
    (3, "Bo\t1\t7", "line 3: no such image: .*Bo_0007.jpg"),
    (4, "Ann_Lee\t2\tZoe\t1", "line 4: no such person: .*Zoe"),
    (3, "Bo\t0\t2", "line 3: image numbers count from 1"),
    (3, "Bo\tone\t2", "line 3: image numbers count from 1"),
    (3, "Bo\t1", "line 3: not `name n1 n2`"),
    (3, "Bo\t1\t2\tAnn_Lee\t1", "line 3: not `name n1 n2`"),
    (4, "", "line 4: not `name n1 n2`"),
    (4, "Bo\t1\tBo\t2", "line 4: a pair of two people names 'Bo' twice"),
    (1, "1\t3", "line 1 announces 6 pairs, 4 follow"),
    (1, "Bo\t1\t2", "line 1: not `folds"),
    (1, "0\t2", "line 1: not `folds"),
    (3, "../Bo\t1\t2", "line 3: '../Bo' leads out of its folder"),
    (4, "Bo\t1\t/Ann_Lee\t2", "line 4: '/Ann_Lee' leads out of its folder"),
])
def test_a_mistake_in_a_pairs_file_names_its_line(tmp_path, line, text, message):
    faces = make_faces(tmp_path / "lfw", PEOPLE)
    lines = PAIRS[: line - 1] + [text] + PAIRS[line:]
    with pytest.raises(UserError, match=f"^--lfw_pairs: .*pairs.txt {message}") as error:
        read_lfw_pairs(written(tmp_path / "pairs.txt", lines), faces)
    assert "\n" not in str(error.value)


def test_missing_and_unreadable_pairs_files_are_named(tmp_path):
    faces = make_faces(tmp_path / "lfw", PEOPLE)
    with pytest.raises(UserError, match="^--lfw_pairs: cannot read .*none.txt: No such file"):
        read_lfw_pairs(tmp_path / "none.txt", faces)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="^--lfw_pairs: .*binary.txt is not UTF-8 text but UTF-16"):
        read_lfw_pairs(tmp_path / "binary.txt", faces)
    (tmp_path / "empty.txt").write_bytes(b"")
    with pytest.raises(UserError, match="empty.txt line 1: not"):
        read_lfw_pairs(tmp_path / "empty.txt", faces)
    with pytest.raises(UserError, match="^--lfw_dir names the images"):
        read_lfw_pairs(tmp_path / "pairs.txt", "")
    with pytest.raises(UserError, match="^--lfw_dir: no such folder: .*nowhere"):
        read_lfw_pairs(written(tmp_path / "pairs.txt", PAIRS), tmp_path / "nowhere")


@given(data=st.data(), folds=st.integers(1, 3), each=st.integers(1, 3), tabs=st.booleans())
def test_pairs_files_come_back_as_written(tmp_path_factory, data, folds, each, tabs):
    names = data.draw(st.lists(st.text("abcXYZ_-é", min_size=1, max_size=6), min_size=2, max_size=4, unique=True))
    faces = make_faces(tmp_path_factory.mktemp("lfw"), dict.fromkeys(names, 3))
    image = st.tuples(st.sampled_from(names), st.integers(1, 3))
    two = st.tuples(image, image).filter(lambda pair: pair[0][0] != pair[1][0])
    one = st.tuples(image, st.integers(1, 3)).map(lambda drawn: (drawn[0], (drawn[0][0], drawn[1])))
    pairs = [data.draw(kind) for _ in range(folds) for kind in [one] * each + [two] * each]
    lines = [f"{folds}\t{each}"] + [
        ("\t" if tabs else " ").join(map(str, (*a, b[1]) if a[0] == b[0] else (*a, *b))) for a, b in pairs]
    path = faces.parent / "pairs.txt"
    path.write_text("\r\n".join(lines), encoding="utf-8")
    read = read_lfw_pairs(path, faces)
    found = [(read.images[a], read.images[b]) for a, b in zip(read.first, read.second, strict=True)]
    assert found == [tuple(faces / name / f"{name}_{number:04d}.jpg" for name, number in pair) for pair in pairs]
    assert read.same.tolist() == [a[0] == b[0] for a, b in pairs]


def python2_pickle(images, flags):
    """What Python 2's cPickle writes by protocol 2: its strings are bytes (opcodes U and T), with no code named."""
    parts = [b"U" + bytes([len(i)]) + i if len(i) < 256 else b"T" + struct.pack("<i", len(i)) + i for i in images]
    truth = b"".join(b"\x88" if flag else b"\x89" for flag in flags)
    return b"\x80\x02](" + b"".join(parts) + b"e](" + truth + b"e\x86."


def python2_text_pickle(images, flags):
    """What Python 2's pickle writes by protocol 0: lines of text, its strings as repr writes them or as they are."""
    strings = [f"S{repr(image)[1:]}\n".encode() if place % 2 else b"S'" + _escaped(image) + b"'\n"
               for place, image in enumerate(images)]  # fmt: skip
    parts = [string + b"p%d\na" % place for place, string in enumerate(strings, 3)]
    truth = b"".join(b"I01\na" if flag else b"I00\na" for flag in flags)
    return b"((lp1\n" + b"".join(parts) + b"(lp2\n" + truth + b"tp0\n."


def _escaped(image):
    for sign in (b"\\", b"'", b"\n", b"\r"):
        image = image.replace(sign, repr(sign)[2:-1].encode() if sign != b"'" else b"\\'")
    return image


WRITERS = {
    **{f"protocol {p}": lambda images, flags, p=p: pickle.dumps((images, flags), p) for p in (3, 4, 5)},
    "lists": lambda images, flags: pickle.dumps([images, flags]),
    "numbers for flags": lambda images, flags: pickle.dumps((images, [int(flag) for flag in flags])),
    "byte arrays": lambda images, flags: pickle.dumps(([bytearray(i) for i in images], flags), 5),
    "tuples": lambda images, flags: pickle.dumps((tuple(images), tuple(flags)), 3),
    "Python 2": python2_pickle,
    "Python 2, protocol 0": python2_text_pickle,
    "Python 3 for Python 2, protocol 2": lambda images, flags: pickle.dumps([images, flags], 2),
    "Python 3 for Python 2, protocol 0": lambda images, flags: pickle.dumps([images, flags], 0),
}


BYTES = st.binary(min_size=1, max_size=300)  # of none, Python 3 writes the class by the protocols of Python 2


@given(images=st.lists(st.tuples(BYTES, BYTES, st.booleans()), min_size=1, max_size=5),
       writer=st.sampled_from(sorted(WRITERS)))
def test_bin_sets_come_back_as_written(tmp_path_factory, images, writer):
    data = [image for first, second, _ in images for image in (first, second)]
    flags = [flag for *_, flag in images]
    path = tmp_path_factory.mktemp("bin") / "set.bin"
    path.write_bytes(WRITERS[writer](data, flags))
    pairs = read_bin_set(path)
    assert pairs.images == data and pairs.same.tolist() == flags
    assert pairs.first.tolist() == list(range(0, len(data), 2)) and (pairs.second == pairs.first + 1).all()


@given(cut=st.integers(0, 10_000), protocol=st.sampled_from((0, 2, 3, 4, 5)))
def test_a_bin_set_cut_short_is_one_line(tmp_path_factory, cut, protocol):
    image = "x" * 99 if protocol < 3 else b"x" * 99  # Python 3 writes bytes by code where the protocol is older
    content = pickle.dumps(([image] * 50, [True] * 25), protocol)
    path = tmp_path_factory.mktemp("cut") / "lfw.bin"
    path.write_bytes(content[: cut % len(content)])
    with pytest.raises(UserError, match="^--bin_sets: .*lfw.bin is cut short or no pickle: .") as error:
        read_bin_set(path)
    assert "\n" not in str(error.value)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any.bin"
    path.write_bytes(content)
    with pytest.raises(UserError, match="^--bin_sets: .*any.bin"):
        read_bin_set(path)


@pytest.mark.parametrize("content", [
    b"K\x01K\x02R.",  # call a number
    b"](X\x01\x00\x00\x00aK\x01db.",  # give a list attributes
    b"(](K\x01e}](K\x02e](K\x03es.",  # a list as a key
    b"Nr\xff\xff\xff\x7f.", b"Np99999999999\n.",  # a memo of billions of places
    b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",  # 2 ** 64 bytes follow
    b"\x80\x04\x8e\xff\xff\xff\xff\xff\x7f\x00\x00.",  # 2 ** 47
    b"h\x05.", b"0.", b"I1x\n.", b"P1\n.", b"\x82\x01.", b"\x80\x09N.",
])  # fmt: skip
def test_broken_and_hostile_pickles_end_in_one_line(tmp_path, content):
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(UserError, match="^--bin_sets: .*x.bin is cut short or no pickle: .") as error:
        read_bin_set(tmp_path / "x.bin")
    assert "\n" not in str(error.value)


class Attack:
    """Unpickled, it would make a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(6))
def test_code_in_a_bin_set_is_refused_and_not_run(tmp_path, protocol):
    path = tmp_path / "evil.bin"
    path.write_bytes(pickle.dumps((["", Attack(tmp_path / "ran")], [True]), protocol))
    with pytest.raises(UserError, match=r"evil.bin is refused: it asks for (posix|nt)\.mkdir, and only") as error:
        read_bin_set(path)
    assert not (tmp_path / "ran").exists() and "\n" not in str(error.value)
    pickle.loads(path.read_bytes())  # the attack is a real one
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    (("x", "utf-7"), "is refused: it asks for the encoding 'utf-7'"),
    (("\u2028", "latin1"), "is cut short or no pickle"),
    (("x",), "is cut short or no pickle"), ((b"x", "latin1"), "its images are not bytes|is cut short or no pickle"),
])  # fmt: skip
def test_the_one_call_that_is_admitted_has_one_form(tmp_path, arguments, message):
    class Call:
        def __reduce__(self):
            return codecs.encode, arguments

    (tmp_path / "x.bin").write_bytes(pickle.dumps(([Call(), Call()], [True]), 3))
    with pytest.raises(UserError, match=f"^--bin_sets: .*x.bin:? ({message})") as error:
        read_bin_set(tmp_path / "x.bin")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [
    np.zeros(3, np.uint8), ([b"", b""], [np.True_]), ([np.zeros(2, np.uint8)] * 2, [True]), {1, 2}, os.getcwd,
    ([b"", b""], [complex(1)]),
])
def test_arrays_and_functions_are_code_too(tmp_path, content):
    (tmp_path / "x.bin").write_bytes(pickle.dumps(content, 3))
    with pytest.raises(UserError, match="x.bin is refused: it asks for"):
        read_bin_set(tmp_path / "x.bin")


@pytest.mark.parametrize(("content", "message"), [
    ([b"a", b"b"], "not a pair of lists"),
    ("ab", "not a pair of lists"),
    ((b"ab", [True]), "not a pair of lists"),
    ({"images": [], "flags": []}, "not a pair of lists"),
    (([], []), "0 images for 0 pairs"),
    (([b"a", b"b", b"c"], [True]), "3 images for 1 pairs"),
    ((["a", "b"], [True]), "its images are not bytes"),
    (([b"a", b"b"], ["True"]), "its flags are not booleans"),
    (([b"a", b"b"], [2]), "its flags are not booleans"),
])
def test_another_content_is_named(tmp_path, content, message):
    (tmp_path / "x.bin").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=f"^--bin_sets: .*x.bin: {message}"):
        read_bin_set(tmp_path / "x.bin")


def test_a_missing_bin_set_is_named(tmp_path):
    with pytest.raises(UserError, match="^--bin_sets: no such file: .*none.bin"):
        read_bin_set(tmp_path / "none.bin")
    with pytest.raises(UserError, match="^--bin_sets: cannot read .*: Is a directory"):
        read_bin_set(tmp_path)


def test_image_bytes_are_decoded_as_rgb():
    pixels = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert np.array_equal(decode_bytes(file.getvalue(), "here"), pixels)
    with pytest.raises(UserError, match="^here: not a JPEG"):
        decode_bytes(b"no image", "here")
