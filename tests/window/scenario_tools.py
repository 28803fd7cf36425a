"""Every tool of the Likeness tab in a real window: done, undone, done again; a slider dragged by
the mouse; keyframes played; exports; a file saved and opened again."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator

import bpy
import inside
from mathutils import Vector
from stage import centre, look_from_the_front, shoot
from undo_walk import Walk

ASIDE = 0.25  # metres that the head moves while it is played
FIRST_SLIDER = 118  # pixels from the top of the sidebar to the first slider of the panel


def scenario() -> Iterator[float]:
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    inside.install_extension()
    bpy.context.scene.view_settings.view_transform = "Standard"
    yield from every_operator()
    proxy = import_avatar()
    look_from_the_front(centre(proxy))
    name = proxy.name
    yield from drag_a_slider(proxy)
    yield from play(bpy.data.objects[name])  # undo has made the reference a dead one
    yield from export()
    yield from save_and_open()


def every_operator() -> Iterator[float]:
    """The walk, with a redraw after each operator."""
    package = next(name for name in sys.modules if name.endswith(".likeness.blender_addon"))
    file = next(inside.FOLDER.glob("*.likeness"))
    steps = Walk(package.removesuffix(".blender_addon"), file, inside.FOLDER).run()
    faults, names = [], []
    while True:
        with inside.in_viewport():
            seen = next(steps, None)
        if seen is None:
            break
        names.append(seen.name)
        (inside.FOLDER / "walked.txt").write_text("\n".join(names))
        if seen.after == seen.before or seen.undone != seen.before or seen.redone != seen.after:
            faults.append(seen)
        inside.viewport()[1].spaces.active.region_3d.view_location = (1000, 0, 0)  # slow to draw
        yield from inside.drawn(times=1)
    inside.facts["walked"], inside.facts["faults"] = names, faults


def import_avatar() -> bpy.types.Object:
    with inside.in_viewport():
        bpy.ops.likeness.import_avatar(
            filepath=str(next(inside.FOLDER.glob("*.likeness"))),
            performance=False,
            match_scene=False,
        )
    proxy = bpy.context.view_layer.objects.active
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = proxy
    return proxy


def drag_a_slider(proxy: bpy.types.Object) -> Iterator[float]:
    """The mouse drags the first slider of the panel; seen while the button is still down."""
    yield from show_only_sliders()
    name, keys = proxy.name, proxy.data.shape_keys.key_blocks
    slider = sidebar()
    column, row = slider.x + slider.width // 2 - 40, inside.HEIGHT - slider.y - slider.height
    told = inside.facts["dragged"] = {"before": values(keys)}
    yield from mouse("mousemove", str(column), str(row + FIRST_SLIDER))
    yield from inside.drawn()
    inside.picture("before_drag")
    with inside.in_viewport():
        bpy.ops.ed.undo_push(message="before")  # as importing by the menu leaves it
    yield from mouse("mousedown", "1")
    for _ in range(6):
        yield from mouse("mousemove_relative", "--", "12", "0")
    yield from inside.drawn()
    told["held"] = values(keys)
    inside.picture("held")
    yield from mouse("mouseup", "1")
    told["released"] = values(keys)
    yield from mouse("mousemove", "100", "400", "key", "ctrl+z")
    yield from inside.drawn()
    told["undone"] = values(bpy.data.objects[name].data.shape_keys.key_blocks)
    inside.viewport()[1].spaces.active.show_region_ui = False
    yield from inside.drawn()


def show_only_sliders() -> Iterator[float]:
    """The sidebar with the Expression panel alone."""
    name = next(name for name in sys.modules if name.endswith(".likeness.blender_addon"))
    modules = importlib.import_module(f"{name}.registration")._WITH_CLASSES
    for kind in [kind for module in modules for kind in module.classes]:
        if issubclass(kind, bpy.types.Panel) and not kind.__module__.endswith(".expression"):
            bpy.utils.unregister_class(kind)
    inside.viewport()[1].spaces.active.show_region_ui = True
    yield from inside.drawn(3)
    sidebar().active_panel_category = "Likeness"
    yield from inside.drawn(3)


def sidebar() -> bpy.types.Region:
    return next(region for region in inside.viewport()[1].regions if region.type == "UI")


def mouse(*told: str) -> Iterator[float]:
    """What the mouse does, and the time that Blender needs to follow."""
    subprocess.run(["xdotool", *told], check=True, timeout=20)
    yield 0.4


def values(keys: bpy.types.bpy_prop_collection) -> dict[str, float]:
    return {key.name: round(key.value, 4) for key in keys}


def play(proxy: bpy.types.Object) -> Iterator[float]:
    """Keyframes that move the head aside, played by Blender itself."""
    scene, head = bpy.context.scene, centre(proxy)
    points = {"start": head, "end": head + Vector((ASIDE, 0, 0))}
    scene.frame_start, scene.frame_end = 1, 6
    rig = proxy.find_armature()
    for frame, x in ((1, 0.0), (6, ASIDE)):
        rig.location.x = x
        rig.keyframe_insert("location", frame=frame)
    scene.frame_set(1)
    yield from inside.drawn()
    shoot("first_frame", points)
    frames: set[int] = set()
    bpy.app.handlers.frame_change_post.append(lambda scene, *_: frames.add(scene.frame_current))
    with inside.in_viewport():
        bpy.ops.screen.animation_play()
    for _ in range(200):
        yield 0.1
        if len(frames) == 6:
            break
    with inside.in_viewport():
        bpy.ops.screen.animation_cancel(restore_frame=False)
    inside.facts["played"] = sorted(frames)
    scene.frame_set(6)
    yield from inside.drawn()
    shoot("last_frame", points)


def export() -> Iterator[float]:
    """The three kinds of files, through the operators that the panel's buttons call."""
    written = {}
    for kind, suffix in (("ply", ".ply"), ("glb", ".glb"), ("avatar", ".likeness")):
        path = inside.FOLDER / f"exported{suffix}"
        with inside.in_viewport():
            getattr(bpy.ops.likeness, f"export_{kind}")("EXEC_DEFAULT", filepath=str(path))
        written[kind] = path.stat().st_size if path.exists() else 0
        yield 0.1
    inside.facts["exported"] = written


def save_and_open() -> Iterator[float]:
    """The avatar as it was drawn before its file was saved."""
    path = str(inside.FOLDER / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    yield 0.5
    proxy = next(obj for obj in bpy.data.objects if obj.likeness.payload is not None)
    head = centre(proxy)
    yield from inside.drawn()
    shoot("opened_again", {"start": head - Vector((ASIDE, 0, 0)), "end": head})
