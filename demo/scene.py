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

FRAMES, STEP = 36, 2
"""So many of the footage's last frames, every second one: three seconds at half the price."""
SIZE = 480  # pixels
SAMPLES = 6
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


def add_set(middle: Vector, unit: float) -> None:
    """A wall behind, a brass ring round the head, a microphone before it; lengths in `unit`."""
    bpy.ops.mesh.primitive_plane_add(size=24 * unit, location=middle + unit * Vector((0, 3.2, 0)))
    bpy.context.object.rotation_euler.x = math.pi / 2
    finish("Wall", (0.012, 0.03, 0.038), roughness=0.9)
    bpy.ops.mesh.primitive_torus_add(
        location=middle - unit * Vector((0, 0, 0.3)), major_radius=0.86 * unit,
        minor_radius=0.02 * unit, major_segments=128, minor_segments=16,
        rotation=(math.radians(25), math.radians(-9), 0),
    )  # fmt: skip
    finish("Brass", (0.9, 0.55, 0.2), metallic=1.0, roughness=0.22)
    place = middle + unit * Vector((0.5, -1.05, -0.42))
    bpy.ops.mesh.primitive_uv_sphere_add(location=place, radius=0.11 * unit)
    finish("Grille", (0.3, 0.3, 0.32), metallic=0.9, roughness=0.35)
    bpy.ops.mesh.primitive_cylinder_add(
        location=place - unit * Vector((0, 0, 0.6)), radius=0.05 * unit, depth=unit
    )
    finish("Handle", (0.02, 0.02, 0.022), roughness=0.4)


def finish(name: str, color: tuple[float, float, float], **inputs: float) -> None:
    """Name the active object, shade it smooth, give it its material."""
    made = bpy.context.object
    made.name = name
    made.data.materials.append(material(name, color, **inputs))
    if name != "Wall":
        made.data.shade_smooth()


def add_lights(middle: Vector, unit: float) -> None:
    """A warm key, a cool fill, a rim from behind; brightness does not depend on `unit`."""
    watts = 100 * unit**2
    for name, place, power, color in (
        ("Key", (-2.6, -3.0, 2.4), 9.0, (1.0, 0.93, 0.84)),
        ("Fill", (3.0, -2.6, 0.2), 2.5, (0.7, 0.85, 1.0)),
        ("Rim", (2.6, 1.2, 1.6), 7.0, (1.0, 0.8, 0.6)),
        ("Glow", (-1.5, 1.2, 2.4), 1.5, (0.5, 0.8, 1.0)),
    ):
        add_light(name, middle + unit * Vector(place), middle, power * watts, 1.5 * unit, color)


def prepare_render(scene: bpy.types.Scene, out: Path) -> None:
    """Cycles with few samples and a denoiser: the avatar itself needs none."""
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x = render.resolution_y = SIZE
    render.resolution_percentage = 100
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = True
    scene.cycles.max_bounces = 3
    scene.view_settings.view_transform = "AgX"
    render.filepath = str(out / "frames") + "/"
    render.image_settings.file_format = "PNG"


def measure(proxy: bpy.types.Object) -> tuple[Vector, float]:
    """Middle of the picture at the head's distance, in the world, and half the picture's width."""
    scene = bpy.context.scene
    corners = [proxy.matrix_world @ Vector(corner) for corner in proxy.bound_box]
    camera = scene.camera
    distance = (camera.matrix_world.inverted() @ (sum(corners, Vector()) / 8)).z
    frame = camera.data.view_frame(scene=scene)
    places = [camera.matrix_world @ (corner * (distance / corner.z)) for corner in frame]
    return sum(places, Vector()) / 4, max(abs(a.x - b.x) for a in places for b in places) / 2


def main(archive: str, avatar: str, out: Path) -> None:
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True
    )
    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    bpy.ops.likeness.import_avatar(filepath=avatar)
    proxy = bpy.context.object
    # The end of the footage was never trained on.
    scene.frame_start = max(scene.frame_start, scene.frame_end - STEP * FRAMES + 1)
    scene.frame_step = STEP
    add_slider_animation(proxy, scene.frame_start, scene.frame_end)
    scene.frame_set(scene.frame_start)
    prepare_render(scene, out)
    middle, unit = measure(proxy)
    add_set(middle, unit)
    add_lights(middle, unit)
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "avatar.blend"), compress=True)
    bpy.ops.render.render(animation=True)
    facts = {
        "fps": scene.render.fps / scene.render.fps_base / STEP,
        "frames": len(list((out / "frames").glob("*.png"))),
        "blender": bpy.app.version_string,
    }
    (out / "scene.json").write_text(json.dumps(facts), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    sys.stdout.flush()
    os._exit(0)  # Blender 4.5's module hangs when the interpreter exits in the ordinary way
