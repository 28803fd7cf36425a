"""One lit scene, three ways: Ctrl-F12 in a window, `blender -b`, the bpy wheel; and the engine.

    python -m tests.bench_renders [--engines CYCLES:48 EEVEE:48] [--keep FOLDER]

Two avatars whose expression and head are another in each frame, a bar before them, a wall and a
ball behind, a lamp that casts their shadows. Prints how far the pictures of the three ways are
apart, and how far each avatar's inside is from the engine's own render of that frame. Needs the
window of tests/window; the software driver makes EEVEE slow, so its pictures are smaller.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FOCAL, BESIDE = 1.17, 0.25  # focal length in picture widths, metres between the two heads
WAYS = ("window", "background", "wheel")


class Setting(NamedTuple):
    """How a renderer of Blender is asked for a picture."""

    engine: str
    size: int  # pixels
    samples: int


SETTINGS = {"CYCLES": Setting("CYCLES", 256, 4), "EEVEE": Setting("BLENDER_EEVEE", 128, 1)}


class Actor(NamedTuple):
    """An avatar of the scene."""

    seed: int
    beside: float  # metres to the right of where it was filmed


ACTORS = (Actor(seed=1, beside=0.0), Actor(seed=2, beside=BESIDE))


def filmed(actor: Actor, frames: int, size: int) -> object:
    """A ball of coloured Gaussians that moves at random; the camera sees two side by side."""
    import dataclasses

    from tests.blender import synthetic

    avatar = synthetic.make_avatar(seed=actor.seed, gaussians=4000, frames=frames)
    rng = np.random.default_rng(actor.seed)
    avatar.base[:, 11:] = rng.uniform(0.1, 0.9, (30, 3))[avatar.binding.face % 30]
    focal = FOCAL * size
    left = size / 2 - focal * BESIDE / 2 / 0.7
    K = np.array([[focal, 0, left], [0, focal, size / 2], [0, 0, 1.0]])
    shot = dataclasses.replace(avatar.performance, K=K, width=size, height=size)
    return dataclasses.replace(avatar, name=f"Ball {actor.seed}", performance=shot)


def in_likeness() -> None:
    """Let the checkout be imported as the extension is."""
    package = types.ModuleType("likeness")
    package.__path__ = [str(ROOT)]
    sys.modules["likeness"] = package


def write_scene(path: Path, setting: Setting, frames: int) -> None:
    """Save the scene. Inside Blender's interpreter."""
    import bpy
    from likeness.blender_addon import animation, avatar_layer, avatar_object, importing
    from likeness.blender_addon.coordinates import vectors_to_blender

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    first = animation.reference_place(filmed(ACTORS[0], frames, setting.size).performance)
    for actor in ACTORS:
        avatar = filmed(actor, frames, setting.size)
        proxy = importing.add(bpy.context, avatar, performance=True, match_scene=actor.beside == 0)
        # An avatar stands where it stood on average; here, where the first one's camera saw it.
        place = animation.reference_place(avatar.performance) - first + [actor.beside, 0, 0]
        avatar_object.find_rig(proxy).location = vectors_to_blender(place)
    middle = BESIDE / 2
    add_mesh("cube", (middle, -0.25, -0.085), (0.5, 0.02, 0.02), (0.7, 0.1, 0.1))
    add_mesh("cube", (middle, 0.6, 0), (3, 0.02, 3), (0.5, 0.5, 0.5))
    add_mesh("uv_sphere", (middle, 0.3, 0.12), (0.15, 0.15, 0.15), (0.1, 0.5, 0.2))
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "AREA"))
    lamp.location, lamp.rotation_euler = (middle - 0.5, -1.2, 0.9), (0.95, 0, -0.4)
    lamp.data.energy, lamp.data.size = 40, 0.3
    scene.collection.objects.link(lamp)
    scene.render.engine = setting.engine
    scene.cycles.samples, scene.cycles.use_denoising = setting.samples, False
    scene.eevee.taa_render_samples = setting.samples
    scene.render.dither_intensity = 0
    scene.frame_end = scene.frame_start + frames - 1
    scene.view_settings.view_transform = "Standard"
    avatar_layer.set_up(scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def add_mesh(kind: str, place: tuple, size: tuple, color: tuple) -> None:
    import bpy

    getattr(bpy.ops.mesh, f"primitive_{kind}_add")(location=place)
    obj = bpy.context.object
    obj.scale = np.array(size) / 2
    material = bpy.data.materials.new(kind)
    material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*color, 1)
    obj.data.materials.append(material)


