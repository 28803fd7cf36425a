"""The checkout under two names: `engine...`, and `likeness...` as Blender imports the extension."""

from __future__ import annotations

import sys
import types
from pathlib import Path

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
if "likeness" not in sys.modules:
    _package = types.ModuleType("likeness")
    _package.__path__ = [str(ROOT)]
    sys.modules["likeness"] = _package
