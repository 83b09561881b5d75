"""Any words in Markdown, read by a parser of it."""

import re
from html import unescape

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from utils.markdown import code, escaped
from utils.printable import printable

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
WORDS = st.text(st.characters(exclude_categories=["Zs"]) | st.sampled_from(list(" `*_~|\\[]()<>&;!#-=\"'")), min_size=1)


@given(WORDS)
@example("__init__ a_b _c_ <!-- x --> &lt; http://a.b <a@b.c> ~~e~~")
@example("x #")
def test_words_are_shown_as_they_are(words):
    shown = unescape(PARSER.render(f"by: {escaped(words)}.\n\n| a |\n|---|\n| x{escaped(words)} |"))
    paragraph, cell = re.search(r"<p>(.*?)\.</p>.*<td>(.*)</td>", shown, re.DOTALL).groups()
    assert paragraph.split() == ["by:", *printable(words).split()]
    assert cell.split() == ("x" + printable(words).strip()).split()
    if words.strip():
        heading = re.fullmatch(r"<h1>(.*)</h1>\n", unescape(PARSER.render(f"# {escaped(words)}")), re.DOTALL)
        assert heading[1].split() == printable(words).split()


@given(WORDS)
@example("`")
@example("a``b`")
def test_code_is_shown_as_it_is(words):
    shown = unescape(PARSER.render(f"made of: {code(words)}, so"))
    found = re.fullmatch(r"<p>made of: <code>(.*)</code>, so</p>\n", shown, re.DOTALL)
    assert found[1].split() == printable(words).split()
