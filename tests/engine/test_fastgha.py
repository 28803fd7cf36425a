"""FastGHA: per-pixel Gaussians lie where their pixels look, deform by their code, and bake."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.api.baked import COLORS, MEANS
from engine.api.errors import ModelError
from engine.linearisation import decompose
from engine.mesh import raster_mesh
from engine.methods.fastgha import model as fastgha
from engine.methods.fastgha.deformation import Deformation
from engine.methods.fastgha.model import FastGHA, skin_depths
from engine.methods.fastgha.settings import SIZES, FastGHASizes
from engine.methods.fastgha.vae_decoder import VaeDecoder
from engine.methods.feedforward.method import render
from engine.methods.feedforward.projection import project
from engine.methods.feedforward.regressed import RegressedAvatar
from engine.metrics import psnr
from tests.engine.painted_person import painted_views

TINY = FastGHASizes(64, 48, 2, 4, feature=8, hidden=24, hidden_layers=2)


@pytest.fixture(scope="module")
def views():
    return painted_views(5, 64)


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setitem(SIZES, "tiny", TINY)
    torch.manual_seed(0)
    return FastGHA("tiny")


def untrained(network: FastGHA) -> FastGHA:
    """The network as it would be with no correction at all."""
    for layer in (network.backbone.attributes, network.deformation.out):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return network


@torch.no_grad()
def test_a_pixels_gaussian_lies_on_its_ray_at_the_meshs_depth(network, views):
    one = views[1:2]
    avatar = untrained(network)(one)
    means = avatar.carried(one.codes, one.vertices).means
    pixels, depth = project(means, one.cameras.viewmats, one.cameras.Ks)
    shown = one.pictures[0, ..., 3] > 0.3
    row, column = shown.nonzero(as_tuple=True)
    truth = torch.stack([column, row], dim=-1) + 0.5
    assert torch.allclose(pixels[0], truth, atol=2e-3)
    seen = project(one.vertices, one.cameras.viewmats, one.cameras.Ks)
    projected = torch.cat([seen[0], seen[1][..., None]], dim=-1)[0].double().numpy()
    surface = torch.from_numpy(raster_mesh(projected, one.head.faces, 64, 64)[0]).float()[shown]
    covered = surface.isfinite()
    assert torch.allclose(depth[0][covered], surface[covered], atol=1e-5)


@torch.no_grad()
def test_without_training_a_view_already_shows_itself(network, views):
    one = views[2:3]
    colors, _, _ = render(untrained(network)(one), one)
    error = (colors - one.pictures[..., :3]).square().mean()
    assert -10 * error.log10() > 22


@torch.no_grad()
def test_gaussians_ride_on_the_head(network, views):
    avatar = untrained(network)(views[1:2])
    codes, vertices = views.codes[:1], views.vertices[:1]
    shift = torch.tensor([0.1, -0.2, 0.3])
    moved = avatar.carried(codes, vertices + shift).means - avatar.carried(codes, vertices).means
    assert torch.allclose(moved, shift.expand_as(moved), atol=1e-5)


@torch.no_grad()
def test_the_order_of_the_views_changes_nothing(network, views):
    first = render(network(views[[0, 1, 2]]), views[3:])[0]
    second = render(network(views[[2, 0, 1]]), views[3:])[0]
    assert torch.allclose(first, second, atol=1e-4)


@torch.no_grad()
def test_the_same_views_give_the_same_avatar(network, views):
    network.eval()
    assert torch.equal(network(views[:2]).raw, network(views[:2]).raw)


@torch.no_grad()
def test_larger_pictures_give_finer_maps(network):
    assert len(network(painted_views(1, 128)).raw) > 3 * len(network(painted_views(1, 64)).raw)


def test_every_parameter_learns(network, views):
    network.train()
    loss, terms = network.loss(views[:3], views[3:], 0.0)
    loss.backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []
    assert {"l1", "ssim", "silhouette", "geometry"} <= terms.keys()


def test_it_overfits_one_person(network, views):
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for _ in range(8):
        optimiser.zero_grad()
        loss, _ = network.loss(views[:2], views[[1, 3]], 0.0)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.85 * losses[0]


def test_the_deformation_acts_on_each_gaussian_alone():
    torch.manual_seed(0)
    deformation = Deformation(feature=4, code=3, hidden=8, hidden_layers=2)
    torch.nn.init.normal_(deformation.out.weight)
    features, places, codes = torch.randn(5, 4), torch.randn(5, 3) * 0.1, torch.randn(2, 3)
    means, colors = deformation(deformation.prepared(features, places), codes)
    alone, _ = deformation(deformation.prepared(features[3:4], places[3:4]), codes)
    assert means.shape == colors.shape == (2, 5, 3)
    assert torch.allclose(means[:, 3], alone[:, 0], atol=1e-6)


@torch.no_grad()
def test_only_places_and_colours_follow_the_code(network, views):
    torch.nn.init.normal_(network.deformation.out.weight, std=0.1)
    avatar = network(views[:1])
    neutral, smiling = avatar.local(torch.stack([views.codes[0] * 0, views.codes[0] + 1]))
    moved = (neutral != smiling).any(0)
    assert moved[MEANS].all()
    assert moved[COLORS].all()
    assert not moved[3:11].any()


@torch.no_grad()
def test_the_bake_agrees_with_the_avatar(network, views):
    torch.nn.init.normal_(network.deformation.out.weight, std=0.05)
    avatar = network(views[:1])
    base, deltas, weight_map = decompose(avatar, views.codes).linear(steps=300)
    assert len(deltas) > 0
    for index in range(len(views)):
        one = views[index : index + 1]
        raw = base + np.tensordot(weight_map(one.codes.numpy()[0]), deltas, axes=1)
        baked, _, _ = render(RegressedAvatar(views.head, avatar.binding, torch.tensor(raw)), one)
        truth, _, _ = render(avatar, one)
        still, _, _ = render(RegressedAvatar(views.head, avatar.binding, torch.tensor(base)), one)
        assert psnr(baked.numpy(), truth.numpy()) > 38
        assert psnr(baked.numpy(), truth.numpy()) > psnr(still.numpy(), truth.numpy()) + 3


def test_depths_of_bare_skin_stand_in_for_unknown_ones(views):
    depths = skin_depths(views)
    known = (depths > 0) & (views.depths > 0)
    assert 0.1 < (depths > 0).float().mean() < 0.6
    # The paint is as thick as its Gaussians, some millimetres.
    assert (depths - views.depths)[known].abs().median() < 8e-3


def test_the_decoder_is_stable_diffusions_number_for_number():
    with torch.device("meta"):
        original = VaeDecoder(4, 3)
    # AutoencoderKL's decoder without the 20 numbers of post_quant_conv.
    assert sum(p.numel() for p in original.parameters()) == 49_490_179
    names = set(original.state_dict())
    assert "mid_block.attentions.0.to_out.0.weight" in names
    assert "up_blocks.2.resnets.0.conv_shortcut.bias" in names


def test_the_decoder_takes_over_published_inner_layers():
    small = (32, 32)
    published = VaeDecoder(4, 3, small).state_dict()
    decoder = VaeDecoder(12, 44, small)
    left = decoder.take_over(published)
    assert left == ["conv_in.weight", "conv_out.bias", "conv_out.weight"]
    name = "up_blocks.0.resnets.1.conv2.weight"
    assert torch.equal(decoder.state_dict()[name], published[name])


def test_the_papers_training_starts_from_published_weights(monkeypatch):
    small = VaeDecoder(4, 3, (32, 32))
    monkeypatch.setattr(
        "engine.methods.feedforward.encoders.decoder_weights", lambda name: small.state_dict()
    )
    with torch.device("meta"):
        network = FastGHA("paper")
    network.backbone.decoder = VaeDecoder(512, 44, (32, 32))
    network.begin()
    name = "mid_block.attentions.0.to_k.weight"
    assert torch.equal(network.backbone.decoder.state_dict()[name], small.state_dict()[name])


def test_the_papers_training_without_them_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("LIKENESS_ENCODERS", str(tmp_path))
    with torch.device("meta"):
        network = FastGHA("paper")
    with pytest.raises(ModelError, match="sd-turbo-vae"):
        network.begin()


def test_the_papers_configuration_has_the_papers_sizes():
    with torch.device("meta"):
        network = FastGHA("paper")
        dino = [torch.empty(4, 1024, 32, 32)] * 4
        maps = network.backbone(
            dino,
            torch.empty(4, 4, 64, 64),
            torch.empty(4, 6, 64, 64),
            lambda block, *inputs: block(*inputs),
        )
    # Table 4: 266 channels in, 8 layers of width 512, 44 numbers for each of 512 x 512 pixels.
    transformer = network.backbone.transformer
    assert transformer.enter.in_features == 266
    assert (len(transformer.blocks), transformer.enter.out_features) == (8, 512)
    assert maps.shape == (4, 44, 512, 512)
    assert [layer.out_features for layer in network.deformation.hidden] == [256] * 5
    # A layer of width D has 12 D^2 numbers and 13 D of biases and norms.
    layer = sum(p.numel() for p in transformer.blocks[0].parameters())
    assert layer == 12 * 512**2 + 13 * 512


def test_the_compact_configuration_is_small():
    with torch.device("meta"):
        network = FastGHA("compact")
    assert sum(p.numel() for p in network.parameters()) < 4e6


def test_the_weights_are_the_papers():
    assert fastgha.WEIGHTS == {
        "l1": 1, "ssim": 1, "perceptual": 0.5, "silhouette": 1, "geometry": 0.5,
    }  # fmt: skip


def test_views_far_larger_than_the_network_still_fit(network):
    avatar = network(painted_views(1, 256))
    assert len(avatar.raw) <= (2 * TINY.size) ** 2
    assert np.isfinite(avatar.raw.detach().numpy()).all()
