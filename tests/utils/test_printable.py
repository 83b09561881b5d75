import matplotlib.cbook
import pytest

from utils.printable import plotted, printable


@pytest.mark.parametrize(("name", "shown"), [
    ("José 日本 $1.png", "José 日本 $1.png"), ("x\udce9", "x\\udce9"), ("a\nb\rc\td", "a\\nb\\rc\\td"),
    ("\x85\u2028\u2029\x0c\x1b[0m", "\\x85\\u2028\\u2029\\x0c\\x1b[0m"),
])  # fmt: skip
def test_a_name_is_one_line_that_can_be_encoded(name, shown):
    assert printable(name) == shown
    assert shown.encode() and len(shown.splitlines()) == 1


@pytest.mark.parametrize("name", ["$a_{", "$a$", "a$b$c$d$", "\\$", "no"])
def test_matplotlib_reads_no_formula_and_shows_every_dollar(name):
    assert not matplotlib.cbook.is_math_text(plotted(name))
    assert plotted(name).replace(r"\$", "$") == name
