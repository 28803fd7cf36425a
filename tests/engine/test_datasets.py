"""Data sets tracked by other programs become clips that mean the same, to a tenth of a pixel."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from engine.api.errors import Cancelled, LikenessError
from engine.api.settings import TrackSettings
from engine.clip import TrackedClip
from engine.datasets import flame_clip
from engine.datasets.layouts import layout_of
from engine.heads.builtin_shapes import EXPRESSIONS
from engine.heads.flame import open_flame
from engine.jobs.tracking import track_clip
from engine.tracking.pose import project

from .data_set_folders import (
    FRAMES,
    SIZE,
    Known,
    flame_pixels,
    flashavatar_folder,
    insta_folder,
    metrical_folder,
    rgbavatar_folder,
    vhap_folder,
)
from .foreign_heads import flame_arrays, write_flame

FOLDERS: dict[str, Callable[[Path], Known]] = {
    "RGBAvatar": rgbavatar_folder,
    "INSTA": insta_folder,
    "FlashAvatar": flashavatar_folder,
    "metrical-tracker": metrical_folder,
    "VHAP": vhap_folder,
}
PIXEL = SIZE / 512  # at 512 pixels, as everywhere


class Imported(NamedTuple):
    """A data set, what it says, and the clip that was made of it."""

    name: str
    folder: Path
    data: Known
    model: Path
    clip: TrackedClip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One FLAME-shaped file under the names of both versions, read once for all tests."""
    folder = tmp_path_factory.mktemp("flame")
    first = write_flame(folder / "flame2023.pkl")
    second = folder / "generic_model.pkl"
    second.write_bytes(first.read_bytes())
    cached = lru_cache(open_flame)
    patch = pytest.MonkeyPatch()
    patch.setattr(flame_clip, "open_flame", lambda path: cached(first))
    yield {"2023": first, "2020": second}
    patch.undo()


def imported(
    folder: Path, target: Path, models: dict[str, Path], **settings: object
) -> TrackedClip:
    layout = layout_of(folder)
    assert layout is not None
    wanted = TrackSettings(**{"head": str(models[layout.version]), **settings})
    return track_clip([folder], target, wanted, lambda stage, share: None)


@pytest.fixture(scope="module", params=FOLDERS)
def each(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    models: dict[str, Path],
) -> Imported:
    folder = tmp_path_factory.mktemp("sets") / "dataset" / "anna"
    data = FOLDERS[request.param](folder)
    clip = imported(folder, folder.parent.parent / "clip", models)
    return Imported(request.param, folder, data, models["2023"], clip)


def test_vertices_are_where_the_layouts_own_formula_puts_them(each: Imported) -> None:
    """Monocular trackers turn neck and torso rigidly, ours do not: there, of the head only."""
    clip, source = each.clip, flame_clip.open_flame(each.model).mesh.source
    chosen = (source >= 0) & (source < 5023)
    if each.name != "VHAP":
        chosen &= clip.head.skin_weights[:, 0] < 1e-6
    assert chosen.sum() > 3000
    for frame in range(FRAMES):
        posed = clip.head.pose(clip.params[frame])[chosen]
        camera = posed @ clip.camera.viewmat[:3, :3].T + clip.camera.viewmat[:3, 3]
        truth = flame_pixels(flame_arrays(), each.data, frame)[source[chosen]]
        assert np.abs(project(camera, clip.camera.K) - truth).max() < 0.1 * PIXEL


def test_each_frame_has_its_own_picture_and_matte(each: Imported) -> None:
    assert each.clip.info["source"]["layout"] == each.name
    assert len(each.clip) == FRAMES
    for index in range(FRAMES):
        frame = each.clip.frame(index)
        assert abs(int(frame.image[40, 40, 0]) - (20 + 30 * index)) <= 1
        assert frame.alpha[40, 40] == 255
        assert frame.alpha[4, 40] == 0


def test_sliders_have_their_usual_names_and_range(each: Imported) -> None:
    names, expression = each.clip.head.expression_names, each.clip.params.expression
    assert names[:52] == EXPRESSIONS
    assert expression[:, :52].min() >= 0
    assert np.abs(expression).max() <= 1
    assert np.ptp(expression[:, :52], axis=0).max() > 0.05


def test_the_neck_does_the_turning_where_the_tracker_had_none(each: Imported) -> None:
    turned = np.linalg.norm(each.clip.params.neck, axis=1)
    assert turned.max() > 0.05
    assert np.abs(each.clip.params.jaw - each.data.jaw).max() < 1e-6


def test_of_several_cameras_the_frontal_one_is_taken_or_the_named(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    vhap_folder(tmp_path / "set", cameras=3)
    frontal = imported(tmp_path / "set", tmp_path / "clip", models, max_frames=2)
    beside = imported(tmp_path / "set", tmp_path / "beside", models, max_frames=2, camera="222200")
    assert "222202" in frontal.info["quality"]["warnings"][0]
    faces = [abs(clip.params.rotation[0, 1]) for clip in (frontal, beside)]
    assert faces[1] - faces[0] > 0.5


def test_clothes_go_where_only_the_head_is_wanted(tmp_path: Path, models: dict[str, Path]) -> None:
    folder = tmp_path / "dataset" / "anna"
    flashavatar_folder(folder)
    clip = imported(folder, tmp_path / "clip", models, max_frames=1, shoulders="cut")
    assert clip.frame(0).alpha[20, 40] == 255
    assert clip.frame(0).alpha[50, 40] == 0


def test_pictures_of_a_set_can_be_tracked_anew(tmp_path: Path, models: dict[str, Path]) -> None:
    rgbavatar_folder(tmp_path / "set")
    with pytest.raises(LikenessError, match="No face was found in 5 of 5"):
        imported(tmp_path / "set", tmp_path / "clip", models, retrack=True)


def test_a_folder_of_footage_is_no_data_set(tmp_path: Path) -> None:
    rgbavatar_folder(tmp_path / "set")
    assert layout_of(tmp_path / "set" / "images") is None
    assert layout_of(tmp_path) is None
    assert layout_of(tmp_path / "nowhere") is None


def test_an_import_can_be_cancelled_and_leaves_nothing(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    rgbavatar_folder(tmp_path / "set")
    stages: list[str] = []

    def stop(stage: str, share: float) -> None:
        stages.append(stage)
        if "pictures" in stage:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        track_clip(
            [tmp_path / "set"], tmp_path / "clip", TrackSettings(head=str(models["2020"])), stop
        )
    assert len(stages) > FRAMES
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
