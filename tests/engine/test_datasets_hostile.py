"""Damaged, mixed-up and malicious data sets end in one clear line, nothing run and nothing left."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.api.errors import LikenessError, TrackingError
from engine.api.settings import TrackSettings
from engine.datasets.torch_file import read_torch_file
from engine.jobs.tracking import track_clip

from .data_set_folders import (
    flashavatar_folder,
    insta_folder,
    known,
    rgbavatar_folder,
    vhap_folder,
    write_frame,
)


class Evil:
    """Runs a command when it is unpickled in the ordinary way."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        import os

        return os.system, ("touch executed",)


def frame(folder: Path, **changes: object) -> Path:
    return write_frame(folder / "checkpoint" / "00002.frame", known(True), 2, **changes)


def evil_frame(folder: Path) -> None:
    torch.save({"flame": Evil()}, folder / "checkpoint" / "00001.frame")


def plain_pickle(folder: Path) -> None:
    (folder / "checkpoint" / "00000.frame").write_bytes(pickle.dumps(Evil()))


def evil_old_frame(folder: Path) -> None:
    path = folder / "checkpoint" / "00001.frame"
    torch.save({"flame": Evil()}, path, _use_new_zipfile_serialization=False)


def empty_frame(folder: Path) -> None:
    (folder / "checkpoint" / "00000.frame").write_bytes(b"")


def cut_frame(folder: Path) -> None:
    path = folder / "checkpoint" / "00003.frame"
    path.write_bytes(path.read_bytes()[:1000])


