"""Shows avatars in the 3D viewport: blends their Gaussians off-screen, lays them onto the view.

The view is linear light and 8 bit, Gaussians are blended in sRGB numbers: so they are blended in a
frame buffer of their own, and one quad converts the result and tests its soft-front depth against
the scene's (any other order washes out hair). It knows no file formats and changes no data.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from ..engine.api.baked import GaussianArrays
from ..engine.api.errors import LikenessError
from . import avatar_object, scene_depth, splat_shader
from .cpu_splats import View
from .splat_shader import SplatTarget, UploadedSplats

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
_targets: dict[tuple[int, int], SplatTarget] = {}
_uploads: dict[int, tuple[GaussianArrays, UploadedSplats]] = {}  # by session_uid of the avatar
_problems: dict[int, str] = {}  # by session_uid of the avatar


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
    _targets.clear()
    _uploads.clear()
    _problems.clear()
    scene_depth.forget()


def problem(obj: bpy.types.Object) -> str:
    """Why an avatar is not shown, or nothing."""
    return _problems.get(obj.session_uid, "")


def visible_avatars(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Avatars that this 3D viewport shows, by hiding, collections and local view."""
    space = context.space_data
    return [
        obj
        for obj in context.view_layer.objects
        if avatar_object.is_avatar(obj) and obj.visible_get(viewport=space)
    ]


def scene_depth_is_missing(space: bpy.types.SpaceView3D) -> bool:
    """EEVEE leaves no depth while overlays are off: testing against it hides every avatar."""
    return not space.overlay.show_overlays and space.shading.type in {"MATERIAL", "RENDERED"}


def _draw() -> None:
    context = bpy.context
    avatars = visible_avatars(context)
    if not avatars:
        return
    try:
        _draw_avatars(context, avatars)
    except Exception:  # noqa: BLE001 - Blender would print it again for each redraw
        _log.exception("Likeness: the viewport could not draw avatars and stops trying.")
        bpy.app.timers.register(unregister, first_interval=0)  # not from within the callback


def _draw_avatars(context: bpy.types.Context, avatars: list[bpy.types.Object]) -> None:
    region, space = context.region, context.space_data
    view = View(
        np.array(context.region_data.view_matrix),
        np.array(context.region_data.window_matrix),
        region.width,
        region.height,
    )
    depsgraph = context.evaluated_depsgraph_get()
    shown = []
    for obj in avatars:
        try:
            gaussians = avatar_object.evaluate(obj, depsgraph, obj.likeness.level)
        except LikenessError as error:
            _note_problem(obj, error)
            continue
        _problems.pop(obj.session_uid, None)
        place = obj.evaluated_get(depsgraph).matrix_world.translation
        distance = float(-(view.view_matrix @ [*place, 1.0])[2])
        shown.append((distance, obj, gaussians))
    if scene_depth_is_missing(space):
        restore = _remember_state()
        scene_depth.draw(depsgraph, space)
        restore()
    # Far heads first: each is blended on its own and laid over those behind it.
    for _, obj, gaussians in sorted(shown, key=lambda item: -item[0]):
        radius = max(max(obj.dimensions) / 2, 1e-6)
        _draw_one(_uploaded(obj, gaussians), view, DEPTH_SHARPNESS / radius, obj)
    for stale in set(_uploads) - {obj.session_uid for obj in avatars}:
        del _uploads[stale]


def _draw_one(splats: UploadedSplats, view: View, sharpness: float, obj: bpy.types.Object) -> None:
    target = _target(view.width, view.height)
    restore = _remember_state()
    footprint = avatar_object.footprint(obj)
    front = splat_shader.draw_splats(splats, view, target, sharpness, footprint=footprint)
    shader, quad = _resolver()
    shader.bind()
    window = view.window_matrix
    shader.uniform_float("depth_rows", (*window[2, 2:].tolist(), *window[3, 2:].tolist()))
    shader.uniform_float("front_sharpness", (front, sharpness))
    shader.uniform_sampler("blended", target.color)
    shader.uniform_sampler("front_sums", target.front)
    gpu.state.blend_set("ALPHA_PREMULT")
    gpu.state.depth_test_set("LESS_EQUAL")
    gpu.state.depth_mask_set(False)
    quad.draw(shader)
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
    kept = _uploads.get(obj.session_uid)
    if kept is None or kept[0] is not gaussians:
        kept = _uploads[obj.session_uid] = (gaussians, UploadedSplats(gaussians))
    return kept[1]


def _target(width: int, height: int) -> SplatTarget:
    if (width, height) not in _targets:
        if len(_targets) >= 4:  # while an area is being resized every redraw has a new size
            _targets.clear()
        _targets[width, height] = SplatTarget.create(width, height)
    return _targets[width, height]


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
