"""The process boundary: one JSON object a line, on the worker's stdin (requests) and stdout (events).

A request:  {"id": 3, "do": "reconstruct", ...arguments}
An event:   {"id": 3, "event": "progress", ...}
Bulk data never travels here; it lies in files whose paths do.
"""

from __future__ import annotations

import json
from typing import Any

PROTOCOL_VERSION = 1
REQUESTS = ("hello", "track", "reconstruct", "bake", "render", "export", "cancel", "quit")
EVENTS = ("hello", "progress", "preview", "result", "error", "cancelled")
MAX_LINE_BYTES = 1 << 20

Message = dict[str, Any]


def encode(message: Message) -> str:
    """One line with its newline. Raises ValueError on NaN and on what JSON cannot hold."""
    return json.dumps(message, allow_nan=False, separators=(",", ":")) + "\n"


def decode(line: str) -> Message:
    """The message of one line. Raises ValueError that says what is wrong with it."""
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"message of {len(line)} bytes is longer than {MAX_LINE_BYTES}")
    message = json.loads(line)
    if not isinstance(message, dict) or "id" not in message:
        raise ValueError("a message is a JSON object with an id")
    return message
