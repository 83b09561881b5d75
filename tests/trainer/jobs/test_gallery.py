"""gallery through main.py: sheets, the page's data, going on, hostile names; and the page in a browser."""

import json
import re
import shutil
import subprocess
from html import unescape
from urllib.parse import urljoin

import numpy as np
import pytest
from PIL import Image

import main
from tests.small import face
from trainer.output import gallery

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
         "--disable-component-update --disable-sync --allow-file-access-from-files").split()  # fmt: skip
SCORES = [0.5, 0.1, None, 0.9, 0.3]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """data/faces: five images of two people with a score each but one, and data/renders of four of them."""
    folder = tmp_path_factory.mktemp("gallery") / "data"
    lines = ["file_name,identity,d_score,hair,x_1"]
    for number, score in enumerate(SCORES):
        name = f"{'ann' if number < 3 else 'b<script>&'}/{number}.png"
        for kind, seed in (("faces", number), ("renders", 50 + number)):
            if (kind, number) == ("renders", 4):
                continue
            (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(face(seed, 16)).save(folder / kind / name)
        lines.append(f"{name},x,{'' if score is None else score},red,3")
    (folder / "strangers").mkdir()
    Image.fromarray(face(1, 16)).save(folder / "strangers" / "else.png")
    (folder / "faces" / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


def run(data, target, *words):
    where = ["--data_dir", str(data), "--asset_dir", str(data.parent / "cache"), "--save_syn_dataset", "faces"]
    return main.main(["gallery", *where, "--gallery_dir", str(target), "--gallery_size", "16", *words])


def data_of(target):
    page = (target / "index.html").read_text()
    return json.loads(re.search(r"const data = (.*);\n", page)[1]), page


@pytest.fixture(scope="module")
def made(data):
    target = data.parent / "made"
    assert run(data, target, "--beside", "renders") == 0
    return target


def test_each_image_is_where_the_page_looks_for_it(data, made):
    told, page = data_of(made)
    assert told["paths"] == [f"ann/{i}.png" for i in range(3)] + [f"b<script>&/{i}.png" for i in (3, 4)]
    assert told["people"] == ["ann", "b<script>&"] and told["labels"] == [0, 0, 0, 1, 1]
    assert told["numbers"] == [["d_score", SCORES]] and told["captions"] == ["renders", "faces"]
    assert page.count("<script>") == 1 and page.count("</script>") == 1  # a name is no code
    sheet = np.asarray(Image.open(made / "sheets" / "00000.jpg"), int)
    assert sheet.shape == (16, told["across"] * 2 * 16, 3)
    for number, path in enumerate(told["paths"]):
        cell = sheet[:, 32 * number : 32 * number + 32]
        for half, kind in ((cell[:, :16], "renders"), (cell[:, 16:], "faces")):
            file = data / kind / path
            wanted = np.asarray(Image.open(file), int) if file.is_file() else gallery.MISSING
            assert np.abs(half - wanted).mean() < 12, (path, kind)  # JPEG
    assert (made / told["folder"] / "ann" / "0.png").resolve().is_file()


def test_a_sheet_of_wide_cells_has_fewer(data, tmp_path, capsys):
    """512 pixels, eight beside each other: 16 cells would be wider than a JPEG can be."""
    others = [f"copy{number}" for number in range(127)]
    for name in others:
        (data / name).symlink_to(data / "renders")
    assert run(data, tmp_path / "out", "--gallery_size", "512", "--beside", ",".join(others[:7])) == 0
    told, _ = data_of(tmp_path / "out")
    assert (told["across"], told["columns"], told["each"]) == (4, 8, 64)
    with Image.open(tmp_path / "out" / "sheets" / "00000.jpg") as sheet:
        assert sheet.size == (4 * 8 * 512, 2 * 512)
        last = sheet.crop((7 * 512, 512, 8 * 512, 1024)).resize((16, 16), Image.Resampling.BOX)
    wanted = np.asarray(Image.open(data / "faces" / told["paths"][4]), int)
    assert np.abs(np.asarray(last, int) - wanted).mean() < 12
    assert run(data, tmp_path / "wide", "--gallery_size", "512", "--beside", ",".join(others)) == 2
    assert "error: --gallery_size 512: 128 images side by side are 65536 pixels" in capsys.readouterr().err
    assert not (tmp_path / "wide").exists()


LOOK = """
    found.sorts = [...get("sort").options].map(option => option.value);
    key("Enter"); found.cells = [...get("one").querySelectorAll("td")].map(cell => cell.textContent);
    const large = get("one").querySelector("img");
    addEventListener("load", () => { found.width = large.naturalWidth; document.title = JSON.stringify(found); });"""


def test_names_that_a_page_would_read_otherwise(tmp_path):
    """In the address of a picture, and of a column."""
    folder = tmp_path / "a #1?b%20 ü" / "faces"
    folder.mkdir(parents=True)
    Image.fromarray(face(1, 16)).save(folder / "0.png")
    (folder / "metadata.csv").write_text("file_name,__proto__,constructor\n0.png,1,2\n")
    assert run(folder.parent, tmp_path / "out") == 0
    told, _ = data_of(tmp_path / "out")
    page = (tmp_path / "out" / "index.html").as_uri()
    assert urljoin(page, f"{told['folder']}/0.png") == (folder / "0.png").as_uri()
    assert told["numbers"] == [["__proto__", [1]], ["constructor", [2]]]
    shown = in_browser(tmp_path / "out", LOOK)
    assert shown["sorts"] == ["", "__proto__", "constructor"] and shown["width"] == 16
    assert shown["cells"] == ["person", "all images", "__proto__", "1", "constructor", "2"]


ACTIONS = """<script>
    const found = {};
    const key = name => document.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true}));
    ACTIONS
    document.title = JSON.stringify(found);
    </script></body>"""


def in_browser(target, actions):
    """What Chromium found on the page of a gallery: `actions`, JavaScript, write into `found`."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    page = target / "with_actions.html"
    text = (target / "index.html").read_text()
    page.write_text(text.replace("</body>", ACTIONS.replace("ACTIONS", actions)))
    command = [CHROMIUM, *QUIET, f"--user-data-dir={target / 'profile'}", "--dump-dom", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return json.loads(unescape(re.search(r"<title>(.*?)</title>", dom)[1]))


def test_many_sheets_and_going_on(data, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "ACROSS", 2)
    monkeypatch.setattr(gallery, "DOWN", 1)
    assert run(data, tmp_path / "out") == 0
    first = {path.name: path.read_bytes() for path in (tmp_path / "out" / "sheets").iterdir()}
    assert sorted(first) == ["00000.jpg", "00001.jpg", "00002.jpg"]
    (tmp_path / "out" / "sheets" / "00001.jpg").unlink()
    kept = (tmp_path / "out" / "sheets" / "00000.jpg").stat().st_mtime_ns
    assert run(data, tmp_path / "out") == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out" / "sheets").iterdir()} == first
    assert (tmp_path / "out" / "sheets" / "00000.jpg").stat().st_mtime_ns == kept


@pytest.mark.parametrize(("words", "message"), [
    (["--save_syn_dataset", "gone"], "--save_syn_dataset: no such folder"),
    (["--beside", "gone"], "--beside: no such folder"),
    (["--beside", "renders,strangers"], "--beside: strangers holds no image of a name that faces has"),
    (["--gallery_dir", "{data}/faces/ann/x"], "faces, where nothing is written"),
    (["--pretrained_gen", "{data}/nothing"], "--pretrained_gen"),
])  # fmt: skip
def test_bad_input_is_one_line(data, tmp_path, words, message, capsys):
    assert run(data, tmp_path / "out", *(word.format(data=data) for word in words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line


def test_a_runs_curves_are_in_the_page(data, trained_run, tmp_path):
    assert run(data, tmp_path / "out", "--pretrained_gen", str(trained_run.run)) == 0
    _, page = data_of(tmp_path / "out")
    assert 'alt="training curves: loss"' in page and 'alt="training curves: misc"' in page


def test_the_page_sorts_filters_and_opens_in_a_browser(made, tmp_path):
    shutil.copytree(made, tmp_path / "made")
    actions = """
    const cells = () => [...document.querySelectorAll(".cell")];
    const shown = () => cells().map(cell => cell.getAttribute("aria-label"));
    const set = (id, value) => { get(id).value = value; get(id).dispatchEvent(new Event("input")); };
    found.all = shown(); set("sort", "d_score"); found.sorted = shown();
    set("by", "d_score"); set("low", "0.2"); found.filtered = shown();
    set("person", "ANN"); found.person = [shown(), get("count").textContent];
    key("Enter"); found.open = [get("one").open, get("one").querySelector("h1").textContent];
    set("person", ""); key("ArrowRight"); found.moved = get("one").querySelector("h1").textContent;"""
    told = in_browser(tmp_path / "made", actions)
    second = "b<script>&"
    assert told["all"] == ["ann/0.png", "ann/1.png", "ann/2.png", f"{second}/3.png", f"{second}/4.png"]
    assert told["sorted"] == ["ann/1.png", f"{second}/4.png", "ann/0.png", f"{second}/3.png", "ann/2.png"]
    assert told["filtered"] == [f"{second}/4.png", "ann/0.png", f"{second}/3.png"]
    assert told["person"] == [["ann/0.png"], "1 of 5 images, 2 people"]
    assert told["open"] == [True, "ann/0.png"] and told["moved"] == "ann/0.png"
