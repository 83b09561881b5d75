"""Small files of the published layouts, for tests: a dome of 60 vertices that looks towards +z."""

import h5py
import numpy as np
import scipy.io

ROWS, COLUMNS, SHAPES, EXPRESSIONS, COLOURS = 6, 10, 5, 3, 4


def dome():
    """Points float64 [60, 3] of a front in units of about 1, from its top left, and triangles int [t, 3]."""
    up, side = np.meshgrid(np.linspace(1, -1, ROWS), np.linspace(-1, 1, COLUMNS), indexing="ij")
    points = np.stack([0.8 * side, up, 1 - 0.5 * side ** 2 - 0.3 * up ** 2], axis=2).reshape(-1, 3)
    row, column = np.meshgrid(np.arange(ROWS - 1), np.arange(COLUMNS - 1), indexing="ij")
    corner = (row * COLUMNS + column).ravel()
    below = corner + COLUMNS
    return points, np.concatenate([np.stack([corner, below, corner + 1], axis=1),
                                   np.stack([corner + 1, below, below + 1], axis=1)])


def landmarks():
    """68 vertices: eyes in the second row, mouth in the fifth."""
    return np.concatenate([np.arange(36) % 60, np.tile(np.arange(12, 18), 2), 42 + np.arange(20) % 6])


def basis(seed, count):
    return np.random.default_rng(seed).normal(0, 0.05, (180, count))


SHAPE_DEVIATION, EXPRESSION_DEVIATION = np.arange(1, SHAPES + 1.0), np.arange(1, EXPRESSIONS + 1.0)
COLOUR_DEVIATION = np.arange(1, COLOURS + 1.0)


def column(values):
    return np.asarray(values, np.float32).reshape(-1, 1)


def bfm_2009():
    points, triangles = dome()
    return {"shapeMU": column(points * 1e5), "shapePC": basis(1, SHAPES), "shapeEV": column(SHAPE_DEVIATION),
            "texMU": column(np.tile([200.0, 150, 120], 60)), "texPC": basis(2, COLOURS),
            "texEV": column(COLOUR_DEVIATION), "tl": triangles + 1.0}


def lsfm():
    points, triangles = dome()
    return {"mean": points.reshape(1, -1), "components": basis(3, SHAPES).T,
            "eigenvalues": SHAPE_DEVIATION[None] ** 2, "trilist": triangles}


def model_shape():
    points, triangles = dome()
    return {"mu_shape": column(points * 1e5), "w": basis(1, SHAPES), "sigma": column(SHAPE_DEVIATION),
            "mu_tex": column(np.tile([200.0, 150, 120], 60)), "w_tex": basis(2, COLOURS),
            "sigma_tex": column(COLOUR_DEVIATION), "tri": (triangles + 1).T, "keypoints": landmarks()[None] + 1}


def model_exp():
    return {"mu_exp": column(np.full(180, 7.0)), "w_exp": 1e5 * basis(4, EXPRESSIONS),
            "sigma_exp": column(EXPRESSION_DEVIATION)}


def statismo():
    points, triangles = dome()
    fields = {"shape/representer/cells": triangles.T}
    for part, mean, vectors, deviation in (
            ("shape", points * 100, basis(1, SHAPES), SHAPE_DEVIATION),
            ("expression", np.full(180, 2.0), basis(4, EXPRESSIONS), EXPRESSION_DEVIATION),
            ("color", np.tile([0.8, 0.6, 0.5], 60), basis(2, COLOURS), COLOUR_DEVIATION)):
        fields |= {f"{part}/model/mean": np.ravel(mean), f"{part}/model/pcaBasis": vectors,
                   f"{part}/model/pcaVariance": deviation ** 2, f"{part}/model/noiseVariance": 0.0}
    return fields


def write(path, fields):
    """A .mat, or a statismo .h5; a folder of Model_Shape.mat and Model_Exp.mat where `path` has no ending."""
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, value in fields.items():
                file[name] = value
    else:
        scipy.io.savemat(path, fields)
    return path


def write_3ddfa(folder, **others):
    """Folder of 3DDFA's files; `others` are further .mat files in it."""
    folder.mkdir(exist_ok=True)
    for name, fields in {"Model_Shape": model_shape(), "Model_Exp": model_exp(), **others}.items():
        write(folder / f"{name}.mat", fields)
    return folder


def fit(seed, **changes):
    """The fields of a 300W-3D file."""
    random = np.random.default_rng(seed)
    return {"Pose_Para": random.normal((0.05, 0.1, 0.02, 200, 220, 0, 1e-3), (0.1, 0.4, 0.1, 5, 5, 5, 1e-5))[None],
            "Exp_Para": random.normal(0, 1, (29, 1)), "Tex_Para": random.normal(0, 3, (199, 1)),
            "Shape_Para": random.normal(0, 1e4, (199, 1)),
            "Illum_Para": random.normal((.6, .6, .6, .4, .4, .4, 0.2, 0.1, 20, 15), .05)[None],
            "Color_Para": random.normal((1, 1, 1, 0, 0, 0, 1), 0.05)[None], **changes}
