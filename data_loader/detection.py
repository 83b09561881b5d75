"""Where the face of a photograph is: dlib's detectors, or MTCNN. Both answer in one form."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from data_loader import assets, five_points
from data_loader.crops import SMALLEST
from data_loader.faces import choose_face, landmark_box
from data_loader.morphable.landmarks import Detector
from utils.errors import UserError
from utils.quiet import quiet_start
from utils.versions import require

CNN = "mmod_human_face_detector.dat"
CNN_AT = 480  # pixels of the longer side that dlib's network looks at (ours): its smallest face has 40
# What takes a box of the network to one of the first detector's, with which the landmarks' predictor was trained: its
# side, and the share of the network's by which it lies lower. Means of 40 portraits, deviations 0.14 and 0.06 (ours).
CNN_SIDE, CNN_LOWER = 1.07, 0.1
MTCNN_AT = 1000  # the same for MTCNN (ours)
LAST_THRESHOLD = 0.7  # FaceNet's for MTCNN's third network; the package's own is 0.8


@dataclass(frozen=True)
class Found:
    """The face that is meant, in a photograph's pixels, the first one's centre at 0.5.

    Attributes:
        box: float64 [4]: left, top, right, bottom, as MTCNN draws it.
        points: float64 [5, 2], as five_points.TEMPLATE.
        faces: how many there are.
        landmarks: float64 [68, 2]; None of MTCNN.
        confidence: the detector's own: of MTCNN and of dlib's network about 1, of dlib's first detector from 0 up.
    """

    box: np.ndarray
    points: np.ndarray
    faces: int
    confidence: float
    landmarks: np.ndarray | None = None


def open_finder(name, asset_dir):
    """What finds a face: a function of pixels uint8 [h, w, 3] that gives a Found, or None.

    Args:
        name: `--detector`: "dlib" or "mtcnn".

    Raises:
        UserError: another name; a package is missing; dlib's weights cannot be fetched.
    """
    if name == "dlib":
        return DlibFinder(*(assets.fetch(asset, asset_dir) for asset in ("dlib_models", "dlib_detector")))
    if name == "mtcnn":
        return MtcnnFinder(open_mtcnn())
    raise UserError(f"--detector {name}: must be one of dlib, mtcnn")


class DlibFinder(Detector):
    """dlib's detector of gradients, and where that finds nothing its network, which takes eight times as long.

    Args:
        models: folder of the landmarks' predictor.  detector: folder of the network.
    """

    hesitant = None

    def __init__(self, models, detector):
        super().__init__(models)
        import dlib  # it is there: see Detector

        self._network = dlib.cnn_face_detection_model_v1(str(detector / CNN))

    def __call__(self, pixels):
        face = super().__call__(pixels)
        if face is None:
            return None
        box = np.array(landmark_box(face.landmarks))
        return Found(box, five_points.of_landmarks(face.landmarks), face.faces, face.score, face.landmarks)

    def look(self, pixels):
        found = super().look(pixels)
        if len(found[0]):
            return found
        small, enlarge = shrunk(pixels, CNN_AT)
        found = self._network(np.ascontiguousarray(small))
        boxes = np.reshape([_as_first(face.rect) for face in found], (-1, 4))
        return boxes * np.tile(enlarge, 2), [face.confidence for face in found]


def _as_first(rectangle):
    """The box that dlib's first detector would draw around a face of the network's."""
    side, half = rectangle.width(), CNN_SIDE * rectangle.width() / 2
    x, y = (rectangle.left() + rectangle.right() + 1) / 2, (rectangle.top() + rectangle.bottom() + 1) / 2
    y += CNN_LOWER * side
    return x - half, y - half, x + half, y + half


class MtcnnFinder:
    """MTCNN, as the published README asks.

    Args:
        detect: pixels -> list of {"box": left, top, right, bottom; "confidence"; "keypoints": {name: (x, y)}}.
    """

    points = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")  # seen from in front

    def __init__(self, detect):
        self._detect = detect

    def __call__(self, pixels):
        small, enlarge = shrunk(pixels, MTCNN_AT)
        found = self._detect(small)
        if not found:
            return None
        boxes = np.array([face["box"] for face in found], np.float64) * np.tile(enlarge, 2)
        best = choose_face(boxes, pixels.shape[1], pixels.shape[0])
        points = np.array([found[best]["keypoints"][name] for name in self.points], np.float64)
        return Found(boxes[best], (points + 0.5) * enlarge, len(found), float(found[best]["confidence"]))


def shrunk(pixels, longest):
    """(pixels with a longer side of `longest` at most, factors float64 [2] of width and height that lead back)."""
    height, width = pixels.shape[:2]
    scale = max(height, width) / longest
    if scale > 1:
        shape = max(SMALLEST, round(width / scale)), max(SMALLEST, round(height / scale))
        pixels = np.asarray(Image.fromarray(pixels).resize(shape, Image.Resampling.BILINEAR))
    return pixels, np.array([width / pixels.shape[1], height / pixels.shape[0]])


def open_mtcnn():
    """MTCNN's network, as MtcnnFinder takes it.

    Raises:
        UserError: mtcnn is not installed.
    """
    require("mtcnn", "--detector mtcnn", "requirements-faces.txt")
    with quiet_start():
        import tensorflow as tf
        from mtcnn import MTCNN
    network = MTCNN(device="GPU:0" if tf.config.list_physical_devices("GPU") else "CPU:0")
    return lambda pixels: network.detect_faces(pixels, fit_to_image=False, box_format="xyxy",
                                               min_face_size=SMALLEST, threshold_onet=LAST_THRESHOLD)
