"""Reads pickles without running them: a small machine that builds inert values only.

Python's unpickler calls what a file names. This one never imports, calls or looks up anything: a
name is a `Name`, a call is a `Record` of a name, its arguments and its state, and names that do not
describe arrays are refused at once. `engine/heads/pickled_arrays.py` turns records into arrays.
"""

from __future__ import annotations

import pickletools
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..api.errors import HeadError

MAX_BYTES = 512 << 20
MAX_STEPS = 500_000  # opcodes; a head's pickle has some thousands
ALLOWED = {
    "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    "numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer",
    "numpy.ndarray", "numpy.dtype",
    "scipy.sparse.csc.csc_matrix", "scipy.sparse._csc.csc_matrix",
    "scipy.sparse.csr.csr_matrix", "scipy.sparse._csr.csr_matrix",
    "scipy.sparse.coo.coo_matrix", "scipy.sparse._coo.coo_matrix",
    "chumpy.ch.Ch", "chumpy.reordering.Select",
    "copy_reg._reconstructor", "copyreg._reconstructor",
    "__builtin__.object", "builtins.object", "_codecs.encode", "collections.OrderedDict",
}  # fmt: skip
"""Names that describe arrays. What is not here is refused, whatever would be done with it."""
HINT = "Only plain arrays are read from pickles. Save the model as .npz, or get it anew."
PLAIN = {
    "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4",
    "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
PERSISTENT = "persistent"
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


@dataclass(frozen=True)
class Name:
    """A dotted name that the file mentions; never looked up."""

    dotted: str


@dataclass
class Record:
    """A call that the file asks for; never made."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


class Refused(Exception):
    """Why a pickle is not read."""


def read_pickle(path: str | Path) -> Any:
    """What a pickle describes: plain values, `Record`s and `Name`s. Raises HeadError."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise HeadError(f"{path.name} is larger than {MAX_BYTES >> 20} MiB.", HINT)
        return PickleMachine().run(path.read_bytes())
    except FileNotFoundError as error:
        raise HeadError(f"There is no file at {path}.", "Check the path.") from error
    except Refused as error:
        raise HeadError(f"{path.name} is refused: {error}.", HINT) from error
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError,
            MemoryError) as error:  # fmt: skip
        raise HeadError(f"{path.name} is not a readable pickle ({error}).", HINT) from error


class PickleMachine:
    """A stack, a memo and the marks: what pickle's protocols 0 to 5 need.

    `allowed` are the dotted names that may be mentioned. With `persistent`, references to data
    outside the pickle become records of the name PERSISTENT; else they are refused.
    """

    def __init__(self, allowed: Container[str] = ALLOWED, persistent: bool = False) -> None:
        self.allowed = allowed
        self.persistent = persistent
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes | BinaryIO) -> Any:
        """What one pickle describes; of a stream, the one that begins at its place."""
        for step, (code, argument, _) in enumerate(pickletools.genops(data)):
            if step >= MAX_STEPS:
                raise Refused(f"it has more than {MAX_STEPS} steps")
            if code.name == "STOP":
                if len(self.stack) != 1 or self.marks:
                    raise Refused("it ends in the middle of something")
                return self.stack[0]
            self._take(code.name, argument)
        raise Refused("it is cut short")

    def _take(self, code: str, argument: Any) -> None:
        if code in PLAIN:
            self.stack.append(CONSTANTS.get(code, argument))
        elif code in ("PROTO", "FRAME"):
            return
        elif code in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[int(argument)] = self.stack[-1]
        elif code == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif code in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[int(argument)])
        elif code in BUILDERS:
            BUILDERS[code](self)
        elif code == "BINPERSID" and self.persistent:
            self.stack.append(Record(PERSISTENT, (self.stack.pop(),)))
        elif code == "GLOBAL":
            self.stack.append(self._name(*str(argument).rsplit(" ", 1)))
        else:
            raise Refused(f"it uses {code}, which no array needs")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        """What was pushed since the last mark, taken off."""
        if not self.marks:
            raise Refused("a mark is missing")
        pushed, self.stack = self.stack, self.marks.pop()
        return pushed

    def _name(self, module: Any, name: Any) -> Name:
        dotted = f"{module}.{name}"
        if not isinstance(module, str) or not isinstance(name, str) or dotted not in self.allowed:
            raise Refused(f"it asks for {dotted[:80]!r}")
        return Name(dotted)

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(self._name(module, name))

    def call(self) -> None:
        """REDUCE and NEWOBJ: a name and its arguments."""
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise Refused("it calls something that is not a name")
        self.stack.append(Record(name.dotted, arguments))

    def build(self) -> None:
        state, record = self.stack.pop(), self.stack[-1]
        if not isinstance(record, Record):
            raise Refused("it gives a state to a plain value")
        record.state = state

    def items(self) -> None:
        pushed = self.since_mark()
        _put(self.stack[-1], pushed)

    def item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _put(self.stack[-1], [key, value])

    def appends(self, pushed: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise Refused("it appends to something that is not a list")
        self.stack[-1].extend(pushed)

    def dictionary(self) -> None:
        made: dict[Any, Any] = {}
        _put(made, self.since_mark())
        self.stack.append(made)

    def last(self, count: int) -> tuple[Any, ...]:
        """The last `count` values, taken off."""
        if len(self.stack) < count:
            raise Refused("a value is missing")
        taken, self.stack[-count:] = tuple(self.stack[-count:]), []
        return taken


def _put(target: Any, pushed: list[Any]) -> None:
    if isinstance(target, Record) and target.name == "collections.OrderedDict":
        return  # some exporters keep an ordered dictionary of remarks
    if not isinstance(target, dict) or len(pushed) % 2:
        raise Refused("it fills something that is not a dictionary")
    for key, value in zip(pushed[::2], pushed[1::2], strict=True):
        if not isinstance(key, str | int | float | bytes | bool | None):
            raise Refused("a dictionary has a key that is no text or number")
        target[key] = value


BUILDERS: dict[str, Any] = {
    "MARK": PickleMachine.mark,
    "POP": lambda m: m.stack.pop() if m.stack else m.since_mark(),
    "POP_MARK": lambda m: m.since_mark(),
    "DUP": lambda m: m.push(m.stack[-1]),
    "EMPTY_DICT": lambda m: m.push({}),
    "EMPTY_LIST": lambda m: m.push([]),
    "EMPTY_TUPLE": lambda m: m.push(()),
    "TUPLE": lambda m: m.push(tuple(m.since_mark())),
    "TUPLE1": lambda m: m.push(m.last(1)),
    "TUPLE2": lambda m: m.push(m.last(2)),
    "TUPLE3": lambda m: m.push(m.last(3)),
    "LIST": lambda m: m.push(list(m.since_mark())),
    "DICT": PickleMachine.dictionary,
    "APPEND": lambda m: m.appends([m.stack.pop()]),
    "APPENDS": lambda m: m.appends(m.since_mark()),
    "SETITEM": PickleMachine.item,
    "SETITEMS": PickleMachine.items,
    "STACK_GLOBAL": PickleMachine.stack_global,
    "REDUCE": PickleMachine.call,
    "NEWOBJ": PickleMachine.call,
    "BUILD": PickleMachine.build,
}
