"""The manual's pictures: an avatar, the Likeness tab, and each of its panels by itself.

Nothing is drawn for the picture's sake, but three panels show what a job of the avatar engine
leaves behind: no job is run for them. A panel's picture is taken while it is the only one that is
registered, as nothing else opens and closes panels.
"""

from __future__ import annotations

import importlib
import json
import subprocess
from collections.abc import Iterator
from types import ModuleType

import bpy
import inside

PACKAGE = "bl_ext.user_default.likeness"
CAMERA_ZOOM = 27  # the camera's frame fills the viewport
CLOSED = ("panels.creation", "panels.images")
TIMELINE = 230  # pixels of the NLA editor that show something
PANELS = ("avatars", "expression", "poses", "performance", "render", "export", "heads")


def part(name: str) -> ModuleType:
    """A module of the installed extension."""
    return importlib.import_module(f"{PACKAGE}.{name}")


def scenario() -> Iterator[float]:
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    inside.install_extension()
    open_panels()
    preferences = bpy.context.preferences
    preferences.system.use_region_overlap = False
    preferences.system.use_online_access = True
    put_pointer_away()
    yield from in_the_preferences()
    choose_footage()
    yield from show_tab()
    yield from take_panel("create")
    yield from with_options()
    with inside.in_viewport():
        bpy.ops.likeness.import_avatar(filepath=str(next(inside.FOLDER.glob("*.likeness"))))
    yield from in_the_window()
    view = inside.viewport()[1].spaces.active.region_3d
    view.view_perspective, view.view_location = "PERSP", (1000, 0, 0)  # away: drawing is slow here
    yield from at_work()
    for name in PANELS:
        yield from take_panel(name)
    yield from on_top_of_the_performance()


def put_pointer_away() -> None:
    """A tooltip would cover what it is about."""
    subprocess.run(["xdotool", "mousemove", "1279", "799"], check=True, timeout=20)


def choose_footage() -> None:
    """As it is when the engine is set up."""
    chosen = bpy.context.preferences.addons[PACKAGE].preferences
    chosen.engine_python = str(inside.FOLDER / "engine-python")
    bpy.context.scene.likeness.footage = "/home/anna/anna.mp4"


def show_tab() -> Iterator[float]:
    inside.viewport()[1].spaces.active.show_region_ui = True
    yield from inside.drawn(3)
    sidebar().active_panel_category = "Likeness"
    yield from inside.drawn(3)


def sidebar() -> bpy.types.Region:
    return next(region for region in inside.viewport()[1].regions if region.type == "UI")


def in_the_window() -> Iterator[float]:
    """The whole window: a smile of the performance, seen by the footage camera, the panels that are
    open at first."""
    proxy = bpy.context.object
    bpy.context.scene.frame_set(smiling_frame(proxy))
    bpy.ops.object.select_all(action="DESELECT")
    view = inside.viewport()[1].spaces.active.region_3d
    view.view_camera_zoom, view.view_camera_offset = CAMERA_ZOOM, (0.0, -0.02)
    closed = [kind for kind in all_panels() if kind.__module__.endswith(CLOSED)]
    for kind in closed:
        bpy.utils.unregister_class(kind)
    yield from inside.drawn(4)
    yield 1.0
    take("window")
    for kind in closed:
        bpy.utils.register_class(kind)
    proxy.select_set(True)


def smiling_frame(proxy: bpy.types.Object) -> int:
    """The frame of the performance with the widest smile of a closed mouth and open eyes."""
    avatar = part("blender_addon.avatar_object").read(proxy)
    names = avatar.head.expression_names
    smile = avatar.performance.params.expression @ [
        1.0 * name.startswith("mouthSmile") - 1.0 * name.startswith(("eyeBlink", "jawOpen"))
        for name in names
    ]
    return 1 + int(smile.argmax())


