"""A quick avatar by each method that learns from a video, of one ray-traced clip, as files.

    python -m tests.engine.avatars_by_method FOLDER

For tests that run where there is no torch, as those inside Blender.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from engine.api.avatar_file import write_avatar
from engine.api.settings import METHODS, FlashAvatarSettings, RGBAvatarSettings
from engine.bake import bake, performance_of
from engine.methods.settling import settled
from tests.engine.ellipsoid import EllipsoidClip

SETTINGS = {
    "rgbavatar": RGBAvatarSettings(
        uv_size=32, blendshapes=6, images=240, base_only_images=40, size=64
    ),
    "flashavatar": FlashAvatarSettings(
        uv_size=32, network_uv=16, width=32, depth=3, images=240, base_only_images=40, size=64
    ),
}


def write_avatars(folder: Path) -> None:
    """Writes METHOD.likeness for each."""
    clip: Any = EllipsoidClip(frames=30, size=64)
    for name, settings in SETTINGS.items():
        method = import_module(f"engine.methods.{METHODS[name].module}")
        *_, last = method.reconstruct(clip, settings, "cpu")
        shot = performance_of(clip, np.zeros(0, np.int32))
        summed = settled(last.avatar, clip, shot, settings.images)
        baked = bake(summed, clip, {"name": name, "method": name})
        write_avatar(folder / f"{name}.likeness", baked)


if __name__ == "__main__":
    write_avatars(Path(sys.argv[1]))
