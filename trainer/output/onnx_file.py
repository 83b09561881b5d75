"""A trained system as one ONNX file, for runtimes without TensorFlow."""

import tensorflow as tf

from trainer.output.serving import made, specs_of
from utils.errors import UserError
from utils.files import atomic_write

FILE = "model.onnx"
OPSET = 18  # the newest that tf2onnx 1.17 writes


def export_onnx(maker, base):
    """Write <base>/model.onnx: the inputs of the SavedModel's serving_default, any batch size -> generated, float32.

    Args:
        maker: trainer.systems.system.Maker of a system with averaged weights, computed in float32.
        base: Path of the folder; it must hold none yet.

    Returns:
        (Path, names of its inputs).
    """
    import tf2onnx

    path, specs = base / FILE, specs_of(maker)
    if path.exists():
        raise UserError(f"--export_dir: {base} holds a {FILE} already")

    @tf.function
    def make(*values):
        return {"generated": made(maker, dict(zip(specs, values, strict=True)))["image"]}

    model, _ = tf2onnx.convert.from_function(make, input_signature=list(specs.values()), opset=OPSET)
    base.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(model.SerializeToString())
    return path, list(specs)
