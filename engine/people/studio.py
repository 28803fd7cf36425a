"""The studio: films made-up people from all sides. Every camera, depth and code is exact."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..api.head import HeadParams
from ..api.rotations import matrix_from_rotvec
from ..avatar import drive
from ..gaussians import Cameras, Gaussians
from ..mesh import vertex_normals
from ..methods.feedforward.views import Views
from ..rasterize import rasterize
from .acting import act
from .inside import mouth_light
from .lighting import gloss, lit_normals, lit_vertices, strand_gloss
from .noise import display
from .person import Person, canvas_surface
from .strands import Strands, carried, rooted
from .template import template

SUPERSAMPLING = 2
FLATNESS = 0.35  # a surface Gaussian's thickness, of its width
COVER = 0.72  # its standard deviation, of the spacing
SOLID = 0.97
SEEN_DEPTH = 0.5  # alpha from which a pixel has a depth
LOOK_AT = np.array([0.0, 0.0, -0.01])  # metres, head space


def film(person: Person, seed: int, count: int, size: int, around: float = 1.0) -> Views:
    """`count` views of a person: other poses and cameras for another seed. `around` 0 keeps the
    cameras in front, as one who films himself; 1 sends some of them all the way round."""
    rng = np.random.default_rng([person.traits.seed, seed, 20])
    params = act(rng, person.head.expression_names, count)
    cameras = draw_cameras(rng, count, size, around)
    return filmed(person, params, cameras)


def draw_cameras(rng: np.random.Generator, count: int, size: int, around: float) -> Cameras:
    """Cameras of size x size pixels about a head at the origin."""
    viewmats, Ks = np.zeros((count, 4, 4), np.float32), np.zeros((count, 3, 3), np.float32)
    reach = rng.choice([18, 45, 180], count, p=[1 - 0.6 * around, 0.4 * around, 0.2 * around])
    yaw = np.radians(rng.uniform(-1, 1, count) * reach)
    pitch = np.radians(np.clip(rng.normal(3, 8, count), -22, 30))
    for i in range(count):
        distance = rng.uniform(0.4, 1.5)
        towards = np.array([np.sin(yaw[i]) * np.cos(pitch[i]), np.sin(pitch[i]),
                            np.cos(yaw[i]) * np.cos(pitch[i])])  # fmt: skip
        roll = matrix_from_rotvec(np.array([0, 0, rng.normal(0, 0.05)]))
        viewmats[i] = look_at(LOOK_AT + towards * distance, LOOK_AT, roll)
        span = rng.uniform(0.30, 0.52)  # metres of the picture's side, at the head
        focal = size * distance / span
        low = size * (0.5 - 0.035 * (0.52 - span) / 0.22) + rng.normal(0, 0.025) * size
        Ks[i] = [[focal, 0, size * (0.5 + rng.normal(0, 0.03))], [0, focal, low], [0, 0, 1]]
    return Cameras(torch.from_numpy(viewmats), torch.from_numpy(Ks), size, size)


def look_at(eye: np.ndarray, target: np.ndarray, roll: np.ndarray | None = None) -> np.ndarray:
    """OpenCV world-to-camera [4, 4] of a camera at `eye` that sees `target` in the middle."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, (0, 1, 0))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    rotation = rotation if roll is None else roll @ rotation
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, -rotation @ eye
    return matrix


def filmed(person: Person, params: HeadParams, cameras: Cameras) -> Views:
    """The person in the given poses before the given cameras."""
    codes, vertices = drive(person.head, params)
    with torch.no_grad():
        gaussians = posed(person, params, vertices, cameras)
        fine = Cameras(
            cameras.viewmats,
            cameras.Ks * torch.tensor([[SUPERSAMPLING], [SUPERSAMPLING], [1.0]]),
            cameras.width * SUPERSAMPLING,
            cameras.height * SUPERSAMPLING,
        )
        colors, alphas, depths = rasterize(gaussians, fine)
    picture = torch.cat([colors, alphas], -1).clamp(0, 1)
    depth = torch.where(alphas > SEEN_DEPTH, depths / alphas.clamp_min(1e-6), 0.0)
    half = SUPERSAMPLING // 2
    return Views(
        pictures=_shrunk(picture),
        cameras=cameras,
        codes=codes,
        vertices=vertices,
        depths=depth[:, half::SUPERSAMPLING, half::SUPERSAMPLING, 0].contiguous(),
        head=person.head,
    )


def _shrunk(picture: Tensor) -> Tensor:
    """The mean of each block of SUPERSAMPLING x SUPERSAMPLING pixels."""
    planes = picture.permute(0, 3, 1, 2)
    return torch.nn.functional.avg_pool2d(planes, SUPERSAMPLING).permute(0, 2, 3, 1).contiguous()


