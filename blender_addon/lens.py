"""Depth of field of the avatar layer: the same picture through many points of the lens.

A thin lens of radius R focused at distance f sees a point at depth z from the lens point (dx, dy)
where a pinhole at (dx, dy) would, if the picture is shifted so that the plane at f stands still. In
camera space that is the shear x' = x - dx (1 - z / f) (Cook, Porter, Carpenter, "Distributed Ray
Tracing", 1984), so drawing through it is drawing with another view matrix. The lens is Blender's,
as Cycles reads it. A lens needs `bpy` objects only to read their numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import bpy
import numpy as np

from .cpu_splats import View

_R2 = 1 / np.array([1.324717957244746, 1.324717957244746**2])  # Roberts' R2 sequence
_MILLIMETRE = 1e-3
_NEAREST_FOCUS = 1e-4  # metres; nearer, the shear would be infinite


class Lens(NamedTuple):
    """An aperture and what it is focused on."""

    radius: float  # units of the scene, across its corners
    focus: float  # units of the scene along the view axis
    blades: int  # corners of the aperture; below 3 it is round
    rotation: float  # radians
    ratio: float  # width of the aperture is 1 / ratio of its height


def find_lens(camera: bpy.types.Object) -> Lens | None:
    """The lens of an evaluated camera object; None without depth of field."""
    data = camera.data
    if not data.dof.use_dof or data.dof.aperture_fstop <= 0:
        return None
    # What Cycles takes an orthographic camera's focal length to be.
    focal_length = 1.0 if data.type == "ORTHO" else data.lens * _MILLIMETRE
    return Lens(
        radius=focal_length / (2 * data.dof.aperture_fstop),
        focus=max(_focus_distance(camera), _NEAREST_FOCUS),
        blades=data.dof.aperture_blades,
        rotation=data.dof.aperture_rotation,
        ratio=data.dof.aperture_ratio,
    )


def _focus_distance(camera: bpy.types.Object) -> float:
    """Along the view axis, to the focus object or its bone where there is one."""
    dof = camera.data.dof
    if dof.focus_object is None:
        return dof.focus_distance
    target = dof.focus_object.matrix_world
    if dof.focus_object.type == "ARMATURE" and dof.focus_subtarget:
        bone = dof.focus_object.pose.bones.get(dof.focus_subtarget)
        target = target @ bone.matrix if bone else target
    # Blender's own measure takes no sign: focus behind the camera counts as in front.
    return abs((camera.matrix_world.normalized().inverted() @ target.translation).z)


def points(lens: Lens, count: int) -> np.ndarray:
    """Points [count, 2] spread evenly over the aperture, units of the scene."""
    u, v = np.modf(0.5 + np.outer(np.arange(count), _R2))[0].T
    if lens.blades < 3:
        angle, places = 2 * np.pi * v, np.sqrt(u)[:, None]
        unit = places * np.stack([np.cos(angle), np.sin(angle)], -1)
    else:
        unit = _in_polygon(lens.blades, u, v)
    cosine, sine = np.cos(lens.rotation), np.sin(lens.rotation)
    turned = unit @ np.array([[cosine, sine], [-sine, cosine]])
    return lens.radius * turned / [lens.ratio, 1.0]


def _in_polygon(corners: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Points [S, 2] spread as u, v [S] are over the unit square, in a regular polygon: the square
    is cut into one strip for each of the triangles about its centre."""
    slice_index, along = np.divmod(u * corners, 1.0)
    outward = np.sqrt(along)[:, None]
    first, second = (2 * np.pi * (slice_index + step) / corners for step in (0, 1))
    a = np.stack([np.cos(first), np.sin(first)], -1)
    b = np.stack([np.cos(second), np.sin(second)], -1)
    return outward * (a + v[:, None] * (b - a))


def through(view: View, point: np.ndarray, focus: float) -> View:
    """The view from a point [2] of the lens, with what is at the focus where it was."""
    shear = np.eye(4)
    shear[:2, 2] = -np.asarray(point) / focus  # the view looks along -z
    shear[:2, 3] = -np.asarray(point)
    return view._replace(view_matrix=shear @ view.view_matrix)
