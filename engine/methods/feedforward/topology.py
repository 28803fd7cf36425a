"""The one head that the feed-forward networks know: the built-in one, whoever's it is."""

from __future__ import annotations

import numpy as np

from ...api.errors import HeadError
from ...api.head import HeadModel
from ...heads.builtin import builtin_head


def check_head(head: HeadModel, label: str) -> None:
    """Raise HeadError where the head has another topology than the built-in one, on which the
    network called `label` has learned."""
    if not np.array_equal(head.faces, builtin_head().faces):
        raise HeadError(
            f"{label} has learned on the built-in head, not on '{head.name}'.",
            "Track the pictures with the built-in head.",
        )
