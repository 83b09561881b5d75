"""Text files and CSV tables that people hand over, as editors and Excel save them; and tables that any file name fits.

UTF-8, with or without a byte order mark; lines end at "\\n" or "\\r\\n" alone, since file names may hold every other
character that str.splitlines takes for the end of a line.
"""

import csv
import io
import re
from pathlib import Path

from utils.errors import UserError

ENCODING = "utf-8-sig"  # to read: takes a byte order mark, and needs none
# For tables of our own, which hold file names: these may be any bytes, and may hold "\r".
TEXT = {"newline": "\n", "encoding": "utf-8", "errors": "surrogateescape"}
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # what such a file begins with
PATHS = ("file_name", "path")  # what the column of an image's path is called: by Hugging Face, and by earlier versions
DELIMITERS = (",", ";", "\t")  # Excel's are ";" in most of Europe, tabs in "Unicode text"


def read_text(path, flag=""):
    """The text of a file.

    Args:
        path: ~ is expanded.
        flag: that names the file, for messages.

    Raises:
        UserError: it cannot be read, or is not UTF-8: names the line.
    """
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise UserError(f"{_before(flag)}cannot read {path}: {error.strerror}") from error
    _refuse_utf_16(data, path, flag)
    try:
        return data.decode(ENCODING)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{_before(flag)}{path} line {line}: not UTF-8 text; save the file as UTF-8") from error


def split_lines(text):
    """Its lines, without their ends; the empty line behind the last end is none."""
    if "\n" not in text:
        text = text.replace("\r", "\n")  # as Excel for the Mac saves "CSV (Macintosh)"
    lines = re.split("\r?\n", text)
    return lines if lines[-1] else lines[:-1]


def whole_rows(path):
    """Yield the rows of a file that `write_rows` wrote, up to one that a kill cut off; none where there is no file."""
    try:
        with open(path, **TEXT) as file:
            yield from csv.reader((line for line in file if line.endswith("\n")), strict=True)
    except FileNotFoundError:
        return
    except csv.Error:  # cut off within quotes
        return


def csv_line(values):
    """One row as text that ends with a newline. Values that hold any kind of line end are quoted."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(values)  # with "\n" alone, Python 3.11 would not quote "\r"
    return line.getvalue()[:-2] + "\n"


def write_rows(file, rows):
    """Write rows into a file that was opened with TEXT."""
    file.writelines(map(csv_line, rows))


class Table:
    """A CSV file with a header, read row by row: iterate over (line number, values).

    The delimiter is that of the first line. Empty rows are left out, and so are empty values behind the header's last.
    Bytes that are not UTF-8 stand for themselves, as in file names.

    Args:
        path: of the file.
        flag: that names it, for messages.

    Attributes:
        header: list of str; [] where the file is empty.

    Raises:
        UserError: no CSV, or it cannot be read. While iterating also: a row of another length; names file and line.
    """

    def __init__(self, path, flag=""):
        self.path, self.flag = Path(path).expanduser(), flag
        self._decimal_commas = delimiter_of(self.path, flag) != ","
        self._rows = read_rows(self.path, flag)
        _, header = next(self._rows, (0, []))
        self.header = [name.strip() for name in trimmed(header, 0)]

    def __iter__(self):
        for line, row in self._rows:
            row = trimmed(row, len(self.header))
            if len(row) != len(self.header):
                raise UserError(f"{self.where(line)}: {len(row)} values for {len(self.header)} columns")
            yield line, row

    def where(self, line):
        """File and line, as messages begin."""
        return f"{_before(self.flag)}{self.path} line {line}"

    def places(self, columns):
        """Where these columns are, list of int.

        Raises:
            UserError: names file and column.
        """
        missing = [column for column in columns if column not in self.header]
        if missing:
            there = ", ".join(self.header[:8]) + (" …" if len(self.header) > 8 else "") or "none"
            raise UserError(f"{self.where(1)}: column {', '.join(missing[:3])} is missing; there are: {there}")
        return [self.header.index(column) for column in columns]

    def path_place(self):
        """Where the column of the images' paths is; Raises as `places`."""
        return self.places([next((name for name in PATHS if name in self.header), PATHS[-1])])[0]

    def number(self, line, row, place):
        """A value as float, nan where it says so; with the comma that Excel writes where it does not delimit by commas.

        Raises:
            UserError: it is none; names file, line and column.
        """
        try:
            return float(row[place].replace(",", ".") if self._decimal_commas else row[place])
        except ValueError:
            what = f"column {self.header[place]} is no number: {row[place][:40]!r}"
            raise UserError(f"{self.where(line)}: {what}") from None


def read_rows(path, flag=""):
    """Yield (line number, list of values) of a CSV file, empty rows left out; Raises as Table."""
    delimiter, line = delimiter_of(path, flag), 0
    try:
        with open(path, newline="", encoding=ENCODING, errors="surrogateescape") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for row in reader:
                line = reader.line_num
                if any(value.strip() for value in row):
                    yield line, row
    except csv.Error as error:
        raise UserError(f"{_before(flag)}{path} is no CSV file: {error} (after line {line})") from error
    except OSError as error:
        raise UserError(f"{_before(flag)}cannot read {path}: {error.strerror}") from error


def delimiter_of(path, flag=""):
    """The one that is most often in the first line, outside quotes; Raises as Table."""
    try:
        with open(path, "rb") as file:
            first = file.readline()
    except OSError as error:
        raise UserError(f"{_before(flag)}cannot read {path}: {error.strerror}") from error
    _refuse_utf_16(first, path, flag)
    plain = re.sub(b'"[^"]*"', b"", first).decode("latin-1")
    return max(DELIMITERS, key=plain.count)


def trimmed(row, least):
    """A row without the empty values at its end, but for the first `least` values."""
    end = len(row)
    while end > least and not row[end - 1].strip():
        end -= 1
    return row[:end]


def _refuse_utf_16(data, path, flag):
    if data.startswith(UTF_16):
        raise UserError(f"{_before(flag)}{path} is not UTF-8 text but UTF-16; save the file as UTF-8")


def _before(flag):
    return f"{flag}: " if flag else ""
