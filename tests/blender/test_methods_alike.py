"""Whatever method has made an avatar, its sliders do the same: Blender knows no methods."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from likeness.blender_addon import avatar_object, character, coordinates
from likeness.engine.api.avatar_file import read_avatar
from likeness.engine.api.head import HeadParams

ROOT = Path(__file__).parents[2]
ENGINE = Path(sys.prefix).parent / ("Scripts" if sys.platform == "win32" else "bin") / "python"
METHODS = ("rgbavatar", "flashavatar")

pytestmark = pytest.mark.skipif(not ENGINE.exists(), reason="avatars are made by the engine")


@pytest.fixture(scope="module")
def avatars(tmp_path_factory):
    """By method: avatars of one person, who speaks, raises the brows and winks."""
    folder = tmp_path_factory.mktemp("avatars")
    command = [ENGINE, "-m", "tests.engine.avatars_by_method", folder]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    return {name: read_avatar(folder / f"{name}.likeness") for name in METHODS}


@pytest.fixture(params=METHODS)
def avatar(avatars, request):
    return avatars[request.param]


def shown(proxy, **sliders):
    """The avatar's Gaussians in the world with these sliders set, all others at 0."""
    for key in proxy.data.shape_keys.key_blocks[1:]:
        key.value = sliders.get(key.name, 0.0)
    return avatar_object.evaluate(proxy, bpy.context.evaluated_depsgraph_get())


def moved(avatar, slider):
    """How the slider, fully on, moves the Gaussians [N, 3] in the world."""
    proxy = character.build(bpy.context, avatar)
    return shown(proxy, **{slider: 1.0}).means - shown(proxy).means


def carried(avatar, slider):
    """How far the slider moves the proxy head under each Gaussian [N], metres."""
    head = avatar.head
    deltas = head.expression_deltas[head.expression_names.index(slider)]
    corners = deltas[head.faces[avatar.binding.face]]
    return np.linalg.norm(np.einsum("nk,nkc->nc", avatar.binding.barycentric, corners), axis=1)


@pytest.mark.parametrize("slider", ["jawOpen", "browInnerUp"])
def test_a_slider_shows_what_the_engine_would_draw(avatar, slider):
    proxy = character.build(bpy.context, avatar)
    params = HeadParams.neutral(len(avatar.head.expression_names))
    params.expression[avatar.head.expression_names.index(slider)] = 1
    expected = avatar.pose(params)
    found = shown(proxy, **{slider: 1.0})
    vectors = coordinates.vectors_to_blender(expected.means)
    np.testing.assert_allclose(found.means, vectors, atol=2e-5)
    np.testing.assert_allclose(found.scales, expected.scales, rtol=1e-3)
    np.testing.assert_allclose(found.colors, expected.colors, atol=1e-4)


def test_a_slider_leaves_other_parts_of_the_face_alone(avatar):
    brows = carried(avatar, "browInnerUp") > 0.003
    jaw = carried(avatar, "jawOpen") > 0.003
    assert np.linalg.norm(moved(avatar, "jawOpen")[brows & ~jaw], axis=1).max() < 5e-4
    assert np.linalg.norm(moved(avatar, "jawOpen")[jaw], axis=1).mean() > 3e-3


def test_every_reduced_slider_moves_the_gaussians_and_back(avatar):
    proxy = character.build(bpy.context, avatar)
    rest = shown(proxy)
    names = [key.name for key in proxy.data.shape_keys.key_blocks if key.name.startswith("reduced")]
    assert len(names) == len(avatar.deltas) > 0
    for name in names:
        there = shown(proxy, **{name: 1.0})
        change = max(np.abs(a - b).max() for a, b in zip(there, rest, strict=True))
        assert 1e-5 < change < 5
    np.testing.assert_allclose(shown(proxy).means, rest.means, atol=1e-7)


@pytest.mark.parametrize("slider", ["jawOpen", "browInnerUp"])
def test_both_methods_sliders_move_the_face_the_same_way(avatars, slider):
    pushed = []
    for avatar in avatars.values():
        there = carried(avatar, slider) > 0.004
        pushed.append(moved(avatar, slider)[there].mean(0))
    first, second = pushed
    assert np.linalg.norm(first) > 0.003
    assert np.linalg.norm(first - second) < 0.3 * np.linalg.norm(first)
