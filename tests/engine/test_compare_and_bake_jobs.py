"""The jobs `compare` and `bake` on a small clip with known truth: what they write and promise."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from engine.api.avatar_file import read_avatar, write_avatar
from engine.api.errors import LikenessError
from engine.api.settings import METHODS, FlashAvatarSettings, RGBAvatarSettings
from engine.imaging import read_image
from engine.jobs import run_job
from engine.metrics import evaluate
from engine.restored_avatar import taken
from tests.engine.test_reconstruct_job import write_ellipsoid

SMALL = {
    "rgbavatar": RGBAvatarSettings(
        uv_size=32, blendshapes=4, images=160, base_only_images=40, size=64
    ),
    "flashavatar": FlashAvatarSettings(
        uv_size=24, network_uv=12, width=16, depth=2, images=160, base_only_images=40, size=64
    ),
}


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Both methods on the ellipsoid: the folder, the clip, the result and the progress."""
    folder = tmp_path_factory.mktemp("compared")
    clip, events = write_ellipsoid(folder / "clip"), []
    values = {"source": str(clip.directory), "output": str(folder / "out")}
    with pytest.MonkeyPatch.context() as patch:
        for name, settings in SMALL.items():
            patch.setitem(METHODS[name].presets, "standard", settings)
        result = run_job("compare", values, events.append)
    return folder / "out", clip, result, events


def test_every_method_has_a_row_in_every_table(compared):
    folder, _, result, _ = compared
    assert [row["method"] for row in result["rows"]] == ["rgbavatar", "flashavatar"]
    assert json.loads((folder / "comparison.json").read_text()) == result["rows"]
    with (folder / "comparison.csv").open() as file:
        read = list(csv.DictReader(file))
    for row, line in zip(result["rows"], read, strict=True):
        assert float(line["psnr"]) == row["psnr"] > 15
        assert row["render_ms"] > 0
        assert row["megabytes"] == pytest.approx(
            (folder / f"{row['method']}.likeness").stat().st_size / 1e6, abs=0.01
        )
    text = (folder / "comparison.txt").read_text().splitlines()
    assert len({len(line) for line in text}) == 1


def test_the_sheet_has_a_column_for_the_footage_and_each_method(compared):
    folder, clip, result, _ = compared
    assert str(folder / "side_by_side.png") in result["files"]
    image, _ = read_image(folder / "side_by_side.png")
    assert image.shape[1] == 3 * clip.camera.width


def test_progress_of_the_fits_is_that_of_one_job(compared):
    told = [event for event in compared[3] if event["event"] == "progress"]
    fractions = [event["fraction"] for event in told]
    assert fractions == sorted(fractions)
    second = [event for event in told if event["stage"].startswith("FlashAvatar")]
    assert second[0]["fraction"] > 0.4


@pytest.mark.parametrize("methods", ["", "nothing", "rgbavatar,rgbavatar"])
def test_methods_that_cannot_be_compared_are_refused_at_once(tmp_path, methods):
    values = {"source": str(tmp_path), "output": str(tmp_path / "out"), "methods": methods}
    with pytest.raises(LikenessError) as caught:
        run_job("compare", values, lambda _: None)
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_pruning_half_leaves_half_and_fitting_the_rest_gains(compared, tmp_path):
    folder, clip, _, _ = compared
    whole = read_avatar(folder / "rgbavatar.likeness")
    values = {"avatar": str(folder / "rgbavatar.likeness"), "prune": 0.5}
    files = {}
    for name, more in (("bare", {}), ("fitted", {"clip": str(clip.directory), "images": 200})):
        files[name] = tmp_path / f"{name}.likeness"
        result = run_job("bake", {**values, **more, "output": str(files[name])}, lambda _: None)
        assert result["gaussians"] == round(whole.count / 2)
    fitted = result["metrics"]
    bare = evaluate(read_avatar(files["bare"]), clip, whole.performance.test_frames)["psnr"]
    assert fitted["psnr"] > bare
    assert fitted["psnr"] > fitted["psnr_before"] - 1.0


def test_baking_without_pruning_changes_the_order_and_nothing_else(compared, tmp_path):
    whole = read_avatar(compared[0] / "flashavatar.likeness")
    shuffled = tmp_path / "shuffled.likeness"
    order = np.random.default_rng(0).permutation(whole.count)
    write_avatar(shuffled, taken(whole, order, (whole.count,)))
    output = tmp_path / "again.likeness"
    run_job("bake", {"avatar": str(shuffled), "output": str(output)}, lambda _: None)
    again = read_avatar(output)
    assert again.levels == whole.levels
    assert np.array_equal(np.unique(again.base, axis=0), np.unique(whole.base, axis=0))


def test_a_clip_of_another_length_is_refused(compared, tmp_path):
    other = write_ellipsoid(tmp_path / "clip")
    avatar = read_avatar(compared[0] / "rgbavatar.likeness")
    shot = avatar.performance
    shorter = replace(
        shot,
        params=shot.params[:30],
        times=shot.times[:30],
        confidence=shot.confidence[:30],
        test_frames=np.zeros(0, np.int32),
    )
    write_avatar(tmp_path / "short.likeness", replace(avatar, performance=shorter))
    values = {
        "avatar": str(tmp_path / "short.likeness"),
        "output": str(tmp_path / "out.likeness"),
        "clip": str(other.directory),
    }
    with pytest.raises(LikenessError, match="40 frames"):
        run_job("bake", values, lambda _: None)
