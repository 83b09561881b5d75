"""Groups of generated images by a column of metadata.csv, and each one's figures."""

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from data_loader.folders import index_images
from trainer.evaluation import separability
from trainer.evaluation.groups import HEADER, TOO_FEW, UNKNOWN, groups_section, read_groupings
from trainer.evaluation.image_quality import kernel_distance
from trainer.evaluation.sections import LabelledSet, Threshold
from trainer.face_networks.embedding import Embeddings
from utils.errors import UserError

IMAGES = [f"{person}/{number}" for person in "abc" for number in (1, 2, 3)]
LIMIT = 3.0


def images(folder, ending="png"):
    for name in IMAGES:
        path = folder / f"{name}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    return folder


def index(folder, flag="--save_syn_dataset"):
    return index_images(folder, folder.parent / "cache", labelled=True, flag=flag)


@pytest.fixture
def made(tmp_path):
    """Nine images of three people, made from renders beside them."""
    images(tmp_path / "made", "jpg")
    images(tmp_path / "syn")
    (tmp_path / "made" / "run.json").write_text('{"finished": true, "inputs": {"folder": "../syn"}}')
    return tmp_path / "made"


def write_table(folder, text):
    (folder / "metadata.csv").write_text(text, encoding="utf-8")


def column(name, values, ending="png"):
    rows = (f"{image}.{ending},{value}\n" for image, value in zip(IMAGES, values, strict=True))
    return f"path,{name}\n{''.join(rows)}"


def groups_of(made, columns):
    return [(grouping.names, grouping.members.tolist()) for grouping in read_groupings(columns, index(made))]


def test_kinds_stay_as_they_are_in_natural_order(made):
    write_table(made.parent / "syn", column("hair", ["brown", "a10", "", "a2", "brown", "a10", "brown", "a2", "a2"]))
    assert groups_of(made, "hair") == [(["a2", "a10", "brown", UNKNOWN], [2, 1, 3, 0, 2, 1, 2, 0, 0])]


def test_numbers_are_cut_into_thirds_with_their_ends_as_names(made):
    ages = [30, 10, 20, 40, 50, 60, 90, 80, 70]
    write_table(made.parent / "syn", column("age", ages))
    names = ["10 to 30", "30 to 60", "60 to 90", UNKNOWN]
    assert groups_of(made, "age") == [(names, [0, 0, 0, 1, 1, 1, 2, 2, 2])]


def test_a_value_at_an_end_belongs_to_the_lower_group_and_nan_to_none(made):
    write_table(made.parent / "syn", column("tone", [1, 1, 1, 1, 2, 2, 3, 4, "nan"]))
    names = ["1 to 1", "1 to 2", "2 to 4", UNKNOWN]
    assert groups_of(made, "tone") == [(names, [0, 0, 0, 0, 1, 1, 2, 2, 3])]


@pytest.mark.parametrize("values", [[0, 1] * 4 + [1], ["0.0", "1.00"] * 4 + ["1"]])
def test_few_numbers_are_kinds(made, values):
    write_table(made.parent / "syn", column("glasses", values))
    assert groups_of(made, "glasses") == [(["0", "1", UNKNOWN], [0, 1, 0, 1, 0, 1, 0, 1, 1])]


def test_a_table_as_excel_saves_it_and_several_columns(made):
    rows = "".join(f"{0.5 * (i % 2):g};x;{name}.png\r\n".replace(".5", ",5").replace("/", "\\")
                   for i, name in enumerate(IMAGES))  # fmt: skip
    write_table(made.parent / "syn", f"\ufefftone;hair, eyes;path\r\n{rows}")
    tone = (["0", "0.5", UNKNOWN], [0, 1, 0, 1, 0, 1, 0, 1, 0])
    assert groups_of(made, "tone") == [tone]
    assert groups_of(made, "hair, eyes") == [(["x", UNKNOWN], 9 * [0])]


def test_the_folders_own_table_comes_first_and_named_renders_last(made):
    write_table(made.parent / "syn", column("hair", 9 * ["render"]))
    assert groups_of(made, "hair")[0][0] == ["render", UNKNOWN]
    write_table(made, column("hair", 9 * ["own"], "jpg"))
    assert groups_of(made, "hair")[0][0] == ["own", UNKNOWN]
    for name in ("metadata.csv", "run.json"):
        (made / name).unlink()
    (made / "confidence_scores.csv").write_text("path,identity\n")
    (grouping,) = read_groupings("hair", index(made), index(made.parent / "syn", "--syn_dataset"))
    assert grouping.names == ["render", UNKNOWN]


