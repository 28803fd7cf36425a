"""Pixels of a baked avatar, through the one rasteriser: stills, performances, cameras beside the
source's. Colours stay display-referred sRGB, as the footage stored them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from .api.baked import BakedAvatar, GaussianArrays
from .api.head import HeadParams
from .api.rotations import matrix_from_rotvec
from .clip import Camera
from .gaussians import Cameras, Gaussians
from .rasterize import rasterize

BATCH = 4
"""Frames rasterised together: keeps both cores of a small machine busy in little memory."""
BESIDE, ABOVE = 0.6, 0.25
"""Radians that a camera goes beside and above the footage's at most, where an avatar is looked at
from all the sides it is likely to be seen from."""


def render_baked(
    baked: BakedAvatar,
    params: HeadParams,
    camera: Camera,
    background: Sequence[float] | None = None,
    count: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """One pose (no leading axis) as rgb [H, W, 3] over `background` (black) and alpha [H, W],
    float32 0..1. `count` is a level of detail: the first so many Gaussians."""
    return next(render_performance(baked, params[None], camera, background, count))


def render_performance(
    baked: BakedAvatar,
    params: HeadParams,
    camera: Camera | Sequence[Camera],
    background: Sequence[float] | None = None,
    count: int | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Poses with a leading axis T, one (rgb [H, W, 3], alpha [H, W]) at a time, in order.
    `camera` is one for all or one for each."""
    cameras = [camera] * len(params) if isinstance(camera, Camera) else list(camera)
    for start in range(0, len(params), BATCH):
        chunk = slice(start, start + BATCH)
        gaussians = baked.pose(params[chunk], count)
        yield from render_arrays(gaussians, cameras[chunk], background)


def render_arrays(
    gaussians: GaussianArrays, cameras: Sequence[Camera], background: Sequence[float] | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """NumPy Gaussians with a leading axis B, seen by B cameras of one size."""
    batch = len(cameras)
    colour = torch.tensor([list(background or (0.0, 0.0, 0.0))] * batch)
    with torch.no_grad():
        rgb, alpha, _ = rasterize(
            Gaussians(*(_tensor(part) for part in gaussians)), camera_batch(cameras), colour
        )
    for image, coverage in zip(rgb.cpu().numpy(), alpha.cpu().numpy(), strict=True):
        yield image, coverage.reshape(image.shape[:2])


def camera_batch(cameras: Sequence[Camera], device: torch.device | None = None) -> Cameras:
    """NumPy cameras of one image size as a torch batch."""
    return Cameras(
        _tensor(np.stack([camera.viewmat for camera in cameras])).to(device),
        _tensor(np.stack([camera.K for camera in cameras])).to(device),
        cameras[0].width,
        cameras[0].height,
    )


def source_camera(baked: BakedAvatar, size: int | None = None) -> Camera:
    """The camera that filmed the footage; `size` scales its image to that width."""
    shot = baked.performance
    scale = 1.0 if size is None else size / shot.width
    K = shot.K * np.array([[scale], [scale], [1.0]], shot.K.dtype)
    return Camera(shot.viewmat, K, round(shot.width * scale), round(shot.height * scale))


def orbit_camera(camera: Camera, centre: np.ndarray, yaw: float, pitch: float = 0.0) -> Camera:
    """`camera` carried round `centre` [3] (world), looking at it as before; angles in radians.
    Positive yaw moves it to the subject's left."""
    rotation = matrix_from_rotvec(np.array([0.0, yaw, 0.0])) @ matrix_from_rotvec(
        np.array([-pitch, 0.0, 0.0])
    )
    turn = np.eye(4)
    turn[:3, :3] = rotation.T
    turn[:3, 3] = centre - rotation.T @ centre
    return camera._replace(viewmat=(camera.viewmat @ turn).astype(np.float32))


def cameras_around(camera: Camera, centres: np.ndarray) -> list[Camera]:
    """`camera` for every second of T heads with centres [T, 3] (world), and carried beside, above
    or below the head for the others: what a head is from there counts as well."""
    turns = np.random.default_rng(0).uniform(-1, 1, (len(centres), 2)) * (BESIDE, ABOVE)
    turns[::2] = 0
    return [
        orbit_camera(camera, centre, yaw, pitch)
        for centre, (yaw, pitch) in zip(centres, turns, strict=True)
    ]


def usual_pose(baked: BakedAvatar) -> HeadParams:
    """Neutral expression where the person usually was: the median place and turn of the footage."""
    params = baked.performance.params
    neutral = HeadParams.neutral(np.shape(params.expression)[-1])
    return HeadParams(
        neutral.expression,
        np.asarray(np.median(params.neck, axis=0), np.float32),
        neutral.jaw,
        neutral.eyes,
        np.asarray(np.median(params.rotation, axis=0), np.float32),
        np.asarray(np.median(params.translation, axis=0), np.float32),
    )


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
