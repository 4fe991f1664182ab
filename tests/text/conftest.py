"""A small text, its cache, and what a test asks about them."""

import os
import time
from pathlib import Path

import pytest

from rnn_cli.text import entries
from rnn_cli.text.tokenizer import Tokenizer

TEXT = "tea or tea\n\nor sushi?\n"
PIECES = [" <unk>", "\n", " or", " tea", " sushi", "?"]
IDS = [3, 2, 3, 1, 1, 2, 4, 5, 1]


@pytest.fixture(autouse=True)
def _hashes_are_remembered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "RACY_NS", -1)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "text.txt", TEXT)


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXT.splitlines())


def written(path: Path, text: str, age_s: float = 60) -> Path:
    """A file that was last changed a minute ago."""
    path.write_text(text, encoding="utf-8")
    changed = time.time() - age_s
    os.utime(path, (changed, changed))
    return path


def forbid(monkeypatch: pytest.MonkeyPatch, owner: type, method: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("This was to come from the cache.")

    monkeypatch.setattr(owner, method, fail)


def leftovers(cache: Path) -> list[str]:
    """What lies in the cache beside whole entries."""
    return [str(found) for found in cache.rglob("*") if found.name.startswith(".")]
