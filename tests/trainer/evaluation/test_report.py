import csv
import json
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from trainer.evaluation import figures
from trainer.evaluation.report import Section, main_figures, shown, write_report
from trainer.evaluation.sections import caption
from utils.tables import Table

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What is on a page, and whether every element that was opened was closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def roc():
    return {"photographs": (np.array([0, 0.1, 1.0]), np.array([0.5, 0.9, 1.0]))}


def section(key="dataset", **more):
    metrics = {"images": np.int64(1234), "auc": np.float32(0.75), "eer": None, "d_prime": float("nan"),
               "kid on net": 0.25, "kid_sd on net": 0.125}  # fmt: skip
    tables = {"pairs": (["path", "distance"], [["a,b <i>.png", np.float64(0.5)], ["x\udcff.png", None]])}
    return Section(key, "Photographs <1>", "All pairs & more.", metrics, tables, **more)


def test_json_holds_sections_settings_and_the_top(tmp_path):
    write_report(tmp_path / "new", [section(), section("generated")], {"network": "net"}, {"auc": 0.75})
    content = json.loads((tmp_path / "new" / "evaluation.json").read_text())
    assert list(content) == ["auc", "dataset", "generated", "settings"] and content["auc"] == 0.75
    assert content["dataset"] == {"images": 1234, "auc": 0.75, "eer": None, "d_prime": None, "kid on net": 0.25,
                                  "kid_sd on net": 0.125}  # fmt: skip
    assert content["settings"] == {"network": "net"}


def test_one_csv_a_table(tmp_path):
    write_report(tmp_path, [section()], {})
    with open(tmp_path / "dataset_pairs.csv", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["path", "distance"], ["a,b <i>.png", "0.5"], ["x\\udcff.png", ""]]
    assert {path.name for path in tmp_path.iterdir()} == {"evaluation.json", "report.html", "dataset_pairs.csv"}


def test_the_page_stands_alone_and_explains_every_metric(tmp_path):
    shown_figures = [
        figures.roc_figure("ROC", roc()),
        figures.det_figure("DET", roc()),
        figures.histogram_figure("Distances", {"genuine": [0.1, 0.2], "impostor": [0.9]}, 0.5),
        figures.scatter_figure("Scores", [1, 2, 3], [3, 1, 2], ("d_score", "distance"), "rank correlation -0.5"),
        figures.pairs_figure(
            "Hardest", [(np.zeros((9, 7, 3), np.uint8), np.ones((5, 5, 3), np.uint8), "$a_")] * 3, "3"
        ),
    ]
    path = write_report(tmp_path, [section(figures=shown_figures)], {"folder": "a & b"})
    text = path.read_text()
    page = Page(text)
    assert not page.all("script") and not page.all("link") and "http" not in re.sub(r"base64,[^\"]+", "", text)
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert [image["alt"] for image in page.all("img")] == [figure.alt for figure in shown_figures]
    assert all(figure.alt and figure.title in page.words for figure in shown_figures)
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link["href"] for link in page.all("a")} <= {f"#{target}" for target in targets}
    assert "Photographs <1>" in page.words and "a,b <i>.png" in page.words and "a & b" in page.words
    assert {"1,234", "0.75", "0.25 ± 0.12", "KID on net", "higher is better"} <= set(page.words)
    assert "chance that a genuine pair is nearer" in text and 'name="viewport"' in text


NAMES = ("x\udce9", "$a_{", "$\\frac$", "a$b$c", "\u2028\n\x85a", "日本", "a\\$b", "$$")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_name_may_stand_in_a_report(tmp_path, name):
    picture = np.zeros((9, 7, 3), np.uint8)
    drawn = [
        figures.roc_figure(name, {name: roc()["photographs"]}),
        figures.det_figure(name, {name: roc()["photographs"]}),
        figures.histogram_figure(name, {name: [0.1, 0.2]}, 0.5, name),
        figures.scatter_figure(name, [1, 2], [2, 1], (name, name), name),
        figures.fraction_figure(name, {name: ((20, 50), (0.5, 0.6), (0, 0.1))}, name),
        figures.pairs_figure(name, [(picture, picture, caption(name, name, 0.5))], name),
    ]
    one = Section("a", name, name, {"auc": 0.5}, {"t": (["path"], [[name], [f"\r{name}"]])}, drawn)
    path = write_report(tmp_path, [one], {f"--dataset /{name}": name})
    Page(path.read_text(encoding="utf-8"))
    assert len(json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))["settings"]) == 1
    assert [row[0] for _, row in Table(tmp_path / "a_t.csv")] == [
        f"{start}{name}".encode("utf-8", "backslashreplace").decode() for start in ("", "\r")]


def test_figures_are_pictures_of_the_promised_size():
    for figure in (figures.roc_figure("ROC", roc()), figures.histogram_figure("same", {"all": [1.0, 1.0]})):
        with Image.open(BytesIO(figure.png)) as image:
            assert image.format == "PNG" and image.size == (836, 646)
            assert np.asarray(image.convert("L")).std() > 5
    assert "photographs: 54.0 % accepted at 1 % false accepts" in figures.roc_figure("ROC", roc()).alt


def test_main_figures_are_those_marked_so():
    assert [row[1:] for row in main_figures([section()])] == [
        ("AUC", "0.75", "higher is better"), ("EER", "–", "lower is better"),
        ("KID on net", "0.25 ± 0.12", "lower is better"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234567, "1,234,567"), (0.99984, "0.9998"), (0.000012, "1.200e-05"), (0.0, "0"), (None, "–"), (True, "yes"),
     ("as it is", "as it is"), (123456.7, "1.235e+05"), (-0.5, "-0.5")],
)  # fmt: skip
def test_numbers_as_people_read_them(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([section(), section()], "'dataset'"),
        ([section("../up")], "'../up'"),
        ([section("settings")], "'settings'"),
        ([section("auc")], "'auc'"),
        ([Section("a", "A", "", {"unheard_of": 1})], "no line about metric 'unheard_of'"),
    ],
)
def test_what_no_reader_could_understand_is_refused_before_anything_is_written(tmp_path, sections, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        write_report(tmp_path / "new", sections, {}, {"auc": 1.0})
    assert not (tmp_path / "new").exists()
