import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data_loader.folders import index_images
from data_loader.generated_folder import high_scores
from trainer.evaluation.generated import indexed_scores, match_renders, render_differences
from utils.errors import UserError


def write(path, colour, size=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size, 3), colour, np.uint8)).save(path)


def index(folder, flag="--save_syn_dataset"):
    return index_images(folder, folder.parent / "cache", labelled=True, flag=flag)


@pytest.fixture
def folders(tmp_path):
    """Renders with one more than there are generated images, of another size and ending."""
    for name, made, render in (("a/1", (60, 60, 60), (50, 60, 90)), ("a/2", (7, 7, 7), (7, 7, 7)), ("b/1", 0, 255)):
        write(tmp_path / "made" / f"{name}.png", made)
        write(tmp_path / "syn" / f"{name}.bmp", render, 8)
    write(tmp_path / "syn" / "a" / "10.bmp", 9)
    return tmp_path


def test_differences_by_hand(folders):
    made, renders = index(folders / "made"), index(folders / "syn", "--syn_dataset")
    matches = match_renders(made, renders)
    assert [renders.relative_path(i) for i in matches] == ["a/1.bmp", "a/2.bmp", "b/1.bmp"]
    colours, brightness = render_differences(made, renders, matches)
    np.testing.assert_allclose(colours, [(10 + 0 + 30) / 3, 0, 255])
    np.testing.assert_allclose(brightness, [abs(0.299 * 10 - 0.114 * 30), 0, 255], atol=1e-9)


def test_greying_a_render_leaves_its_brightness(folders):
    write(folders / "syn" / "a" / "1.bmp", (200, 100, 50))
    write(folders / "made" / "a" / "1.png", round(0.299 * 200 + 0.587 * 100 + 0.114 * 50))
    made, renders = index(folders / "made"), index(folders / "syn")
    colours, brightness = render_differences(made, renders, match_renders(made, renders))
    assert colours[0] > 40 and brightness[0] < 0.5


def test_what_cannot_be_read_has_no_difference(folders):
    (folders / "syn" / "b" / "1.bmp").write_bytes(b"no image")
    made, renders = index(folders / "made"), index(folders / "syn")
    colours, brightness = render_differences(made, renders, match_renders(made, renders))
    assert np.isnan(colours).tolist() == np.isnan(brightness).tolist() == [False, False, True]


def test_an_image_without_a_render(folders):
    (folders / "syn" / "a" / "2.bmp").unlink()
    with pytest.raises(UserError, match=r"--syn_dataset: 1 of 3 images in .*made have no render in .*syn.*: a/2.png"):
        match_renders(index(folders / "made"), index(folders / "syn", "--syn_dataset"))


def test_scores_in_the_order_of_the_images(folders):
    rows = "path,identity,d_score,s_score,c_score\nb/1.png,b,0.5,2,\na/1.png,a,0.25,,\ngone.png,a,9,9,9\n"
    (folders / "made" / "confidence_scores.csv").write_text(rows)
    scores = indexed_scores(index(folders / "made"))
    assert list(scores) == ["d_score", "s_score"]
    np.testing.assert_array_equal(scores["d_score"], [0.25, np.nan, 0.5])
    np.testing.assert_array_equal(scores["s_score"], [np.nan, np.nan, 2])
    assert indexed_scores(index(folders / "syn")) == {}


def test_scores_of_names_that_macos_spells_in_its_way(folders):
    write(folders / "made" / "Jose\u0301" / "1.png", 1)
    (folders / "made" / "confidence_scores.csv").write_text("path,identity,d_score\nJos\u00e9/1.png,J,0.5\n", "utf-8")
    assert np.nanmax(indexed_scores(index(folders / "made"))["d_score"]) == 0.5


@pytest.mark.parametrize("text", [
    "\ufeffpath;identity;d_score\r\nb/1.png;b;0,5\r\na/1.png;a;0,25\r\n",
    "path\tidentity\td_score\t\r\nb/1.png\tb\t0.5\t\r\na/1.png\ta\t0.25\t\r\n",
    "path,identity,d_score\r\nb\\1.png,b,0.5\r\na\\1.png,a,0.25\r\n",
    "\ufeffidentity,path,d_score\na,a/1.png,0.25\nb,b/1.png,0.5\n",
])  # fmt: skip
def test_scores_as_excel_saves_them(folders, text):
    (folders / "made" / "confidence_scores.csv").write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(indexed_scores(index(folders / "made"))["d_score"], [0.25, np.nan, 0.5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: column path, identity is missing"),
        ("path,d_score\n", "line 1: column identity is missing; there are: path, d_score"),
        ("path,identity,d_score\na/1.png,a\n", "line 2: 2 values for 3 columns"),
        ("path,identity,d_score\na/2.png,a,1\na/1.png,a,low\n", "line 3: column d_score is no number: 'low'"),
        ("path,identity,d_score\na/2.png,a,1\n../b/1.png,a,1\n", "line 3: '../b/1.png' leads out of its folder"),
        ("path,identity,d_score\nc/1.png,a,1\n", "names no image of the folder, its first is c/1.png"),
        ("path,identity,d_score\n/etc/passwd,a,1\n", "line 2: '/etc/passwd' leads out of its folder"),
        ("path,identity,d_score\n..\\1.png,a,1\n", "line 2: .* leads out of its folder"),
    ],
)
def test_bad_scores_are_one_line(folders, text, message):
    (folders / "made" / "confidence_scores.csv").write_text(text)
    with pytest.raises(UserError, match=f"--save_syn_dataset: .*confidence_scores.csv.*{message}"):
        indexed_scores(index(folders / "made"))


@given(text=st.text(alphabet='a/1.png,"\nb0\x00', max_size=40))
def test_any_file_of_scores_is_read_or_refused(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("scores")
    write(folder / "made" / "a" / "1.png", 1)
    (folder / "made" / "confidence_scores.csv").write_text("path,identity,d_score\n" + text)
    try:
        assert set(indexed_scores(index(folder / "made"))) <= {"d_score"}
    except UserError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("scores", ["[1]", '"high"', '{"d_score": 1}', '{"d_score": ["high"]}'])
def test_scores_that_run_json_does_not_tell_are_one_line(tmp_path, scores):
    (tmp_path / "run.json").write_text(f'{{"scores": {scores}}}')
    with pytest.raises(UserError, match="--save_syn_dataset: .*run.json: scores is none of this program's"):
        high_scores(tmp_path, "--save_syn_dataset")
    (tmp_path / "run.json").write_text('{"scores": {"a": {"better": "high"}, "b": {"better": "low"}, "c": {}}}')
    assert high_scores(tmp_path, "--save_syn_dataset") == {"a"}
