"""Readers of the published statistical face models: BFM 2009, 2017 and 2019, LSFM, and 3DDFA's pair of files."""

from pathlib import Path

import numpy as np

from data_loader.morphable.matlab import Fields, first_line, names_in, read_matlab
from data_loader.morphable.statistical import SKIN, Components, StatisticalModel, outward
from utils.errors import UserError

CHOICES = ("makehuman, a BFM 2009 or LSFM .mat, a BFM 2017 or 2019 .h5, or a folder with Model_Shape.mat and "
           "Model_Exp.mat")
SHAPES = 199  # components that the published script pads LSFM's to


def load(path):
    """Read a statistical model.

    Args:
        path: 01_MorphableModel.mat (BFM 2009), an LSFM .mat, a BFM 2017 / 2019 .h5, or a folder with 3DDFA's
            Model_Shape.mat and Model_Exp.mat. A third .mat there that holds `eigenvalues` is taken for LSFM's: its
            components replace the shape's, padded to 199, around the BFM mean, as in the published script.

    Raises:
        UserError: no such model, or a file that lacks a field or holds one of another size; names file and field.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return _read_3ddfa(path)
    if not path.is_file():
        raise UserError(f"--morphable_model {path}: no such file or folder; it is {CHOICES}")
    if path.suffix == ".h5":
        return _read_statismo(path)
    if path.suffix == ".mat":
        names = names_in(path)
        return _read_bfm_2009(path) if "shapeMU" in names else _read_lsfm(path)
    raise UserError(f"--morphable_model {path}: must be {CHOICES}")


def _read_bfm_2009(path):
    """Micrometres; colours 0 to 255; triangles count from 1; the EVs are standard deviations."""
    file = read_matlab(path)
    shape = _components(file, "shapeMU", "shapePC", file.spreads("shapeEV"))
    colour = _components(file, "texMU", "texPC", file.spreads("texEV"), 1 / 255)
    return _model(file, shape, _none(shape), colour, file.indices("tl", 3, 1))


def _read_lsfm(path):
    """Shape alone, so that the skin is plain. Eigenvalues are variances."""
    file = read_matlab(path)
    basis = file.first("components", "w")
    shape = _components(file, "mean", basis, np.sqrt(file.spreads("eigenvalues")))
    return _model(file, shape, _none(shape), _plain(shape), file.indices(file.first("trilist", "tri"), 3))


def _read_3ddfa(folder):
    """Micrometres; colours 0 to 255; triangles and keypoints count from 1."""
    for name in ("Model_Shape.mat", "Model_Exp.mat"):
        if not (folder / name).is_file():
            raise UserError(f"--morphable_model {folder}: no {name} in it")
    file = read_matlab(folder / "Model_Shape.mat")
    moves = read_matlab(folder / "Model_Exp.mat")
    shape = _components(file, "mu_shape", "w", file.spreads("sigma"))
    expression = _components(moves, "mu_exp", "w_exp", moves.spreads("sigma_exp"))
    if len(expression.mean) != len(shape.mean):
        raise UserError(f"{moves.path}: mu_exp has {len(expression.mean)} vertices, Model_Shape.mat {len(shape.mean)}")
    lsfm = _lsfm_in(folder)
    if lsfm is not None:
        shape = _with_lsfm(lsfm, shape)
    shape, expression = _one_mean(shape, expression)
    colour = _components(file, "mu_tex", "w_tex", file.spreads("sigma_tex"), 1 / 255)
    landmarks = file.indices("keypoints", 1, 1).ravel()
    if len(landmarks) != 68:
        raise UserError(f"{file.path}: field keypoints holds {len(landmarks)} vertices, not 68")
    return _model(file, shape, expression, colour, file.indices("tri", 3, 1), landmarks)


def _read_statismo(path):
    """Millimetres; colours 0 to 1; cells count from 0; variances. The expression's mean adds to the shape's; a file
    without that group has no expressions."""
    import h5py  # comes with TensorFlow; here so that the other models need none of it

    try:
        with h5py.File(path, "r") as source:
            fields = {name: source[name][()] for name in _STATISMO if isinstance(source.get(name), h5py.Dataset)}
            moves = "expression" in source
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # as the damage is
        raise UserError(f"{path}: is no HDF5 file that can be read ({first_line(error)})") from error
    file = Fields(path, fields)
    shape, colour, *expressions = (
        _components(file, f"{part}/model/mean", f"{part}/model/pcaBasis",
                    np.sqrt(file.spreads(f"{part}/model/pcaVariance")))
        for part in ("shape", "color", *(("expression",) if moves else ())))
    expression = expressions[0] if expressions else _none(shape)
    return _model(file, *_one_mean(shape, expression), colour, file.indices("shape/representer/cells", 3, 0))


_STATISMO = ("shape/representer/cells", *(f"{part}/model/{field}" for part in ("shape", "expression", "color")
                                          for field in ("mean", "pcaBasis", "pcaVariance")))


def _components(file, mean, basis, deviation, factor=1.0):
    """Components from a mean [3n] and a basis [3n, k] or [k, 3n]; `factor` turns the file's unit into ours."""
    centre, offsets = file.array(mean).ravel(), np.atleast_2d(file.array(basis))
    if len(centre) % 3:
        raise UserError(f"{file.path}: field {mean} has {len(centre)} numbers, which is no multiple of 3")
    return Components((centre * factor).astype(np.float32).reshape(-1, 3),
                      _offsets(file, basis, offsets, len(centre), len(deviation)) * np.float32(factor),
                      deviation.astype(np.float32))