def bomb(folder: Path) -> None:
    with zipfile.ZipFile(folder / "checkpoint" / "00000.frame", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x/data.pkl", bytes(70 << 20))


def lost_image(folder: Path) -> None:
    (folder / "images" / "00003.png").unlink()


def broken_image(folder: Path) -> None:
    (folder / "images" / "00000.png").write_bytes(b"no picture")


def no_rotation(folder: Path) -> None:
    path = folder / "checkpoint" / "00001.frame"
    content = torch.load(path, weights_only=False)
    content["opencv"]["R"] = 2 * content["opencv"]["R"]
    torch.save(content, path)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a frame that runs a command": (evil_frame, "refused: it asks for .*system"),
    "an old frame that runs a command": (evil_old_frame, "refused: it asks for .*system"),
    "an ordinary pickle": (plain_pickle, "refused: it asks for .*system"),
    "an empty frame": (empty_frame, "not readable"),
    "a frame cut short": (cut_frame, "not readable"),
    "a zip bomb": (bomb, "unpacks to 70 MiB"),
    "a missing image": (lost_image, "00003.png is missing"),
    "a damaged image": (broken_image, "no readable image"),
    "no flame": (lambda folder: frame(folder, flame={}), "no tracked frame"),
    "not a number": (lambda folder: frame(folder, exp=np.full((1, 100), np.nan)), "no sensible"),
    "far too large": (lambda folder: frame(folder, exp=np.full((1, 100), 1e9)), "no sensible"),
    "too many expressions": (lambda folder: frame(folder, exp=np.zeros((1, 200))), "at most 100"),
    "a jaw of another kind": (lambda folder: frame(folder, jaw=np.zeros((1, 3))), "expected .6"),
    "texts for numbers": (lambda folder: frame(folder, exp="hello"), "00002.frame"),
    "an object for a number": (lambda folder: frame(folder, exp=object), "refused"),
    "a zoom": (lambda folder: frame(folder, K=2 * np.eye(3)[None]), "zooms"),
    "no rotation": (no_rotation, "R is no rotation"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_frame_ends_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spoil, words = HOSTILE[name]
    rgbavatar_folder(tmp_path / "set")
    spoil(tmp_path / "set")
    with pytest.raises(LikenessError, match=words) as caught:
        import_set(tmp_path / "set", tmp_path / "clip")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "clip").exists()
    assert not (tmp_path / "executed").exists()


def import_set(folder: Path, target: Path, **settings: object) -> object:
    """With a model whose name is right but which is read only after everything else."""
    wanted = TrackSettings(**{"head": str(folder.parent / "flame2020.pkl"), **settings})
    return track_clip([folder], target, wanted, lambda stage, share: None)


def test_the_wrong_flame_is_refused(tmp_path: Path) -> None:
    rgbavatar_folder(tmp_path / "set")
    with pytest.raises(LikenessError, match="need FLAME 2020, but the head is FLAME 2023 Open"):
        import_set(tmp_path / "set", tmp_path / "clip", head="flame2023_Open.npz")
    vhap_folder(tmp_path / "vhap", cameras=1)
    with pytest.raises(LikenessError, match="need FLAME 2023, but the head is FLAME 2020"):
        import_set(tmp_path / "vhap", tmp_path / "clip")


def test_without_a_head_the_two_ways_out_are_told(tmp_path: Path) -> None:
    rgbavatar_folder(tmp_path / "set")
    with pytest.raises(TrackingError, match="FLAME 2020 head") as caught:
        import_set(tmp_path / "set", tmp_path / "clip", head="")
    assert "--head" in caught.value.hint
    assert "--retrack" in caught.value.hint


def test_instas_export_alone_is_not_enough(tmp_path: Path) -> None:
    insta_folder(tmp_path / "set")
    (tmp_path / "set" / "checkpoint").rename(tmp_path / "elsewhere")
    with pytest.raises(TrackingError, match="not the tracker's checkpoint"):
        import_set(tmp_path / "set", tmp_path / "clip")


def test_an_export_of_another_run_is_noticed(tmp_path: Path) -> None:
    insta_folder(tmp_path / "set")
    write_frame(tmp_path / "set" / "checkpoint" / "00002.frame", known(True, seed=5), 2)
    with pytest.raises(TrackingError, match="disagree about the camera of 00002.png"):
        import_set(tmp_path / "set", tmp_path / "clip")


def test_flashavatars_images_without_their_frames(tmp_path: Path) -> None:
    folder = tmp_path / "dataset" / "anna"
    flashavatar_folder(folder)
    (tmp_path / "metrical-tracker").rename(tmp_path / "moved")
    with pytest.raises(TrackingError, match="tracked frames of anna are not there"):
        import_set(folder, tmp_path / "clip")


def changed_transforms(folder: Path, **changes: object) -> None:
    path = folder / "transforms.json"
    content = json.loads(path.read_text())
    content["frames"][0] |= changes
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file_path": "../../etc/passwd"}, "outside the data set"),
        ({"flame_param_path": "/etc/passwd"}, "outside the data set"),
        ({"flame_param_path": None}, "names no flame_param"),
        ({"transform_matrix": [[0] * 4] * 4}, "cannot be inverted"),
        ({"transform_matrix": "eye"}, "no array of numbers"),
        ({"timestep_index": "first"}, "no timestep_index"),
        ({"fl_x": None}, "fl_x"),
    ],
)
def test_a_bad_export_of_vhap(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    vhap_folder(tmp_path / "set", cameras=1)
    changed_transforms(tmp_path / "set", **changes)
    with pytest.raises(LikenessError, match=words):
        import_set(tmp_path / "set", tmp_path / "clip", head="flame2023.pkl")


def test_flame_parameters_that_are_pickles_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vhap_folder(tmp_path / "set", cameras=1)
    np.savez(tmp_path / "set" / "flame_param" / "00001.npz", shape=np.array([Evil()], object))
    with pytest.raises(LikenessError, match="objects, not numbers"):
        import_set(tmp_path / "set", tmp_path / "clip", head="flame2023.pkl")
    assert not (tmp_path / "executed").exists()


def test_dynamic_offsets_are_told(tmp_path: Path) -> None:
    vhap_folder(tmp_path / "set", cameras=1)
    path = tmp_path / "set" / "flame_param" / "00001.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **arrays, dynamic_offset=np.full((1, 5143, 3), 0.01))
    with pytest.raises(LikenessError, match="dynamic offsets"):
        import_set(tmp_path / "set", tmp_path / "clip", head="flame2023.pkl")


def test_a_camera_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    vhap_folder(tmp_path / "set")
    with pytest.raises(TrackingError, match="222200, 222201"):
        import_set(tmp_path / "set", tmp_path / "clip", head="flame2023.pkl", camera="9")


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_read_as_torch_reads_them(zipped: bool, tmp_path: Path) -> None:
    content = {
        "whole": torch.arange(12.0).reshape(3, 4),
        "turned": torch.arange(12, dtype=torch.int16).reshape(3, 4).T[1:],
        "array": np.arange(5, dtype=np.float64),
        "text": "anna",
    }
    torch.save(content, tmp_path / "some.pt", _use_new_zipfile_serialization=zipped)
    found = read_torch_file(tmp_path / "some.pt")
    for key in ("whole", "turned", "array"):
        np.testing.assert_array_equal(found[key], np.asarray(content[key]))
    assert found["text"] == "anna"


def test_a_tensor_that_reaches_beyond_its_data_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.arange(4.0)}, tmp_path / "some.pt")
    with zipfile.ZipFile(tmp_path / "some.pt") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "some.pt", "w") as archive:
        for name, data in parts.items():
            # The shape (4,) becomes (9,).
            spoilt = data.replace(b"K\x04\x85", b"K\x09\x85") if name.endswith("pkl") else data
            archive.writestr(name, spoilt)
    with pytest.raises(TrackingError, match="beyond its data"):
        read_torch_file(tmp_path / "some.pt")
