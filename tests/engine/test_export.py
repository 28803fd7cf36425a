"""Exported Gaussians, read back by readers of their own, are those that the avatar shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.api.avatar_file import write_avatar
from engine.api.baked import BakedAvatar, GaussianArrays
from engine.api.errors import LikenessError
from engine.api.head import HeadParams
from engine.api.poses import POSES, parse_expression
from engine.api.rotations import matrix_from_quat
from engine.api.splat_files import AXES, turned, write_splats
from engine.command_line import main
from engine.heads.builtin import builtin_head
from engine.render import render_arrays, render_baked, source_camera, usual_pose
from tests.small_avatar import EXPRESSIONS, small_avatar
from tests.splat_readers import gaussians_of_ply, read_glb, read_ply

EXTENSION = "KHR_gaussian_splatting"
INRIA = (
    "x y z nx ny nz f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3"
)


@pytest.fixture
def baked() -> BakedAvatar:
    return small_avatar()


@pytest.fixture
def avatar(tmp_path: Path, baked: BakedAvatar) -> Path:
    path = tmp_path / "anna.likeness"
    write_avatar(path, baked)
    return path


def covariances(quats: np.ndarray, scales: np.ndarray) -> np.ndarray:
    axes = matrix_from_quat(quats) * scales[..., None, :]
    return axes @ axes.swapaxes(-1, -2)


def test_a_ply_read_back_renders_as_the_avatar_itself(tmp_path: Path, baked: BakedAvatar) -> None:
    params = usual_pose(baked)
    write_splats(tmp_path / "a.ply", {"Anna": baked.pose(params)}, axes="y-up")
    means, quats, scales, opacities, colors = gaussians_of_ply(read_ply(tmp_path / "a.ply"))
    camera = source_camera(baked)
    found = GaussianArrays(*(a[None] for a in (means, quats, scales, opacities, colors)))
    exported, coverage = next(render_arrays(found, [camera], None))
    own, own_coverage = render_baked(baked, params, camera)
    assert own_coverage.max() > 0.9
    np.testing.assert_allclose(exported, own, atol=1e-4)
    np.testing.assert_allclose(coverage, own_coverage, atol=1e-4)


def test_a_ply_has_the_properties_of_the_inria_code_in_its_order(
    tmp_path: Path, baked: BakedAvatar
) -> None:
    gaussians = baked.pose(HeadParams.neutral(3))
    write_splats(tmp_path / "a.ply", {"Anna": gaussians})
    assert list(read_ply(tmp_path / "a.ply")) == INRIA.split()
    write_splats(tmp_path / "b.ply", {"Anna": gaussians}, rest=True)
    names = list(read_ply(tmp_path / "b.ply"))
    assert names[9:54] == [f"f_rest_{i}" for i in range(45)]
    assert names[54] == "opacity"


@pytest.mark.parametrize("axes", AXES)
def test_other_axes_turn_places_and_covariances_alike(
    tmp_path: Path, baked: BakedAvatar, axes: str
) -> None:
    gaussians = baked.pose(HeadParams.neutral(3))
    write_splats(tmp_path / "a.ply", {"Anna": gaussians}, axes=axes)
    means, quats, scales, _, _ = gaussians_of_ply(read_ply(tmp_path / "a.ply"))
    turn = AXES[axes]
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_allclose(means, gaussians.means @ turn.T, atol=1e-6)
    expected = turn @ covariances(gaussians.quats, gaussians.scales) @ turn.T
    np.testing.assert_allclose(covariances(quats, scales), expected, rtol=1e-3, atol=1e-9)


def test_a_glb_follows_the_ratified_extension(tmp_path: Path, baked: BakedAvatar) -> None:
    gaussians = baked.pose(HeadParams.neutral(3))
    write_splats(tmp_path / "a.glb", {"Anna": gaussians, "Twin": gaussians})
    document, meshes = read_glb(tmp_path / "a.glb")
    assert document["asset"]["version"] == "2.0"
    assert document["extensionsUsed"] == [EXTENSION]
    assert "extensionsRequired" not in document  # a point cloud for those who do not know it
    assert [node["name"] for node in document["nodes"]] == ["Anna", "Twin"]
    assert document["scenes"][document["scene"]]["nodes"] == [0, 1]
    primitive = document["meshes"][1]["primitives"][0]
    assert primitive["mode"] == 0
    kernel = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}
    assert primitive["extensions"][EXTENSION] == kernel
    assert [len(mesh["POSITION"]) for mesh in meshes] == [baked.count, baked.count]


def test_a_glb_holds_linear_scales_opacities_and_xyzw_rotations(
    tmp_path: Path, baked: BakedAvatar
) -> None:
    gaussians = baked.pose(HeadParams.neutral(3))
    write_splats(tmp_path / "a.glb", {"Anna": gaussians})
    _, (mesh,) = read_glb(tmp_path / "a.glb")
    rotations = mesh[f"{EXTENSION}:ROTATION"]
    np.testing.assert_allclose(np.linalg.norm(rotations, axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(rotations[:, 3], gaussians.quats[:, 0], atol=1e-6)
    np.testing.assert_allclose(mesh[f"{EXTENSION}:SCALE"], gaussians.scales, rtol=1e-6)
    np.testing.assert_allclose(mesh[f"{EXTENSION}:OPACITY"][:, 0], gaussians.opacities, atol=1e-6)
    dc = mesh[f"{EXTENSION}:SH_DEGREE_0_COEF_0"]
    np.testing.assert_allclose(0.5 + 0.2820947917738781 * dc, gaussians.colors, atol=1e-6)
    srgb = np.clip(gaussians.colors, 0, 1)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(mesh["COLOR_0"][:, :3], linear, atol=1e-6)


def test_opaque_and_flat_gaussians_stay_finite(tmp_path: Path, baked: BakedAvatar) -> None:
    gaussians = baked.pose(HeadParams.neutral(3))
    gaussians.opacities[:2] = (1.0, 0.0)
    gaussians.scales[0] = 0
    gaussians.means[3] = np.nan
    assert write_splats(tmp_path / "a.ply", {"Anna": gaussians}) == baked.count - 1
    columns = read_ply(tmp_path / "a.ply")
    assert all(np.isfinite(column).all() for column in columns.values())
    assert len(columns["x"]) == baked.count - 1


def test_turning_by_a_rotation_and_back_changes_nothing(baked: BakedAvatar) -> None:
    gaussians = baked.pose(HeadParams.neutral(3))
    back = turned(turned(gaussians, AXES["z-up"]), AXES["z-up"].T)
    np.testing.assert_allclose(back.means, gaussians.means, atol=1e-7)
    assert np.abs(np.sum(back.quats * gaussians.quats, axis=-1)).min() > 1 - 1e-6


def test_the_command_exports_a_named_expression(avatar: Path, tmp_path: Path) -> None:
    baked = small_avatar()
    out = tmp_path / "anna.ply"
    words = ["export", str(avatar), "-o", str(out), "--expression", "jawOpen=0.5,blink"]
    assert main([*words, "--axes", "y-up"]) == 0
    neutral = HeadParams.neutral(3)
    neutral.expression[:] = (0.5, 1, 1)
    means = gaussians_of_ply(read_ply(out))[0]
    # Offsets of expressions and deltas are stored with 16 bits.
    np.testing.assert_allclose(means, baked.pose(neutral).means, atol=2e-5)


def test_the_command_exports_frames_as_numbered_files_with_progress(
    avatar: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    out = folder / "anna.ply"
    assert main(["export", str(avatar), "-o", str(out), "--frames", "3:6", "--json"]) == 0
    assert [p.name for p in sorted(folder.iterdir())] == [f"anna_0000{i}.ply" for i in (3, 4, 5)]
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert events[-1]["files"] == 3
    assert events[0]["event"] == "progress"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "x.obj"], "splat file"),
        (["-o", "/nowhere/x.ply"], "no folder"),
        (["-o", "x.ply", "--expression", "grin=1"], "grin"),
        (["-o", "x.ply", "--expression", "blink=much"], "no number"),
        (["-o", "x.ply", "--level", "9"], "level 9"),
        (["-o", "x.ply", "--frames", "90:"], "none of the 12 frames"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(
    avatar: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(avatar), *options]) == 2
    assert words in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [avatar.name]


def test_every_pose_moves_the_built_in_head_and_only_by_what_it_knows() -> None:
    names = builtin_head().expression_names
    for name, pose in POSES.items():
        values = parse_expression(name, names)
        assert values.any() == (name != "neutral")
        stems = {stem.removesuffix("Left").removesuffix("Right") for stem in names} | set(names)
        assert set(pose.values) <= stems, name


def test_expressions_add_up_and_stop_at_one() -> None:
    values = parse_expression("eyeBlink=0.7, eyeBlinkLeft=0.7", EXPRESSIONS)
    np.testing.assert_allclose(values, [0, 1, 0.7], atol=1e-6)
    with pytest.raises(LikenessError, match="jawShut"):
        parse_expression("jawShut=1", EXPRESSIONS)
