"""Trained weights as safetensors: written in half precision, read only where they fit.

The shipped ones lie in engine/weights with their SHA-256 sums. This alone imports safetensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...api.atomic import replacing
from ...api.errors import ModelError
from ...heads.checksum import digest
from .method import MODELS, FeedForward

FOLDER = Path(__file__).parents[2] / "weights"
SUMS = "SHA256SUMS"
HINT = "Train it anew with `python -m engine train`, or install Likeness again."


def learned(model: FeedForward) -> dict[str, torch.nn.Parameter]:
    """The parameters that training changes; frozen encoders are not among them."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def save_weights(model: FeedForward, method: str, path: Path, notes: dict[str, Any]) -> None:
    """Write the learned parameters as float16; `notes` (JSON values) say how they came about."""
    from safetensors.torch import save_file

    arrays = {
        name: value.detach().half().cpu().contiguous() for name, value in learned(model).items()
    }
    header = {"method": method, "config": model.config, "notes": json.dumps(notes)}
    with replacing(path) as temporary:
        save_file(arrays, temporary, metadata=header)


def load_weights(model: FeedForward, method: str, path: Path) -> dict[str, Any]:
    """Fill a model from a file and return its notes. Raises ModelError, the model untouched, when
    the file is missing, damaged, or another network's."""
    arrays, header = read_arrays(path)
    whose = f"{header.get('method')} {header.get('config')}"
    if whose != f"{method} {model.config}":
        raise ModelError(
            f"{path.name} holds the weights of {whose}, not of {method} {model.config}.", HINT
        )
    own = learned(model)
    if arrays.keys() != own.keys() or any(arrays[n].shape != own[n].shape for n in own):
        raise ModelError(f"{path.name} was made for another version of {method}.", HINT)
    if not all(torch.isfinite(array).all() for array in arrays.values()):
        raise ModelError(f"{path.name} holds numbers that are not finite.", HINT)
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(arrays[name].to(value.dtype))
    return json.loads(header.get("notes", "{}"))


def read_arrays(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Arrays and header of a file. Raises ModelError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"The weights {path} cannot be read: {error}.", HINT) from error


def shipped(method: str) -> Path:
    """The checked file of a method's compact weights. Raises ModelError when there is none, or it
    is not what was shipped."""
    path, sums = FOLDER / f"{method}.safetensors", FOLDER / SUMS
    lines = (line.split() for line in sums.read_text("utf-8").splitlines())
    known = {name: checksum for checksum, name in lines}
    if path.name not in known:
        raise ModelError(f"No weights of {method} are shipped.", "Choose another method.")
    if not path.is_file() or digest(path) != known[path.name]:
        raise ModelError(
            f"{path.name} is not the file that was shipped: its checksum differs.", HINT
        )
    return path


def trained(method: str, config: str = "compact", path: Path | None = None) -> FeedForward:
    """A method's network, ready to regress, by default with its shipped weights. Raises
    ModelError."""
    model = MODELS[method](config)
    load_weights(model, method, path or shipped(method))
    return model.eval()
