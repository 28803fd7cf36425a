"""MediaPipe's bundled networks: faces, 478 face landmarks, the person mask. Offline.

The only file that imports mediapipe. All points are in pixels of the image given; z is in pixels
too, smaller towards the camera, in MediaPipe's weak-perspective sense.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import numpy as np

LANDMARKS = 478
# Weights of the forward, backward and single-image passes (facts/tracking.md 2: the steadiest).
PASS_WEIGHTS = (1.0, 1.0, 2.0)
MIN_FACE_SCORE = 0.6


def _solutions() -> Any:
    # MediaPipe logs every graph it builds to stderr; people need none of that.
    os.environ.setdefault("GLOG_minloglevel", "3")
    import mediapipe

    return mediapipe.solutions


@contextmanager
def landmarker(single_images: bool) -> Iterator[Callable[[np.ndarray], np.ndarray | None]]:
    """A function rgb [H, W, 3] -> landmarks [478, 3] pixels, or None where no face is found.

    It follows the face from call to call, unless `single_images`.
    """
    mesh = _solutions().face_mesh.FaceMesh(
        static_image_mode=single_images, max_num_faces=1, refine_landmarks=True
    )

    def find(rgb: np.ndarray) -> np.ndarray | None:
        faces = mesh.process(rgb).multi_face_landmarks
        if not faces:
            return None
        points = np.array([(p.x, p.y, p.z) for p in faces[0].landmark], np.float32)
        height, width = rgb.shape[:2]
        return points * np.array([width, height, width], np.float32)

    with mesh:
        yield find


@contextmanager
def face_detector() -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """A function rgb -> face boxes [N, 4] (left, top, right, bottom) in pixels, largest first."""
    detection = _solutions().face_detection
    near = detection.FaceDetection(MIN_FACE_SCORE, model_selection=0)
    far = detection.FaceDetection(MIN_FACE_SCORE, model_selection=1)

    def find(rgb: np.ndarray) -> np.ndarray:
        scale = np.array([rgb.shape[1], rgb.shape[0]] * 2, np.float32)
        boxes: list[np.ndarray] = []
        for detector in (near, far):
            for found in detector.process(rgb).detections or ():
                b = found.location_data.relative_bounding_box
                box = np.array([b.xmin, b.ymin, b.xmin + b.width, b.ymin + b.height]) * scale
                if all(_overlap(box, other) < 0.2 for other in boxes):
                    boxes.append(box)
        boxes.sort(key=lambda box: box[0] - box[2])
        return np.array(boxes, np.float32).reshape(-1, 4)

    with near, far:
        yield find


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Shared area over the smaller box's area."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return float(np.prod(np.maximum(sides, 0)) / max(smaller, 1e-6))


@contextmanager
def person_segmenter() -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """A function rgb -> probability [H, W] float32 that a pixel is a person."""
    segmenter = _solutions().selfie_segmentation.SelfieSegmentation(model_selection=0)
    with segmenter:
        yield lambda rgb: segmenter.process(rgb).segmentation_mask


def landmark_passes(
    images: np.ndarray, advance: Callable[[float], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks of a clip's head crops, mixed from three passes to cancel jitter.

    `images` [T, H, W, 3]; `advance` is called with 0..1. Returns landmarks [T, 478, 3] (NaN where
    lost) and the passes' disagreement [T] in pixels (infinite where lost).
    """
    count = len(images)
    stop = False
    done = [0, 0, 0]

    def run(number: int, order: Iterable[int]) -> np.ndarray:
        result = np.full((count, LANDMARKS, 3), np.nan, np.float32)
        with landmarker(single_images=number == 2) as find:
            for index in order:
                if stop:
                    break
                points = find(np.ascontiguousarray(images[index]))
                if points is not None:
                    result[index] = points
                done[number] += 1
        return result

    orders = (range(count), range(count - 1, -1, -1), range(count))
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(run, number, order) for number, order in enumerate(orders)]
        try:
            while not all(job.done() for job in running):
                wait(running, timeout=0.2)
                advance(sum(done) / (3 * count))
        except BaseException:
            stop = True
            raise
    return mix_passes(np.stack([job.result() for job in running]))


def mix_passes(passes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean of those passes [3, T, 478, 3] that found a face, and their disagreement."""
    found = np.isfinite(passes[..., 0, 0])
    weights = found * np.array(PASS_WEIGHTS, np.float32)[:, None]
    total = weights.sum(0)
    filled = np.where(found[..., None, None], passes, 0)
    mean = np.einsum("pt,ptlc->tlc", weights, filled) / np.maximum(total, 1e-6)[:, None, None]
    spread = np.linalg.norm(filled - mean, axis=-1).mean(-1)
    disagreement = (weights * spread).sum(0) / np.maximum(total, 1e-6)
    lost = total == 0
    mean[lost], disagreement[lost] = np.nan, np.inf
    return mean.astype(np.float32), disagreement
