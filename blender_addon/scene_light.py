"""Lamps and world of a scene as light on an avatar.

Lamps are measured at the middle of the head, as far and small there: nothing between a lamp and
the head is looked for, and a world with a texture counts as dark. Units are Blender's, as Cycles
reads them (a test compares the two).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import bpy
import numpy as np

from ..engine.api.baked import BakedAvatar, GaussianArrays
from . import irradiance
from .avatar_object import Appearance, read


class Light(NamedTuple):
    """What a lamp sends to a point."""

    direction: np.ndarray  # [3] unit, from the point to the lamp
    amount: np.ndarray  # [3] W/m^2 on a surface that faces it, linear Rec.709


def colors(
    gaussians: GaussianArrays,
    one: Appearance,
    depsgraph: bpy.types.Depsgraph,
    coefficients: np.ndarray,
    strength: float,
) -> np.ndarray:
    """Display-referred colours [N, 3] of an avatar's Gaussians in the light `at` its place."""
    normals = head_normals(one.avatar, depsgraph, len(gaussians.means))
    return irradiance.relit(gaussians.colors, normals, coefficients, strength)


def at(
    one: Appearance,
    gaussians: GaussianArrays,
    depsgraph: bpy.types.Depsgraph,
    with_world: bool = True,
) -> np.ndarray:
    """Light [9, 3] (irradiance.py) where an avatar appears, for directions of its head's space.

    `gaussians` are in that space too; their middle is where the light is measured.
    """
    turned = one.matrix[:3, :3]
    point = turned @ gaussians.means.mean(axis=0) + one.matrix[:3, 3]
    to_head = np.linalg.inv(turned)
    lights = [light for light in lights_at(depsgraph, point) if light.amount.any()]
    found = irradiance.DARK
    if lights:
        directions = np.stack([to_head @ light.direction for light in lights])
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        found = irradiance.from_lights(directions, np.stack([light.amount for light in lights]))
    if with_world:
        found = found + irradiance.from_everywhere(world_radiance(depsgraph.scene_eval.world))
    return found


def head_normals(obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph, count: int) -> np.ndarray:
    """Unit normals [count, 3] of the proxy head where its Gaussians are bound, in its space."""
    avatar: BakedAvatar = read(obj)
    mesh = obj.evaluated_get(depsgraph).data
    normals = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertex_normals.foreach_get("vector", normals)
    corners = avatar.head.faces[avatar.binding.face[:count]]  # [n, 3]
    smooth = np.einsum(
        "nc,ncx->nx", avatar.binding.barycentric[:count], normals.reshape(-1, 3)[corners]
    )
    return smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-12)


def lights_at(depsgraph: bpy.types.Depsgraph, point: np.ndarray) -> list[Light]:
    """What each lamp that the depsgraph shows sends to a point of the world."""
    rendered = depsgraph.mode == "RENDER"
    return [
        _KINDS[obj.data.type](obj.data, np.array(instance.matrix_world), point)
        for instance in depsgraph.object_instances
        if (obj := instance.object).type == "LIGHT" and not (rendered and obj.hide_render)
    ]


def world_radiance(world: bpy.types.World | None) -> np.ndarray:
    """Radiance [3] of a world of one colour; dark if it has none or a texture."""
    if world is None:
        return np.zeros(3)
    tree = world.node_tree
    if tree is None:
        return np.array(world.color)
    background = next((n for n in tree.nodes if n.bl_idname == "ShaderNodeBackground"), None)
    if background is None or background.inputs["Color"].is_linked:
        return np.zeros(3)
    color = np.array(background.inputs["Color"].default_value[:3])
    return color * background.inputs["Strength"].default_value


def _power(light: bpy.types.Light) -> np.ndarray:
    """Power or strength [3] of a lamp by colour."""
    color = np.array(light.color)
    if getattr(light, "use_temperature", False):
        color = color * np.array(light.temperature_color)
    return color * light.energy * 2.0 ** getattr(light, "exposure", 0.0)


def _sun(light: bpy.types.Light, matrix: np.ndarray, _: np.ndarray) -> Light:
    return Light(_unit(matrix[:3, 2]), _power(light))


def _point(light: bpy.types.Light, matrix: np.ndarray, point: np.ndarray) -> Light:
    towards = matrix[:3, 3] - point
    square = max(float(towards @ towards), 1e-6)
    return Light(_unit(towards), _power(light) / (4 * np.pi * square))


def _spot(light: bpy.types.Light, matrix: np.ndarray, point: np.ndarray) -> Light:
    found = _point(light, matrix, point)
    rim, along = np.cos(light.spot_size / 2), float(found.direction @ _unit(matrix[:3, 2]))
    # Full light inside; from the rim inwards it rises smoothly over the share that is blended.
    rise = np.clip((along - rim) / max((1 - rim) * light.spot_blend, 1e-6), 0, 1)
    return found._replace(amount=found.amount * rise * rise * (3 - 2 * rise))


def _area(light: bpy.types.Light, matrix: np.ndarray, point: np.ndarray) -> Light:
    towards = matrix[:3, 3] - point
    square = max(float(towards @ towards), 1e-6)
    slant = max(float(_unit(towards) @ _unit(matrix[:3, 2])), 0.0)
    return Light(_unit(towards), _power(light) * slant / (np.pi * square))


_KINDS: dict[str, Callable[[bpy.types.Light, np.ndarray, np.ndarray], Light]] = {
    "SUN": _sun,
    "POINT": _point,
    "SPOT": _spot,
    "AREA": _area,
}


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
