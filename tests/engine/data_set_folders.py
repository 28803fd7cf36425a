"""Folders of exactly the layouts that trackers write, of a FLAME-shaped head in known motion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from engine.api.rotations import matrix_from_rotvec
from engine.imaging import write_png

FRAMES, SIZE = 5, 64
K = np.array([[150.0, 0, 31.0], [0, 152.0, 33.0], [0, 0, 1]])


@dataclass(frozen=True)
class Known:
    """What the data set says, in FLAME's own terms."""

    shape: np.ndarray  # [300]
    expression: np.ndarray  # [T, 100]
    neck: np.ndarray  # [T, 3]
    jaw: np.ndarray  # [T, 3]
    eyes: np.ndarray  # [T, 2, 3]
    rotation: np.ndarray  # [T, 3]
    translation: np.ndarray  # [T, 3]
    viewmats: np.ndarray  # [T, 4, 4]


def known(monocular: bool, seed: int = 0) -> Known:
    """A nodding, chewing, looking head; `monocular` trackers move the camera, not the head."""
    rng = np.random.default_rng(seed)
    turns = rng.normal(0, 0.12, (FRAMES, 3))
    viewmats = np.tile(np.eye(4), (FRAMES, 1, 1))
    flip = np.diag([1.0, -1.0, -1.0])
    viewmats[:, :3, :3] = flip @ (matrix_from_rotvec(turns) if monocular else np.eye(3))
    viewmats[:, :3, 3] = (0.01, 0.02, 0.9)
    still = np.zeros((FRAMES, 3))
    return Known(
        rng.normal(0, 0.3, 300),
        rng.normal(0, 0.4, (FRAMES, 100)),
        still if monocular else rng.normal(0, 0.1, (FRAMES, 3)),
        np.abs(rng.normal(0, 0.1, (FRAMES, 3))) * (1, 0.1, 0.1),
        rng.normal(0, 0.1, (FRAMES, 2, 3)) * (1, 1, 0),
        still if monocular else turns,
        still if monocular else rng.normal(0, 0.02, (FRAMES, 3)),
        viewmats,
    )