def in_wheel(folder: Path, counts: dict[str, int]) -> None:
    """Write the scenes and render them. Inside Blender's interpreter."""
    import bpy

    in_likeness()
    from likeness.blender_addon import registration

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.addons.new().module = "likeness"
    registration.register()
    seconds = {}
    for engine, frames in counts.items():
        path = folder / f"{engine}.blend"
        write_scene(path, SETTINGS[engine], frames)
        bpy.context.scene.render.filepath = f"{folder}/{engine}_wheel_"
        start = time.monotonic()
        bpy.ops.render.render(animation=True)
        seconds[f"{engine}_wheel"] = time.monotonic() - start
    (folder / "wheel.json").write_text(json.dumps(seconds))
    sys.stdout.flush()
    os._exit(0)


def in_window(folder: Path, counts: dict[str, int]) -> dict[str, float]:
    """Render the scenes in the window and by `blender -b`; seconds by scene and way."""
    sys.path[:0] = [str(ROOT / "tests" / "window")]
    import blender_window

    from building import extension

    files = [extension.package(), *(folder / f"{engine}.blend" for engine in counts)]
    scenario = ROOT / "tests" / "window" / "scenario_frames.py"
    seen = blender_window.run_scenario(scenario, files, folder / "window", 3600)
    for picture in seen.folder.glob("*.png"):
        picture.rename(folder / picture.name)
    return seen.facts["seconds"]


def picture(folder: Path, engine: str, way: str, frame: int) -> np.ndarray:
    """[size, size, 3] 0..1."""
    from PIL import Image

    path = folder / f"{engine}_{way}_{frame:04d}.png"
    return np.asarray(Image.open(path).convert("RGB")) / 255.0


def promised(frames: int, size: int) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """The engine's render, rgb and alpha, of each actor in each frame."""
    in_likeness()
    from engine.clip import Camera
    from engine.render import render_performance

    pictures = []
    for actor in ACTORS:
        avatar = filmed(actor, frames, size)
        shot = avatar.performance
        moved = np.eye(4)
        moved[0, 3] = actor.beside
        camera = Camera(shot.viewmat @ moved, shot.K, size, size)
        pictures.append(list(render_performance(avatar, shot.params, camera)))
    return pictures


def compare(folder: Path, engine: str, frames: int) -> None:
    """Print the two rows of an engine's table."""
    apart, wrong, expression = [], [], []
    size = SETTINGS[engine].size
    wanted = promised(frames, size)
    for index in range(frames):
        shown = {way: picture(folder, engine, way, index + 1) for way in WAYS}
        apart.append([np.abs(shown[way] - shown["wheel"]).mean() for way in WAYS[:2]])
        for one, neighbour in (wanted, wanted[::-1]):
            rgb, alpha = np.clip(one[index][0], 0, 1), one[index][1]  # as its picture is written
            inside = (alpha > 0.995) & (neighbour[index][1] == 0)
            inside &= np.arange(size)[:, None] < 0.6 * size  # above the bar
            wrong.append([np.abs(shown[way] - rgb)[inside].mean() for way in WAYS])
            other = np.clip(one[(index + 1) % frames][0], 0, 1)
            expression.append(np.abs(shown["wheel"] - other)[inside].mean())
    window, background = np.max(apart, axis=0)
    print(f"| {engine}, {frames} frames | {window:.4f} | {background:.4f} | ", end="")
    print(" | ".join(f"{value:.4f}" for value in np.max(wrong, axis=0)), end="")
    print(f" | {np.min(expression):.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--engines", nargs="+", default=["CYCLES:48", "EEVEE:48"], metavar="NAME:FRAMES"
    )
    parser.add_argument("--keep", type=Path, help="folder for scenes and pictures")
    parser.add_argument("--wheel", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    counts = {name: int(count) for name, count in (e.split(":") for e in arguments.engines)}
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="renders-"))
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.wheel:
        in_wheel(folder, counts)
    from building.environments import set_up_blender

    command = [set_up_blender("5.2"), __file__, "--wheel", "--keep", folder]
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    with (folder / "wheel.log").open("w") as log:
        subprocess.run(
            [*command, "--engines", *arguments.engines], check=True, stdout=log, env=variables
        )
    seconds = in_window(folder, counts) | json.loads((folder / "wheel.json").read_text())
    print("Largest mean absolute error over the frames (0 to 1).\n")
    print("| scene | window to wheel | -b to wheel | window, -b, wheel to the engine | | | next |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for engine, frames in counts.items():
        compare(folder, engine, frames)
    spent = ", ".join(f"{name} {value:.0f}" for name, value in seconds.items())
    print(f"\nSeconds: {spent}")


if __name__ == "__main__":
    main()
