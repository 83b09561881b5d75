"""The files that trainers of recognisers read: images with their truth, many to a file.

    webdataset   tar files: <number>.jpg, <number>.cls (the label), <number>.json (name, identity and all that is known)
    parquet      a row for each image: image (bytes and path, as Hugging Face's Image), label, identity, and the rest
    tfrecord     tf.train.Example: image/encoded, image/format, image/name, label, identity, and the rest
    zip          the files as they lie, and the metadata.csv of those in it (Hugging Face's imagefolder)

The same folder gives the same bytes: no times, no owners.
"""

import io
import json
import tarfile
import zipfile
from pathlib import PurePosixPath

import tensorflow as tf

from utils.errors import UserError
from utils.tables import PATHS, csv_line
from utils.versions import require

DAY = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can hold
ROWS_AT_ONCE = 256  # images of a row group


class WebDataset:
    """A tar file. What all of these do says open_format."""

    ending, needs = "tar", ""

    def __init__(self, path, columns):
        self.tar = tarfile.open(path, mode="w", format=tarfile.USTAR_FORMAT)

    def add(self, image):
        kind = _format_of(image.name)
        told = {"file_name": image.name, "identity": image.identity, "label": image.label} | image.known
        for ending, data in ((kind, image.data), ("cls", str(image.label).encode()),
                             ("json", json.dumps(told, ensure_ascii=False).encode())):  # fmt: skip
            member = tarfile.TarInfo(f"{image.number:09d}.{ending}")
            member.size = len(data)
            self.tar.addfile(member, io.BytesIO(data))

    def close(self):
        self.tar.close()


class Parquet:
    """A file of rows, which Hugging Face's `datasets` shows as images."""

    ending, needs = "parquet", "pyarrow"

    def __init__(self, path, columns):
        import pyarrow as arrow
        from pyarrow import parquet

        self.arrow, self.waiting = arrow, []
        fields = [
            arrow.field("image", arrow.struct({"bytes": arrow.binary(), "path": arrow.string()})),
            arrow.field("label", arrow.int64()),
            arrow.field("identity", arrow.string()),
        ]
        fields += [arrow.field(name, arrow.float64() if number else arrow.string()) for name, number in columns.items()]
        kinds = {"image": {"_type": "Image"}, "label": _value("int64"), "identity": _value("string")}
        kinds |= {name: _value("float64" if number else "string") for name, number in columns.items()}
        self.schema = arrow.schema(fields, {"huggingface": json.dumps({"info": {"features": kinds}})})
        self.writer = parquet.ParquetWriter(path, self.schema)

    def add(self, image):
        row = {"image": {"bytes": image.data, "path": image.name}, "label": image.label, "identity": image.identity}
        self.waiting.append(row | image.known)
        if len(self.waiting) == ROWS_AT_ONCE:
            self._flush()

    def close(self):
        if self.waiting:
            self._flush()
        self.writer.close()

    def _flush(self):
        self.writer.write_table(self.arrow.Table.from_pylist(self.waiting, self.schema))
        self.waiting.clear()


class TfRecord:
    """A file of tf.train.Example, as TensorFlow frames them."""

    ending, needs = "tfrecord", ""

    def __init__(self, path, columns):
        self.writer = tf.io.TFRecordWriter(str(path))

    def add(self, image):
        def text(value):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

        features = {
            "image/encoded": text(image.data),
            "image/format": text({"jpg": b"jpeg"}.get(kind := _format_of(image.name), kind.encode())),
            "image/name": text(image.name.encode()),
            "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[image.label])),
            "identity": text(image.identity.encode()),
        }
        for name, value in image.known.items():
            if isinstance(value, float):
                features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
            elif value is not None:  # of a number that is not known nothing is said
                features[name] = text(value.encode())
        example = tf.train.Example(features=tf.train.Features(feature=features))
        self.writer.write(example.SerializeToString(deterministic=True))

    def close(self):
        self.writer.close()


class Zip:
    """The images' files, not packed further, and a metadata.csv."""

    ending, needs = "zip", ""

    def __init__(self, path, columns):
        self.zip, self.rows = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED), []
        self.rows.append([PATHS[0], "identity", "label", *columns])

    def add(self, image):
        self.zip.writestr(zipfile.ZipInfo(image.name, DAY), image.data)
        known = ["" if value is None else value for value in image.known.values()]
        self.rows.append([image.name, image.identity, image.label, *known])

    def close(self):
        self.zip.writestr(zipfile.ZipInfo("metadata.csv", DAY), "".join(map(csv_line, self.rows)))
        self.zip.close()


FORMATS = {"webdataset": WebDataset, "parquet": Parquet, "tfrecord": TfRecord, "zip": Zip}


def open_format(name):
    """The class of a format: built with (path of a file, {column: whether it holds numbers}); `add(image)` takes a
    packed_folder.Packed at a time; `close()` ends it.

    Raises:
        UserError: no such format, or what it needs is not installed.
    """
    if name not in FORMATS:
        raise UserError(f"--package_format: {name!r} is none of {', '.join(FORMATS)}")
    kind = FORMATS[name]
    if kind.needs:
        require(kind.needs, f"--package_format {name}", "requirements-package.txt")
    return kind


def _format_of(name):
    """The ending of an image's name in small letters; a file without one is some image."""
    return PurePosixPath(name).suffix[1:].lower() or "image"


def _value(kind):
    return {"dtype": kind, "_type": "Value"}
