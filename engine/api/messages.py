"""The process boundary: one JSON object a line; requests on the worker's stdin, events on stdout.

A request:  {"id": 3, "do": "reconstruct", ...fields of its class in requests.py}
An event:   {"id": 3, "event": "progress", ...}
Bulk data never travels here; it lies in files whose paths do. A job gives any number of `progress`,
`preview`, `notice` and `report` events, then exactly one of `result`, `error`, `cancelled`:

    hello      protocol, tool_version, python, cpu_count, devices, packages, methods
    progress   stage (words), fraction 0..1 of the whole job, seconds_left (null until it is known)
    preview    path of a .likeness file, whole, replaced by the next preview; picture: a PNG of it
    notice     message: one line that a person should read, e.g. that a fit resumes
    report     findings in the footage, before the fit (each with name, severity: serious, warning
               or note, words, advice), and sheet: path of a contact sheet, or ""
    result     the job's own fields, e.g. path
    error      message, hint
    cancelled  nothing

`cancel` carries the id of the job to stop. `quit`, or the end of stdin, ends the worker.
"""

from __future__ import annotations

import json
from typing import Any

PROTOCOL_VERSION = 1
REQUESTS = (
    "hello", "track", "reconstruct", "regress", "render", "export", "bake", "compare", "cancel",
    "quit",
)  # fmt: skip
EVENTS = ("hello", "progress", "preview", "notice", "report", "result", "error", "cancelled")
LAST_EVENTS = ("result", "error", "cancelled")
"""After one of these nothing more is said about a job."""
MAX_LINE_BYTES = 1 << 20

Message = dict[str, Any]


def encode(message: Message) -> str:
    """One line with its newline. Raises ValueError on NaN, TypeError on what JSON cannot hold."""
    return json.dumps(message, allow_nan=False, separators=(",", ":")) + "\n"


def decode(line: str) -> Message:
    """The message of one line. Raises ValueError that says what is wrong with it."""
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"a message is longer than {MAX_LINE_BYTES} bytes")
    try:
        message = json.loads(line)
    except RecursionError:
        raise ValueError("a message is nested too deep") from None
    if not isinstance(message, dict) or "id" not in message:
        raise ValueError("a message is a JSON object with an id")
    return message