def with_options() -> Iterator[float]:
    """The options of a clip that has a second one, and an avatar that was not finished."""
    more = bpy.context.scene.likeness_creation
    more.clips.add().path = "/home/anna/second take.mov"
    more.shoulders, more.consent = "cut", "by letter, 3 May"
    folder, footage = part("blender_addon.jobs").user_folder(), inside.FOLDER / "anna.mp4"
    footage.touch()
    (folder / "avatars" / ".anna.unfinished").mkdir(parents=True)
    request = {"source": str(footage), "output": "anna.likeness", "preset": "standard"}
    part("blender_addon.unfinished").keep(folder, request)
    yield from take_panel("create", "creation", name="options")
    part("blender_addon.unfinished").finish(folder)
    more.clips.clear()
    more.shoulders, more.consent = "keep", ""


def at_work() -> Iterator[float]:
    """The Create panel during a job, with what tracking said of the footage."""
    told = json.loads((inside.FOLDER / "report.json").read_text())
    part("blender_addon.footage_report").take(told)
    job = bpy.context.window_manager.likeness
    job.running, job.stage, job.progress = True, "Fitting: Blendshapes, 29.1 dB", 0.62
    job.seconds_left = 70.0
    part("blender_addon.thumbnail").show(str(inside.FOLDER / "picture.png"))
    yield from take_panel("create", "footage_report", name="work")
    job.running = False
    part("blender_addon.thumbnail").clear()


def take_panel(*modules: str, name: str = "") -> Iterator[float]:
    """A picture of the sidebar with the panels of these modules alone, all open."""
    kinds = all_panels()
    for kind in reversed(kinds):
        bpy.utils.unregister_class(kind)
    wanted = [kind for kind in kinds if kind.__module__.rpartition(".")[2] in modules]
    for kind in wanted:
        bpy.utils.register_class(kind)
    yield from inside.drawn(4)
    take(name or modules[0], sidebar())
    for kind in reversed(wanted):
        bpy.utils.unregister_class(kind)
    for kind in kinds:
        bpy.utils.register_class(kind)


def all_panels() -> list[type[bpy.types.Panel]]:
    """In the order in which they are registered."""
    modules = part("blender_addon.registration")._WITH_CLASSES
    kinds = [kind for module in modules for kind in module.classes]
    return [kind for kind in kinds if issubclass(kind, bpy.types.Panel)]


def open_panels() -> None:
    """Panels that are closed at first are open, before the sidebar is seen."""
    kinds = all_panels()
    for kind in reversed(kinds):
        bpy.utils.unregister_class(kind)
    for kind in kinds:
        kind.bl_options = set()
        bpy.utils.register_class(kind)


def in_the_preferences() -> Iterator[float]:
    """The extension's own preferences."""
    area = inside.viewport()[1]
    area.ui_type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Likeness"
    bpy.ops.preferences.addon_expand(module=PACKAGE)
    yield from redrawn(area)
    take("preferences", area)
    area.ui_type = "VIEW_3D"


def on_top_of_the_performance() -> Iterator[float]:
    """Keyframes above the performance, in the NLA editor."""
    bpy.ops.likeness.layer_performance()
    bpy.ops.likeness.apply_pose(pose="smile")
    bpy.ops.likeness.key_pose()
    area = inside.viewport()[1]
    area.ui_type = "NLA_EDITOR"
    yield from redrawn(area)
    window = bpy.context.window_manager.windows[0]
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.nla.view_all()
    yield from redrawn(area)
    take("on_top", area)
    left, top, right, _ = inside.facts["on_top"]
    inside.facts["on_top"] = (left, top, right, top + TIMELINE)


def redrawn(area: bpy.types.Area) -> Iterator[float]:
    """Some draws of an area that is no viewport, whose draws nobody counts."""
    for _ in range(12):
        area.tag_redraw()
        yield 0.25


def take(name: str, part_of_it: bpy.types.Area | bpy.types.Region | None = None) -> None:
    """Keep the screen, and which pixels of it are wanted: left, top, right, bottom from its top."""
    inside.picture(name)
    wanted = part_of_it or bpy.context.window_manager.windows[0]
    left, bottom = (wanted.x, wanted.y) if part_of_it else (0, 0)
    top = inside.HEIGHT - bottom - wanted.height
    inside.facts[name] = (left, top, left + wanted.width, inside.HEIGHT - bottom)
