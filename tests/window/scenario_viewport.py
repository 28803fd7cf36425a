"""Avatars in every kind of view, through undo and redo, twice, instanced, and in a storm."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import bpy
import inside
from mathutils import Vector
from stage import BLUE, RED, add_cube, centre, look_from_the_front, shoot
from storm import Storm

STORM = 24  # operations, each drawn
log: list[str] = []


class _Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log.append(self.format(record))


def space() -> bpy.types.SpaceView3D:
    return inside.viewport()[1].spaces.active


def import_avatar() -> bpy.types.Object:
    with inside.in_viewport():
        bpy.ops.likeness.import_avatar(
            filepath=str(next(inside.FOLDER.glob("*.likeness"))),
            performance=False,
            match_scene=False,
        )
    return bpy.context.view_layer.objects.active


def scenario() -> Iterator[float]:
    logging.getLogger().addHandler(_Listener(level=logging.WARNING))
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    inside.install_extension()
    bpy.context.scene.view_settings.view_transform = "Standard"
    proxy = import_avatar()
    bpy.ops.object.select_all(action="DESELECT")
    look_from_the_front(centre(proxy))
    yield from projections(proxy)
    yield from views(proxy)
    yield from hiding(proxy)
    yield from undo_and_redo()
    yield from several(bpy.data.objects["Ball"])
    yield from storm()
    inside.facts["log"] = log


def projections(proxy: bpy.types.Object) -> Iterator[float]:
    """Orthographic, perspective, and through a camera that is turned and shifted."""
    head = centre(proxy)
    points = {
        "head": head,
        "edge": head + Vector((0.06, 0, 0.03)),
        "empty": head + Vector((0.17, 0, 0)),
    }
    view = space().region_3d
    yield from inside.drawn()
    shoot("orthographic", points)
    view.view_perspective = "PERSP"
    yield from inside.drawn()
    shoot("perspective", points)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location = head + Vector((0.3, -0.8, 0.2))
    camera.rotation_euler = (head - camera.location).to_track_quat("-Z", "Y").to_euler()
    camera.data.shift_x = 0.1
    bpy.context.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    view.view_perspective = "CAMERA"
    yield from inside.drawn()
    aside = Vector((0.2, 0.05, 0))
    shoot("camera", {"head": head, "empty": head + aside})
    look_from_the_front(head)
    yield from inside.drawn()


def views(proxy: bpy.types.Object) -> Iterator[float]:
    """Colour under view transforms; X-ray and wireframe; a stretched head."""
    head = centre(proxy)
    yield from view_transforms(head)
    front = head + Vector((0.05, -0.3, 0))
    add_cube("Front", front, 0.05, RED)
    space().shading.show_xray = True
    yield from inside.drawn()
    shoot("xray", {"front": front})
    space().shading.show_xray = False
    space().shading.type = "WIREFRAME"
    yield from inside.drawn()
    shoot("wireframe", {"front": front})
    space().shading.type = "SOLID"
    bpy.data.objects.remove(bpy.data.objects["Front"])
    proxy.find_armature().scale.x = 2
    wide = {"out": head + Vector((0.14, 0, 0)), "above": head + Vector((0, 0, 0.14))}
    yield from inside.drawn()
    shoot("stretched", wide)
    proxy.find_armature().scale.x = 1


def view_transforms(head: Vector) -> Iterator[float]:
    """In Rendered mode, beside a cube that shows what they do: Solid mode knows none."""
    beside = head + Vector((0.2, 0, 0))
    add_cube("Beside", beside, 0.05, RED)
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.preview_samples = "CYCLES", 1
    space().shading.type = "RENDERED"
    for transform in ("AgX", "Filmic", "Standard"):
        scene.view_settings.view_transform = transform
        for _ in range(30):
            yield from inside.drawn()
            if inside.color(tuple(beside))[0] > 100:
                break
        shoot(transform, {"head": head, "beside": beside})
    space().shading.type = "SOLID"
    bpy.data.objects.remove(bpy.data.objects["Beside"])


def hiding(proxy: bpy.types.Object) -> Iterator[float]:
    """Local view of a cube and of the avatar, hiding and showing."""
    head = centre(proxy)
    beside = head + Vector((0.25, 0, 0))
    add_cube("Beside", beside, 0.1, BLUE)
    points = {"head": head, "beside": beside}
    for name, chosen in (("local_cube", bpy.data.objects["Beside"]), ("local_avatar", proxy)):
        bpy.ops.object.select_all(action="DESELECT")
        chosen.select_set(True)
        with inside.in_viewport():
            bpy.ops.view3d.localview(frame_selected=False)
        look_from_the_front(head)
        yield from inside.drawn()
        shoot(name, points)
        with inside.in_viewport():
            bpy.ops.view3d.localview(frame_selected=False)
    proxy.hide_set(True)
    yield from inside.drawn()
    shoot("hidden", points)
    proxy.hide_set(False)
    yield from inside.drawn()
    shoot("shown", points)
    bpy.data.objects.remove(bpy.data.objects["Beside"])
    bpy.ops.object.select_all(action="DESELECT")


def undo_and_redo() -> Iterator[float]:
    """A moved avatar goes back and forth; a deleted one comes back."""
    head = centre(bpy.data.objects["Ball"])
    points = {"before": head, "after": head + Vector((0.25, 0, 0))}
    steps = bpy.ops.ed
    with inside.in_viewport():
        steps.undo_push(message="before")
        bpy.data.objects["Ball"].find_armature().location.x += 0.25
        steps.undo_push(message="moved")
    for name, act in (("moved", None), ("undone", steps.undo), ("redone", steps.redo)):
        if act is not None:
            with inside.in_viewport():
                act()
        yield from inside.drawn()
        shoot(name, points)
    with inside.in_viewport():
        bpy.context.view_layer.objects.active = bpy.data.objects["Ball"]
        bpy.ops.likeness.remove_avatar()
        steps.undo_push(message="removed")
    yield from inside.drawn()
    shoot("removed", points)
    for name in ("back", "back_home"):
        with inside.in_viewport():
            steps.undo()
        yield from inside.drawn()
        shoot(name, points)


def several(proxy: bpy.types.Object) -> Iterator[float]:
    """A second avatar before the first, an instance beside, a second viewport with a camera of its
    own behind them."""
    head = centre(proxy)
    other = import_avatar()
    rig = other.find_armature()
    rig.location = proxy.find_armature().location + Vector((-0.27, 0, 0))
    collection = bpy.data.collections.new("Heads")
    collection.objects.link(proxy)
    empty = bpy.data.objects.new("Instance", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    empty.location = (0.27, 0, 0)
    bpy.context.collection.objects.link(empty)
    bpy.ops.object.select_all(action="DESELECT")
    look_from_the_front(head)
    points = {
        "first": head,
        "second": head + Vector((-0.27, 0, 0)),
        "instance": head + Vector((0.27, 0, 0)),
    }
    yield from inside.drawn()
    shoot("several", points)
    _, area, _ = inside.viewport()
    with inside.in_viewport():
        bpy.ops.screen.area_split(direction="HORIZONTAL", factor=0.5)
    yield from inside.drawn()
    behind = next(
        a
        for a in bpy.context.window_manager.windows[0].screen.areas
        if a.type == "VIEW_3D" and a != area
    )
    camera = bpy.data.objects.new("Behind", bpy.data.cameras.new("Behind"))
    camera.location = head + Vector((0.05, 1.5, 0.1))
    camera.rotation_euler = (head - camera.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.collection.objects.link(camera)
    own = behind.spaces.active
    own.use_local_camera, own.camera = True, camera
    own.region_3d.view_perspective = "CAMERA"
    yield from inside.drawn()
    inside.picture("split")
    inside.facts["split"] = {
        "front": {key: inside.pixel(tuple(point)) for key, point in points.items()},
        "behind": {key: inside.pixel(tuple(point), behind) for key, point in points.items()},
    }


def look_from_afar() -> None:
    """Small heads in every viewport: a software driver takes a second for one that fills it."""
    for area in bpy.context.window_manager.windows[0].screen.areas:
        if area.type == "VIEW_3D":
            area.spaces.active.region_3d.view_perspective = "ORTHO"
            area.spaces.active.region_3d.view_distance = 6


def storm() -> Iterator[float]:
    """Random operations, each followed by a redraw; what Blender prints is in the log."""
    package = next(name for name in sys.modules if name.endswith(".likeness.blender_addon"))
    file = next(inside.FOLDER.glob("*.likeness"))
    steps = Storm(3, package.removesuffix(".blender_addon"), file, inside.FOLDER).run(STORM)
    done = 0
    while True:
        with inside.in_viewport():
            if next(steps, None) is None:
                break
        done += 1
        look_from_afar()
        yield from inside.drawn(times=1)
    inside.facts["storm"] = done
    inside.picture("storm")
