"""Where a head's eyes, nose and mouth are, from its shape alone: anchors for draping our landmarks.

The openings of the eyes are what is seen of the eyeballs from the front; the nose's tip is what
sticks out; the mouth is given by vertices of the lips. Metres, y up, z to the front.
"""

from __future__ import annotations

import numpy as np

from ..api.errors import HeadError
from ..mesh import raster_mesh
from .landmarks import LIDS_LEFT, LIDS_RIGHT

PIXEL = 0.00025  # metres
WINDOW = 0.03  # half the side of the window round an eye
FAR = 1.0  # depth of the picture plane: all that matters is which surface is in front
NOSE_TIP, CORNER_RIGHT, CORNER_LEFT, UPPER_LIP, LOWER_LIP = 4, 61, 291, 13, 14
FEWEST_PIXELS = 200
MIDDLE = 0.006  # metres to both sides of x = 0 that count as the middle of the lips
FRONT = 0.015  # metres behind the lips' front that still count as their outside


def face_anchors(
    vertices: np.ndarray,
    skin: np.ndarray,
    eyeballs: np.ndarray,
    centres: np.ndarray,
    lips: np.ndarray,
) -> dict[int, np.ndarray]:
    """MediaPipe landmark -> place [3] of a neutral head with open eyes and closed lips.

    `skin` and `eyeballs` are faces [n, 3], `centres` [2, 3] the eyeballs' (left, right), `lips` [n]
    vertices along the line where the lips meet. Raises HeadError when an eye cannot be seen.
    """
    anchors: dict[int, np.ndarray] = {}
    for centre, loop, outwards in zip(centres, (LIDS_LEFT, LIDS_RIGHT), (1, -1), strict=True):
        anchors |= _opening(vertices, skin, eyeballs, centre, loop, outwards)
    used = vertices[np.unique(skin)]
    eyes = centres.mean(0)
    nose = used[
        (np.abs(used[:, 0]) < 0.012) & (used[:, 1] < eyes[1]) & (used[:, 1] > eyes[1] - 0.07)
    ]
    if not len(nose):
        raise HeadError("The head has no nose below its eyes.", "Use a head with y up.")
    anchors[NOSE_TIP] = nose[nose[:, 2].argmax()] * (0, 1, 1)
    return anchors | mouth_anchors(vertices[lips])


def mouth_anchors(line: np.ndarray) -> dict[int, np.ndarray]:
    """The corners of the mouth and the middles of both lips from points [n, 3] where they meet."""
    corners = {CORNER_LEFT: line[line[:, 0].argmax()], CORNER_RIGHT: line[line[:, 0].argmin()]}
    middle = line[np.abs(line[:, 0]) < MIDDLE]
    middle = middle[middle[:, 2] > middle[:, 2].max(initial=-np.inf) - FRONT]
    if len(middle) < 2:
        raise HeadError("The middle of the lips cannot be found.", "Use a head facing z.")
    half = middle[:, 1] >= np.median(middle[:, 1])
    upper, lower = middle[half].mean(0), middle[~half if (~half).any() else half].mean(0)
    return corners | {UPPER_LIP: upper * (0, 1, 1), LOWER_LIP: lower * (0, 1, 1)}


def _opening(
    vertices: np.ndarray,
    skin: np.ndarray,
    eyeballs: np.ndarray,
    centre: np.ndarray,
    loop: tuple[int, ...],
    outwards: int,
) -> dict[int, np.ndarray]:
    """The lids' landmarks of one eye: its corners, and its rim at even steps between them."""
    low = centre[:2] - WINDOW
    size = round(2 * WINDOW / PIXEL)
    picture = np.column_stack([(vertices[:, :2] - low) / PIXEL, FAR - vertices[:, 2]])
    _, face, _ = raster_mesh(picture, np.concatenate([eyeballs, skin]), size, size)
    rows, columns = np.nonzero((face >= 0) & (face < len(eyeballs)))
    if len(rows) < FEWEST_PIXELS:
        raise HeadError("An eye of the head is shut or has no eyeball.", "Use a head at rest.")
    left, right = columns.min(), columns.max()
    inner, outer = (left, right) if outwards > 0 else (right, left)
    steps = np.linspace(outer, inner, 9).round().astype(int)
    anchors = {}
    # The loop runs from the outer corner along the lower lid to the inner one and back above.
    for place, column in enumerate(steps):
        inside = rows[np.abs(columns - column) <= 1]
        below, above = inside.min(), inside.max()
        heights = (below, above) if 0 < place < 8 else ((below + above) / 2,) * 2
        for landmark, row in ((loop[place], heights[0]), (loop[-place % 16], heights[1])):
            flat = low + (np.array([column, row]) + 0.5) * PIXEL
            anchors[landmark] = _on_skin(vertices, skin, flat)
    return anchors


def _on_skin(vertices: np.ndarray, skin: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """The frontmost of the skin's vertices that lie nearest to a point [2] of the front view."""
    used = vertices[np.unique(skin)]
    gap = np.linalg.norm(used[:, :2] - flat, axis=1)
    near = used[gap <= gap.min() + 4 * PIXEL]
    return np.append(flat, near[:, 2].max())
