"""A smooth bend of the whole surface, by which several pictures of a head agree.

Tracking leaves a nose too flat, hair and clothes where the mattes end them; seen from two sides
their colours then lie in two places. A Gaussian on its own finds a colour near by that happens to
fit; a field that moves whole neighbourhoods finds the depth. Preconditioned by smoothness: Nicolet
et al., Large Steps in Inverse Rendering of Geometry (2021), eq. 9.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csc_matrix, csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree
from torch import Tensor

from ...api.baked import Binding
from ...api.head import HeadModel
from ...binding import LINING
from ...heads.smooth_field import edges_of, graph_laplacian

SMOOTH = 30.0
"""Of the field against following each vertex's own wish."""
RATE, BETAS = 3e-3, (0.9, 0.99)
"""Adam's on those wishes: metres a step before smoothing."""
PRIOR, UNSEEN = 8.0, 25.0
"""Cost of a mean square metre, and so many times more where nothing is seen: what no two pictures
ask for stays."""
SYMMETRIC = 0.5
"""Share of the field that both sides have in common."""
BESIDE = 3
"""Vertices of the skin outside that each one of an eyeball, a tooth or an ear goes along with."""
ADRIFT = 0.01
"""How much it holds to where it was, beside a vertex of the skin, which has 1."""


class ShapeField:
    """Displacements of the neutral head's vertices, learned from what its Gaussians ask for."""

    def __init__(self, head: HeadModel, binding: Binding, trust: np.ndarray) -> None:
        """`trust` [N] 0..1 says how well the pictures show each Gaussian."""
        count, edges = len(head.vertices), edges_of(head.faces)
        self._apart = _islands(head, edges)
        self._smoothness = splu(_smoothness(head, edges, self._apart))
        self._mirror = head.mirror_vertices
        self._carry = _carry(head, binding)
        self._prior = 2 * PRIOR / count * (1 + UNSEEN * (1 - _at_vertices(head, binding, trust)))
        self._wishes = torch.zeros(count, 3)
        self._adam = torch.optim.Adam([self._wishes], lr=RATE, betas=BETAS)
        self.moved = np.zeros((count, 3), np.float32)  # [V, 3] metres

    def step(self, gradient: Tensor, rate: float) -> Tensor:
        """Move the field once, `rate` 0..1 of its rate, down the loss whose gradient by the
        Gaussians' local means is `gradient` [N, 3]. Returns how far they move [N, 3]."""
        asked = (self._carry.T @ gradient.cpu().numpy().ravel()).reshape(-1, 3)
        asked += self._prior[:, None] * self.moved
        smoothed = self._smooth(asked)
        smoothed[self._apart] = 0
        self._wishes.grad = torch.from_numpy(smoothed)
        self._adam.param_groups[0]["lr"] = RATE * rate
        self._adam.step()
        before, self.moved = self.moved, self._smooth(self._wishes.numpy())
        shift = (self._carry @ (self.moved - before).ravel()).reshape(-1, 3)
        return torch.from_numpy(shift).to(gradient.device)

    def _smooth(self, field: np.ndarray) -> np.ndarray:
        """Partly symmetric and smooth [V, 3]; a product with a matrix whose transpose does the same
        to a gradient, since smoothness knows no sides."""
        mirrored = field[self._mirror] * np.array([-1, 1, 1], np.float32)
        shared = field + SYMMETRIC / 2 * (mirrored - field)
        return self._smoothness.solve(shared.astype(np.float64)).astype(np.float32)


def _carry(head: HeadModel, binding: Binding) -> csr_matrix:
    """The matrix [3 N, 3 V] from displacements of the neutral head to those of local means."""
    frame, _ = binding.frames(head.faces, head.vertices)
    corners = head.faces[binding.face]
    # Entry [n, i, k, j]: what axis j of corner k gives to axis i of Gaussian n.
    values = np.einsum("nji,nk->nikj", frame, binding.barycentric)
    columns = 3 * corners[:, None, :, None] + np.arange(3)
    columns = np.broadcast_to(columns, values.shape)
    rows = np.arange(3 * len(corners) + 1) * 9
    shape = (3 * len(corners), 3 * len(head.vertices))
    return csr_matrix((values.ravel().astype(np.float32), columns.ravel(), rows), shape=shape)


def _at_vertices(head: HeadModel, binding: Binding, values: np.ndarray) -> np.ndarray:
    """Means [V] of `values` [N] of the Gaussians round each vertex, 0 where there are none."""
    corners, count = head.faces[binding.face].ravel(), len(head.vertices)
    weight = binding.barycentric.ravel()
    total = np.bincount(corners, weight * np.repeat(values, 3), count)
    share = total / np.maximum(np.bincount(corners, weight, count), 1e-6)
    return share.astype(np.float32)


def _islands(head: HeadModel, edges: np.ndarray) -> np.ndarray:
    """Which [V] vertices hang together with the skin by no edge [n, 2]."""
    count = len(head.vertices)
    graph = csr_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    _, island = connected_components(graph, directed=False)
    return np.asarray(island != np.bincount(island).argmax())


def _smoothness(head: HeadModel, edges: np.ndarray, apart: np.ndarray) -> csc_matrix:
    """The symmetric matrix [V, V] whose inverse smooths: bi-Laplacian of the surface. Islands
    follow the skin outside that they lie at."""
    if apart.any():
        lining = np.unique(head.faces[np.array(head.region_names)[head.face_regions] == LINING])
        outside = np.setdiff1d(np.flatnonzero(~apart), lining)
        tree = cKDTree(head.vertices[outside])
        near = outside[tree.query(head.vertices[apart], k=BESIDE)[1]]
        beside = np.column_stack([np.repeat(np.flatnonzero(apart), BESIDE), near.ravel()])
        edges = np.concatenate([edges, beside])
    laplacian = graph_laplacian(head.vertices.astype(float), edges)
    return csc_matrix(diags(np.where(apart, ADRIFT, 1.0)) + SMOOTH * laplacian.T @ laplacian)
