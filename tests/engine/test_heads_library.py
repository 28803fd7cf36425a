"""Claims about the user's heads: adding, listing, checksums, downloads by consent only."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.api.errors import HeadError
from engine.api.head_library import list_cards
from engine.command_line import main
from engine.heads import download, sources
from engine.heads.builtin import builtin_head
from engine.heads.download import download_head
from engine.heads.head_file import write_head
from engine.heads.library import add_head
from engine.heads.sources import read_any_head


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIKENESS_HEADS", str(tmp_path / "heads"))
    return tmp_path / "heads"


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    path = tmp_path / "own.npz"
    write_head(path, replace(builtin_head(), name="My Head", licence="CC0"))
    return path


@pytest.fixture
def served(own_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server on this machine that offers a head file in GNM's place; yields its checksum."""
    data = own_file.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            length = len(data) + (99 if self.path.endswith("short.npz") else 0)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/gnm_head.npz"
    offered = replace(sources.SOURCES["gnm"], url=url)
    monkeypatch.setitem(sources.SOURCES, "gnm", offered)
    yield hashlib.sha256(data).hexdigest()
    server.shutdown()
    server.server_close()


def test_an_added_head_is_listed_with_its_licence_size_and_checksum(folder, own_file):
    card = add_head(own_file)
    assert list_cards() == [card]
    assert (card.name, card.licence, card.vertices) == ("My Head", "CC0", 2409)
    assert card.sha256 == hashlib.sha256(Path(card.path).read_bytes()).hexdigest()
    assert {file.suffix for file in folder.iterdir()} == {".npz", ".json"}


def test_a_head_that_was_changed_after_it_was_added_is_told(folder, own_file):
    card = add_head(own_file)
    assert read_any_head(card.path).name == "My Head"
    Path(card.path).write_bytes(own_file.read_bytes() + b"x")
    with pytest.raises(HeadError, match="checksum differs"):
        read_any_head(card.path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 3}', "[" * 9000, "x" * 99_999])
def test_a_card_that_cannot_be_read_hides_its_head_and_nothing_else(folder, own_file, text):
    card = add_head(own_file)
    (folder / "other.npz").write_bytes(b"")
    (folder / "other.json").write_text(text)
    assert list_cards() == [card]


def test_nothing_is_downloaded_without_consent(folder, served):
    with pytest.raises(HeadError, match="would be downloaded") as caught:
        download_head("gnm", consent=False)
    assert "--yes" in caught.value.hint
    assert not folder.exists()


def test_a_download_says_what_came_and_does_not_make_up_a_checksum(folder, served):
    got = download_head("gnm", consent=True)
    assert got.sha256 == served
    assert not got.compared
    assert list_cards() == [got.card]


def test_a_download_with_another_checksum_than_published_is_refused(folder, served, monkeypatch):
    published = replace(sources.SOURCES["gnm"], sha256="0" * 64)
    monkeypatch.setitem(sources.SOURCES, "gnm", published)
    with pytest.raises(HeadError, match="came with checksum"):
        download_head("gnm", consent=True)
    assert not folder.exists()


def test_a_download_that_is_cut_short_or_too_large_is_refused(folder, served, monkeypatch):
    whole = sources.SOURCES["gnm"]
    cut = replace(whole, url=whole.url.replace("gnm_head", "short"))
    monkeypatch.setitem(sources.SOURCES, "gnm", cut)
    with pytest.raises(HeadError):
        download_head("gnm", consent=True)
    monkeypatch.setitem(sources.SOURCES, "gnm", whole)
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    with pytest.raises(HeadError, match="too much"):
        download_head("gnm", consent=True)
    assert not folder.exists()


def test_what_only_the_user_can_get_is_not_downloaded(folder):
    with pytest.raises(HeadError, match="flame cannot be downloaded") as caught:
        download_head("flame", consent=True)
    assert "ict, gnm" in caught.value.hint


def test_the_command_adds_and_lists_heads(folder, own_file, capsys):
    assert main(["heads", "add", str(own_file), "--json"]) == 0
    event = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert event["heads"][0]["name"] == "My Head"
    assert main(["heads"]) == 0
    out = capsys.readouterr().out
    assert "Built-in (GPL-3.0-or-later): 2409 vertices, 52 expressions, 46 identity" in out
    assert "My Head (CC0)" in out


def test_the_command_tells_a_bad_head_in_one_line(folder, tmp_path, capsys):
    (tmp_path / "flame2020.pkl").write_bytes(b"cos\nsystem\n(Vtouch x\ntR.")
    assert main(["heads", "add", str(tmp_path / "flame2020.pkl")]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert error[-1].startswith("error: flame2020.pkl is refused: it asks for 'os.system'")
    assert not folder.exists()


def test_tracking_with_a_head_that_is_not_there_ends_at_once(tmp_path, capsys):
    footage = tmp_path / "clip.mp4"
    footage.write_bytes(b"")
    status = main(["track", str(footage), "-o", str(tmp_path / "o"), "--head", "/no/such.npz"])
    assert status == 2
    assert "error:" in capsys.readouterr().err
