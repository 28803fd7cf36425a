"""The transformer's own block: frame attention with two streams (paper 002, 3.2), faces' tokens and
points' tokens, each with its own weights, in one attention (dual-stream DiT, as in FLUX)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

from ..feedforward.layers import Attention, Mlp, merged, quiet_start


class Stream(nn.Module):
    """One stream's weights of a dual block, modulated by a frame's encoding (Peebles and Xie
    2023)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = Attention(width, heads)
        self.before_mlp = nn.LayerNorm(width, elementwise_affine=False)
        self.mlp = Mlp(width, 4 * width)
        self.modulation = nn.Linear(width, 6 * width)
        quiet_start(self.modulation)
        # Gates start open: without the paper's pretrained blocks nothing would reach the points.
        nn.init.ones_(self.modulation.bias[2 * width : 3 * width])
        nn.init.ones_(self.modulation.bias[5 * width :])

    def modulations(self, condition: Tensor) -> tuple[Tensor, ...]:
        """Shift, scale and gate [F, 1, D] of the attention and of the MLP."""
        return self.modulation(silu(condition))[:, None].chunk(6, dim=-1)


class DualBlock(nn.Module):
    """Attention within each frame, of its face tokens and its point tokens together."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.streams = nn.ModuleList(Stream(width, heads) for _ in range(2))

    def forward(self, face: Tensor, points: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Face tokens [F, T, D] and point tokens [F, P, D] after one block; `condition` [F, D]."""
        streams = [stream for stream in self.streams if isinstance(stream, Stream)]
        tokens = [face, points]
        says = [stream.modulations(condition) for stream in streams]
        parts = []
        for stream, own, (shift, scale, *_) in zip(streams, tokens, says, strict=True):
            normal = stream.before_attention(own) * (1 + scale) + shift
            parts.append(stream.attention.split(normal))
        query, key, value = (torch.cat(pair, dim=2) for pair in zip(*parts, strict=True))
        seen = merged(scaled_dot_product_attention(query, key, value))
        out = []
        for stream, own, part, say in zip(
            streams, tokens, seen.split([face.shape[1], points.shape[1]], dim=1), says, strict=True
        ):
            _, _, gate, shift, scale, mlp_gate = say
            own = own + gate * stream.attention.out(part)
            normal = stream.before_mlp(own) * (1 + scale) + shift
            out.append(own + mlp_gate * stream.mlp(normal))
        return out[0], out[1]
