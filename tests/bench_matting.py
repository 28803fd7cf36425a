"""Mattes measured on the shared clips: speed, flicker on still edges, and pictures to look at.

    python -m tests.bench_matting [--frames 80] [--pictures DIR] [CLIP ...]

`before` is the trimap of the person mask alone, `default` looks at the background too, `fast` is
the mask itself. Flicker is the mean absolute change of alpha between two frames, x 1000, where
the picture hardly changes (under 3 of 255) and some matte has an edge. Speed is in frames a second
of CPU time of this process, foreground colours included, all threads together: two cores give up to
twice as many.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from engine.api.settings import TrackSettings
from engine.footage import open_footage
from engine.imaging import gaussian_blur, write_png
from engine.tracking.background import background, evidence, plate_frames
from engine.tracking.crop import find_head
from engine.tracking.detectors import landmarker, person_segmenter
from engine.tracking.mattes import matted
from engine.tracking.matting import Problem, foreground, mattes, matting_problem, steady, trimap

FOOTAGE = Path(__file__).parents[2] / "shared" / "footage"
SIZE = 512
SPREAD = 40
GREEN = np.array([0, 200, 0])
Way = Callable[[np.ndarray, np.ndarray], Iterator[np.ndarray]]


def before(images: np.ndarray, faces: np.ndarray) -> Iterator[np.ndarray]:
    """The person mask's own trimap, as it was."""
    with person_segmenter() as segment:
        known = (
            Problem(trimap(segment(image), face)) for image, face in zip(images, faces, strict=True)
        )
        yield from steady(mattes(images, known))


def default(images: np.ndarray, faces: np.ndarray) -> Iterator[np.ndarray]:
    yield from matted(images, faces, TrackSettings())


def fast(images: np.ndarray, faces: np.ndarray) -> Iterator[np.ndarray]:
    yield from matted(images, faces, TrackSettings(fast_matte=True))


WAYS: dict[str, Way] = {"before": before, "default": default, "fast": fast}


def last_frames(clip: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Head crops [SPREAD + T, 512, 512, 3] and landmarks [SPREAD + T, 468, 2]: frames from all over
    the clip, for the background's sake, then the last T in a row."""
    footage = open_footage(FOOTAGE / f"{clip}.mp4")
    crop, survey = find_head(footage.frames(), footage.count, lambda share: None)
    total = len(survey)
    chosen = {*np.linspace(0, total - count - 1, SPREAD).round(), *range(total - count, total)}
    images = np.stack(
        [crop.image(f.rgb, SIZE) for index, f in enumerate(footage.frames()) if index in chosen]
    )
    faces: list[np.ndarray] = []
    with landmarker(single_images=False) as find:
        for image in images:
            points = find(image)
            faces.append(faces[-1] if points is None else points[:468, :2])
    return images, np.stack(faces)


def still_edges(images: np.ndarray, alphas: list[np.ndarray]) -> np.ndarray:
    """Where [T - 1, H, W] an edge of any of the mattes [T, H, W] lies on a picture at rest."""
    rest = [
        np.abs(gaussian_blur(a.astype(np.float32), 2) - gaussian_blur(b.astype(np.float32), 2))
        .max(-1) < 3
        for a, b in zip(images[1:], images[:-1], strict=True)
    ]  # fmt: skip
    edge = np.zeros((len(images), SIZE, SIZE), bool)
    for alpha in alphas:
        edge |= (alpha > 0.02) & (alpha < 0.98)
    return np.stack(rest) & edge[1:] & edge[:-1]


def run(clip: str, count: int, pictures: Path | None) -> None:
    images, faces = last_frames(clip, count)
    found, speed = {}, {}
    for name, way in WAYS.items():
        list(way(images[:2], faces[:2]))  # compiles what is to be compiled
        start = time.process_time()
        alphas = []
        for image, alpha in zip(images, way(images, faces), strict=True):
            foreground(image, alpha)
            alphas.append(alpha)
        speed[name] = len(images) / (time.process_time() - start)
        found[name] = np.stack(alphas[SPREAD:])
    images = images[SPREAD:]
    edges = still_edges(images, list(found.values()))
    for name, alphas in found.items():
        flicker = 1000 * np.abs(np.diff(alphas, axis=0))[edges].mean()
        print(f"| {clip} | {name} | {speed[name]:.1f} | {flicker:.1f} | {edges.mean():.2%} |")
    if pictures is not None:
        for index in (0, len(images) // 2, len(images) - 1):
            row = [images[index]]
            for alphas in found.values():
                alpha = alphas[index][..., None]
                color = foreground(images[index], alphas[index])
                row.append((color * alpha + GREEN * (1 - alpha)).round().astype(np.uint8))
            write_png(pictures / f"{clip}_{index:03d}.png", np.concatenate(row, 1))


def stages(clip: str, count: int) -> None:
    """Milliseconds of CPU time of what is new: the plate once, the evidence for each frame."""
    images, faces = last_frames(clip, count)
    with person_segmenter() as segment:
        chosen = plate_frames(len(images))
        start = time.process_time()
        behind = background(images[chosen], [segment(images[index]) for index in chosen])
        once = time.process_time() - start
        masks = [segment(image) for image in images]
    start = time.process_time()
    for image, mask, face in zip(images, masks, faces, strict=True):
        matting_problem(mask, face, evidence(image, mask, behind))
    each = (time.process_time() - start) / len(images)
    print(f"{clip}: plate {1000 * once:.0f} ms once, evidence and trimap {1000 * each:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", default=None)
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    print("| clip | way | frames per CPU s | flicker x 1000 | still edges |")
    print("|---|---|---:|---:|---:|")
    for clip in options.clips or ("expressive_woman", "glasses_man", "talking_man"):
        run(clip, options.frames, options.pictures)
    stages((options.clips or ["talking_man"])[0], min(options.frames, 24))


if __name__ == "__main__":
    main()
