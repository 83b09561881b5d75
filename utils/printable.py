"""File names, which may be any bytes, as text that a terminal, a page or a plot takes."""

import unicodedata

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # kinds of characters: control, of bytes that are not UTF-8, ends of lines


def printable(text):
    """The text on one line that can be encoded: other characters are written as Python escapes them."""
    return "".join(sign if unicodedata.category(sign) not in UNPRINTABLE else _escaped(sign) for sign in str(text))


def plotted(text):
    """The text as Matplotlib shows it as it is: between two dollars it would read a formula."""
    return printable(text).replace("$", r"\$")


def _escaped(sign):
    return sign.encode("unicode_escape").decode("ascii")
