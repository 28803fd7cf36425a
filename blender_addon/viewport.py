"""Shows avatars in the 3D viewport: blends their Gaussians off-screen, lays them onto the view.

The view is linear light and 8 bit, Gaussians are blended in sRGB numbers: so they are blended in a
frame buffer of their own, and one quad converts the result and tests its soft-front depth against
the scene's (any other order washes out hair). It knows no file formats and changes no data.
"""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable, Iterable
from typing import NamedTuple

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from ..engine.api.baked import GaussianArrays
from ..engine.api.errors import LikenessError
from . import (
    avatar_object,
    levels,
    scene_depth,
    splat_shader,
    viewport_light,
    viewport_pictures,
    viewport_rules,
)
from .avatar_object import Appearance
from .carrier import volume_scale
from .cpu_splats import View
from .splat_shader import UploadedSplats
from .viewport_rules import Occlusion, Rectangle

DEPTH_SHARPNESS = 20.0  # c of the soft-front depth, per head radius
_log = logging.getLogger(__name__)

_FRAGMENT = """
vec3 linear_from_srgb(vec3 c)
{
  vec3 bright = pow((max(c, vec3(0.04045)) + 0.055) / 1.055, vec3(2.4));
  return mix(bright, c / 12.92, vec3(lessThanEqual(c, vec3(0.04045))));
}

void main()
{
  ivec2 pixel = ivec2(uv * vec2(textureSize(blended, 0)));
  vec4 color = texelFetch(blended, pixel, 0);
  if (color.a < 1.0 / 255.0) {
    discard;
  }
  float sum = max(texelFetch(front_sums, pixel, 0).r, 1e-35);
  float z = front_sharpness.x - log(sum / color.a) / front_sharpness.y;
  /* Two rows of the window matrix: clip z and w of a point z in front of the camera. */
  float clip_z = depth_rows.y - depth_rows.x * z;
  float clip_w = depth_rows.w - depth_rows.z * z;
  gl_FragDepth = clamp(clip_z / clip_w * 0.5 + 0.5, 0.0, 1.0);
  vec3 straight = clamp(color.rgb / color.a, 0.0, 1.0);
  out_color = vec4(linear_from_srgb(straight) * color.a, color.a);
}
"""

_VERTEX = """
void main()
{
  uv = corner;
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
"""

_draw_callback: object | None = None
# By session_uid of the avatar and count of the level.
_uploads: dict[tuple[int, int], tuple[GaussianArrays, UploadedSplats]] = {}
_problems: dict[int, str] = {}  # by session_uid of the avatar
_logged: set[str] = set()


class _Shown(NamedTuple):
    """One avatar of a view."""

    appearance: Appearance
    view: View  # of the proxy head's space
    count: int


def register() -> None:
    global _draw_callback
    # A background process draws no viewports.
    if not bpy.app.background:
        _draw_callback = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def unregister() -> None:
    global _draw_callback
    if _draw_callback is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_draw_callback, "WINDOW")
        _draw_callback = None
    forget()
    _resolver.cache_clear()
    splat_shader.forget()


def forget() -> None:
    """Drop what is kept of avatars; for a new file and for unregistering."""
    for kept in (_uploads, _problems, _logged):
        kept.clear()
    viewport_pictures.forget()
    scene_depth.forget()
    viewport_light.forget()


def problem(obj: bpy.types.Object) -> str:
    """Why an avatar is not shown, or nothing."""
    return _problems.get(obj.session_uid, "")


def _draw() -> None:
    try:
        draw_avatars(bpy.context)
    except Exception:  # noqa: BLE001 - Blender would print it again for each redraw
        reason = traceback.format_exc()
        if reason not in _logged:
            _logged.add(reason)
            _log.exception("Likeness: the viewport could not draw avatars.")


def draw_avatars(context: bpy.types.Context) -> None:
    """Draw the avatars of the context's viewport into the bound frame buffer."""
    region, space = context.region, context.space_data
    depsgraph = context.evaluated_depsgraph_get()
    view = View(
        np.array(context.region_data.view_matrix),
        np.array(context.region_data.window_matrix),
        region.width,
        region.height,
    )
    shown = [
        kept
        for appearance in avatar_object.appearances(depsgraph)
        if viewport_rules.is_shown(appearance, space)
        and (kept := _prepared(appearance, view)) is not None
    ]
    uploads = _upload(shown, depsgraph)
    if not uploads:
        return
    hidden_by = viewport_rules.occlusion(space)
    if hidden_by is Occlusion.OWN:
        restore = _remember_state()
        scene_depth.draw(depsgraph, space)
        restore()
    border = viewport_rules.render_border(context)
    # Far heads first: each is blended on its own and laid over those behind it.
    for one in sorted(shown, key=lambda one: one.view.view_matrix[2, 3]):
        splats = uploads.get((one.appearance.avatar, one.count))
        if splats is not None:
            gaussians, _ = _uploads[one.appearance.avatar.session_uid, one.count]
            light = viewport_light.find(context, one.appearance, gaussians)
            if light is not None:
                splats = viewport_light.lit(one.appearance, gaussians, depsgraph, light)
            draw_one(splats, one.appearance.avatar, one.view, hidden_by, border)


