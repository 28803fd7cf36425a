"""Judge a fitted avatar: `python demo/judge.py CLIP_FOLDER NAME.likeness OUT` (engine's Python).

Writes comparison.png (footage | avatar on frames that were never trained on), sliders.png,
orbit.png and judgement.json: the metrics, the counts and the versions that gave them.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from engine import __version__
from engine.api.avatar_file import read_avatar
from engine.clip import TrackedClip
from engine.pictures import write_comparison, write_orbit, write_sliders

PACKAGES = ("torch", "numpy", "numba", "mediapipe", "opencv-python-headless", "pymatting")


def judge(clip: TrackedClip, avatar_path: Path, out: Path) -> dict:
    """Write the pictures into `out`; what the report says about the avatar."""
    avatar = read_avatar(avatar_path)
    frames = avatar.performance.test_frames
    write_comparison(out / "comparison.png", avatar, clip, frames)
    write_sliders(out / "sliders.png", avatar)
    write_orbit(out / "orbit.png", avatar)
    return {
        "held_out": avatar.info["metrics"],  # measured by fit
        "counts": {
            "frames": len(clip),
            "gaussians": avatar.count,
            "reduced_blendshapes": len(avatar.deltas),
            "vertices": len(avatar.head.vertices),
            "expressions": len(avatar.head.expression_names),
            "bytes": avatar_path.stat().st_size,
        },
        "tracking": clip.info.get("quality", {}),
        "versions": {
            "likeness": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
    }


if __name__ == "__main__":
    folder = Path(sys.argv[3])
    found = judge(TrackedClip.load(sys.argv[1]), Path(sys.argv[2]), folder)
    (folder / "judgement.json").write_text(json.dumps(found, indent=1), "utf-8")
