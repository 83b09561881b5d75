"""The 68 iBUG landmarks: where they lie on the model, and where a photograph shows them."""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_loader.faces import choose_face
from utils.errors import UserError

# Vertices of the MakeHuman base mesh's file, from 0, in iBUG's order: jaw 0-16 from the person's right ear to the left,
# brows 17-26, nose 27-35, eyes 36-47, lips 48-67. Ours: the vertices nearest to the predictor's points on 40 frontal
# renders (mean distance 1-3 % of the eye distance, brows 8 %), made symmetric, with each lip's points on that lip and
# the jaw's on one line from the ear to the chin.
MAKEHUMAN = np.array([
    5765, 5735, 5246, 5242, 895, 741, 3695, 993, 732, 7687, 10363, 7461, 7597, 11851, 11854, 12332, 12362,
    262, 232, 222, 223, 208, 6983, 6997, 6996, 7005, 7031,
    136, 135, 164, 294, 334, 313, 317, 7076, 7096,
    18, 1055, 4865, 6764, 6772, 1067, 13360, 11483, 7747, 6802, 7759, 13368,
    3706, 5352, 460, 466, 7219, 11954, 10374, 7239, 7241, 492, 486, 484, 438, 472, 474, 7228, 7198, 7264, 493, 517])
# Landmark -> the one on the other side of the face.
MIRROR = np.array([*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
                   45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
                   54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65])
JAW = range(17)
CHEEK = (*range(6), *range(11, 17))  # those of the jaw that wander; around the chin the outline turns with the head
OUTER_EYES = (36, 45)
PREDICTOR = "shape_predictor_68_face_landmarks.dat"
BAND = 0.05  # half height, in outer eye distances, of the strip of the cheek that a jaw landmark may wander on (ours)
HESITANT = -0.4  # score from which a face is taken where there is no better one, dlib's own being 0 (ours)
DETECTED_AT = 800  # pixels of the longer side that faces are looked for at (ours): more only costs time


def eye_distance(landmarks):
    """Distance of the outer eye corners of landmarks [68, d]: the yardstick of landmark errors."""
    return float(np.linalg.norm(landmarks[OUTER_EYES[0]] - landmarks[OUTER_EYES[1]]))


def turned(landmarks):
    """How far a face is turned to a side, after landmarks [68, d]: how far the tip of the nose is beside the middle of
    the outer eye corners, as a part of their distance (ours); 0: it looks into the camera."""
    right, left = landmarks[list(OUTER_EYES)]
    across = left - right
    return float(abs((landmarks[30] - (right + left) / 2) @ across) / (across @ across))


def jaw_lines(model):
    """Where each jaw landmark may be seen: a landmark on the outline moves over the cheek as the head turns.

    Args:
        model: has `mean` float32 [n, 3], `landmarks` int [68] and `normals`.

    Returns:
        17 int arrays of points, each with the landmark's own point first; those around the chin have no other.
    """
    points, normals = model.mean, model.normals(model.mean)
    at = points[model.landmarks]
    scale, middle = eye_distance(at), at[27:31, 0].mean()
    lines = []
    for landmark in JAW:
        x, y, z = at[landmark]
        side = np.sign(x - middle)
        here = ((np.abs(points[:, 1] - y) < BAND * scale) & (points[:, 2] > z) & (side * normals[:, 0] > 0.1)
                & (normals[:, 2] > -0.2) & (side * (points[:, 0] - middle) > 0.25 * abs(x - middle)))
        lines.append(np.concatenate([[model.landmarks[landmark]], np.flatnonzero(here & (landmark in CHEEK))]))
    return lines


@dataclass(frozen=True)
class Face:
    """A face of a photograph: landmarks float64 [68, 2] in pixels (the first one's centre at 0.5), how many faces the
    photograph shows, and this one's score by its detector."""

    landmarks: np.ndarray
    faces: int
    score: float


class Detector:
    """Finds one face of a photograph and its landmarks, with dlib. Safe between threads.

    Args:
        folder: what assets.fetch("dlib_models", ...) gives.

    Raises:
        UserError: dlib is not installed.
    """

    hesitant = HESITANT  # None: what dlib is not sure of is no face

    def __init__(self, folder):
        try:
            import dlib  # here: only the jobs that look at photographs need it
        except ImportError as error:
            raise UserError("finding landmarks needs dlib: pip install -r requirements.txt") from error
        self._rectangle = dlib.rectangle
        self._make_detector, self._of_thread = dlib.get_frontal_face_detector, threading.local()
        self._predict = dlib.shape_predictor(str(Path(folder) / PREDICTOR))

    def __call__(self, pixels):
        """Face of a photograph uint8 [h, w, 3]; None where none is found."""
        height, width = pixels.shape[:2]
        step = max(1, -(-max(height, width) // DETECTED_AT))
        small = np.ascontiguousarray(pixels[::step, ::step])
        boxes, scores = self.look(small)
        if not len(boxes):
            return None
        boxes = boxes * step
        best = choose_face(boxes, width, height)
        box = self._rectangle(*np.round(boxes[best]).astype(int).tolist())
        shape = self._predict(np.ascontiguousarray(pixels), box)
        return Face(np.array([[point.x, point.y] for point in shape.parts()]) + 0.5, len(boxes), float(scores[best]))

    def look(self, pixels):
        """Boxes of all faces, float64 [n, 4], left, top, right, bottom in pixels, and their scores, of uint8 [h, w, 3].
        """
        # the detector's smallest face is 80 pixels; a face that touches the border is found with a border around it
        border = max(pixels.shape[:2]) // 4
        framed = np.pad(pixels, ((border, border), (border, border), (0, 0)), mode="edge")
        enlarge = 1 if max(pixels.shape[:2]) < 400 else 0
        detect = self._detector()
        found, scores, _ = detect.run(framed, enlarge, 0.0)
        if not found and self.hesitant is not None:
            found, scores, _ = detect.run(framed, enlarge, self.hesitant)
        boxes = [[box.left(), box.top(), box.right() + 1, box.bottom() + 1] for box in found]
        return np.reshape(boxes, (-1, 4)).astype(np.float64) - border, scores

    def _detector(self):
        """The thread's own: dlib's detector keeps the image that it looks at. The landmarks' predictor does not."""
        if not hasattr(self._of_thread, "detector"):
            self._of_thread.detector = self._make_detector()
        return self._of_thread.detector
