"""The avatar file: exact round trips, and refusal of everything that is not a sound avatar."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.api.avatar_file import read_avatar, read_info, write_avatar
from engine.api.baked import BakedAvatar
from engine.api.errors import AvatarFileError
from tests.small_avatar import small_avatar

HALF = 2.0**-11  # float16 rounds by at most this share of a value


# Each hostile edit below takes a sound file's bytes by member name and changes them.
Members = dict[str, bytes]


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


def _levelled() -> BakedAvatar:
    """The small avatar, with what its coarser level adds to the base."""
    offsets = np.float32(np.random.default_rng(3).normal(0, 0.1, (30, 14)))
    return replace(small_avatar(), level_offsets=(offsets,))


def test_what_a_level_of_detail_adds_comes_back_and_shows_at_that_level_alone(
    tmp_path: Path,
) -> None:
    avatar, plain = _levelled(), small_avatar()
    write_avatar(tmp_path / "a.likeness", avatar)
    assert read_info(tmp_path / "a.likeness")["version"] == 2
    back = read_avatar(tmp_path / "a.likeness")
    np.testing.assert_allclose(back.level_offsets[0], avatar.level_offsets[0], rtol=HALF, atol=1e-7)
    weights = np.float32([0.3, -0.5])
    expected = plain.local(weights, 30) + back.level_offsets[0]
    np.testing.assert_allclose(back.local(weights, 30), expected, atol=1e-4)
    np.testing.assert_allclose(back.local(weights), plain.local(weights), atol=1e-4)


def test_a_file_of_the_first_version_has_levels_that_add_nothing(path: Path) -> None:
    assert read_info(path)["version"] == 1
    back = read_avatar(path)
    weights = np.float32([0.3, -0.5])
    assert np.array_equal(back.local(weights, 30), back.local(weights)[:30])


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m.pop("level_offsets.npy"),
        lambda m: _poke("level_offsets", (3, 3), np.inf)(m),
        lambda m: _put("level_offsets", np.zeros((29, 14), np.float16))(m),
        lambda m: _edit_header(lambda h: h.update(version=1))(m),
        lambda m: _edit_header(lambda h: h.update(levels=[60]))(m),
    ],
)
def test_levels_of_detail_that_were_tampered_with_are_refused(
    path: Path, edit: Callable[[Members], Any]
) -> None:
    write_avatar(path, _levelled())
    _tamper(path, edit)
    _refused(path)


def test_a_level_may_not_take_a_quaternion_away(path: Path) -> None:
    avatar = small_avatar()
    offsets = np.zeros((30, 14), np.float32)
    offsets[7, 3:7] = -np.float16(avatar.base[7, 3:7])
    base = avatar.base.copy()
    base[7, 3:7] = np.float16(base[7, 3:7])
    with pytest.raises(AvatarFileError, match="length 0"):
        write_avatar(path, replace(avatar, base=base, level_offsets=(offsets,)))


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


def _edit_header(change: Callable[[dict], Any]) -> Callable[[Members], None]:
    def edit(members: Members) -> None:
        header = json.loads(members["header.json"])
        change(header)
        members["header.json"] = json.dumps(header).encode()

    return edit


def _put(name: str, array: np.ndarray, allow_pickle: bool = False) -> Callable[[Members], None]:
    def edit(members: Members) -> None:
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, allow_pickle=allow_pickle)
        members[f"{name}.npy"] = stream.getvalue()

    return edit


def _poke(name: str, index: Any, value: float) -> Callable[[Members], None]:
    def edit(members: Members) -> None:
        array = np.load(io.BytesIO(members[f"{name}.npy"]))
        array[index] = value
        _put(name, array)(members)

    return edit


def _replace_bytes(name: str, old: bytes, new: bytes) -> Callable[[Members], None]:
    def edit(members: Members) -> None:
        assert old in members[name]
        members[name] = members[name].replace(old, new)

    return edit


HOSTILE: dict[str, Callable[[Members], Any]] = {
    "no header": lambda m: m.pop("header.json"),
    "header is not JSON": lambda m: m.update({"header.json": b"{"}),
    "header is a list": lambda m: m.update({"header.json": b"[]"}),
    "header nested too deep": lambda m: m.update({"header.json": b"[" * 100_000}),
    "header is not text": lambda m: m.update({"header.json": b"\xff\xfe\x00"}),
    "header holds NaN": _replace_bytes("header.json", b'"fps": 25.0', b'"fps": NaN'),
    "header is huge": lambda m: m.update({"header.json": b" " * (5 << 20)}),
    "another format": _edit_header(lambda h: h.update(format="zip")),
    "version is text": _edit_header(lambda h: h.update(version="1")),
    "counts missing": _edit_header(lambda h: h.pop("counts")),
    "count is negative": _edit_header(lambda h: h["counts"].update(gaussians=-1)),
    "count is a fraction": _edit_header(lambda h: h["counts"].update(gaussians=60.5)),
    "count is beyond memory": _edit_header(lambda h: h["counts"].update(gaussians=2_000_000)),
    "count is beyond bounds": _edit_header(lambda h: h["counts"].update(frames=10**12)),
    "levels rise": _edit_header(lambda h: h.update(levels=[30, 60])),
    "levels are empty": _edit_header(lambda h: h.update(levels=[])),
    "name is a list": _edit_header(lambda h: h.update(name=["Anna"])),
    "name breaks the line": _edit_header(lambda h: h.update(name="a\nb")),
    "expression names repeat": _edit_header(
        lambda h: h["head"].update(expression_names=["jawOpen"] * 3)
    ),
    "weight map does not chain": _edit_header(lambda h: h.update(weight_layers=[3, 5, 7])),
    "camera without size": _edit_header(lambda h: h["camera"].pop("width")),
    "camera with infinite fps": _edit_header(lambda h: h["camera"].update(fps=1e9)),
    "manifest edited": _edit_header(lambda h: h["arrays"]["base"].update(dtype="<f8")),
    "array missing": lambda m: m.pop("base.npy"),
    "member unknown": lambda m: m.update({"../../evil.npy": b"x"}),
    "array is empty": lambda m: m.update({"base.npy": b""}),
    "array cut short": lambda m: m.update({"base.npy": m["base.npy"][:-4]}),
    "array has another magic": _replace_bytes("base.npy", b"NUMPY", b"NUMPZ"),
    "array claims another shape": _replace_bytes("base.npy", b"(60, 14)", b"(14, 60)"),
    "array claims a huge shape": _replace_bytes("base.npy", b"(60, 14), }", b"(9999999999,)}"),
    "array header is code": _replace_bytes("base.npy", b"'descr': '<f4'", b"'descr': exit()"),
    "array is of objects": _put("base", np.full((60, 14), None), allow_pickle=True),
    "array is of another type": _put("base", np.zeros((60, 14), np.float64)),
    "base is NaN": _poke("base", (5, 5), np.nan),
    "delta is infinite": _poke("deltas", (1, 5, 5), np.inf),
    "face beyond vertices": _poke("head/faces", (0, 0), 4),
    "face is negative": _poke("head/faces", (0, 0), -1),
    "Gaussian beyond faces": _poke("binding/face", 7, 4),
    "landmark beyond faces": _poke("head/landmark_faces", 0, 4),
    "region beyond names": _poke("head/face_regions", 0, 2),
    "expression row beyond vertices": _poke("head/expression_rows", 2, 12),
    "expression rows repeat": _poke("head/expression_rows", 1, 1),
    "test frame beyond frames": _poke("performance/test_frames", 0, 12),
    "skin weights do not sum to one": _poke("head/skin_weights", (0, 0), 1),
    "barycentrics do not sum to one": _poke("binding/barycentric", (0, 0), 5),
    "quaternion of length zero": _poke("base", (0, slice(3, 7)), 0),
    "confidence above one": _poke("performance/confidence", 0, 2),
    "camera without focal length": _poke("performance/K", (0, 0), 0),
}


def _refused(path: Path) -> AvatarFileError:
    """Reading raises AvatarFileError, in one line, with a hint, and nothing else."""
    with pytest.raises(AvatarFileError) as caught:
        read_avatar(path)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hand_edited_file_is_refused(path: Path, edit: Callable[[Members], Any]) -> None:
    _tamper(path, edit)
    _refused(path)


def _tamper(path: Path, edit: Callable[[Members], Any]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edit(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for share in (0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.9999):
        path.write_bytes(whole[: int(len(whole) * share)])
        _refused(path)


def test_a_flipped_bit_in_any_array_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        arrays = [member for member in archive.infolist() if member.file_size > 130]
    for member in arrays:
        damaged = bytearray(whole)
        damaged[member.header_offset + 30 + len(member.filename) + member.file_size - 1] ^= 1
        path.write_bytes(damaged)
        _refused(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", b" " * (64 << 20))
    assert "compressed" in str(_refused(path))


def test_a_member_given_twice_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("base.npy", b"x")
    _refused(path)


def test_a_newer_version_asks_for_an_update(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        header = json.loads(archive.read("header.json"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps({**header, "version": 3}))
    error = _refused(path)
    assert "version 3" in error.message
    assert error.hint == "Update Likeness."


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + b"\0" * 18])
def test_another_kind_of_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _refused(path)
    with pytest.raises(AvatarFileError):
        read_info(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "none.likeness")
    _refused(tmp_path)
