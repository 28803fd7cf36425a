"""LPIPS-VGG (Zhang et al. 2018), the only user of the package `lpips`; nothing is downloaded."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from pathlib import Path

import torch
from torch import nn

VGG_WEIGHTS = "vgg16-397923af.pth"


@cache
def perceptual_network(device: torch.device) -> nn.Module | None:
    """Distance of two batches [B, 3, H, W] in -1..1, or None where the package or VGG's weights
    are not installed."""
    weights = Path(torch.hub.get_dir()) / "checkpoints" / VGG_WEIGHTS
    if importlib.util.find_spec("lpips") is None or not weights.exists():
        return None
    network: nn.Module = importlib.import_module("lpips").LPIPS(net="vgg", verbose=False)
    return network.requires_grad_(False).to(device)
