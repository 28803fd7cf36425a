"""The head models that we can use: where they come from, under which licence, how they are told.

One table; `read_any_head` finds out which row a path belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..api.errors import HeadError
from ..api.head import HeadModel
from .array_archive import archive_keys
from .checksum import check_added
from .flame import read_flame
from .gnm import read_gnm
from .head_file import read_head
from .ict import is_ict_folder, read_ict


@dataclass(frozen=True)
class Source:
    """A kind of head model."""

    label: str
    licence: str
    homepage: str
    notes: str
    read: Callable[[Path], HeadModel] | None  # None: made by us, not read
    url: str = ""
    """Where it may be downloaded from with the user's consent; empty: only the user can get it."""
    sha256: str = ""
    """Of the file at `url`, where its publisher states one; empty: none is known to us."""


SOURCES: dict[str, Source] = {
    "builtin": Source(
        "Built-in", "GPL-3.0-or-later", "", "Needs no file; the default.", None
    ),
    "ict": Source(
        "ICT-FaceKit", "MIT", "https://github.com/ICT-VGL/ICT-FaceKit",
        "ARKit-like shapes sculpted by artists, teeth and tongue.", read_ict,
        url="https://github.com/ICT-VGL/ICT-FaceKit/archive/refs/heads/master.zip",
    ),
    "gnm": Source(
        "GNM Head v3", "Apache-2.0", "https://huggingface.co/google/gnm-v3",
        "Learned from scans, teeth and tongue; ARKit shapes are fitted.", read_gnm,
        url="https://huggingface.co/google/gnm-v3/resolve/main/v3_0/gnm_head.npz",
    ),
    "flame": Source(
        "FLAME 2020, 2023, 2023 Open", "the user's own, by registration (2023 Open: CC-BY-4.0)",
        "https://flame.is.tue.mpg.de", "For imported data; mouth closed by us, ARKit fitted.",
        read_flame,
    ),
    "likeness": Source(
        "Likeness head file", "as in the file", "", "Converted by `heads add`.", read_head
    ),
}  # fmt: skip
HINT = "Give a Likeness head file, an ICT-FaceKit folder or .npz, a FLAME model, or gnm_head.npz."


def source_of(path: Path) -> str:
    """The key in SOURCES of what lies at `path`. Raises HeadError when it is none of them."""
    if path.is_dir():
        for folder in (path, path / "FaceXModel"):
            if is_ict_folder(folder):
                return "ict"
        raise HeadError(f"{path} is a folder without a head model in it.", HINT)
    if not path.is_file():
        raise HeadError(f"There is no head model at {path}.", "Check the path.")
    if path.stat().st_size == 0:
        raise HeadError(f"{path.name} is empty.", "Download or save it again.")
    if path.suffix.lower() == ".pkl":
        return "flame"
    keys = archive_keys(path)
    for key, name in (
        ("texts", "likeness"),
        ("template_vertex_positions", "gnm"),
        ("v_template", "flame"),
        ("expression_deltas", "ict"),
    ):
        if key in keys:
            return name
    raise HeadError(f"{path.name} is no head model that we know.", HINT)


def read_any_head(path: str | Path) -> HeadModel:
    """The head at `path`, whatever its source. Raises HeadError."""
    path = Path(path)
    source = source_of(path)
    if source == "likeness":
        check_added(path)
    read = SOURCES[source].read
    if read is None:
        raise HeadError(f"{path} cannot be read as a head.", HINT)
    if path.is_dir() and not is_ict_folder(path):
        path = path / "FaceXModel"
    return read(path)
