"""Gaussians to pixels on the GPU: the twin of cpu_splats, by sorted, blended quads.

Gaussians are blended in the numbers they were learned in (display-referred sRGB) into a frame
buffer of their own, far to near, together with what their soft-front depth is made of: the sum of
exp(-c u) under the same blending (soft_front.py). It knows nothing of avatars, scenes or the
viewport.

A GPU context is needed: a draw callback, a render engine with `bl_use_gpu_context`, or background
mode after `gpu.init()` (5.2) or a first GPU render.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import gpu
import numpy as np

from ..engine.api.baked import GaussianArrays
from .coordinates import view_depths
from .cpu_splats import BLUR, EMPTY_DEPTH, SplatImage, View
from .soft_front import DepthScale, close_gaps

NEAR = 0.01  # metres in front of the camera; nearer Gaussians are dropped, as in training
MIN_ALPHA = 1 / 255
_TEXELS, _PER_ROW = 4, 1024  # RGBA texels per Gaussian, Gaussians per texture row

_VERTEX = """
vec4 texel(int gaussian, int part)
{
  return texelFetch(splats, ivec2((gaussian % 1024) * 4 + part, gaussian / 1024), 0);
}

vec3 to_axes(vec4 quat, vec3 v) /* v rotated by the inverse of quat (w, x, y, z) */
{
  vec3 t = 2.0 * cross(-quat.yzw, v);
  return v + quat.x * t + cross(-quat.yzw, t);
}