def _offsets(file, name, offsets, size, count):
    offsets = offsets if offsets.shape[0] == size else offsets.T
    if offsets.shape != (size, count):
        raise UserError(f"{file.path}: field {name} has shape {offsets.shape}, not ({size}, {count})")
    return np.ascontiguousarray(offsets.T).reshape(count, -1, 3)


def _one_mean(shape, expression):
    mean = shape.mean + expression.mean if len(shape.mean) == len(expression.mean) else shape.mean
    return (Components(mean, shape.offsets, shape.deviation),
            Components(np.zeros_like(expression.mean), expression.offsets, expression.deviation))


def _lsfm_in(folder):
    """Fields of the one other .mat in `folder` that holds eigenvalues; None where there is none."""
    found = [path for path in sorted(folder.glob("*.mat"))
             if path.name not in ("Model_Shape.mat", "Model_Exp.mat") and "eigenvalues" in names_in(path)]
    if len(found) > 1:
        raise UserError(f"--morphable_model {folder}: {found[0].name} and {found[1].name} both hold eigenvalues: keep "
                        f"one")
    return read_matlab(found[0]) if found else None


def _with_lsfm(file, shape):
    """BFM's mean with LSFM's components, padded with zeros to 199 and cut there."""
    deviation = np.sqrt(file.spreads("eigenvalues"))
    name = file.first("w", "components")
    offsets = _offsets(file, name, np.atleast_2d(file.array(name)), 3 * len(shape.mean), len(deviation))[:SHAPES]
    spare = SHAPES - len(offsets)
    return Components(shape.mean, np.concatenate([offsets, np.zeros((spare, *offsets.shape[1:]), np.float32)]),
                      np.pad(deviation[:SHAPES], (0, spare)).astype(np.float32))


def _none(shape):
    """No expression."""
    return Components(np.zeros_like(shape.mean), np.zeros((0, *shape.mean.shape), np.float32), np.zeros(0, np.float32))


def _plain(shape):
    empty = _none(shape)
    return Components(empty.mean + np.float32(SKIN), empty.offsets, empty.deviation)


def _model(file, shape, expression, colour, triangles, landmarks=None):
    for what, part in (("expression", expression), ("colour", colour)):
        if len(part.mean) != len(shape.mean):
            raise UserError(f"{file.path}: the {what} has {len(part.mean)} vertices, the shape {len(shape.mean)}")
    for what, index in (("triangles", triangles), ("keypoints", landmarks)):
        if index is not None and (index.min() < 0 or index.max() >= len(shape.mean)):
            raise UserError(f"{file.path}: the {what} name vertex {index.max() + 1} of {len(shape.mean)}")
    return StatisticalModel(file.path.name, shape, expression, colour, outward(shape.mean, triangles), landmarks)
