"""Edits of a sound avatar file's bytes, and the refusal that each must meet."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.api.avatar_file import read_avatar
from engine.api.errors import AvatarFileError

Members = dict[str, bytes]
"""A file's bytes by member name."""


def edit_header(change: Callable[[dict], Any]) -> Callable[[Members], None]:
    def edit(members: Members) -> None:
        header = json.loads(members["header.json"])
        change(header)
        members["header.json"] = json.dumps(header).encode()

    return edit


def put(name: str, array: np.ndarray, allow_pickle: bool = False) -> Callable[[Members], None]:
    def edit(members: Members) -> None:
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, allow_pickle=allow_pickle)
        members[f"{name}.npy"] = stream.getvalue()

    return edit


def poke(name: str, index: Any, value: float) -> Callable[[Members], None]:
    def edit(members: Members) -> None:
        array = np.load(io.BytesIO(members[f"{name}.npy"]))
        array[index] = value
        put(name, array)(members)

    return edit


def replace_bytes(name: str, old: bytes, new: bytes) -> Callable[[Members], None]:
    def edit(members: Members) -> None:
        assert old in members[name]
        members[name] = members[name].replace(old, new)

    return edit


def refused(path: Path) -> AvatarFileError:
    """Reading raises AvatarFileError, in one line, with a hint, and nothing else."""
    with pytest.raises(AvatarFileError) as caught:
        read_avatar(path)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def tamper(path: Path, edit: Callable[[Members], Any]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edit(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