void main()
{
  int index = int(corner_index + 0.5);
  int rank = index / 4;
  vec2 ranked = texelFetch(order, ivec2(rank % 4096, rank / 4096), 0).rg;
  int gaussian = int(ranked.r + 0.5);
  vec4 mean_opacity = texel(gaussian, 0);
  vec4 quat = texel(gaussian, 1);
  vec4 center = vec4(mean_opacity.xyz, 1.0);
  vec3 clip = vec3(dot(clip_x, center), dot(clip_y, center), dot(clip_w, center));
  vec2 pixels = size_blur.xy * 0.5;

  /* Rows of the projection's Jacobian in pixels: one formula for perspective, ortho and shift. */
  vec3 row_x = (clip_x.xyz * clip.z - clip.x * clip_w.xyz) * (pixels.x / (clip.z * clip.z));
  vec3 row_y = (clip_y.xyz * clip.z - clip.y * clip_w.xyz) * (pixels.y / (clip.z * clip.z));
  vec3 scale = texel(gaussian, 2).xyz;
  vec3 u = scale * to_axes(quat, row_x);
  vec3 v = scale * to_axes(quat, row_y);
  float xx = dot(u, u) + max(size_blur.z, size_blur.w * dot(row_x, row_x));
  float yy = dot(v, v) + max(size_blur.z, size_blur.w * dot(row_y, row_y));
  float xy = dot(u, v);
  splat_conic = vec3(yy, -xy, xx) / (xx * yy - xy * xy);

  /* The box in which alpha can reach 1/255. */
  float reach = sqrt(max(2.0 * log(255.0 * mean_opacity.w), 0.0));
  vec2 side = vec2((index & 1) * 2 - 1, (index & 2) - 1);
  splat_offset = side * reach * sqrt(vec2(xx, yy));
  splat_color = vec4(texel(gaussian, 3).rgb, mean_opacity.w);
  splat_front = exp(-min(sharpness * ranked.g, 80.0));
  gl_Position = vec4(clip.xy / clip.z + splat_offset / pixels, 0.0, 1.0);
}
"""

_FRAGMENT = """
void main()
{
  vec2 d = splat_offset;
  float sigma = 0.5 * (splat_conic.x * d.x * d.x + splat_conic.z * d.y * d.y)
              + splat_conic.y * d.x * d.y;
  float alpha = min(0.999, splat_color.a * exp(-max(sigma, 0.0)));
  if (alpha < 1.0 / 255.0) {
    discard;
  }
  out_color = vec4(splat_color.rgb * alpha, alpha);
  out_front = vec4(splat_front * alpha, 0.0, 0.0, alpha);
}
"""


@functools.cache
def _shader() -> gpu.types.GPUShader:
    info = gpu.types.GPUShaderCreateInfo()
    for row in ("clip_x", "clip_y", "clip_w", "size_blur"):
        info.push_constant("VEC4", row)
    info.push_constant("FLOAT", "sharpness")
    info.sampler(0, "FLOAT_2D", "splats")
    info.sampler(1, "FLOAT_2D", "order")
    info.vertex_in(0, "FLOAT", "corner_index")
    between = gpu.types.GPUStageInterfaceInfo("likeness_splat")
    between.smooth("VEC2", "splat_offset")
    between.flat("VEC3", "splat_conic")
    between.flat("VEC4", "splat_color")
    between.flat("FLOAT", "splat_front")
    info.vertex_out(between)
    info.fragment_out(0, "VEC4", "out_color")
    info.fragment_out(1, "VEC4", "out_front")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


@functools.lru_cache(maxsize=2)
def _quads(capacity: int) -> gpu.types.GPUBatch:
    """Two triangles for each of `capacity` Gaussians; the vertex knows only its number."""
    layout = gpu.types.GPUVertFormat()
    layout.attr_add(id="corner_index", comp_type="F32", len=1, fetch_mode="FLOAT")
    vertices = gpu.types.GPUVertBuf(layout, capacity * 4)
    # float32 holds integers exactly up to 2^24: four million Gaussians.
    vertices.attr_fill("corner_index", np.arange(capacity * 4, dtype=np.float32))
    first = np.arange(capacity, dtype=np.int32)[:, None, None] * 4
    triangles = first + np.array([[0, 1, 2], [2, 1, 3]], np.int32)
    indices = gpu.types.GPUIndexBuf(type="TRIS", seq=triangles.reshape(-1, 3))
    return gpu.types.GPUBatch(type="TRIS", buf=vertices, elem=indices)


def forget() -> None:
    """Free the shader and the quads; they belong to the GPU context of this registration."""
    _shader.cache_clear()
    _quads.cache_clear()


def _texture(values: np.ndarray, width: int, kind: str) -> gpu.types.GPUTexture:
    """A float32 texture of rows of `width` texels; `values` [n, channels] fill it, padded by 0."""
    height = max(1, -(-len(values) // width))
    padded = np.zeros((height * width, values.shape[1]), np.float32)
    padded[: len(values)] = values
    return gpu.types.GPUTexture(
        (width, height), format=kind, data=gpu.types.Buffer("FLOAT", padded.size, padded.ravel())
    )


class UploadedSplats:
    """N Gaussians on the GPU. Upload once for each pose, draw for any number of views."""

    def __init__(self, gaussians: GaussianArrays) -> None:
        count = len(gaussians.means)
        texels = np.zeros((count, _TEXELS, 4), np.float32)
        texels[:, 0, :3], texels[:, 0, 3] = gaussians.means, gaussians.opacities
        texels[:, 1] = gaussians.quats
        texels[:, 2, :3] = gaussians.scales
        texels[:, 3, :3] = gaussians.colors
        self.means = gaussians.means  # [N, 3]
        self.texture = _texture(texels.reshape(-1, 4), _TEXELS * _PER_ROW, "RGBA32F")


@dataclass
class SplatTarget:
    """The frame buffer Gaussians are blended into: color and soft-front, each [H, W] RGBA."""

    width: int
    height: int
    color: gpu.types.GPUTexture
    front: gpu.types.GPUTexture
    framebuffer: Any

    @classmethod
    def create(cls, width: int, height: int, color_format: str = "RGBA16F") -> SplatTarget:
        color = gpu.types.GPUTexture((width, height), format=color_format)
        front = gpu.types.GPUTexture((width, height), format="RGBA32F")
        framebuffer = gpu.types.GPUFrameBuffer(color_slots=[color, front])
        return cls(width, height, color, front, framebuffer)


def far_to_near(depths: np.ndarray) -> np.ndarray:
    """Order [M] of the depths [N] beyond the near plane, far first. 16 bits: a radix sort."""
    kept = np.flatnonzero(depths > NEAR)
    if not len(kept):
        return kept
    depths = depths[kept]
    farthest = depths.max()
    steps = (farthest - depths) * (65535 / max(float(farthest - depths.min()), 1e-9))
    return kept[np.argsort(steps.astype(np.uint16), kind="stable")]


def draw_splats(
    splats: UploadedSplats,
    view: View,
    target: SplatTarget,
    sharpness: float,
    footprint: float = 0.0,
    scale: DepthScale | None = None,
) -> float:
    """Clear the target, blend the Gaussians into it; return the nearest depth in metres.

    The view's `view_matrix` may be any affine map from the Gaussians' space: moved, mirrored or
    stretched heads need no Gaussians of their own.

    `sharpness` (1/metre) is c of the soft-front depth, which blends exp(-c u): u is the place on
    `scale`, or without one the distance from the nearest Gaussian. `footprint` (m^2) is the size
    on the head of the blur that training added on the screen, so that a closer view does not get
    thinner Gaussians than training saw.
    """
    view_matrix = np.asarray(view.view_matrix, np.float64)
    depths = view_depths(splats.means, view_matrix)
    order = far_to_near(depths)
    front = float(depths[order[-1]]) if len(order) else 0.0
    places = scale.place(depths[order]) if scale else depths[order] - front
    with target.framebuffer.bind():
        target.framebuffer.clear(color=(0.0, 0.0, 0.0, 0.0))
        if len(order):
            clip = np.asarray(view.window_matrix, np.float64) @ view_matrix
            ranks = np.column_stack([order, places])
            size_blur = (view.width, view.height, BLUR, footprint)
            _draw(splats, ranks, clip, size_blur, sharpness)
    return front


def _draw(
    splats: UploadedSplats,
    ranks: np.ndarray,
    clip: np.ndarray,
    size_blur: tuple[float, ...],
    sharpness: float,
) -> None:
    """Draw the Gaussians of `ranks` [M, 2] (number, u) with the matrix from world to clip space."""
    shader = _shader()
    shader.bind()
    for name, row in (("clip_x", clip[0]), ("clip_y", clip[1]), ("clip_w", clip[3])):
        shader.uniform_float(name, row.tolist())
    shader.uniform_float("size_blur", size_blur)
    shader.uniform_float("sharpness", sharpness)
    shader.uniform_sampler("splats", splats.texture)
    order = _texture(ranks, 4096, "RG32F")  # must outlive the draw call
    shader.uniform_sampler("order", order)
    gpu.state.depth_test_set("NONE")
    gpu.state.depth_mask_set(False)
    gpu.state.blend_set("ALPHA_PREMULT")
    capacity = 1 << (len(ranks) - 1).bit_length()
    _quads(capacity).draw_range(shader, elem_start=0, elem_count=len(ranks) * 6)
    gpu.state.blend_set("NONE")


def rasterize(
    gaussians: GaussianArrays, view: View, sharpness: float, footprint: float = 0.0
) -> SplatImage:
    """GPU twin of `cpu_splats.rasterize`: blend in float32 and read back."""
    target = SplatTarget.create(view.width, view.height, "RGBA32F")
    depths = view_depths(gaussians.means, np.asarray(view.view_matrix, np.float64))
    scale = close_gaps(depths[depths > NEAR])
    draw_splats(UploadedSplats(gaussians), view, target, sharpness, footprint, scale)
    color, sums = _read(target.color), _read(target.front)[..., 0]
    alpha = color[..., 3]
    seen = (alpha > MIN_ALPHA) & (sums > 0)
    depth = np.full(alpha.shape, EMPTY_DEPTH, np.float32)
    depth[seen] = scale.depth(sums[seen], alpha[seen], sharpness)
    return SplatImage(color, depth)


def _read(texture: gpu.types.GPUTexture) -> np.ndarray:
    """[H, W, 4] float32, rows from the bottom up."""
    width, height = texture.width, texture.height
    buffer = texture.read()
    # Before 5.2 NumPy misreads buffers of several dimensions.
    buffer.dimensions = width * height * 4
    return np.array(buffer, np.float32).reshape(height, width, 4)
