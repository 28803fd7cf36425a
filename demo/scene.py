"""The demo's scene, in Blender's Python: `python demo/scene.py EXTENSION.zip NAME.likeness OUT`.

Installs the extension, imports the avatar with its performance, animates three sliders over it,
puts things in front of and behind the head, lights it, renders. Writes OUT/frames/*.png,
OUT/avatar.blend and OUT/scene.json.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

import bpy
from mathutils import Vector

FRAMES = 48
SIZE = 480  # pixels
SAMPLES = 12
SLIDERS = {
    "mouthSmileLeft": ((0.0, 0.0), (0.35, 0.8), (0.7, 0.8), (1.0, 0.1)),
    "mouthSmileRight": ((0.0, 0.0), (0.35, 0.6), (0.7, 0.7), (1.0, 0.1)),
    "browInnerUp": ((0.0, 0.0), (0.5, 0.0), (0.75, 0.9), (1.0, 0.2)),
}
"""(moment in 0..1 of the shot, value added to the performance)."""


def add_slider_animation(proxy: bpy.types.Object, first: int, last: int) -> None:
    """Keyframe SLIDERS in an Action of their own, added to the performance."""
    bpy.ops.likeness.layer_performance()
    keys = proxy.data.shape_keys
    keys.animation_data.action_blend_type = "ADD"
    for name, moments in SLIDERS.items():
        key = keys.key_blocks[name]
        key.slider_max = max(key.slider_max, 2.0)  # the sum may go beyond what was tracked
        for moment, value in moments:
            key.value = value
            key.keyframe_insert("value", frame=first + moment * (last - first))


def material(name: str, color: tuple[float, float, float], **inputs: float) -> bpy.types.Material:
    """A principled material; `inputs` by their names in lower case with underscores."""
    made = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*color, 1)
    for key, value in inputs.items():
        shader.inputs[key.replace("_", " ").title()].default_value = value
    return made


def add_light(name: str, place: Vector, target: Vector, watts: float, size: float, color) -> None:
    """An area light at `place` that looks at `target`."""
    data = bpy.data.lights.new(name, "AREA")
    data.energy, data.size, data.color = watts, size, color
    light = bpy.data.objects.new(name, data)
    light.location = place
    light.rotation_euler = (target - place).to_track_quat("-Z", "Y").to_euler()
    bpy.context.collection.objects.link(light)


def add_set(head: Vector, height: float) -> None:
    """A wall behind, a ring of brass round the head, a microphone before it. Lengths in heads."""
    bpy.ops.mesh.primitive_plane_add(size=12 * height, location=head + Vector((0, 2.0 * height, 0)))
    wall = bpy.context.object
    wall.rotation_euler.x = math.pi / 2
    wall.data.materials.append(material("Wall", (0.05, 0.11, 0.13), roughness=0.9))

    bpy.ops.mesh.primitive_torus_add(
        location=head + Vector((0, 0, 0.05 * height)), major_radius=0.86 * height,
        minor_radius=0.022 * height, major_segments=96, minor_segments=16,
        rotation=(math.radians(24), math.radians(-14), 0),
    )  # fmt: skip
    ring = bpy.context.object
    ring.data.materials.append(material("Brass", (0.9, 0.55, 0.2), metallic=1.0, roughness=0.25))

    place = head + Vector((0.36 * height, -0.75 * height, -0.5 * height))
    bpy.ops.mesh.primitive_uv_sphere_add(location=place, radius=0.1 * height)
    bpy.context.object.data.materials.append(material("Grille", (0.3, 0.3, 0.32), metallic=0.8))
    bpy.ops.mesh.primitive_cylinder_add(
        location=place - Vector((0, 0, 0.42 * height)), radius=0.045 * height, depth=0.7 * height
    )
    bpy.context.object.data.materials.append(material("Stand", (0.02, 0.02, 0.02), roughness=0.4))
    for name in ("Sphere", "Torus"):
        for polygon in bpy.data.objects[name].data.polygons:
            polygon.use_smooth = True


def add_lights(head: Vector, height: float) -> None:
    """A warm key, a cool fill, a rim from behind."""
    watts = 60 * height**2  # the same look for a head of any size
    add_light(
        "Key", head + height * Vector((-2, -2.4, 1.8)), head, 9 * watts, height, (1, 0.93, 0.84)
    )
    add_light(
        "Fill", head + height * Vector((2.4, -2, 0)), head, 2 * watts, height, (0.75, 0.87, 1)
    )
    add_light(
        "Rim", head + height * Vector((1.6, 1.5, 1.6)), head, 7 * watts, height, (1, 0.8, 0.6)
    )


def prepare_render(scene: bpy.types.Scene, out: Path) -> None:
    """Cycles with few samples and a denoiser: the avatar itself needs none."""
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x = render.resolution_y = SIZE
    render.resolution_percentage = 100
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = True
    scene.cycles.max_bounces = 4
    scene.view_settings.view_transform = "AgX"
    render.filepath = str(out / "frames") + "/"
    render.image_settings.file_format = "PNG"


def measure(proxy: bpy.types.Object) -> tuple[Vector, float]:
    """Centre of the posed head and its height, in the world."""
    evaluated = proxy.evaluated_get(bpy.context.evaluated_depsgraph_get())
    corners = [evaluated.matrix_world @ Vector(corner) for corner in evaluated.bound_box]
    low, high = (Vector(map(pick, *corners)) for pick in (min, max))
    return (low + high) / 2, high.z - low.z


def main(archive: str, avatar: str, out: Path) -> None:
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True
    )
    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    bpy.ops.likeness.import_avatar(filepath=avatar)
    proxy = bpy.context.object
    first = scene.frame_end - FRAMES + 1  # the end of the footage was never trained on
    scene.frame_start, scene.frame_end = max(scene.frame_start, first), scene.frame_end
    add_slider_animation(proxy, scene.frame_start, scene.frame_end)
    scene.frame_set(scene.frame_start)
    head, height = measure(proxy)
    add_set(head, height)
    add_lights(head, height)
    prepare_render(scene, out)
    bpy.ops.likeness.set_up_render()
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "avatar.blend"), compress=True)
    bpy.ops.render.render(animation=True)
    facts = {
        "fps": scene.render.fps / scene.render.fps_base,
        "frames": scene.frame_end - scene.frame_start + 1,
        "blender": bpy.app.version_string,
    }
    (out / "scene.json").write_text(json.dumps(facts), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    sys.stdout.flush()
    os._exit(0)  # Blender 4.5's module hangs when the interpreter exits in the ordinary way
