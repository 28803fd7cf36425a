"""A head at rest, at rest: accelerations in the image that are no larger than the noise of what was
followed are taken for noise.

A nod or a shake accelerates rigid skin by pixels from frame to frame, and is left alone.
"""

from __future__ import annotations

import numpy as np

from .bundle import Normal
from .pose import Poses, project
from .tracks import pixel_rows, shifts

# In one frame, against a flow track's 1; corners and keyframes make a hundred of those.
WEIGHT = 30.0
# Pixels per frame squared; accelerations of this much count a quarter.
NOISE = 0.5
SECOND_DIFFERENCE = (1.0, -2.0, 1.0)


def steadied(normal: Normal, points: np.ndarray, poses: Poses, K: np.ndarray) -> Normal:
    """Normal equations of poses with a pull on the acceleration in the image, RMS over the rigid
    `points` [M, 3] of the head, of T consecutive frames."""
    spans = len(poses.rotation) - 2
    if spans < 1 or not len(points):
        return normal
    arms = points @ np.swapaxes(poses.rotation, -1, -2)
    camera = arms + poses.translation[:, None]
    pixels = project(camera, K)
    acceleration = (pixels[:-2] - 2 * pixels[1:-1] + pixels[2:]) / np.sqrt(len(points))
    # Geman and McClure: what accelerates by more than noise does so.
    weight = WEIGHT / (1 + (acceleration**2).sum((1, 2)) / NOISE**2) ** 2
    jacobian = pixel_rows(camera.reshape(-1, 3), K[0, 0]) @ shifts(arms.reshape(-1, 3))
    jacobian = jacobian.reshape(spans + 2, -1, 6) / np.sqrt(len(points))
    diagonal, right = normal.diagonal.copy(), normal.right.copy()
    pairs, blocks = [normal.pairs], [normal.blocks]
    first = np.arange(spans)
    for a, share in enumerate(SECOND_DIFFERENCE):
        here = np.swapaxes(jacobian[a : a + spans], 1, 2) * (share * weight)[:, None, None]
        diagonal[a : a + spans] += share * here @ jacobian[a : a + spans]
        right[a : a + spans] -= (here @ acceleration.reshape(spans, -1, 1))[..., 0]
        for b in range(a + 1, 3):
            pairs.append(np.stack([first + a, first + b], -1))
            blocks.append(SECOND_DIFFERENCE[b] * here @ jacobian[b : b + spans])
    return Normal(diagonal, right, np.concatenate(pairs), np.concatenate(blocks))