def flame_pixels(arrays: dict[str, np.ndarray], data: Known, frame: int) -> np.ndarray:
    """Pixels [5023, 2] by FLAME's published formulas, written out with 4 x 4 matrices."""
    betas = np.concatenate([data.shape, data.expression[frame]])
    shaped = arrays["v_template"] + arrays["shapedirs"] @ betas
    joints = arrays["J_regressor"] @ shaped
    turns = [
        matrix_from_rotvec(v)
        for v in (data.rotation[frame], data.neck[frame], data.jaw[frame], *data.eyes[frame])
    ]
    feature = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    shaped = shaped + arrays["posedirs"] @ feature
    world = []
    for joint, parent in enumerate((-1, 0, 1, 1, 1)):
        local = np.eye(4)
        local[:3, :3] = turns[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    rest = np.tile(np.eye(4), (5, 1, 1))
    rest[:, :3, 3] = -joints
    transforms = np.einsum("vj,jab->vab", arrays["weights"], np.stack(world) @ rest)
    full = np.append(shaped, np.ones((len(shaped), 1)), 1)
    points = np.einsum("vab,vb->va", transforms, full)
    points[:, :3] += data.translation[frame]
    camera = points @ data.viewmats[frame].T
    image = camera[:, :3] @ K.T
    return image[:, :2] / image[:, 2:]


def six(rotvec: np.ndarray) -> np.ndarray:
    """6D rotations [..., 6]: the first two rows of each matrix."""
    return matrix_from_rotvec(rotvec)[..., :2, :].reshape(*rotvec.shape[:-1], 6)


def write_frame(path: Path, data: Known, index: int, **changes: object) -> Path:
    """One `.frame` as metrical-tracker saves it."""
    as32 = np.float32
    viewmat = data.viewmats[index].astype(as32)
    content = {
        "flame": {
            "exp": data.expression[index][None].astype(as32),
            "shape": data.shape[None].astype(as32),
            "tex": np.zeros((1, 140), as32),
            "sh": np.zeros((1, 9, 3), as32),
            "eyes": six(data.eyes[index]).reshape(1, 12).astype(as32),
            "eyelids": np.zeros((1, 2), as32),
            "jaw": six(data.jaw[index])[None].astype(as32),
        },
        "camera": {key: np.zeros((1, 3), as32) for key in ("R", "t", "fl", "pp")},
        "opencv": {
            "R": viewmat[None, :3, :3],
            "t": viewmat[None, :3, 3],
            "K": K[None].astype(as32),
        },
        "img_size": np.array([SIZE, SIZE]),
        "frame_id": f"{index:05d}",
        "global_step": 1000,
    }
    for key, value in changes.items():
        target = content if key in content else content["flame" if key != "K" else "opencv"]
        target[key] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


def picture(index: int) -> np.ndarray:
    """A frame [64, 64, 4] that can be told from the others by its red."""
    image = np.full((SIZE, SIZE, 4), 200, np.uint8)
    image[..., 0] = 20 + 30 * index
    image[: SIZE // 4, :, 3] = 0
    image[SIZE // 4 :, :, 3] = 255
    return image


def write_picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, image)


def rgbavatar_folder(folder: Path) -> Known:
    """RGBAvatar: checkpoint/ and images/ with alpha."""
    data = known(monocular=True)
    for index in range(FRAMES):
        write_frame(folder / "checkpoint" / f"{index:05d}.frame", data, index)
        write_picture(folder / "images" / f"{index:05d}.png", picture(index))
    return data


def metrical_folder(folder: Path) -> Known:
    """The tracker's own output: checkpoint/ and input/."""
    data = rgbavatar_folder(folder)
    (folder / "images").rename(folder / "input")
    return data


def insta_folder(folder: Path) -> Known:
    """INSTA's export beside the tracker's checkpoints, its frames in no order."""
    data = rgbavatar_folder(folder)
    frames = []
    for index in (3, 0, 4, 2, 1):
        (folder / "flame" / "exp").mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / "flame" / "exp" / f"{index:05d}.txt", data.expression[index])
        frames.append(
            {
                "transform_matrix": np.linalg.inv(data.viewmats[index]).tolist(),
                "file_path": f"images/{index:05d}.png",
                "mesh_path": f"meshes/{index:05d}.obj",
                "exp_path": f"flame/exp/{index:05d}.txt",
            }
        )
    shared = {"w": SIZE, "h": SIZE, "cx": K[0, 2], "cy": K[1, 2], "fl_x": K[0, 0], "fl_y": K[1, 1]}
    (folder / "transforms.json").write_text(json.dumps({**shared, "frames": frames}))
    return data


def flashavatar_folder(folder: Path) -> Known:
    """FlashAvatar: images numbered from one, frames from nought in the tracker's own folder."""
    data = known(monocular=True)
    output = folder.parent.parent / "metrical-tracker" / "output" / folder.name
    for index in range(FRAMES):
        write_frame(output / "checkpoint" / f"{index:05d}.frame", data, index)
        image, name = picture(index), f"{index + 1:05d}"
        write_picture(folder / "imgs" / f"{name}.png", image[..., :3])
        write_picture(folder / "alpha" / f"{name}.png", np.repeat(image[..., 3:], 3, 2))
        only = np.zeros((SIZE, SIZE, 3), np.uint8)
        only[SIZE // 4 : SIZE // 2] = 255
        write_picture(folder / "parsing" / f"{name}_neckhead.png", only)
        write_picture(folder / "parsing" / f"{name}_mouth.png", only)
    return data


def vhap_folder(folder: Path, cameras: int = 2) -> Known:
    """VHAP's export: OpenGL cameras, the last one in front of the face and the others beside it."""
    data = known(monocular=False)
    frames = []
    for index in range(FRAMES):
        (folder / "flame_param").mkdir(parents=True, exist_ok=True)
        np.savez(
            folder / "flame_param" / f"{index:05d}.npz",
            translation=data.translation[index][None],
            rotation=data.rotation[index][None],
            neck_pose=data.neck[index][None],
            jaw_pose=data.jaw[index][None],
            eyes_pose=data.eyes[index].reshape(1, 6),
            shape=data.shape,
            expr=data.expression[index][None],
            static_offset=np.zeros((1, 5143, 3), np.float32),
        )
        for camera in range(cameras):
            beside = np.eye(4)
            beside[:3, :3] = matrix_from_rotvec(np.array([0, 0.5 * (cameras - 1 - camera), 0]))
            c2w = beside @ np.linalg.inv(data.viewmats[index]) @ np.diag([1, -1, -1, 1])
            name = f"{index:05d}_{camera:02d}.png"
            write_picture(folder / "images" / name, picture(index)[..., :3])
            write_picture(folder / "fg_masks" / name, picture(index)[..., 3])
            frames.append(
                {
                    "timestep_index": index,
                    "camera_index": camera,
                    "camera_id": f"22220{camera}",
                    "cx": K[0, 2], "cy": K[1, 2], "fl_x": K[0, 0], "fl_y": K[1, 1],
                    "w": SIZE, "h": SIZE,
                    "transform_matrix": c2w.tolist(),
                    "file_path": f"images/{name}",
                    "fg_mask_path": f"fg_masks/{name}",
                    "flame_param_path": f"flame_param/{index:05d}.npz",
                }
            )  # fmt: skip
    (folder / "transforms.json").write_text(json.dumps({"frames": frames}))
    np.savez(folder / "canonical_flame_param.npz", shape=data.shape)
    return data
