"""What an avatar costs Blender: evaluation and redraw for each frame, and the .blend's size.

    python -m tests.bench_blender

Beside each figure stands the way of the best-known splat add-on, measured on the same Gaussians:
59 floats for every splat as attributes and on the GPU, all of them written again for each pose,
and an `argsort` for every redraw. It is that method in NumPy, not that add-on's code.

The engine's interpreter starts this file again in Blender 5.2's. Times are least CPU times of one
thread, so that other work on the machine disturbs them little; the GPU is a software driver.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
GAUSSIANS, BLENDSHAPES, REPEATS = 60_000, 20, 25
CLIP_FRAMES = 750  # 30 seconds
FLOATS = 59  # position 3, colour 3 + 45, opacity, scale 3, rotation 4


def least(action: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """Least milliseconds of CPU time of an action; `before` is not counted."""
    times = []
    for _ in range(REPEATS):
        before()
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def start_in_blender() -> None:
    """Run this file with the interpreter of Blender's module."""
    from building.environments import set_up_blender

    python = set_up_blender("5.2")
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    variables = {**os.environ, **threads, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, __file__], cwd=ROOT, env=variables, check=True, stdout=subprocess.PIPE, text=True
    )
    print("\n".join(row for row in done.stdout.splitlines() if not row.startswith("Info:")))


