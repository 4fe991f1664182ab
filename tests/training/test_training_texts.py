"""From a config to its texts."""

from pathlib import Path
from typing import Any

import pytest

import rnn_cli
from rnn_cli.config import Config, load_config
from rnn_cli.errors import TextError
from rnn_cli.text.split import part_at, place_of_words
from rnn_cli.training.events import Event, Notice, Preparing
from rnn_cli.training.texts import build_texts, describe_corpus
from tests.training.conftest import MakeConfig

ROOT = Path(rnn_cli.__file__).parent.parent

BLANK = 0.2
"""A share of validation text with which the blank line is a part of it."""


def ignore(event: Event) -> None:
    pass


def test_the_vocabulary_is_learnt_from_the_training_text_alone(make_config: MakeConfig) -> None:
    texts = build_texts(make_config(), ignore)
    assert texts.tokenizer.vocab_size == 11
    assert texts.train.tokens == 145
    assert texts.train.unknown == 0
    assert texts.valid is not None
    assert (texts.valid.tokens, texts.valid.unknown) == (13, 1)  # "cow" occurs in the validation text only
    assert texts.test is None


def test_the_settings_of_the_tokenizer_reach_it(make_config: MakeConfig) -> None:
    def vocab_size(**settings: Any) -> int:
        return build_texts(make_config(data={"tokenizer": settings}), ignore).tokenizer.vocab_size

    assert vocab_size() == 11
    assert vocab_size(max_size=5) == 5
    assert vocab_size(min_count=10) == 10  # all but "log"
    assert build_texts(make_config(data={"tokenizer": {"kind": "char"}}), ignore).tokenizer.kind == "char"


def test_reading_is_reported_split_by_split(make_config: MakeConfig) -> None:
    events: list[Event] = []
    config = make_config(data={"test": make_config().data.valid[0]})
    build_texts(config, events.append)
    assert [event.message for event in events if isinstance(event, Notice)] == [
        "train: 20 lines, 145 tokens, 0.00% unknown; encoding utf-8; line ends LF (20)",
        "valid: 2 lines, 13 tokens, 7.69% unknown; encoding utf-8; line ends LF (2)",
        "test: 2 lines, 13 tokens, 7.69% unknown; encoding utf-8; line ends LF (2)",
    ]
    prepared = [event for event in events if isinstance(event, Preparing)]
    assert {event.split for event in prepared} <= {"train", "valid", "test"}
    assert all(0 <= event.done_bytes <= event.total_bytes for event in prepared)


def learnt(config: Config) -> list[str]:
    """What is said of measured texts that are read for training, too."""
    events: list[Event] = []
    build_texts(config, events.append)
    said = [event.message for event in events if isinstance(event, Notice)]
    return [message for message in said if "also read for training" in message]


