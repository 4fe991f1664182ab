"""What is said about a text that is not clean UTF-8, when a training begins."""

from pathlib import Path

from rnn_cli.config import Config
from rnn_cli.training.events import Event, Notice
from rnn_cli.training.texts import build_texts


def notices(tmp_path: Path, **contents: bytes) -> list[str]:
    """What is said about training texts, without the folder that they are in."""
    paths = [tmp_path / f"{name}.txt" for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_bytes(content)
    events: list[Event] = []
    build_texts(Config.model_validate({"data": {"train": [str(path) for path in paths]}}), events.append)
    return [event.message.replace(f"{tmp_path}/", "") for event in events if isinstance(event, Notice)]


def test_nothing_more_is_said_about_a_clean_text(tmp_path: Path) -> None:
    assert notices(tmp_path, a="é\n".encode()) == [
        "train: 1 lines, 2 tokens, 0.00% unknown; encoding utf-8; line ends LF (1)"
    ]


def test_replaced_bytes_are_counted_and_the_first_is_shown(tmp_path: Path) -> None:
    assert notices(tmp_path, a="é\nü".encode() + b"\xff\n")[1:] == [
        "train: 1 invalid byte replaced, the first in line 2 of a.txt"
    ]
    damaged = "éé\n".encode() * 1200 + b"\xff\xff\xff\n"
    assert notices(tmp_path, a="é\n".encode(), b=damaged)[1:] == [
        "train: 3 invalid bytes replaced, the first in line 1,201 of b.txt"
    ]
    assert notices(tmp_path, a=damaged, b="é\n".encode(), c=damaged)[1:] == [
        "train: 6 invalid bytes in 2 files replaced, the first in line 1,201 of a.txt"
    ]


def test_a_guessed_encoding_is_told_with_the_way_to_another(tmp_path: Path) -> None:
    assert notices(tmp_path, a="5 € für\n".encode("cp1252")) == [
        "train: 1 lines, 4 tokens, 0.00% unknown; encoding cp1252; line ends LF (1)",
        "train: a.txt read as cp1252 because it is not UTF-8; if that is wrong, set data.encoding",
    ]
    cafe, euro = "Café\n".encode("latin-1"), "5 €\n".encode("cp1252")
    assert notices(tmp_path, a=cafe, b=euro, c=cafe, d=cafe)[1:] == [
        "train: b.txt read as cp1252 because it is not UTF-8; if that is wrong, set data.encoding",
        "train: a.txt and 2 more read as latin-1 because it is not UTF-8; if that is wrong, set data.encoding",
    ]
