"""The avatar file: exact round trips, and refusal of everything that is not a sound avatar."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.api.avatar_file import read_avatar, read_info, write_avatar
from engine.api.errors import AvatarFileError
from tests.api.tampering import Members, edit_header, poke, put, refused, replace_bytes, tamper
from tests.small_avatar import small_avatar

HALF = 2.0**-11  # float16 rounds by at most this share of a value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound avatar file."""
    path = tmp_path / "anna.likeness"
    write_avatar(path, small_avatar())
    return path


def _same_fields(found: Any, expected: Any, skip: tuple[str, ...] = ()) -> None:
    for field in fields(expected):
        if field.name not in skip:
            a, b = getattr(found, field.name), getattr(expected, field.name)
            assert np.array_equal(a, b), field.name


@pytest.mark.parametrize("blendshapes", [2, 0])
def test_an_avatar_comes_back_as_it_was_written(tmp_path: Path, blendshapes: int) -> None:
    avatar = small_avatar(blendshapes=blendshapes)
    write_avatar(tmp_path / "a.likeness", avatar)
    back = read_avatar(tmp_path / "a.likeness")
    _same_fields(back.head, avatar.head, skip=("expression_deltas",))
    _same_fields(back.binding, avatar.binding)
    _same_fields(back.performance, avatar.performance, skip=("params",))
    _same_fields(back.performance.params, avatar.performance.params)
    assert np.array_equal(back.base, avatar.base)
    assert back.base.dtype == back.deltas.dtype == back.head.expression_deltas.dtype == np.float32
    assert (back.name, back.levels, back.info) == (avatar.name, avatar.levels, avatar.info)
    for (weight, bias), (weight_back, bias_back) in zip(
        avatar.weight_map.layers, back.weight_map.layers, strict=True
    ):
        assert np.array_equal(weight, weight_back)
        assert np.array_equal(bias, bias_back)
    np.testing.assert_allclose(back.deltas, avatar.deltas, rtol=HALF, atol=1e-7)
    np.testing.assert_allclose(
        back.head.expression_deltas, avatar.head.expression_deltas, rtol=HALF, atol=1e-7
    )


def test_a_read_avatar_poses_like_the_written_one(path: Path) -> None:
    avatar, back = small_avatar(), read_avatar(path)
    posed, posed_back = (a.pose(a.performance.params) for a in (avatar, back))
    np.testing.assert_allclose(posed_back.means, posed.means, atol=2e-5)  # metres
    np.testing.assert_allclose(posed_back.colors, posed.colors, atol=1e-4)


def test_the_same_avatar_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    write_avatar(tmp_path / "again.likeness", small_avatar())
    assert (tmp_path / "again.likeness").read_bytes() == path.read_bytes()


def test_info_tells_counts_and_provenance_without_the_arrays(path: Path) -> None:
    info = read_info(path)
    assert info["counts"]["gaussians"] == 60
    assert info["info"]["provenance"]["source"]["name"] == "anna.mp4"


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(path: Path) -> None:
    before = path.read_bytes()
    broken = small_avatar()
    broken.base[3, 2] = np.nan
    with pytest.raises(AvatarFileError, match="finite"):
        write_avatar(path, broken)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AvatarFileError, match="cannot be written"):
        write_avatar(tmp_path / "none" / "a.likeness", small_avatar())


