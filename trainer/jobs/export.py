"""The job `export`: a SavedModel for TensorFlow Serving, an ONNX file, or a run folder of weights alone, to share."""

from pathlib import Path

import tensorflow as tf

from trainer.output import onnx_file
from trainer.output.serving import export, export_weights
from trainer.training.load import load_system
from utils.errors import UserError
from utils.files import check_writable


def run(options):
    """Write <export_dir>/<version>/, version 1 or the next after those that are there; or model.onnx; or weights."""
    base = Path(options.export_dir).expanduser()
    check_writable(base, "--export_dir")
    if options.export_format == "onnx":
        onnx_file.check_installed()
        options = _in_float32(options)
    loaded = load_system(options)
    try:
        if options.export_format == "weights":
            path = export_weights(loaded, base)
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; --pretrained_gen {base}")
            return
        if options.export_format == "onnx":
            path, inputs = onnx_file.export_onnx(loaded.maker("generate"), base)
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; {', '.join(inputs)} -> generated")
            return
        if options.export_format != "saved_model":
            raise ValueError(f"export_format {options.export_format!r} is none of saved_model, onnx, weights")
        target, names = export(loaded.maker("generate"), base)
    except OSError as error:
        raise UserError(f"--export_dir: cannot write {base}: {error.strerror or error}") from error
    except tf.errors.OpError as error:  # of TensorFlow's own files
        raise UserError(f"--export_dir: cannot write {base}: {' '.join(error.message.split())}") from error
    print(f"{target}: signatures {', '.join(names)}")
    if target.name != "1":
        print(f"{base} had versions already; TensorFlow Serving takes the highest, which is {target.name} now")


def _in_float32(options):
    """The flags, of which a run's own 16 bits do not count: few runtimes of ONNX compute in them."""
    if options.mixed_precision != "float32":
        raise UserError(f"--mixed_precision {options.mixed_precision}: --export_format onnx computes in float32")
    return options.changed(explicit=options.explicit | {"mixed_precision"})
