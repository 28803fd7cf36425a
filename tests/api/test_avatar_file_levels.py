"""Levels of detail in the avatar file: round trips, older files, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.api.avatar_file import read_avatar, read_info, write_avatar
from engine.api.baked import BakedAvatar
from engine.api.errors import AvatarFileError
from tests.api.tampering import Members, edit_header, poke, put, refused, tamper
from tests.small_avatar import small_avatar

HALF = 2.0**-11  # float16 rounds by at most this share of a value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound avatar file."""
    path = tmp_path / "anna.likeness"
    write_avatar(path, small_avatar())
    return path


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
        lambda m: poke("level_offsets", (3, 3), np.inf)(m),
        lambda m: put("level_offsets", np.zeros((29, 14), np.float16))(m),
        lambda m: edit_header(lambda h: h.update(version=1))(m),
        lambda m: edit_header(lambda h: h.update(levels=[60]))(m),
    ],
)
def test_levels_of_detail_that_were_tampered_with_are_refused(
    path: Path, edit: Callable[[Members], Any]
) -> None:
    write_avatar(path, _levelled())
    tamper(path, edit)
    refused(path)


def test_a_level_may_not_take_a_quaternion_away(path: Path) -> None:
    avatar = small_avatar()
    offsets = np.zeros((30, 14), np.float32)
    offsets[7, 3:7] = -np.float16(avatar.base[7, 3:7])
    base = avatar.base.copy()
    base[7, 3:7] = np.float16(base[7, 3:7])
    with pytest.raises(AvatarFileError, match="length 0"):
        write_avatar(path, replace(avatar, base=base, level_offsets=(offsets,)))
