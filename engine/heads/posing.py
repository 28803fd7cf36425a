"""The torch twin of `HeadModel`: batched, differentiable, on any device. Tested against NumPy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..api.head import JOINTS, HeadModel, HeadParams


class TorchHead(nn.Module):
    """Poses a head from `HeadParams` of tensors. Buffers only: nothing here is learned."""

    vertices: Tensor
    faces: Tensor
    expression_deltas: Tensor
    joints: Tensor
    weights: Tensor
    code_matrix: Tensor

    def __init__(self, head: HeadModel) -> None:
        super().__init__()
        vertex_count = len(head.vertices)
        self.register_buffer("vertices", torch.tensor(head.vertices))  # [V, 3]
        self.register_buffer("faces", torch.tensor(head.faces, dtype=torch.long))  # [F, 3]
        deltas = torch.tensor(head.expression_deltas).reshape(-1, vertex_count * 3)
        self.register_buffer("expression_deltas", deltas)  # [E, V * 3]
        self.register_buffer("joints", torch.tensor(head.joint_positions))  # [J, 3]
        self.register_buffer("weights", torch.tensor(head.skin_weights))  # [V, J]
        self.register_buffer("code_matrix", torch.tensor(head.code_matrix))  # [C, E + 12]

    def code(self, params: HeadParams) -> Tensor:
        """Code [..., C]; where the person stands is not in it."""
        eyes = params.eyes.flatten(-2)
        driver = torch.cat([params.expression, params.jaw, eyes, params.neck], -1)
        return driver @ self.code_matrix.T

    def shaped(self, expression: Tensor, offset: Tensor | None = None) -> Tensor:
        """Vertices [..., V, 3] in head space before skinning; `offset` [..., V, 3] is added."""
        moved = (expression @ self.expression_deltas).unflatten(-1, (-1, 3))
        shaped = self.vertices + moved
        return shaped if offset is None else shaped + offset

    def pose(self, params: HeadParams, offset: Tensor | None = None) -> Tensor:
        """Posed vertices [..., V, 3] in the world: linear shapes, then linear blend skinning."""
        shaped = self.shaped(params.expression, offset)
        rotations, shifts = self._joint_transforms(params)
        # Blending the affine maps first needs one product per vertex instead of one per joint.
        matrix = torch.einsum("vj,...jab->...vab", self.weights, rotations)
        shift = torch.einsum("vj,...ja->...va", self.weights, shifts)
        posed = (matrix @ shaped[..., None])[..., 0] + shift
        root = matrix_from_rotvec(params.rotation)
        return posed @ root.transpose(-1, -2) + params.translation[..., None, :]

    def _joint_transforms(self, params: HeadParams) -> tuple[Tensor, Tensor]:
        """Rotations [..., J, 3, 3] and shifts [..., J, 3] of x -> R x + t, within the root."""
        neck = matrix_from_rotvec(params.neck)
        local = [
            torch.eye(3, dtype=neck.dtype, device=neck.device).expand_as(neck),
            neck,
            neck @ matrix_from_rotvec(params.jaw),
            neck @ matrix_from_rotvec(params.eyes[..., 0, :]),
            neck @ matrix_from_rotvec(params.eyes[..., 1, :]),
        ]
        rotations = torch.stack(local, -3)
        above = self.joints - self.joints[1]
        carried = above @ neck.transpose(-1, -2) + self.joints[1]
        # The root and the neck itself stay where they are.
        still = torch.arange(len(JOINTS), device=carried.device)[:, None] < 2
        carried = torch.where(still, self.joints, carried)
        return rotations, carried - (rotations @ self.joints[..., None])[..., 0]


def matrix_from_rotvec(rotvec: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] of rotation vectors [..., 3]; differentiable at zero too."""
    squared = (rotvec * rotvec).sum(-1)[..., None, None]
    # sqrt has no gradient at 0; sinc is even, so this floor changes nothing float32 can hold.
    angle = (squared + 1e-16).sqrt()
    x, y, z = rotvec.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    first = torch.sinc(angle / torch.pi)
    second = 0.5 * torch.sinc(angle / (2 * torch.pi)) ** 2
    identity = torch.eye(3, dtype=rotvec.dtype, device=rotvec.device)
    return identity + first * cross + second * (cross @ cross)