def _prepared(appearance: Appearance, view: View) -> _Shown | None:
    """How the avatar is to be drawn; None, with the reason noted, when it is damaged."""
    obj = appearance.avatar
    try:
        avatar = avatar_object.read(obj)
    except LikenessError as error:
        _note_problem(obj, error)
        return None
    of_head = view._replace(view_matrix=view.view_matrix @ appearance.matrix)
    level = obj.likeness.level
    if obj.likeness.automatic_level:
        seen = levels.resolution(of_head, np.zeros(3))
        trained = avatar_object.trained_resolution(avatar)
        level = max(level, levels.automatic_level(avatar.levels, seen, trained))
    return _Shown(appearance, of_head, avatar_object.count_of_level(avatar, level))


def _upload(
    shown: Iterable[_Shown], depsgraph: bpy.types.Depsgraph
) -> dict[tuple[bpy.types.Object, int], UploadedSplats]:
    """Posed Gaussians on the GPU by avatar and level of detail: each once, for all its places."""
    ready = {}
    for obj, count in {(one.appearance.avatar, one.count): None for one in shown}:
        try:
            gaussians = avatar_object.pose(obj, depsgraph, count)
        except LikenessError as error:
            _note_problem(obj, error)
            continue
        _problems.pop(obj.session_uid, None)
        ready[obj, count] = _uploaded(obj, gaussians)
    return ready


def draw_one(
    splats: UploadedSplats,
    obj: bpy.types.Object,
    view: View,
    hidden_by: Occlusion = Occlusion.SCENE,
    border: Rectangle | None = None,
) -> None:
    """Lay an avatar's Gaussians, in its own space, onto the bound view."""
    avatar = avatar_object.read(obj)
    restore = _remember_state()
    size = avatar_object.radius(avatar) * volume_scale(view.view_matrix)
    sharpness = DEPTH_SHARPNESS / max(size, 1e-6)
    footprint = avatar_object.footprint_on_head(avatar)
    picture = viewport_pictures.blend(splats, view, sharpness, footprint)
    shader, quad = _resolver()
    shader.bind()
    window = view.window_matrix
    shader.uniform_float("depth_rows", (*window[2, 2:].tolist(), *window[3, 2:].tolist()))
    shader.uniform_float("front_sharpness", (picture.front, sharpness))
    shader.uniform_sampler("blended", picture.target.color)
    shader.uniform_sampler("front_sums", picture.target.front)
    gpu.state.blend_set("ALPHA_PREMULT")
    gpu.state.depth_test_set("NONE" if hidden_by is Occlusion.NOTHING else "LESS_EQUAL")
    gpu.state.depth_mask_set(False)
    if border is not None:
        gpu.state.scissor_test_set(True)
        gpu.state.scissor_set(*border)
    quad.draw(shader)
    if border is not None:
        gpu.state.scissor_test_set(False)
    restore()


def _remember_state() -> Callable[[], None]:
    """A function that puts the GPU's blending and depth state back."""
    blend, test, mask = (
        gpu.state.blend_get(),
        gpu.state.depth_test_get(),
        gpu.state.depth_mask_get(),
    )

    def restore() -> None:
        gpu.state.blend_set(blend)
        gpu.state.depth_test_set(test)
        gpu.state.depth_mask_set(mask)

    return restore


def _uploaded(obj: bpy.types.Object, gaussians: GaussianArrays) -> UploadedSplats:
    slot = (obj.session_uid, len(gaussians.means))
    kept = _uploads.get(slot)
    if kept is None:
        present = {other.session_uid for other in bpy.data.objects}
        for stale in [slot for slot in _uploads if slot[0] not in present]:
            del _uploads[stale]
    if kept is None or kept[0] is not gaussians:
        kept = _uploads[slot] = (gaussians, UploadedSplats(gaussians))
    return kept[1]


def _note_problem(obj: bpy.types.Object, error: LikenessError) -> None:
    if _problems.get(obj.session_uid) != str(error):
        _problems[obj.session_uid] = str(error)
        _log.warning("Likeness: %s", error)


@functools.cache
def _resolver() -> tuple[gpu.types.GPUShader, gpu.types.GPUBatch]:
    info = gpu.types.GPUShaderCreateInfo()
    info.push_constant("VEC4", "depth_rows")
    info.push_constant("VEC2", "front_sharpness")
    info.sampler(0, "FLOAT_2D", "blended")
    info.sampler(1, "FLOAT_2D", "front_sums")
    info.vertex_in(0, "VEC2", "corner")
    between = gpu.types.GPUStageInterfaceInfo("likeness_resolve")
    between.smooth("VEC2", "uv")
    info.vertex_out(between)
    info.fragment_out(0, "VEC4", "out_color")
    info.depth_write("ANY")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    shader = gpu.shader.create_from_info(info)
    corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
    return shader, batch_for_shader(shader, "TRI_STRIP", {"corner": corners})
