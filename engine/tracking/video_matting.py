"""A video matting network of the user's: Robust Video Matting's ONNX files (Lin et al. 2021).

The only file that imports onnxruntime. The network remembers four recurrent states from frame to
frame; its weights are not ours to ship. A model is known by the names of its inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..api.errors import TrackingError
from ..imaging import connected_component, dilate, fill_polygon

STATES = ("r1", "r2", "r3", "r4")
INPUTS = {"src", "downsample_ratio", *(f"{name}i" for name in STATES)}
OUTPUTS = {"fgr", "pha", *(f"{name}o" for name in STATES)}
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
# The network's inner resolution, as its authors advise: 256 to 512 pixels.
INNER = 512
# The first frame is shown so often that the states have settled.
WARM_UP = 4
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
HINT = "Use rvm_mobilenetv3_fp32.onnx or rvm_resnet50_fp32.onnx of Robust Video Matting."


def network_mattes(
    path: str | Path, images: np.ndarray | Sequence[np.ndarray], faces: np.ndarray
) -> Iterator[np.ndarray]:
    """Alpha [H, W] float32 of each image [H, W, 3] uint8, of the person that has the face.

    `faces` [T, 468, 2] in pixels. Raises TrackingError when the file is no such network.
    """
    network = _Network(Path(path))
    for _ in range(WARM_UP):
        network(images[0])
    for image, face in zip(images, faces, strict=True):
        alpha = network(image)
        seed = fill_polygon(alpha.shape, face)
        person = connected_component((alpha > 0.5) | seed, seed)
        # Thin hair about the person is fainter than half; another person is not near.
        yield np.where(dilate(person, max(2, len(alpha) // 16)), alpha, 0)


class _Network:
    """A loaded network and what it remembers."""

    def __init__(self, path: Path) -> None:
        self._session = _session(path)
        kinds = {put.name: put.type for put in self._session.get_inputs()}
        if set(kinds) != INPUTS or not {o.name for o in self._session.get_outputs()} >= OUTPUTS:
            raise TrackingError(
                f"{path.name} is no video matting network that we know: it takes "
                f"{', '.join(sorted(kinds))[:120]}.",
                HINT,
            )
        if kinds["src"] not in TYPES:
            raise TrackingError(f"{path.name} takes images as {kinds['src']}.", HINT)
        self._name = path.name
        self._dtype = TYPES[kinds["src"]]
        self._states = [np.zeros((1, 1, 1, 1), self._dtype)] * len(STATES)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Alpha [H, W] float32 of the next image [H, W, 3] uint8."""
        source = np.ascontiguousarray(image.transpose(2, 0, 1)[None], self._dtype) / 255
        ratio = np.array([min(1.0, INNER / max(image.shape[:2]))], np.float32)
        feed = {f"{name}i": state for name, state in zip(STATES, self._states, strict=True)}
        wanted = ["pha", *(f"{name}o" for name in STATES)]
        inputs = {"src": source.astype(self._dtype), "downsample_ratio": ratio, **feed}
        try:
            alpha, *self._states = self._session.run(wanted, inputs)
        except Exception as error:  # noqa: BLE001 - onnxruntime's own have no base but this
            reason = str(error).splitlines()[0][:200]
            raise TrackingError(f"{self._name} fails: {reason}.", HINT) from error
        alpha = np.asarray(alpha, np.float32).squeeze()
        if alpha.shape != image.shape[:2] or not np.isfinite(alpha).all():
            raise TrackingError(f"{self._name} gives no matte of the image's size.", HINT)
        return np.clip(alpha, 0, 1)


def _session(path: Path) -> Any:
    """The network loaded for the CPU, or a GPU where onnxruntime has one. Raises TrackingError."""
    if not path.is_file():
        raise TrackingError(f"There is no matting network at {path}.", "Check the path.")
    import onnxruntime

    present = [name for name in PROVIDERS if name in onnxruntime.get_available_providers()]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=present)
    except Exception as error:  # noqa: BLE001 - onnxruntime's own have no base but this
        reason = str(error).splitlines()[0][:200]
        raise TrackingError(f"{path.name} is no readable network: {reason}.", HINT) from error
