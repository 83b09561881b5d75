"""The card of data sets with names that Markdown, YAML and UTF-8 would not take as they are."""

import json
import re
from html import unescape

import pytest
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt

from trainer.output import card


def run(name, folder="/data/syn", checkpoint="/logs/run/step-1.npz"):
    return {
        "flags": {"save_syn_dataset": name, "system": "facegan"},
        "inputs": {"identities": 2, "images": 4, "folder": folder},
        "settings": {"input_scale_size": 64, "image_format": "png", "checkpoint_sha256": {"a": "0"}, "random_seed": 1},
        "checkpoint": checkpoint, "trained_on": {"dataset": name},
    }  # fmt: skip


@pytest.mark.parametrize("name", ["x\udce9", "a: b", "#1", "123", "no", "'", '"quoted"', "a\nb", "- x", "日本", "{a}"])
def test_any_name_is_a_string_of_the_front_matter(name):
    text = card.text(run(f"sets/{name}", f"/data/{name}", f"/logs/{name}"), 4)
    (line,) = [line for line in text.split("\n") if line.startswith("pretty_name: ")]
    shown = name.replace("\udce9", "\\udce9").replace("\n", "\\n")
    assert json.loads(line.removeprefix("pretty_name: ")) == shown
    assert f"<h1>{shown}</h1>" in unescape(html(text)) and f"- made of: `{shown}`" in text
    assert text.encode() and "pretty_name: my-faces\n" in card.text(run("my-faces"), 4)


def test_hugging_face_reads_its_front_matter():
    data = DatasetCard(card.text(run("my faces"), 4)).data.to_dict()
    assert data == {"pretty_name": "my faces", "task_categories": ["image-classification"],
                    "tags": ["synthetic", "face-recognition", "faces"], "size_categories": ["n<1K"]}  # fmt: skip


def test_licences_are_told_with_what_they_exclude():
    told = [{"what": what, "by": "a|b", "licence": "CC0", "limit": limit} for what, limit in (("x", ""), ("y", "no"))]
    text = card.text(run("faces") | {"licences": told}, 4)
    assert "| x | a\\|b | CC0 | not excluded |" in text and "by: y.\n" in text
    assert "by: none of these." in card.text(run("faces") | {"licences": told[:1]}, 4)
    assert "is not recorded" in card.text(run("faces"), 4)


def test_what_others_wrote_is_shown_as_it_is():
    """In Markdown it is no HTML, no link, no picture and no column of its own."""
    name = "<script>alert(1) ![x](y.png) [x](y) `a` ``b **c** _d_ ~~e~~ | f # g &lt;"
    words = rf"{name} \| </script> a_b \ "
    told = dict.fromkeys(("what", "by", "licence", "limit"), words)
    page, plain = (html(card.text(run(name, f"/data/{name}", f"/logs/{name}") | {"licences": [entry]}, 4))
                   for entry in (told, dict.fromkeys(told, "x")))  # fmt: skip
    assert set(re.findall(r"<(\w+)", page)) == set(re.findall(r"<(\w+)", html(card.text(run("x"), 4)))) | {"td"}
    assert page.count("<td>") == plain.count("<td>") and page.count("<h1>") == 1
    shown = unescape(re.sub("</?code>", "", page))
    assert f"<h1>{name}</h1>" in shown and shown.count(f"<td>{words.strip()}</td>") == 4
    assert f"by: {words.strip()}." in shown.replace(" .", ".")
    for line in ("checkpoint: {}, SHA", "made of: {},", "was trained on: {} (--dataset)"):
        assert line.format(name) in shown


def html(text):
    """The page that Markdown means, without its front matter."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text.partition("\n---\n")[2])


def test_paths_of_another_system_are_told_by_their_last_part():
    text = card.text(run("faces", "C:\\data\\syn", "\\\\server\\share\\run\\step-1.npz"), 4)
    assert "- made of: `syn`" in text and "- checkpoint: `step-1.npz`" in text
