"""A cast: made-up people filmed once and kept in a folder, so that training need not film again.

PERSON.npz   pictures, depths, cameras and head params; the head itself is made from the seed
"""

from __future__ import annotations

import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from ..api.atomic import replacing
from ..api.errors import LikenessError
from ..api.head import HeadParams
from ..avatar import drive
from ..gaussians import Cameras
from ..methods.feedforward.views import Views
from .acting import act
from .person import make_person
from .physique import physique
from .studio import draw_cameras, filmed
from .traits import draw_traits

VERSION = 1
"""Of the people and the film: a folder of another version is not read."""
FRONT, AROUND = 0.25, 0.9
"""How far around the cameras go for the views given and for the views asked for."""


class Cast:
    """People by number, `shots` views of each: the first half as one films oneself, the second half
    from all around."""

    def __init__(self, folder: Path, shots: int, size: int) -> None:
        """Raises LikenessError when the folder cannot be made."""
        self.folder, self.shots, self.size = folder, shots, size
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LikenessError(
                f"{folder} cannot be made: {error.strerror}.", "Choose another folder."
            ) from error

    def path(self, seed: int) -> Path:
        """The file of one person."""
        return self.folder / f"{seed:07d}_{self.shots}x{self.size}_v{VERSION}.npz"

    def views(self, seed: int) -> Views:
        """All views of one person, filmed now or read. A damaged file is filmed again."""
        path = self.path(seed)
        try:
            return _read(path, seed)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            params, views = _shoot(seed, self.shots, self.size)
            _write(path, params, views)
            return _read(path, seed)


def _shoot(seed: int, shots: int, size: int) -> tuple[HeadParams, Views]:
    """A person's film; half of it from the front."""
    person = make_person(seed)
    rng = np.random.default_rng([seed, 21])
    params = act(rng, person.head.expression_names, shots)
    first = shots // 2
    halves = (draw_cameras(rng, first, size, FRONT), draw_cameras(rng, shots - first, size, AROUND))
    cameras = Cameras(
        torch.cat([half.viewmats for half in halves]), torch.cat([half.Ks for half in halves]),
        size, size,
    )  # fmt: skip
    return params, filmed(person, params, cameras)


def _write(path: Path, params: HeadParams, views: Views) -> None:
    assert views.depths is not None
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            pictures=(views.pictures.numpy() * 255 + 0.5).astype(np.uint8),
            depths=views.depths.numpy().astype(np.float16),
            viewmats=views.cameras.viewmats.numpy(),
            Ks=views.cameras.Ks.numpy(),
            **{field.name: getattr(params, field.name) for field in fields(HeadParams)},
        )


def _read(path: Path, seed: int) -> Views:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    head = physique(draw_traits(seed))
    params = HeadParams(*(arrays[field.name] for field in fields(HeadParams)))
    codes, vertices = drive(head, params)
    pictures = torch.from_numpy(arrays["pictures"]).float() / 255
    height, width = pictures.shape[1:3]
    viewmats, Ks = torch.from_numpy(arrays["viewmats"]), torch.from_numpy(arrays["Ks"])
    return Views(
        pictures=pictures,
        cameras=Cameras(viewmats, Ks, width, height),
        codes=codes,
        vertices=vertices,
        depths=torch.from_numpy(arrays["depths"]).float(),
        head=head,
    )
