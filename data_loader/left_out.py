"""What a walk through an image folder leaves out, and what looks wrong about the folder: said, never silent."""

import os
from collections import Counter

# Images of other kinds, which are counted and named as left out.
NOT_READ = tuple(f".{ending}".encode() for ending in (
    "heic heics heif hif jxl jp2 j2k jpx jpf jpc jxr pbm pam pfm tga psd ico icns svg dng cr2 cr3 crw nef nrw arw srf "
    "sr2 raf rw2 orf pef srw x3f hdr exr dds pcx xcf qoi apng dib mpo avifs").split())  # fmt: skip


class LeftOut:
    """Told of every image of a folder, one at a time.

    Args:
        labelled: whether the first folder level is the label.
        endings: list of bytes, of the images that are read.
    """

    def __init__(self, labelled, endings):
        self.labelled, self.endings = labelled, endings
        self.others, self.other = Counter(), None  # by ending, in lower case; the first by name
        self.beside, self.count_beside = None, 0
        self.with_images, self.with_others = set(), set()  # names of first folder levels
        self.flat, self.nested = False, None  # an image right in a label folder; the first one deeper

    def read(self, path):
        """An image that is read. path: bytes, relative, with "/"."""
        if self.labelled:
            self.with_images.add(path.partition(b"/")[0])
            if path.count(b"/") == 1:
                self.flat = True
            elif not self.flat:
                self.nested = _first(self.nested, path)

    def not_read(self, path):
        """A file that may be an image of another kind, or lie beside the label folders."""
        name = path.lower()
        if name.endswith(self.endings):
            self.count_beside += 1
            self.beside = _first(self.beside, path)
        elif name.endswith(NOT_READ):
            self.others[os.path.splitext(name)[1].decode()] += 1
            self.other = _first(self.other, path)
            self.with_others.add(path.partition(b"/")[0] if b"/" in path else b"")

    def what_is_read(self):
        """The endings of the images that are read, and how many others there are, for an error."""
        told = f"{', '.join(ending.decode() for ending in self.endings)} are read"
        return f"{told}, not {self._others()}" if self.others else told

    def warnings(self, flag, folder):
        """List of lines, each of which says all of one kind."""
        lines, out = [], f"left out of {folder}"
        if self.others:
            lines.append(f"{out}: {self._others()}; {self._lost()}convert them to be used")
        if self.count_beside:
            example = os.fsdecode(self.beside)
            lines.append(f"{out}: {_images(self.count_beside)} beside the label folders, for one {example}")
        if self.nested and not self.flat:
            first, second = (os.fsdecode(part) for part in self.nested.split(b"/")[:2])
            lines.append(f"every label folder of {folder} holds folders only, for one {first}/{second}: {first} is "
                         f"taken for a person. If {second} is one, name a folder one level deeper")  # fmt: skip
        return [f"warning: {flag}: {line}" for line in lines]

    def _others(self):
        kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(self.others.items()))
        return f"{_images(self.others.total())} that cannot be read ({kinds}), for one {os.fsdecode(self.other)}"

    def _lost(self):
        lost = self.with_others - self.with_images - {b""}
        if not (self.labelled and lost):
            return ""
        many = f"{len(lost)} label folders hold nothing else and are"
        gone = many if len(lost) > 1 else "1 label folder holds nothing else and is"
        return f"{gone} gone, for one {os.fsdecode(min(lost))}; "


def _first(known, path):
    return path if known is None else min(known, path)


def _images(count):
    return f"{count} image{'' if count == 1 else 's'}"
