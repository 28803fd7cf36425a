"""The heads job: list the heads that there are, add one from a file, download one by consent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ..api.errors import LikenessError
from ..api.head_library import HeadCard, heads_folder, list_cards
from ..api.messages import Message
from ..api.requests import HeadsRequest
from ..progress import ProgressEvents


def heads(request: HeadsRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    """Result: path (of the head or of the folder), heads (their cards), words. Raises HeadError."""
    actions = {"list": _list, "add": _add, "download": _download}
    if request.action not in actions:
        raise LikenessError(
            f"There is no action '{request.action}'.", f"Known: {', '.join(actions)}."
        )
    return actions[request.action](request, emit)


def _list(request: HeadsRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    from ..heads.library import builtin_card, card_of

    cards = [builtin_card(), *list_cards()]
    if request.what:
        cards.append(card_of(request.what))
    return _result(str(heads_folder()), cards, "")


def _add(request: HeadsRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    from ..heads.library import add_head

    ProgressEvents(emit)("Reading the head", 0.1)
    card = add_head(request.what)
    return _result(card.path, [card], f"SHA-256 of the head file: {card.sha256}.")


def _download(request: HeadsRequest, emit: Callable[[Message], None]) -> dict[str, Any]:
    from ..heads.download import download_head

    report = ProgressEvents(emit)
    got = download_head(
        request.what, request.consent, report=lambda share: report("Downloading", 0.9 * share)
    )
    known = "as its publisher states" if got.compared else "no published one is known to compare"
    words = f"{got.bytes} bytes from {got.url}, SHA-256 {got.sha256} ({known})."
    return _result(got.card.path, [got.card], words)


def _result(path: str, cards: list[HeadCard], words: str) -> dict[str, Any]:
    return {"path": path, "heads": [asdict(card) for card in cards], "words": words}


def heads_line(card: dict[str, Any]) -> str:
    """One line of the list, for people."""
    size = f", {card['bytes'] / 1e6:.1f} MB" if card["bytes"] else ""
    where = f"\n    {card['path']}" if card["path"] else ""
    return (
        f"{card['name']} ({card['licence']}): {card['vertices']} vertices, "
        f"{card['expressions']} expressions, {card['identities']} identity directions{size}{where}"
    )
