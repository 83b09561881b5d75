"""The reader of IJB-A's protocol: what it reads, and that every mistake is one line with file and line."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data_loader import ijba
from utils.errors import UserError

HEADER = "TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,SIGHTING_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT,NOSE_BASE_X"
ROWS = ["11,5,img/1.jpg,100,7,10,20,30.5,40,", "11,5,frame/2_1.png,101,8,1,2,3,4,9", "12,6,img/3.jpg,102,9,0,0,8,8,"]


def written(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_faces_are_read_by_the_names_of_their_columns(tmp_path):
    faces = ijba.read_faces(written(tmp_path / "verify_metadata_1.csv", HEADER, *ROWS))
    assert faces.templates.tolist() == [11, 11, 12] and faces.subjects.tolist() == [5, 5, 6]
    assert faces.media.tolist() == [100, 101, 102] and faces.files == ["img/1.jpg", "frame/2_1.png", "img/3.jpg"]
    assert faces.boxes.tolist() == [[10, 20, 40.5, 60], [1, 2, 4, 6], [0, 0, 8, 8]]


NUMBERS = st.integers(0, 10**6)
NAMES = st.text("ab,\"/é ;", min_size=1).map(str.strip).filter(lambda name: name.strip("/") == name != "")
FACE = st.tuples(NUMBERS, NAMES, NUMBERS,
                 *[st.floats(-5, 500)] * 2, *[st.floats(0.25, 500)] * 2)


@given(faces=st.lists(FACE, min_size=1, max_size=6), order=st.permutations(ijba.COLUMNS), mark=st.booleans())
def test_faces_come_back_as_written(tmp_path_factory, faces, order, mark):
    path = tmp_path_factory.mktemp("ijba") / "train_3.csv"
    with path.open("w", newline="", encoding="utf-8-sig" if mark else "utf-8") as file:
        table = csv.DictWriter(file, [*order, "NOSE"])
        table.writeheader()
        for template, name, medium, *box in faces:
            row = [template, template % 7, name, medium, *box]
            table.writerow(dict(zip(ijba.COLUMNS, row, strict=True)) | {"NOSE": ""})
    read = ijba.read_faces(path)
    assert read.files == [face[1] for face in faces]
    assert read.templates.tolist() == [face[0] for face in faces] and read.media.tolist() == [face[2] for face in faces]
    assert read.subject_of() == {face[0]: face[0] % 7 for face in faces}
    for box, (*_, left, top, width, height) in zip(read.boxes.tolist(), faces, strict=True):
        assert box == [left, top, left + width, top + height]


@pytest.mark.parametrize(("line", "text", "message"), [
    (1, HEADER.replace(",FACE_X", ",X"), "line 1: column FACE_X is missing"),
    (1, HEADER.replace("TEMPLATE_ID", "ID").replace(",FACE_WIDTH", ",W"),
     "line 1: column TEMPLATE_ID, FACE_WIDTH is missing"),
    (3, "11,6,img/1.jpg,100,7,10,20,30,40,", "line 3: template 11 has two subjects, 5 and 6"),
    (3, "one,6,img/1.jpg,100,7,10,20,30,40,", "line 3: TEMPLATE_ID is no number: 'one'"),
    (3, "9223372036854775808,6,img/1.jpg,100,7,10,20,30,40,", "line 3: TEMPLATE_ID is out of range: '9223"),
    (3, f"11,{10**30},img/1.jpg,100,7,10,20,30,40,", "line 3: SUBJECT_ID is out of range: '1000000000"),
    (4, "12,6,img/1.jpg,100,7,10,inf,30,40,", "line 4: FACE_Y is out of range: 'inf'"),
    (4, "12,6,img/1.jpg,100.5,7,10,20,30,40,", "line 4: MEDIA_ID is no number: '100.5'"),
    (4, "12,6,img/1.jpg,100,7,10,,30,40,", "line 4: FACE_Y is no number: ''"),
    (4, "12,6,img/1.jpg,100,7,10,nan,30,40,", "line 4: FACE_Y is no number: 'nan'"),
    (4, "12,6,img/1.jpg,100,7,10,10,30,0,", "line 4: the face's box is 30 x 0 pixels"),
    (4, "12,6, ,100,7,10,10,30,30,", "line 4: FILE is empty"),
    (4, "12,6,img/1.jpg,100,7,10,10,30", "line 4: 8 values for 10 columns"),
    (4, "12,6,../img/1.jpg,100,7,10,10,30,30,", "line 4: '../img/1.jpg' leads out of its folder"),
    (4, "12,6,img/../../1.jpg,100,7,10,10,30,30,", "line 4: 'img/../../1.jpg' leads out of its folder"),
    (4, "12,6,..\\1.jpg,100,7,10,10,30,30,", "line 4: '.*' leads out of its folder"),
    (4, "12,6,/img/1.jpg,100,7,10,10,30,30,", "line 4: '/img/1.jpg' leads out of its folder"),
    (4, '12,6,"img/1.jpg,100,7,10,10,30', "is no CSV file"),
])
def test_a_mistake_in_a_table_names_file_and_line(tmp_path, line, text, message):
    lines = [HEADER, *ROWS]
    lines[line - 1] = text
    with pytest.raises(UserError, match=f"^--ijba_dir: .*search_probe_2.csv {message}") as error:
        ijba.read_faces(written(tmp_path / "search_probe_2.csv", *lines))
    assert "\n" not in str(error.value)


def test_an_empty_a_missing_and_a_binary_table_are_named(tmp_path):
    with pytest.raises(UserError, match="a.csv line 1: column TEMPLATE_ID, SUBJECT_ID, FILE is missing"):
        ijba.read_faces(written(tmp_path / "a.csv"))
    with pytest.raises(UserError, match="a.csv line 1: no faces below it"):
        ijba.read_faces(written(tmp_path / "a.csv", HEADER))
    with pytest.raises(UserError, match="^--ijba_dir: cannot read .*none.csv: No such file"):
        ijba.read_faces(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe,")
    with pytest.raises(UserError, match="b.csv is not UTF-8 text but UTF-16"):
        ijba.read_faces(tmp_path / "b.csv")


def test_comparisons_are_labelled_by_the_templates_subjects(tmp_path):
    faces = ijba.read_faces(written(tmp_path / "verify_metadata_1.csv", HEADER, *ROWS, "13,5,img/4.jpg,1,1,0,0,9,9,"))
    pairs = written(tmp_path / "verify_comparisons_1.csv", "11,12", "11,13", " 13 , 12 ", "")
    first, second, same = ijba.read_comparisons(pairs, faces)
    assert first.tolist() == [11, 11, 13] and second.tolist() == [12, 13, 12] and same.tolist() == [False, True, False]


@pytest.mark.parametrize(("text", "message"), [
    ("11,99", "line 2: template 99 is not in verify_metadata_1.csv"),
    ("11", "line 2: not two template ids"),
    ("11,12,13", "line 2: not two template ids"),
    ("a,12", "line 2: template id is no number: 'a'"),
])
def test_a_comparison_of_an_unknown_template_names_its_line(tmp_path, text, message):
    faces = ijba.read_faces(written(tmp_path / "verify_metadata_1.csv", HEADER, *ROWS))
    with pytest.raises(UserError, match=f"^--ijba_dir: .*verify_comparisons_1.csv {message}"):
        ijba.read_comparisons(written(tmp_path / "verify_comparisons_1.csv", "11,12", text), faces)
    for lines, what in (((), ": no comparisons"), (("11,12",), " has no pair of one person"),
                        (("11,11",), " has no pair of two people")):
        with pytest.raises(UserError, match=f"^--ijba_dir: .*verify_comparisons_1.csv{what}$"):
            ijba.read_comparisons(written(tmp_path / "verify_comparisons_1.csv", *lines), faces)


def test_splits_are_found_where_the_archive_has_them(tmp_path):
    files = [f"IJB-A_11_sets/split{n}/{kind}_{n}.csv" for n in (1, 10) for kind in (ijba.METADATA, ijba.COMPARISONS)]
    files += [f"IJB-A_1N_sets/split2/{kind}_2.csv" for kind in (ijba.GALLERY, ijba.PROBES)]
    for file in [*files, "IJB-A_11_sets/split1/train_1.csv", "IJB-A_1N_sets/split1/train_1.csv", "other.csv"]:
        written(tmp_path / file, "")
    found = ijba.find_splits(tmp_path)
    assert {kind: sorted(paths) for kind, paths in found.items()} == {
        ijba.METADATA: [1, 10], ijba.COMPARISONS: [1, 10], ijba.GALLERY: [2], ijba.PROBES: [2]}
    assert found[ijba.METADATA][10] == tmp_path / files[2]


@pytest.mark.parametrize(("kind", "partner"), list(ijba.PARTNERS.items()))
def test_a_split_with_half_of_its_files_is_named(tmp_path, kind, partner):
    written(tmp_path / f"{kind}_4.csv")
    with pytest.raises(UserError, match=f"^--ijba_dir: .*{kind}_4.csv is there, {partner}_4.csv is not"):
        ijba.find_splits(tmp_path)


def test_no_protocol_no_folder_and_two_protocols_are_named(tmp_path):
    with pytest.raises(UserError, match="^--ijba_dir: no such folder: .*none"):
        ijba.find_splits(tmp_path / "none")
    with pytest.raises(UserError, match="^--ijba_dir: no verify_metadata_1.csv and no search_gallery_1.csv in"):
        ijba.find_splits(tmp_path)
    written(tmp_path / "a" / "verify_metadata_1.csv")
    written(tmp_path / "b" / "verify_metadata_1.csv")
    with pytest.raises(UserError, match="two files of one name: .*a/verify_metadata_1.csv and .*b/verify_metadata_1"):
        ijba.find_splits(tmp_path)


def test_images_lie_in_the_folder_or_in_images(tmp_path):
    faces = ijba.read_faces(written(tmp_path / "verify_metadata_1.csv", HEADER, *ROWS))
    written(tmp_path / "images" / "img" / "1.jpg")
    written(tmp_path / "frame" / "2_1.png")
    with pytest.raises(UserError, match="^--ijba_dir: .*verify_metadata_1.csv: no such image: .*img/3.jpg"):
        ijba.image_paths(tmp_path, faces)
    written(tmp_path / "img" / "3.jpg")
    assert [str(path.relative_to(tmp_path)) for path in ijba.image_paths(tmp_path, faces)] == [
        "images/img/1.jpg", "frame/2_1.png", "img/3.jpg"]


@pytest.mark.parametrize(("box", "fits"), [
    ("0,0,40,30", True), ("-5,-5,20,20", True), ("30,10,19,30", True), ("100,0,20,20", False), ("0,-30,20,20", False),
    ("35,0,20,20", False), ("0,25,20,20", False),
])  # fmt: skip
@pytest.mark.parametrize("turned", [False, True])
def test_a_box_outside_its_image_is_named(tmp_path, box, fits, turned):
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1
    (tmp_path / "img").mkdir()
    Image.new("RGB", (30, 40) if turned else (40, 30)).save(tmp_path / "img" / "1.jpg", exif=exif)  # upright: 40 x 30
    faces = ijba.read_faces(written(tmp_path / "verify_metadata_1.csv", HEADER, f"11,5,img/1.jpg,100,7,{box},"))
    paths = ijba.image_paths(tmp_path, faces)
    if fits:
        ijba.check_boxes(faces, paths)
        return
    with pytest.raises(UserError, match="^--ijba_dir: .*_1.csv: the face of template 11 is outside img/1.jpg"):
        ijba.check_boxes(faces, paths)
    (tmp_path / "img" / "1.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match="^--ijba_dir: .*img/1.jpg: not a JPEG"):
        ijba.check_boxes(faces, paths)


def test_a_face_is_cut_out_with_the_margin_of_align():
    rows, columns = np.mgrid[0:200, 0:300]
    pixels = np.stack([rows, columns % 256, 0 * rows], axis=-1).astype(np.uint8)
    cut = ijba.crop(pixels, (100, 60, 169, 129))  # 69 / (1 - 44/182) = 91: from 89, 49 on
    assert cut.shape == (91, 91, 3) and cut[0, 0].tolist() == [49, 89, 0]
    assert ijba.crop(pixels, (231, 60, 300, 129))[0, 0].tolist() == [49, 209, 0]  # moved in from the right
