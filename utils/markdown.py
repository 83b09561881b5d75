"""Words of others in Markdown, shown as they are: no HTML, no link, no emphasis, no column of a table."""

import html
import re

from utils.printable import printable


def escaped(text):
    """A text on one line, for a heading, a paragraph or a cell of a table. An underscore within a word stays."""
    text = html.escape(printable(text).strip(), quote=False)
    return re.sub(r"[\\`*\[\]|~!#]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)


def code(text):
    """A text on one line as a code span."""
    text = printable(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{space}{text}{space}{fence}"
