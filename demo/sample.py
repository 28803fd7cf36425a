"""Make the sample clip: `python demo/sample.py CLIP.mp4`, in the engine's environment."""

from __future__ import annotations

import sys

from engine.sample import make_sample

if __name__ == "__main__":
    make_sample(sys.argv[1])