def make_avatar() -> object:
    """N Gaussians on the built-in head; every blendshape moves every Gaussian: the worst case."""
    import dataclasses

    from likeness.engine.api.baked import Binding
    from likeness.engine.heads.builtin import builtin_head

    from tests.blender import synthetic

    rng = np.random.default_rng(0)
    head = builtin_head()
    head = head.personalised(np.zeros(len(head.identity_deltas)))
    plain = synthetic.make_avatar(gaussians=GAUSSIANS, blendshapes=BLENDSHAPES)
    codes, expressions = len(head.code_names), len(head.expression_names)
    layers = [
        (rng.normal(0, 0.3, (n, m)).astype(np.float32), rng.normal(0, 0.3, n).astype(np.float32))
        for m, n in ((codes, 32), (32, BLENDSHAPES))
    ]
    levels = tuple(GAUSSIANS // part for part in (1, 2, 4, 8))
    params = dataclasses.replace(
        plain.performance.params,
        expression=rng.uniform(0, 1, (len(plain.performance.times), expressions)).astype("f4"),
    )
    return dataclasses.replace(
        plain,
        head=head,
        binding=Binding(
            face=rng.integers(0, len(head.faces), GAUSSIANS).astype(np.int32),
            barycentric=plain.binding.barycentric,
            tangent=np.tile(np.float32([1, 0]), (GAUSSIANS, 1)),
        ),
        weight_map=type(plain.weight_map)(tuple(layers)),
        levels=levels,
        level_offsets=tuple(np.zeros((count, 14), np.float32) for count in levels[1:]),
        performance=dataclasses.replace(plain.performance, params=params),
    )


def measure() -> None:
    """Print the tables. Inside Blender's interpreter."""
    import bpy
    import gpu

    package = types.ModuleType("likeness")
    package.__path__ = [str(ROOT)]
    sys.modules["likeness"] = package
    from likeness.blender_addon import character, registration

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.addons.new().module = "likeness"
    registration.register()
    gpu.init()
    avatar = make_avatar()
    proxy = character.build(bpy.context, avatar)
    print(f"{GAUSSIANS} Gaussians, K = {BLENDSHAPES}, every blendshape active on every Gaussian,")
    print(f"proxy head of {len(avatar.head.vertices)} vertices and its 52 + {BLENDSHAPES} keys.")
    print("\n| step, each frame | ms |\n|---|--:|")
    evaluation(proxy, avatar)
    redraw(proxy, avatar)
    arriving(avatar)
    sizes(avatar)


def evaluation(proxy: object, avatar: object) -> None:
    """A new pose, its levels of detail, and no new pose."""
    import bpy
    from likeness.blender_addon import avatar_object, head_pose

    rng = np.random.default_rng(1)
    keys = proxy.data.shape_keys.key_blocks

    def change() -> None:
        for key in keys[1:]:
            key.value = rng.uniform(0.1, 1)

    def update() -> object:
        bpy.context.view_layer.update()
        return bpy.context.evaluated_depsgraph_get()

    def pose(count: int) -> None:
        avatar_object.pose(proxy, bpy.context.evaluated_depsgraph_get(), count)

    def changed() -> None:
        change()
        update()

    print(f"| Blender: keys and rig | {least(update, change):.1f} |")
    for count in avatar.levels:
        spent = least(lambda count=count: pose(count), changed)
        print(f"| **evaluate {count} Gaussians** | **{spent:.1f}** |")
    evaluated = proxy.evaluated_get(update())
    reading = least(lambda: head_pose.read(evaluated, avatar.head, BLENDSHAPES))
    print(f"| of it: vertices, keys and bones read | {reading:.1f} |")
    print(f"| nothing has changed | {least(lambda: pose(GAUSSIANS // 8)):.2f} |")


def redraw(proxy: object, avatar: object) -> None:
    """A pose to the GPU, and a view to an order; ours and with 59 floats and argsort."""
    import bpy
    from likeness.blender_addon import avatar_object, splat_shader
    from likeness.blender_addon.coordinates import view_depths

    gaussians = avatar_object.pose(proxy, bpy.context.evaluated_depsgraph_get(), GAUSSIANS)
    rng = np.random.default_rng(2)
    view = np.eye(4)
    floats = rng.normal(size=(GAUSSIANS, FLOATS)).astype(np.float32)

    def order() -> None:
        depths = view_depths(gaussians.means, view)
        ranked = splat_shader.far_to_near(depths - depths.min() + 1)
        splat_shader._texture(np.column_stack([ranked, depths[ranked]]), 4096, "RG32F")

    def argsort() -> None:
        depths = floats[:, :3] @ view[:3, 2]
        ranked = np.argsort(-depths)
        splat_shader._texture(ranked.astype(np.float32)[:, None], 4096, "R32F")

    def rewrite() -> None:
        splat_shader._texture(floats.reshape(-1, 1), 4096, "R32F")

    ours, theirs = least(order), least(argsort)
    print("\n| step | ours ms | 59 floats, argsort ms |\n|---|--:|--:|")
    print(f"| order for a redraw, and its texture | {ours:.1f} | {theirs:.1f} |")
    ours, theirs = least(lambda: splat_shader.UploadedSplats(gaussians)), least(rewrite)
    print(f"| a new pose to the GPU | {ours:.1f} | {theirs:.1f} |")


def arriving(avatar: object) -> None:
    """What Create Avatar's deliveries cost the thread that Blender's window waits for."""
    import bpy
    from likeness.blender_addon.arrival import Arrival
    from likeness.engine.api.avatar_file import write_avatar

    bpy.ops.wm.read_factory_settings(use_empty=True)
    print(f"\n| Create Avatar, {CLIP_FRAMES} frames of footage | ms |\n|---|--:|")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/preview.likeness"
        write_avatar(path, filmed(avatar))
        arrival = Arrival()
        for name, final in (
            ("the first preview", False),
            ("each further preview", False),
            ("the finished avatar", True),
        ):
            arrival.offer(path, final)
            arrival._reading.result()  # of the thread that reads it
            start = time.thread_time()
            arrival.poll()
            print(f"| {name} comes into the scene | {1e3 * (time.thread_time() - start):.0f} |")
        arrival.close()


def filmed(avatar: object) -> object:
    """The avatar with a performance of so many frames."""
    import dataclasses

    performance = avatar.performance
    frames = np.arange(CLIP_FRAMES)
    longer = dataclasses.replace(
        performance,
        params=performance.params[frames % len(performance.times)],
        times=frames / 25.0,
        confidence=np.ones(CLIP_FRAMES, np.float32),
    )
    return dataclasses.replace(avatar, performance=longer)


def sizes(avatar: object) -> None:
    """Megabytes of .blend files, and the time to write them."""
    import bpy
    from likeness.blender_addon import payload

    def save(compress: bool) -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "size.blend"
            start = time.process_time()
            bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=compress)
            return path.stat().st_size / 1e6, 1e3 * (time.process_time() - start)

    def line(name: str) -> str:
        (plain, spent), (small, longer) = save(False), save(True)
        return f"| {name} | {plain - empty:.0f} | {small:.0f} | {spent:.0f} | {longer:.0f} |"

    bpy.ops.wm.read_factory_settings(use_empty=True)
    empty, _ = save(False)
    print(
        "\n| in the .blend | MB | MB compressed | save ms | compressed ms |\n|---|--:|--:|--:|--:|"
    )
    payload.store(payload.arrange(avatar)).use_fake_user = True
    print(line("an avatar with its blendshapes: every expression"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    floats = np.random.default_rng(3).normal(size=(FLOATS, GAUSSIANS)).astype(np.float32)
    mesh = bpy.data.meshes.new("floats")
    mesh.vertices.add(GAUSSIANS)
    mesh.use_fake_user = True
    for index, values in enumerate(floats):
        mesh.attributes.new(f"float_{index}", "FLOAT", "POINT").data.foreach_set("value", values)
    print(line("59 floats for each splat: one expression"))
    print(
        f"\nIn files of 59 floats for each frame, a second of animation at 24 frames a second is "
        f"{24 * GAUSSIANS * FLOATS * 4 / 1e6:.0f} MB."
    )


if __name__ == "__main__":
    if "bpy" in sys.modules or Path(sys.prefix).name.startswith("blender-"):
        measure()
        sys.stdout.flush()
        os._exit(0)
    start_in_blender()
