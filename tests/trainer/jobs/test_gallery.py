"""gallery through main.py: sheets, the page's data, going on, hostile names; and the page in a browser."""

import json
import re
import shutil
import subprocess

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
    assert told["numbers"] == {"d_score": SCORES} and told["captions"] == ["renders", "faces"]
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


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_sorts_filters_and_opens_in_a_browser(made, tmp_path):
    actions = """<script>
    const found = {}, cells = () => [...document.querySelectorAll(".cell")];
    const shown = () => cells().map(cell => cell.getAttribute("aria-label"));
    const set = (id, value) => { get(id).value = value; get(id).dispatchEvent(new Event("input")); };
    const key = name => document.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true}));
    found.all = shown(); set("sort", "d_score"); found.sorted = shown();
    set("by", "d_score"); set("low", "0.2"); found.filtered = shown();
    set("person", "ANN"); found.person = [shown(), get("count").textContent];
    key("Enter"); found.open = [get("one").open, get("one").querySelector("h1").textContent];
    set("person", ""); key("ArrowRight"); found.moved = get("one").querySelector("h1").textContent;
    document.title = JSON.stringify(found);
    </script></body>"""
    page = tmp_path / "index.html"
    page.write_text((made / "index.html").read_text().replace("</body>", actions))
    command = [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    title = re.search(r"<title>(.*?)</title>", dom)[1]
    told = json.loads(title.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    second = "b<script>&"
    assert told["all"] == ["ann/0.png", "ann/1.png", "ann/2.png", f"{second}/3.png", f"{second}/4.png"]
    assert told["sorted"] == ["ann/1.png", f"{second}/4.png", "ann/0.png", f"{second}/3.png", "ann/2.png"]
    assert told["filtered"] == [f"{second}/4.png", "ann/0.png", f"{second}/3.png"]
    assert told["person"] == [["ann/0.png"], "1 of 5 images, 2 people"]
    assert told["open"] == [True, "ann/0.png"] and told["moved"] == "ann/0.png"
