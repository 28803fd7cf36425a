"""Speed of the CPU rasteriser, side by side with the torch reference. Prints; asserts nothing.

    python -m tests.bench_rasterize [--quick] [--no-reference]

Times are minima over repeats of the calling thread's CPU time (one thread), so that other work on
the machine disturbs them little; two threads are timed by the clock, and are right on an idle
machine only.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.gaussians import Cameras, Gaussians
from engine.rasterize import rasterize

CASES = ((10_000, 256, 1), (10_000, 512, 1), (60_000, 512, 4))
"""N, size, batch of the comparison with the reference."""
RADII = (0.08, 0.11, 0.09)  # metres; the stand-in head is an ellipsoid


def head_scene(images: int, count: int, size: int, seed: int = 0) -> tuple[Gaussians, Cameras]:
    """Flat Gaussians on an ellipsoid that fills the picture, opacities as after training."""
    random = torch.Generator().manual_seed(seed)
    normals = torch.nn.functional.normalize(torch.randn(images, count, 3, generator=random), dim=-1)
    spacing = math.sqrt(4 * math.pi * 0.093**2 / count)
    scales = 0.6 * spacing * torch.exp(0.2 * torch.randn(images, count, 3, generator=random))
    scales[..., 2] *= 0.2
    turned = torch.stack([1 + normals[..., 2], -normals[..., 1], normals[..., 0]], -1)
    gaussians = Gaussians(
        means=normals * torch.tensor(RADII),
        quats=torch.cat([turned, torch.zeros_like(turned[..., :1])], -1),  # z axis to the normal
        scales=scales,
        opacities=torch.sigmoid(2 + 1.5 * torch.randn(images, count, generator=random)),
        colors=torch.rand(images, count, 3, generator=random),
    )
    viewmats = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])).repeat(images, 1, 1)
    viewmats[:, 2, 3] = 0.8
    focal = 3.0 * size
    K = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]])
    return gaussians, Cameras(viewmats, K.repeat(images, 1, 1), size, size)


def step_times(
    scene: tuple[Gaussians, Cameras], backend: str, repeats: int, clock: Callable[[], float]
) -> tuple[float, float]:
    """Least seconds of a forward and of a backward pass, all gradients but the background's."""
    leaves = [value.clone().requires_grad_() for value in scene[0]]
    forward, backward = [], []
    upstream: list[Tensor] = []
    for _ in range(repeats):
        start = clock()
        colors, alphas, _ = rasterize(Gaussians(*leaves), scene[1], backend=backend)
        middle = clock()
        forward.append(middle - start)
        upstream = upstream or [torch.rand_like(colors), torch.rand_like(alphas)]
        start = clock()
        torch.autograd.grad((colors, alphas), leaves, upstream)
        backward.append(clock() - start)
    return min(forward), min(backward)


def compare_threads(quick: bool) -> None:
    print("|      N | size | B | fwd ms | bwd ms | sum ms | sum ms, 2 threads | images/s |")
    print("|-------:|-----:|--:|-------:|-------:|-------:|------------------:|---------:|")
    for count in (15_000, 60_000):
        for size in (256, 512):
            for images in (1, 4):
                scene = head_scene(images, count, size)
                repeats = 3 if quick else 9
                torch.set_num_threads(1)
                one = step_times(scene, "cpu", repeats, time.thread_time)
                torch.set_num_threads(2)
                two = sum(step_times(scene, "cpu", repeats, time.perf_counter))
                ms = [1e3 * t for t in (*one, sum(one), two)]
                print(
                    f"| {count:6} | {size:4} | {images} | {ms[0]:6.1f} | {ms[1]:6.1f} |"
                    f" {ms[2]:6.1f} | {ms[3]:17.1f} | {images / two:8.0f} |"
                )


def compare_reference(cases: Sequence[tuple[int, int, int]]) -> None:
    """Times of both for `cases` of N, size and batch, on one thread. The reference draws image by
    image anyhow; here it does so one call each, or its memory would not do."""
    print("\n|      N | size | B | reference s | ours ms | ratio |")
    print("|-------:|-----:|--:|------------:|--------:|------:|")
    torch.set_num_threads(1)
    for count, size, images in cases:
        gaussians, cameras = head_scene(images, count, size)
        fast = sum(step_times((gaussians, cameras), "cpu", 7, time.thread_time))
        slow = 0.0
        for b in range(images):
            one = Gaussians(*(value[b : b + 1] for value in gaussians))
            view = Cameras(cameras.viewmats[b : b + 1], cameras.Ks[b : b + 1], size, size)
            slow += sum(step_times((one, view), "reference", 2, time.thread_time))
        print(
            f"| {count:6} | {size:4} | {images} | {slow:11.2f} | {1e3 * fast:7.1f} |"
            f" {slow / fast:5.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three repeats instead of nine")
    parser.add_argument("--no-reference", action="store_true", help="leave out the slow comparison")
    options = parser.parse_args()
    compare_threads(options.quick)
    if not options.no_reference:
        compare_reference(CASES[:1] if options.quick else CASES)


if __name__ == "__main__":
    main()