@pytest.mark.parametrize(
    "change",
    [
        {"deltas": np.full((2, 60, 14), 1e6, np.float32)},  # beyond float16
        {"levels": (60, 90)},
        {"level_offsets": (np.zeros((29, 14)),)},
        {"name": ""},
        {"info": {"loss": float("nan")}},
        {"info": {"array": np.zeros(3)}},
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, change: dict) -> None:
    with pytest.raises(AvatarFileError):
        write_avatar(tmp_path / "a.likeness", replace(small_avatar(), **change))
    assert not list(tmp_path.iterdir())


HOSTILE: dict[str, Callable[[Members], Any]] = {
    "no header": lambda m: m.pop("header.json"),
    "header is not JSON": lambda m: m.update({"header.json": b"{"}),
    "header is a list": lambda m: m.update({"header.json": b"[]"}),
    "header nested too deep": lambda m: m.update({"header.json": b"[" * 100_000}),
    "header is not text": lambda m: m.update({"header.json": b"\xff\xfe\x00"}),
    "header holds NaN": replace_bytes("header.json", b'"fps": 25.0', b'"fps": NaN'),
    "header is huge": lambda m: m.update({"header.json": b" " * (5 << 20)}),
    "another format": edit_header(lambda h: h.update(format="zip")),
    "version is text": edit_header(lambda h: h.update(version="1")),
    "counts missing": edit_header(lambda h: h.pop("counts")),
    "count is negative": edit_header(lambda h: h["counts"].update(gaussians=-1)),
    "count is a fraction": edit_header(lambda h: h["counts"].update(gaussians=60.5)),
    "count is beyond memory": edit_header(lambda h: h["counts"].update(gaussians=2_000_000)),
    "count is beyond bounds": edit_header(lambda h: h["counts"].update(frames=10**12)),
    "levels rise": edit_header(lambda h: h.update(levels=[30, 60])),
    "levels are empty": edit_header(lambda h: h.update(levels=[])),
    "name is a list": edit_header(lambda h: h.update(name=["Anna"])),
    "name breaks the line": edit_header(lambda h: h.update(name="a\nb")),
    "expression names repeat": edit_header(
        lambda h: h["head"].update(expression_names=["jawOpen"] * 3)
    ),
    "weight map does not chain": edit_header(lambda h: h.update(weight_layers=[3, 5, 7])),
    "camera without size": edit_header(lambda h: h["camera"].pop("width")),
    "camera with infinite fps": edit_header(lambda h: h["camera"].update(fps=1e9)),
    "manifest edited": edit_header(lambda h: h["arrays"]["base"].update(dtype="<f8")),
    "array missing": lambda m: m.pop("base.npy"),
    "member unknown": lambda m: m.update({"../../evil.npy": b"x"}),
    "array is empty": lambda m: m.update({"base.npy": b""}),
    "array cut short": lambda m: m.update({"base.npy": m["base.npy"][:-4]}),
    "array has another magic": replace_bytes("base.npy", b"NUMPY", b"NUMPZ"),
    "array claims another shape": replace_bytes("base.npy", b"(60, 14)", b"(14, 60)"),
    "array claims a huge shape": replace_bytes("base.npy", b"(60, 14), }", b"(9999999999,)}"),
    "array header is code": replace_bytes("base.npy", b"'descr': '<f4'", b"'descr': exit()"),
    "array is of objects": put("base", np.full((60, 14), None), allow_pickle=True),
    "array is of another type": put("base", np.zeros((60, 14), np.float64)),
    "base is NaN": poke("base", (5, 5), np.nan),
    "delta is infinite": poke("deltas", (1, 5, 5), np.inf),
    "face beyond vertices": poke("head/faces", (0, 0), 4),
    "face is negative": poke("head/faces", (0, 0), -1),
    "Gaussian beyond faces": poke("binding/face", 7, 4),
    "landmark beyond faces": poke("head/landmark_faces", 0, 4),
    "region beyond names": poke("head/face_regions", 0, 2),
    "expression row beyond vertices": poke("head/expression_rows", 2, 12),
    "expression rows repeat": poke("head/expression_rows", 1, 1),
    "test frame beyond frames": poke("performance/test_frames", 0, 12),
    "skin weights do not sum to one": poke("head/skin_weights", (0, 0), 1),
    "barycentrics do not sum to one": poke("binding/barycentric", (0, 0), 5),
    "quaternion of length zero": poke("base", (0, slice(3, 7)), 0),
    "confidence above one": poke("performance/confidence", 0, 2),
    "camera without focal length": poke("performance/K", (0, 0), 0),
}


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hand_edited_file_is_refused(path: Path, edit: Callable[[Members], Any]) -> None:
    tamper(path, edit)
    refused(path)


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for share in (0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.9999):
        path.write_bytes(whole[: int(len(whole) * share)])
        refused(path)


def test_a_flipped_bit_in_any_array_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        arrays = [member for member in archive.infolist() if member.file_size > 130]
    for member in arrays:
        damaged = bytearray(whole)
        damaged[member.header_offset + 30 + len(member.filename) + member.file_size - 1] ^= 1
        path.write_bytes(damaged)
        refused(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", b" " * (64 << 20))
    assert "compressed" in str(refused(path))


def test_a_member_given_twice_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("base.npy", b"x")
    refused(path)


def test_a_newer_version_asks_for_an_update(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        header = json.loads(archive.read("header.json"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps({**header, "version": 3}))
    error = refused(path)
    assert "version 3" in error.message
    assert error.hint == "Update Likeness."


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + b"\0" * 18])
def test_another_kind_of_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path)
    with pytest.raises(AvatarFileError):
        read_info(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.likeness")
    refused(tmp_path)