def posed(person: Person, params: HeadParams, vertices: Tensor, cameras: Cameras) -> Gaussians:
    """All Gaussians [V, N] of V poses [V] in the world, lit as each camera sees them."""
    turn = matrix_from_rotvec(params.rotation)  # the light turns with the torso
    eyes = -np.einsum("vji,vj->vi", *(part.numpy() for part in (
        cameras.viewmats[:, :3, :3], cameras.viewmats[:, :3, 3])))  # fmt: skip
    surface = _surface(person, vertices, turn, eyes)
    free = [_free(person, params[i], turn[i], eyes[i]) for i in range(len(params))]
    stuck = _stuck(person, vertices, turn, eyes)
    loose = [torch.from_numpy(np.stack(part)) for part in zip(*free)]
    return Gaussians(*(torch.cat(parts, 1) for parts in zip(surface, loose, stuck)))


def _surface(
    person: Person, vertices: Tensor, turn: np.ndarray, eyes: np.ndarray
) -> tuple[Tensor, ...]:
    """Skin, eyes, mouth and cloth."""
    canvas, count = template(), len(vertices)
    size = torch.from_numpy(canvas.spacing) * COVER
    means = torch.zeros(len(size), 3)
    means[:, 2] = torch.from_numpy(person.lift)
    upright = torch.tensor([1.0, 0, 0, 0]).expand(len(size), 4)
    world, quats = canvas_surface().carry(means, upright, vertices)
    in_torso = np.einsum("vni,vij->vnj", vertices.numpy(), turn)
    light = lit_vertices(person.light, in_torso, person.head.faces)
    fallen = canvas.interpolated(light)
    inner = canvas.of("mouth", "teeth", "tongue")
    open_air = lit_normals(person.light, np.array([[0.0, 0.2, 0.98]]))
    fallen[:, inner] = open_air * mouth_light(canvas)[inner, None]
    colour = person.albedo * fallen
    normals = _normals(person, vertices)
    view = eyes[:, None] - world.numpy()
    view = view / np.linalg.norm(view, axis=-1, keepdims=True)
    sharp = np.where(canvas.of("eyeballs"), 120.0, 14.0).astype(np.float32)
    shine = gloss(person.light, normals @ turn, view @ turn, sharp) * person.gloss[:, None]
    lit = np.clip(fallen.mean(-1, keepdims=True), 0, 1)
    colour = colour + shine * lit * person.light.key_colour
    scales = torch.stack([size, size, size * FLATNESS], -1).expand(count, -1, -1)
    opacity = torch.full((count, len(size)), SOLID)
    return world, quats, scales, opacity, torch.from_numpy(display(colour).astype(np.float32))


def _normals(person: Person, vertices: Tensor) -> np.ndarray:
    return template().interpolated(vertex_normals(vertices.numpy(), person.head.faces))


def _free(
    person: Person, params: HeadParams, turn: np.ndarray, eye: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Hair, collar and glasses in one pose."""
    strands = person.strands
    start = carried(strands.start, person.head, params)
    end = carried(strands.end, person.head, params)
    tilted = carried(strands.start + 0.001 * strands.normal, person.head, params)
    normal = (tilted - start) * 1000 @ turn
    return _drawn(person, strands, start, end, normal, turn, eye)


def _stuck(person: Person, vertices: Tensor, turn: np.ndarray, eyes: np.ndarray) -> list[Tensor]:
    """Brows, lashes and beard in all poses."""
    fur = person.fur
    start, frames = rooted(fur.surface, fur.strands.start, vertices)
    end, _ = rooted(fur.surface, fur.strands.end, vertices)
    normal = np.einsum("vnij,nj->vni", frames, fur.strands.normal)
    drawn = [
        _drawn(person, fur.strands, start[i], end[i], normal[i] @ turn[i], turn[i], eyes[i])
        for i in range(len(vertices))
    ]
    return [torch.from_numpy(np.stack(part)) for part in zip(*drawn)]


def _drawn(
    person: Person, strands: Strands, start: np.ndarray, end: np.ndarray, normal: np.ndarray,
    turn: np.ndarray, eye: np.ndarray,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """One Gaussian a piece: means, quats, scales, opacities, colours. `normal` is in torso axes."""
    middle, span = (start + end) / 2, end - start
    length = np.linalg.norm(span, axis=1, keepdims=True)
    along = span / np.maximum(length, 1e-9)
    view = eye - middle
    view = view / np.linalg.norm(view, axis=1, keepdims=True)
    shine = strand_gloss(person.light, along @ turn, view @ turn) * strands.shine[:, None]
    light = lit_normals(person.light, normal)
    colour = strands.albedo * (light + 1.2 * shine * person.light.key_colour)
    colour = colour + 0.06 * shine * light
    width = strands.width[:, None]
    scales = np.concatenate([np.maximum(length * 0.42, width), width, width], 1)
    return tuple(
        part.astype(np.float32)
        for part in (middle, _quats(along), scales, strands.opacity, display(colour))
    )


def _quats(along: np.ndarray) -> np.ndarray:
    """Rotations [n, 4] that turn the x axis into unit vectors [n, 3]: half-way quaternions."""
    quat = np.concatenate(
        [1 + along[:, :1], np.zeros_like(along[:, :1]), -along[:, 2:], along[:, 1:2]], 1
    )
    quat[quat[:, 0] < 1e-6] = (0, 0, 0, 1)
    return quat / np.linalg.norm(quat, axis=1, keepdims=True)
