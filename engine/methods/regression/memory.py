"""An avatar's memory of the pictures it was made from: itself, seen from where they were taken.

So new pictures can improve it without the old ones, which its file does not hold.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ...api.baked import BakedAvatar, Performance
from ...api.head import HeadParams
from ...avatar import drive
from ...clip import Camera, TrackedClip
from ...gaussians import Cameras
from ...render import camera_batch, render_performance, source_camera
from ..feedforward.views import Views

MOST = 8
"""Pictures remembered, spread over all."""


def remembered(baked: BakedAvatar, size: int) -> tuple[Views, HeadParams]:
    """Views of the avatar as its pictures showed it, and their params."""
    shot = baked.performance
    learned = np.setdiff1d(np.arange(len(shot.times)), shot.test_frames)
    frames = learned[np.unique(np.linspace(0, len(learned) - 1, MOST).round().astype(int))]
    params, camera = shot.params[frames], source_camera(baked, size)
    drawn = [np.dstack(both) for both in render_performance(baked, params, camera)]
    codes, vertices = drive(baked.head, params)
    views = Views(
        pictures=torch.from_numpy(np.stack(drawn).clip(0, 1).astype(np.float32)),
        cameras=camera_batch([camera] * len(frames)),
        codes=codes,
        vertices=vertices,
        depths=None,
        head=baked.head,
    )
    return views, params


def on_head(views: Views, params: HeadParams, baked: BakedAvatar) -> Views:
    """Views of pictures that were tracked with another shape of the head, on the avatar's own."""
    codes, vertices = drive(baked.head, params)
    return replace(views, codes=codes, vertices=vertices, head=baked.head)


def together(first: Views, second: Views) -> Views:
    """The views of one person, one after the other; their depths are not kept."""
    cameras = Cameras(
        torch.cat([first.cameras.viewmats, second.cameras.viewmats]),
        torch.cat([first.cameras.Ks, second.cameras.Ks]),
        first.cameras.width,
        first.cameras.height,
    )
    return replace(
        first,
        pictures=torch.cat([first.pictures, second.pictures]),
        cameras=cameras,
        codes=torch.cat([first.codes, second.codes]),
        vertices=torch.cat([first.vertices, second.vertices]),
        depths=None,
    )


def params_together(first: HeadParams, second: HeadParams) -> HeadParams:
    """Params of both, one after the other."""
    return HeadParams(
        **{name: np.concatenate([one, getattr(second, name)]) for name, one in vars(first).items()}
    )


def with_performance(clip: TrackedClip, params: HeadParams, shot: Performance) -> TrackedClip:
    """The clip with the avatar's earlier performance before its own, all before its first camera.

    A face that another camera filmed moves to where that one sees it as large.
    """
    moved = np.array(params.translation)
    ratio = (shot.K[0, 0] / shot.width) / (clip.camera.K[0, 0] / clip.camera.width)
    moved[:, 2] *= ratio
    step = 1 / max(float(shot.fps), 1e-3)
    times = np.concatenate([shot.times, shot.times[-1] + step * (1 + np.arange(len(params)))])
    return replace(
        clip,
        params=params_together(shot.params, replace(params, translation=moved)),
        times=times,
        confidence=np.concatenate([shot.confidence, np.ones(len(params), np.float32)]),
        camera=Camera(shot.viewmat, shot.K, shot.width, shot.height),
        fps=float(shot.fps),
    )
