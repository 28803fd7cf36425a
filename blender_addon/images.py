"""What is asked of the engine for an avatar from one image or a few, and for one that more improve.

The scene keeps the choices as `likeness_images`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from ..engine.api.avatar_file import read_avatar
from ..engine.api.errors import LikenessError
from ..engine.api.regression import REFINE_SECONDS, REGRESSORS
from . import animation, avatar_object, character, creation, export, payload, unfinished
from .preferences import preferences

GROWING = "growing.likeness"
"""The avatar that more images improve, for the engine to read; in the user's folder."""


class LikenessImages(bpy.types.PropertyGroup):
    """Held by a scene as `likeness_images`."""

    method: bpy.props.EnumProperty(
        name="Method",
        description="How images become an avatar at once",
        items=[(name, row.label, row.description) for name, row in REGRESSORS.items()],
    )
    refine: bpy.props.FloatProperty(
        name="Refine",
        description="How long the avatar is fitted to the images afterwards; 0 leaves it as it is",
        default=REFINE_SECONDS,
        min=0.0,
        soft_max=300.0,
        subtype="TIME_ABSOLUTE",
    )


def new_avatar(
    context: bpy.types.Context, images: Sequence[str], user_folder: Path
) -> dict[str, Any]:
    """The fields of a RegressRequest for a new avatar. Raises LikenessError."""
    first, *others = [creation.existing(path) for path in images]
    avatars = user_folder / unfinished.AVATARS
    avatars.mkdir(parents=True, exist_ok=True)
    output = creation.unused_path(avatars, Path(first).stem)
    return {
        **_choices(context),
        "source": first,
        "more_sources": others,
        "output": str(output),
        "preview": str(output.with_name(f"{output.stem} preview.likeness")),
    }


def improved_avatar(
    context: bpy.types.Context,
    proxy: bpy.types.Object,
    images: Sequence[str],
    user_folder: Path,
) -> dict[str, Any]:
    """The fields of a RegressRequest that adds images to an avatar of the scene, which is written
    for the engine to read. Raises LikenessError."""
    request = new_avatar(context, images, user_folder)
    del request["preview"]
    before = user_folder / GROWING
    export.write_likeness(proxy, before)
    output = creation.unused_path(Path(request["output"]).parent, proxy.name)
    return {**request, "output": str(output), "add_to": str(before)}


def take_over(context: bpy.types.Context, uid: int, path: str) -> None:
    """Put the avatar of a file in the place of the proxy head with this uid, its object, keys and
    Actions kept. Raises LikenessError when the head is gone or its file is damaged."""
    found = [obj for obj in bpy.data.objects if obj.session_uid == uid]
    if not found or not avatar_object.is_avatar(found[0]):
        raise LikenessError(
            "The avatar that the images were for is gone.", f"The improved one is {path}."
        )
    avatar = read_avatar(path)
    character.replace(found[0], avatar, payload.store(payload.arrange(avatar)))
    animation.refresh_performance(context.scene, found[0])
    bpy.ops.ed.undo_push(message="Add Images")


def _choices(context: bpy.types.Context) -> dict[str, Any]:
    chosen = context.scene.likeness_images
    return {
        "method": chosen.method,
        "refine": chosen.refine,
        "track": creation.tracking(context),
        "device": preferences(context).device,
        "consent": context.scene.likeness_creation.consent,
    }


classes = (LikenessImages,)


def register_properties() -> None:
    bpy.types.Scene.likeness_images = bpy.props.PointerProperty(type=LikenessImages)


def unregister_properties() -> None:
    del bpy.types.Scene.likeness_images
