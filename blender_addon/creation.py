"""What Create Avatar asks the engine for: footage, how it is tracked, how long the avatar learns.

The scene keeps the choices as `likeness_creation`. It checks what can be known without the engine.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import bpy

from ..engine.api.errors import LikenessError
from . import unfinished
from .heads import chosen_path
from .kept_clips import clips_folder
from .preferences import preferences

CAMERA = re.compile(r"camera:(\d+)")
LEARN_LIVE_HINT = "Switch on Learn Live, which films for as long as Live Time says."


class LikenessClip(bpy.types.PropertyGroup):
    """One more clip of the person."""

    path: bpy.props.StringProperty(
        name="Clip",
        description="More footage of the same person; every clip has its own light and framing",
        subtype="FILE_PATH",
    )


class LikenessCreation(bpy.types.PropertyGroup):
    """Held by a scene as `likeness_creation`: what few avatars need."""

    clips: bpy.props.CollectionProperty(type=LikenessClip)
    shoulders: bpy.props.EnumProperty(
        name="Shoulders",
        description="What becomes of everything below the neck",
        items=[
            ("keep", "Keep", "Shoulders and clothes are part of the avatar"),
            ("cut", "Cut", "The avatar ends at the neck, to be put on a body"),
        ],
    )
    matting: bpy.props.StringProperty(
        name="Matting Network",
        description="An .onnx file of Robust Video Matting that cuts the person out; "
        "empty: the built-in matting",
        subtype="FILE_PATH",
    )
    data_camera: bpy.props.StringProperty(
        name="Camera of Data Set",
        description="Of a tracked data set with several cameras the one to take; "
        "empty: the most frontal",
    )
    retrack: bpy.props.BoolProperty(
        name="Track Anew",
        description="Take only the images of a tracked data set and track them with the built-in "
        "tracker; no FLAME model is needed then",
    )
    live: bpy.props.BoolProperty(
        name="Learn Live",
        description="Learn while the footage plays, or from a camera when the footage is camera:0",
    )
    live_seconds: bpy.props.FloatProperty(
        name="Live Time",
        description="How long a camera films; the avatar is finished then",
        default=40.0,
        min=5.0,
        max=600.0,
        subtype="TIME_ABSOLUTE",
    )
    polish_seconds: bpy.props.FloatProperty(
        name="Polish",
        description="How long to go on learning after the footage has ended",
        default=20.0,
        min=0.0,
        max=3600.0,
        subtype="TIME_ABSOLUTE",
    )
    limit: bpy.props.FloatProperty(
        name="Time Limit",
        description="The longest that the avatar may learn, tracking apart; 0 has no limit",
        default=0.0,
        min=0.0,
        soft_max=7200.0,
        subtype="TIME_ABSOLUTE",
    )
    consent: bpy.props.StringProperty(
        name="Consent",
        description="A note on how the person agreed to the avatar; it is kept in its file",
    )


def request(context: bpy.types.Context, user_folder: Path) -> dict[str, Any]:
    """The fields of a ReconstructRequest; folders for its files are made. Raises LikenessError."""
    settings, more = context.scene.likeness, context.scene.likeness_creation
    source = _source(settings.footage, more.live)
    clips = [existing(clip.path) for clip in more.clips if clip.path]
    footage = Path(source.replace(":", " "))  # names the avatar
    avatars = user_folder / unfinished.AVATARS
    avatars.mkdir(parents=True, exist_ok=True)
    unfinished.sweep(avatars)
    output = unused_path(avatars, footage.stem)
    wanted = {
        "source": source,
        "output": str(output),
        "preview": str(output.with_name(f"{output.stem} preview.likeness")),
        "track": tracking(context),
        "method": settings.method,
        "preset": settings.preset,
        "device": preferences(context).device,
        "more_sources": clips,
        "consent": more.consent,
    }
    if more.live:
        filmed = more.live_seconds + more.polish_seconds if CAMERA.fullmatch(source) else 0.0
        return wanted | {
            "online": True,
            "polish_seconds": more.polish_seconds,
            "max_seconds": filmed,
        }
    kept = clips_folder(user_folder / "clips", footage) / footage.stem
    return wanted | {"clip": str(kept), "max_seconds": more.limit}


def tracking(context: bpy.types.Context) -> dict[str, Any]:
    """What differs from the engine's TrackSettings. Raises LikenessError."""
    more, head = context.scene.likeness_creation, chosen_path(context.scene)
    matting = existing(more.matting) if more.matting else ""
    if matting and Path(matting).suffix.lower() != ".onnx":
        raise LikenessError(
            f"{Path(matting).name} is no matting network.", "Choose an .onnx file, or none."
        )
    return {
        "head": head,
        "shoulders": more.shoulders,
        "matting": matting,
        "camera": more.data_camera,
        "retrack": more.retrack,
    }


def _source(footage: str, live: bool) -> str:
    if CAMERA.fullmatch(footage):
        if not live:
            raise LikenessError(f"{footage} plays only once.", LEARN_LIVE_HINT)
        return footage
    return existing(footage)


def existing(path: str) -> str:
    found = Path(bpy.path.abspath(path))
    if not found.exists():
        raise LikenessError(f"There is no footage at {found}.", "Choose it again.")
    return str(found)


def unused_path(folder: Path, stem: str) -> Path:
    """A file name in the folder that nothing has yet."""
    stem = re.sub(r"[^\w -]", "_", stem) or "avatar"
    names = (f"{stem}.likeness", *(f"{stem} {n}.likeness" for n in range(2, 10_000)))
    return next(folder / name for name in names if not (folder / name).exists())


classes = (LikenessClip, LikenessCreation)


def register_properties() -> None:
    bpy.types.Scene.likeness_creation = bpy.props.PointerProperty(type=LikenessCreation)


def unregister_properties() -> None:
    del bpy.types.Scene.likeness_creation
