"""OMG-Avatar: subdivision, levels, what is hidden, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.api.errors import HeadError, ModelError
from engine.heads.builtin import builtin_head
from engine.heads.checksum import digest
from engine.methods.feedforward import encoders
from engine.methods.feedforward.views import Views
from engine.methods.omgavatar.encoder import PaperEncoder
from engine.methods.omgavatar.model import OMGAvatar
from engine.methods.omgavatar.settings import SIZES
from engine.methods.omgavatar.subdivision import subdivided
from engine.methods.regression.sheet import in_sheet
from engine.people.person import make_person
from engine.people.studio import film


@pytest.fixture(scope="module")
def views() -> Views:
    return film(make_person(5), 1, 3, 64, around=0.0)


@pytest.fixture(scope="module")
def model() -> OMGAvatar:
    torch.manual_seed(0)
    return OMGAvatar("compact")


def test_every_edge_gets_a_vertex_at_its_middle() -> None:
    head = builtin_head()
    levels = subdivided(head.faces, 3)
    edges = np.unique(np.sort(head.faces[:, [[0, 1], [1, 2], [2, 0]]], -1).reshape(-1, 2), axis=0)
    assert len(levels[1].face) == len(head.vertices) + len(edges)
    assert [len(level.faces) for level in levels] == [len(head.faces) * 4**n for n in range(3)]
    place = head.vertices
    for level in levels:
        if len(level.parents):
            place = np.concatenate([place, place[level.parents].mean(1)])  # averaged attributes
        corners = head.vertices[head.faces[level.face]]
        lying = np.einsum("nk,nkc->nc", level.barycentric, corners)
        np.testing.assert_allclose(lying, place, atol=1e-6)


def test_levels_have_the_papers_shape(model: OMGAvatar, views: Views) -> None:
    """About four times as many head points each time (Table 5), the shoulders' the same."""
    with torch.no_grad():
        found = [model.at_level(views[[0]], level) for level in range(3)]
    plane = [int(in_sheet(avatar.binding).sum()) for avatar in found]
    assert plane[0] > 50
    assert len(set(plane)) == 1
    heads = [len(avatar.raw) - points for avatar, points in zip(found, plane, strict=True)]
    assert heads == model.vertices.counts
    assert all(3.5 < finer / coarser < 4.2 for coarser, finer in zip(heads, heads[1:]))
    assert all(bool(torch.isfinite(avatar.raw).all()) for avatar in found)


def test_hidden_vertices_take_no_colour_from_the_picture(model: OMGAvatar, views: Views) -> None:
    """Seen from the front, painting the picture red changes the face and not the back."""
    source = views[[0]]
    red = source.pictures.clone()
    red[..., :3] = red[..., 3:] * red.new_tensor([1.0, 0, 0])
    with torch.no_grad():
        model.eval()
        before, after = (
            model.at_level(replace(source, pictures=pictures), 0)
            for pictures in (source.pictures, red)
        )
    names = np.array(source.head.region_names)[source.head.face_regions[before.binding.face]]
    count = model.vertices.counts[0]
    moved = (after.raw - before.raw)[:count, 11:].abs().amax(-1).numpy()
    behind = (names[:count] == "scalp") & (source.head.vertices[:, 2] < -0.08)
    assert np.median(moved[names[:count] == "skin"]) > 0.2
    assert np.median(moved[behind]) < 0.1


def test_a_few_steps_learn(views: Views) -> None:
    torch.manual_seed(0)
    model = OMGAvatar("compact").train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(8):
        loss, terms = model.loss(views[[0]], views[[1, 2]], 0.0)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.85 * losses[0]
    assert {"l1", "l2", "ssim", "alpha", "offsets"} <= set(terms)
    unused = [name for name, value in model.named_parameters() if value.grad is None]
    assert all(name.startswith(("grow", "gaussians.1", "gaussians.2")) for name in unused)


def test_another_topology_is_refused(model: OMGAvatar, views: Views) -> None:
    other = replace(views.head, faces=views.head.faces[::-1].copy())
    with pytest.raises(HeadError, match="built-in head"):
        model(replace(views[[0]], head=other))


def test_the_papers_sizes_fit_together() -> None:
    """Shapes alone: no weights of DINOv2 are at hand."""
    sizes = SIZES["paper"]
    model = OMGAvatar("paper").to("meta")
    assert isinstance(model.encoder, PaperEncoder)
    seen = model.encoder([torch.empty(1, 768, 37, 37, device="meta") for _ in range(4)])
    assert seen.local.shape == (1, 256, 296, 296)
    asked = model.attention[0](model.queries[None], seen.tokens)
    assert asked.shape == (1, model.vertices.counts[0], 256)
    assert model.refiner is not None
    picture = model.refiner(torch.empty(2, 64, 64, sizes.channels, device="meta"))
    assert picture.shape == (2, 64, 64, 3)


def test_a_missing_encoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_ENCODERS", str(tmp_path))
    picture = torch.zeros(1, 3, 28, 28)
    weights = tmp_path / "dinov2-vitb14.safetensors"
    with pytest.raises(ModelError, match="no weights of dinov2-vitb14"):
        encoders.frozen_features("dinov2-vitb14", picture)
    weights.write_bytes(b"12345678")
    with pytest.raises(ModelError, match=r"sha256 is missing"):
        encoders.frozen_features("dinov2-vitb14", picture)
    weights.with_suffix(".sha256").write_text("0" * 64)
    with pytest.raises(ModelError, match="checksum differs"):
        encoders.frozen_features("dinov2-vitb14", picture)
    weights.with_suffix(".sha256").write_text(f"{digest(weights)}  {weights.name}")
    with pytest.raises(ModelError, match="needs the package timm"):
        encoders.frozen_features("dinov2-vitb14", picture)
