"""The job `export`: a SavedModel for TensorFlow Serving, an ONNX file, or a run folder of weights alone, to share."""

from pathlib import Path

import tensorflow as tf

from trainer.output import model_card, onnx_file
from trainer.output.serving import export, export_weights
from trainer.training.load import load_system
from utils.errors import UserError
from utils.files import atomic_write, check_writable
from utils.versions import require


def run(options):
    """Write <export_dir>/<version>/, version 1 or the next after those that are there; or model.onnx; or weights.

    A card, README.md, says what it is and whose work it rests on: a folder holds one format.
    """
    base = Path(options.export_dir).expanduser()
    check_writable(base, "--export_dir")
    _refuse_other_formats(base, options.export_format)
    if options.export_format == "onnx":
        require("tf2onnx", "--export_format onnx", "requirements-onnx.txt")
        options = _in_float32(options)
    loaded = load_system(options)
    try:
        WRITERS[options.export_format](loaded, base)
    except OSError as error:
        raise UserError(f"--export_dir: cannot write {base}: {error.strerror or error}") from error
    except tf.errors.OpError as error:  # of TensorFlow's own files
        raise UserError(f"--export_dir: cannot write {base}: {' '.join(error.message.split())}") from error


def _saved_model(loaded, base):
    def card(functions):
        return model_card.text(loaded, model_card.signatures(functions))

    target, names = export(loaded.maker("generate"), base, card)
    print(f"{target}: signatures {', '.join(names)}")
    if target.name != "1":
        print(f"{base} had versions already; TensorFlow Serving takes the highest, which is {target.name} now")


def _onnx(loaded, base):
    path, inputs = onnx_file.export_onnx(loaded.maker("generate"), base)
    names = ", ".join(f"`{name}`" for name in inputs)
    _write_card(base, model_card.text(loaded, f"`{path.name}`, for any runtime of ONNX: {names} -> `generated`."))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; {', '.join(inputs)} -> generated")


def _weights(loaded, base):
    path = export_weights(loaded, base)
    _write_card(base, model_card.text(loaded, "`python main.py generate --pretrained_gen` with this folder's path."))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; --pretrained_gen {base}")


WRITERS = {"saved_model": _saved_model, "onnx": _onnx, "weights": _weights}
FILES = {"saved_model": "*/saved_model.pb", "onnx": onnx_file.FILE, "weights": "checkpoints/*.npz"}


def _refuse_other_formats(base, asked):
    for written, pattern in FILES.items():
        found = next(base.glob(pattern), None)
        if found and written != asked:
            raise UserError(f"--export_dir: {base} holds {found.relative_to(base).as_posix()}, of --export_format "
                            f"{written}: name another folder for {asked}")  # fmt: skip


def _write_card(base, text):
    if not (base / "README.md").exists():  # the user's own stays
        with atomic_write(base / "README.md", "w", encoding="utf-8") as file:
            file.write(text)


def _in_float32(options):
    """The flags, of which a run's own 16 bits do not count: few runtimes of ONNX compute in them."""
    if options.mixed_precision != "float32":
        raise UserError(f"--mixed_precision {options.mixed_precision}: --export_format onnx computes in float32")
    return options.changed(explicit=options.explicit | {"mixed_precision"})
