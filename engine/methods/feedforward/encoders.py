"""The pretrained encoders of the `paper` configurations: DINOv2, DINOv3 and SD-Turbo's VAE.

Optional, frozen, and never fetched: the libraries (timm, diffusers) are the user's to install, the
weights files of the user's folder, read as safetensors and checked by the SHA-256 that is written
beside them. Nothing is imported before an encoder is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ...api.errors import ModelError
from ...api.head_library import heads_folder
from ...heads.checksum import digest

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, which both DINOs were trained with."""
LATENT_SCALE = 0.18215
"""Of Stable Diffusion's latent pictures."""


@dataclass(frozen=True)
class Encoder:
    """One row of the table of encoders."""

    library: str
    model: str
    """The library's name for it."""
    channels: int
    patch: int
    """Pixels of the side of a token."""
    layers: tuple[int, ...] = ()
    """Blocks whose tokens are given, counted from 0; for a VAE none."""


ENCODERS = {
    "dinov2-vitb14": Encoder("timm", "vit_base_patch14_dinov2", 768, 14, (2, 5, 8, 11)),
    "dinov2-vitl14-reg": Encoder("timm", "vit_large_patch14_reg4_dinov2", 1024, 14, (23,)),
    "dinov3-vitl16": Encoder("timm", "vit_large_patch16_dinov3", 1024, 16, (4, 11, 17, 23)),
    "sd-turbo-vae": Encoder("diffusers", "AutoencoderKL", 4, 8),
}


def encoders_folder() -> Path:
    """Where the user keeps encoders: NAME.safetensors with NAME.sha256 beside it. The environment
    variable LIKENESS_ENCODERS moves it."""
    chosen = os.environ.get("LIKENESS_ENCODERS")
    return Path(chosen) if chosen else heads_folder().with_name("encoders")


@torch.no_grad()
def frozen_features(name: str, pictures: Tensor) -> list[Tensor]:
    """Features [V, C, h, w] of pictures [V, 3, H, W] in 0..1, one for each of the encoder's layers;
    of a VAE the scaled mean latent picture alone. Pictures are scaled to whole tokens.

    Raises ModelError where the library or the weights are missing, or the weights are not those
    whose checksum the user noted.
    """
    row = ENCODERS[name]
    network = _loaded(name, str(pictures.device))
    height, width = (row.patch * max(1, round(side / row.patch)) for side in pictures.shape[-2:])
    if pictures.shape[-2:] != (height, width):
        pictures = interpolate(pictures, size=(height, width), mode="bilinear", antialias=True)
    if not row.layers:
        return [network.encode(pictures * 2 - 1).latent_dist.mean * LATENT_SCALE]
    mean, spread = (pictures.new_tensor(values)[:, None, None] for values in (MEAN, SPREAD))
    return list(
        network.forward_intermediates(
            (pictures - mean) / spread,
            indices=list(row.layers),
            intermediates_only=True,
            output_fmt="NCHW",
        )
    )


def decoder_weights(name: str) -> dict[str, Tensor]:
    """Weights of a VAE's decoder, in the library's names. Raises ModelError as `frozen_features`
    does."""
    weights: dict[str, Tensor] = _loaded(name, "cpu").decoder.state_dict()
    return weights


@lru_cache(maxsize=2)
def _loaded(name: str, device: str) -> Any:
    """The encoder with the user's weights, frozen. Raises ModelError."""
    path = _checked_weights(name)
    network = build(name)
    _fill(network, path)
    return network.requires_grad_(False).eval().to(device)


def build(name: str) -> nn.Module:
    """The encoder without weights. Raises ModelError where its library is not installed."""
    row = ENCODERS[name]
    if importlib.util.find_spec(row.library) is None:
        raise ModelError(
            f"The encoder {name} needs the package {row.library}.",
            f"Install {row.library} into the engine's Python, or use the compact configuration.",
        )
    return _BUILDERS[row.library](row)


def _with_timm(row: Encoder) -> nn.Module:
    create: Callable[..., nn.Module] = importlib.import_module("timm").create_model
    return create(row.model, pretrained=False, num_classes=0, dynamic_img_size=True)


def _with_diffusers(row: Encoder) -> nn.Module:
    """SD-Turbo's VAE, which is Stable Diffusion's: its sizes are facts of that model."""
    kind: Callable[..., nn.Module] = getattr(importlib.import_module("diffusers"), row.model)
    blocks = 4
    return kind(
        in_channels=3,
        out_channels=3,
        latent_channels=row.channels,
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        layers_per_block=2,
        norm_num_groups=32,
        sample_size=768,
        scaling_factor=LATENT_SCALE,
    )


_BUILDERS: dict[str, Callable[[Encoder], nn.Module]] = {
    "timm": _with_timm,
    "diffusers": _with_diffusers,
}


def _checked_weights(name: str) -> Path:
    """The user's weights of an encoder, as their noted checksum says. Raises ModelError."""
    path = encoders_folder() / f"{name}.safetensors"
    noted = path.with_suffix(".sha256")
    if not path.is_file():
        raise ModelError(
            f"There are no weights of {name} at {path}.",
            "Put them there yourself; nothing is downloaded. `compact` needs none.",
        )
    words = noted.read_text("utf-8", "replace").split() if noted.is_file() else []
    if not words:
        raise ModelError(
            f"{noted.name} is missing beside {path.name}.",
            "Write the SHA-256 that the weights' publisher states into it.",
        )
    if digest(path) != words[0].lower():
        raise ModelError(
            f"{path.name} is not the file of {noted.name}: its checksum differs.",
            "Get the file again from its publisher.",
        )
    return path


def _fill(network: nn.Module, path: Path) -> None:
    """Weights into an encoder. Raises ModelError where they are another network's."""
    from .weights import read_arrays

    found, own = read_arrays(path)[0], network.state_dict()
    odd = [n for n, value in own.items() if n not in found or found[n].shape != value.shape]
    if odd:
        raise ModelError(
            f"{path.name} holds no {odd[0]} of the right size.",
            "Give the weights in the library's own names.",
        )
    network.load_state_dict({name: found[name].to(own[name].dtype) for name in own})
