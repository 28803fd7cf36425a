"""What a running fit reports."""

from __future__ import annotations

from dataclasses import dataclass

from ..avatar import Avatar


@dataclass(frozen=True)
class Progress:
    """One report of a fit. Between two reports `avatar` is not touched: bake or draw it freely."""

    stage: str  # for people, e.g. "Blendshapes"
    step: int  # training images seen so far
    total: int  # training images in all
    loss: float  # mean of the batches since the last report
    psnr: float  # dB on the training images since the last report, random backgrounds
    avatar: Avatar
