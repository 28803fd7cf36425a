"""The avatar layer: a small second scene in which the avatars are drawn for the compositor.

It links the avatars of the user's scene and what is needed to draw them (cameras, instancers,
holdouts, lamps), so they are evaluated there at the rendered frame. It is kept current by handlers;
`synchronise` writes only what differs.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from . import avatar_object, compositing, gpu_probe, holdouts, instancers

ENGINE_IDS = {"GPU": "LIKENESS_AVATARS", "CPU": "LIKENESS_AVATARS_CPU"}


def set_up(scene: bpy.types.Scene) -> None:
    """Make renders of the scene show its avatars. Doing it twice changes nothing."""
    if compositing.is_set_up(scene):
        synchronise(scene)
        return
    remove(scene)  # what a half-deleted set-up left
    layer = bpy.data.scenes.new(f"{scene.name} avatars")
    layer.view_layers[0].use_pass_z = True
    scene.likeness_render.layer = layer
    layer.render.engine = ENGINE_IDS["CPU"]  # with this the Depth pass exists
    compositing.insert(scene)
    synchronise(scene)


def remove(scene: bpy.types.Scene) -> None:
    """Take the avatar layer out of the scene; what the user had is as it was."""
    compositing.take_out(scene)
    layer = scene.likeness_render.layer
    scene.likeness_render.layer = None
    if layer is not None:
        bpy.data.scenes.remove(layer)


def find_source(layer: bpy.types.Scene) -> bpy.types.Scene:
    """The user's scene of an avatar layer; the scene itself if it is no layer of another."""
    sources = (scene for scene in bpy.data.scenes if scene.likeness_render.layer == layer)
    return next(sources, layer)


def synchronise(scene: bpy.types.Scene) -> None:
    """Bring the avatar layer up to date with the scene's avatars, cameras, colours, device."""
    layer = scene.likeness_render.layer
    if layer is None:
        return
    wanted = {*renderable_avatars(scene), *_cameras(scene), *holdouts.find(scene)}
    if scene.likeness_render.light > 0:
        wanted |= set(_lamps(scene))
    linked = layer.collection.objects
    for stale in set(linked) - wanted:
        linked.unlink(stale)
    for missing in wanted - set(linked):
        linked.link(missing)
    if layer.camera != scene.camera:
        layer.camera = scene.camera
    _copy_markers(scene, layer)
    if layer.world != scene.world:
        layer.world = scene.world
    for name in ("frame_map_old", "frame_map_new"):
        if getattr(layer.render, name) != getattr(scene.render, name):
            setattr(layer.render, name, getattr(scene.render, name))
    _choose_device(scene, layer)
    compositing.match_view(scene)


def renderable_avatars(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    """Avatars of the scene, and what instances some, that no collection hides from renders."""
    avatars = set(filter(avatar_object.is_avatar, bpy.data.objects))
    if not avatars:
        return
    showing = avatars | instancers.find(avatars)
    for view_layer in scene.view_layers:
        if view_layer.use:
            yield from filter(showing.__contains__, _visible(view_layer.layer_collection))


def _lamps(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    for view_layer in scene.view_layers:
        if view_layer.use:
            yield from (obj for obj in _visible(view_layer.layer_collection) if obj.type == "LIGHT")


def _visible(branch: bpy.types.LayerCollection) -> Iterator[bpy.types.Object]:
    if branch.exclude or branch.collection.hide_render:
        return
    yield from branch.collection.objects
    for child in branch.children:
        yield from _visible(child)


def _cameras(scene: bpy.types.Scene) -> set[bpy.types.Object]:
    cameras = {marker.camera for marker in scene.timeline_markers} | {scene.camera}
    return cameras - {None}


def _copy_markers(scene: bpy.types.Scene, layer: bpy.types.Scene) -> None:
    """Camera markers switch the layer's camera in step with the scene's."""
    wanted = [(m.name, m.frame, m.camera) for m in scene.timeline_markers if m.camera]
    if wanted == [(m.name, m.frame, m.camera) for m in layer.timeline_markers]:
        return
    layer.timeline_markers.clear()
    for name, frame, camera in wanted:
        layer.timeline_markers.new(name, frame=frame).camera = camera


def _choose_device(scene: bpy.types.Scene, layer: bpy.types.Scene) -> None:
    has_gpu = gpu_probe.gpu_available()
    engine = ENGINE_IDS["GPU" if has_gpu and scene.likeness_render.device == "GPU" else "CPU"]
    if layer.render.engine != engine:
        layer.render.engine = engine
    if not has_gpu and scene.render.compositor_device == "GPU":
        scene.render.compositor_device = "CPU"  # 5.x's default crashes where there is no driver


@bpy.app.handlers.persistent
def synchronise_for_render(scene: bpy.types.Scene, *_: object) -> None:
    """`render_init`: catches scripts that change the scene and render at once."""
    synchronise(scene)


@bpy.app.handlers.persistent
def synchronise_after_edit(scene: bpy.types.Scene, *_: object) -> None:
    """`depsgraph_update_pre`: edits are followed on the main thread, before any render.

    Not `_post`: linking objects there crashes Blender 5.2 in the second pass of the same update.
    """
    if scene.likeness_render.layer is not None:
        synchronise(scene)


def register_handlers() -> None:
    bpy.app.handlers.render_init.append(synchronise_for_render)
    bpy.app.handlers.depsgraph_update_pre.append(synchronise_after_edit)


def unregister_handlers() -> None:
    bpy.app.handlers.depsgraph_update_pre.remove(synchronise_after_edit)
    bpy.app.handlers.render_init.remove(synchronise_for_render)
