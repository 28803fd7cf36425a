"""What can be asked of training: one dataclass, from a message or a command line."""

from __future__ import annotations

from dataclasses import dataclass, field

SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class TrainRequest:
    """A feed-forward method's network from people. Result: path, steps, seconds, psnr, curves."""

    method: str
    """A name in engine.methods.feedforward.method.MODELS."""
    output: str
    """Folder of the weights, the curves and the checkpoint."""
    config: str = "compact"
    """compact, or paper (its frozen encoders' weights are the user's)."""
    data: list[str] = field(default_factory=lambda: [SYNTHETIC])
    """The word synthetic, folders of tracked clips, or both."""
    steps: int = 20_000
    """One person each."""
    seconds: float = 0.0
    """Ends the training after so long; 0 lets it run through its steps."""
    people: int = 400
    """Made-up people to learn from."""
    size: int = 128
    """Side of the pictures in pixels."""
    cast: str = ""
    """Folder of the filmed people, shared by trainings; empty: inside the output."""
    seed: int = 0
    device: str = "auto"
    """auto, cpu or cuda."""
    resume: bool = False
    """Go on with an interrupted training in the same folder."""