@pytest.mark.parametrize(
    ("columns", "table", "message"),
    [
        ("age", None, "--groups: neither .*made nor the folder of its renders has a metadata.csv"),
        ("age", "path,identity,tone,x_1,visible_1\n", "--groups: age is no column of .*; there are: identity, tone$"),
        ("path", "path,tone\n", "--groups: path is no column of .*; there are: tone"),
        ("tone,tone", "path,tone\n", "--groups: tone is named twice"),
        ("tone,", "path,tone\n", "--groups: an empty name is no column of"),
        ("tone", "tone\n1\n", "--groups: .*metadata.csv line 1: column path is missing"),
        ("tone", "path,tone\nother/1.png,1\n", "--groups: .*metadata.csv names no image of .*made"),
        ("tone", "path,tone\na/1.png,\n", "--groups: tone is empty for all images"),
        ("tone", "path,tone\na/1.png\n", "--groups: .*metadata.csv line 2: 1 values for 2 columns"),
    ],
)
def test_what_cannot_be_grouped_is_one_line(made, columns, table, message):
    if table is not None:
        write_table(made.parent / "syn", table)
    with pytest.raises(UserError, match=message):
        read_groupings(columns, index(made))


def labelled_set(folder, features):
    found = index(folder)
    rows = len(features)
    embeddings = Embeddings(features, found.labels[:rows], np.arange(rows), IMAGES[:rows], found.label_names, [])
    pairs = separability.compare_pairs(features, embeddings.labels)
    return LabelledSet("generated", "Generated", found, embeddings, pairs, unit_length=False)


def test_figures_of_each_group_agree_with_an_independent_computation(made):
    """Eight images, since the last one could not be read; by person, and a group of two people."""
    hair = ["fair", "fair", "fair", "dark", "fair", "fair", "dark", "dark", "dark"]
    write_table(made.parent / "syn", column("hair", hair))
    rng = np.random.default_rng(0)
    codes, photographs = rng.normal(size=(8, 5)), rng.normal(size=(9, 5))
    generated, real = labelled_set(made, codes), labelled_set(made.parent / "syn", photographs)
    other = rng.normal(size=(8, 3)), rng.normal(size=(9, 3))  # of another network, for KID
    section = groups_section(generated, [real], Threshold(LIMIT, ""), read_groupings("hair", index(made)), "net",
                             other[1], other[0], seed=4)  # fmt: skip
    header, rows = section.tables["hair"]
    assert header == HEADER and [row[0] for row in rows] == ["dark", "fair", "all"]
    centres = photographs.reshape(3, 3, 5).mean(axis=1)
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    for name, count, people, *measured in rows:
        chosen = np.array([name in ("all", value) for value in hair[:8]])
        assert (count, people) == (chosen.sum(), len(np.unique(labels[chosen])))
        kid = list(kernel_distance(other[1], other[0][chosen], seed=4)) if count >= 4 else [TOO_FEW, None]
        assert measured[:2] == kid
        upper = np.triu_indices(count, 1)
        distances = cdist(codes[chosen], codes[chosen], "sqeuclidean")[upper]
        equal = (labels[chosen][:, None] == labels[chosen])[upper]
        assert measured[2] == pytest.approx(roc_auc_score(equal, -distances))
        means = np.stack([codes[chosen & (labels == label)].mean(axis=0) for label in np.unique(labels[chosen])])
        nearest = cdist(means, centres, "sqeuclidean").min(axis=1)
        assert measured[3:] == pytest.approx([nearest.mean(), np.mean(nearest <= LIMIT)])
    assert rows[0][3] == TOO_FEW and len(section.figures) == 1
    assert "KID: fair" in section.figures[0].alt and "pair AUC: dark" in section.figures[0].alt


def test_a_group_of_one_person_has_no_auc_and_any_name_may_be_a_column(made):
    write_table(made.parent / "syn", column("../$x", 3 * ["a"] + 6 * ["$b_{"]))
    codes = np.random.default_rng(1).normal(size=(9, 5))
    generated, real = labelled_set(made, codes), labelled_set(made.parent / "syn", codes + 1)
    section = groups_section(generated, [real], Threshold(LIMIT, ""), read_groupings("../$x", index(made)), "net",
                             codes + 1, codes)  # fmt: skip
    _, rows = section.tables[".._$x".replace(".", "_").replace("$", "_")]
    assert [row[HEADER.index("auc")] == TOO_FEW for row in rows] == [False, True, False]
