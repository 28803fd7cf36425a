"""Two hundred random operations on avatars leave nothing behind: no error, handler or memory."""

from __future__ import annotations

import resource

import bpy
from likeness.blender_addon import avatar_object, payload, viewport
from likeness.engine.api.avatar_file import write_avatar

from tests.blender.storm import Storm
from tests.blender.synthetic import make_avatar

OPERATIONS = 200
GROWTH = 60  # MB: undo history and Blender's own arenas; one leaked pose in ten shows


def handlers() -> dict[str, int]:
    """Number of registered handlers of each kind."""
    lists = {name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)}
    return {name: len(calls) for name, calls in lists.items() if isinstance(calls, list)}


def memory() -> float:
    """Megabytes of this process now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def test_a_storm_of_operations_raises_nothing_and_leaks_nothing(tmp_path, capfd):
    path = tmp_path / "ball.likeness"
    write_avatar(path, make_avatar(gaussians=20_000, blendshapes=6))
    before = handlers()
    storm = Storm(7, "likeness", path, tmp_path)
    middle = 0.0
    for number, _ in enumerate(storm.run(OPERATIONS)):
        if number == OPERATIONS // 2:
            middle = memory()
    assert memory() - middle < GROWTH
    assert handlers() == before
    avatar_object.forget_deleted()
    present = {obj.session_uid for obj in bpy.data.objects}
    assert {slot[0] for slot in avatar_object._posed} <= present
    assert len(payload._loaded) <= len(bpy.data.meshes)
    assert not viewport._problems
    said = "".join(capfd.readouterr())
    assert "Traceback" not in said
    assert "Error" not in said, said[-2000:]