def test_a_measured_text_that_is_read_for_training_too_is_named(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    train, valid = tmp_path / "train.txt", tmp_path / "valid.txt"
    copies = [tmp_path / "copy.txt", tmp_path / "other.txt"]
    copies[0].write_text(train.read_text())
    copies[1].write_text("a mat\n")
    assert learnt(make_config()) == []
    both = [str(train), str(valid)]
    assert learnt(make_config(data={"train": both, "measured_tokens": 3})) == [
        f"valid: {valid} is also read for training, so its figures say little of new text. "
        "Leave it out of data.train."
    ]
    assert learnt(make_config(data={"train": [*both, str(copies[1])], "test": both})) == [
        f"valid: {valid} is also read for training, so its figures say little of new text. "
        "Leave it out of data.train.",
        f"test: {train} and 1 more are also read for training, so their figures say little of new text. "
        "Leave them out of data.train.",
    ]
    assert learnt(make_config(data={"test": [str(path) for path in copies]})) == [
        f"test: {copies[0]} is also read for training (as {train}), so its figures say little of new text. "
        "Give data.test a text of its own, or leave it out and set data.split.test."
    ]


def test_parts_kept_apart_are_not_taken_for_learnt(make_config: MakeConfig) -> None:
    assert learnt(make_config(data={"valid": None, "split": {"valid": 0.2, "test": 0.1}})) == []


def test_the_favourites_measure_on_what_they_do_not_learn() -> None:
    assert learnt(load_config(ROOT / "configs/favourites.yaml")) == []


def test_of_a_long_text_a_part_can_be_measured_and_that_is_said(make_config: MakeConfig) -> None:
    events: list[Event] = []
    config = make_config(data={"test": make_config().data.valid[0], "measured_tokens": 3})
    texts = build_texts(config, events.append)
    assert texts.train.of_tokens is None
    assert texts.valid is not None
    assert texts.test is not None
    assert (texts.valid.lines, texts.valid.of_tokens, texts.test.of_tokens) == (1, 13, 13)
    assert [event.message for event in events if isinstance(event, Notice)][1:3] == [
        "valid: 2 lines, 13 tokens, 7.69% unknown; encoding utf-8; line ends LF (2)",
        f"valid: {texts.valid.tokens} tokens from all over it are measured (data.measured_tokens)",
    ]


def test_parts_of_the_training_text_are_kept_apart_and_said(make_config: MakeConfig) -> None:
    events: list[Event] = []
    texts = build_texts(
        make_config(data={"valid": None, "split": {"valid": 0.2, "test": 0.1}}), events.append
    )
    assert [event.message for event in events if isinstance(event, Notice)] == [
        "train: 14 lines, 101 tokens, 0.00% unknown; encoding utf-8; line ends LF (20)",
        "valid: 4 lines, 29 tokens of the same text, kept apart, 0.00% unknown",
        "test: 2 lines, 15 tokens of the same text, kept apart, 0.00% unknown",
    ]
    assert texts.valid is not None
    assert texts.tokenizer.decode(texts.valid.ids.tolist()).splitlines()[0] == "a cat saw the dog"


def test_a_text_of_its_own_goes_with_a_part_kept_apart(make_config: MakeConfig) -> None:
    texts = build_texts(make_config(data={"split": {"test": 0.25}}), ignore)
    assert texts.valid is not None
    assert texts.test is not None
    assert (texts.train.lines, texts.valid.lines, texts.test.lines) == (16, 2, 4)


def test_a_text_too_short_for_its_parts_is_refused(make_config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("the cat\n")
    with pytest.raises(TextError) as caught:
        build_texts(make_config(data={"valid": None, "split": {"valid": 0.2}}), ignore)
    assert str(caught.value) == (
        f"data.split: valid 0.2 gives no line of {tmp_path}/train.txt for valid: the text has too few lines for it, "
        "and a line is never cut. Change the share, or set it to 0 and name another text in data.valid."
    )


def test_independent_lines_that_are_all_blank_are_no_part(make_config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a cat saw the dog\n\n" * 40)
    data = {"valid": None, "split": {"valid": BLANK}}
    assert part_at(place_of_words(""), valid=BLANK, test=0.0) == "valid"
    assert part_at(place_of_words("a cat saw the dog"), valid=BLANK, test=0.0) == "train"
    with pytest.raises(TextError) as caught:
        build_texts(make_config(data={**data, "mode": "lines"}), ignore)
    assert str(caught.value) == (
        f"data.split: valid {BLANK} gives no line of {tmp_path}/train.txt for valid: the text has too few different "
        "lines for it, and equal ones stay together. Change the share, or set it to 0 and name another text in "
        "data.valid."
    )


def test_encodings_and_line_ends_of_all_files_are_named(make_config: MakeConfig, tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_bytes(b"a b\r\nb a\n")
    (tmp_path / "b.txt").write_bytes("é a\n".encode("utf-16"))
    config = make_config(data={"train": [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]})
    assert describe_corpus("train", build_texts(config, ignore).train) == (
        "train: 2 files (a.txt, b.txt), 3 lines, 9 tokens, 0.00% unknown; encoding utf-16, utf-8; line ends LF (2), "
        "CRLF (1)"
    )


def test_of_many_files_the_first_are_named(make_config: MakeConfig, tmp_path: Path) -> None:
    novels = [tmp_path / f"{number}.txt" for number in range(6)]
    for novel in novels:
        novel.write_text("a b\n")
    config = make_config(data={"train": [str(novel) for novel in novels]})
    assert describe_corpus("train", build_texts(config, ignore).train).startswith(
        "train: 6 files (0.txt, 1.txt, 2.txt, 3.txt and 2 more), 6 lines, "
    )
