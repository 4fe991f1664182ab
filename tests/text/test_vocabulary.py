"""The vocabulary of a text, from one file or many."""

from pathlib import Path
from typing import Any

import pytest

from rnn_cli.errors import TextError
from rnn_cli.text import rules as rules_module
from rnn_cli.text.reader import TextReader
from rnn_cli.text.split import Part, part_at, place_of_words
from rnn_cli.text.vocabulary import train_tokenizer
from tests.text.conftest import PIECES, forbid, written


def test_a_vocabulary_is_learnt_once_for_equal_settings(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train_tokenizer([path], cache_dir=cache, min_count=1)
    assert first.pieces == PIECES
    assert train_tokenizer([path], cache_dir=cache, min_count=2).pieces == PIECES[:4]
    assert train_tokenizer([path], cache_dir=cache, max_size=3).pieces == PIECES[:3]
    assert train_tokenizer([path], cache_dir=cache, kind="char").kind == "char"
    assert train_tokenizer([path], cache_dir=cache, split="whitespace").split == "whitespace"
    assert train_tokenizer([path], cache_dir=cache, lowercase=True).lowercase
    forbid(monkeypatch, TextReader, "__iter__")
    assert train_tokenizer([path], cache_dir=cache).to_json() == first.to_json()


def test_a_vocabulary_without_words_is_refused(path: Path, tmp_path: Path, cache: Path) -> None:
    def complaint(*paths: Path, **settings: Any) -> str:
        with pytest.raises(TextError) as caught:
            train_tokenizer(paths, cache_dir=cache, **settings)
        return str(caught.value)

    assert complaint(path, min_count=9) == (
        f"The vocabulary of {path} is empty: no word occurs 9 times, as data.tokenizer.min_count asks for. Lower it."
    )
    giant = written(tmp_path / "giant.txt", "x" * 2000)
    assert complaint(giant, giant) == (
        f"The vocabulary of {giant} and 1 more is empty: there is no word of 1,000 characters or less. "
        "Set data.tokenizer.kind to char or bpe."
    )
    assert train_tokenizer([giant], cache_dir=cache, kind="char").pieces == ["<unk>", "\n", "x"]


@pytest.mark.parametrize("settings", [{}, {"kind": "char"}, {"min_count": 2}])
def test_a_part_without_lines_is_no_matter_of_words(
    path: Path, cache: Path, settings: dict[str, Any]
) -> None:
    assert part_at(place_of_words("tea"), valid=0.5, test=0.4) != "train"
    assert part_at(place_of_words(""), valid=0.5, test=0.4) != "train"
    written(path, "tea\n\n" * 9)  # equal lines are in one part, all of them
    with pytest.raises(TextError) as caught:
        train_tokenizer(
            [path], cache_dir=cache, part=Part("train", valid=0.5, test=0.4, mode="lines"), **settings
        )
    assert str(caught.value) == (
        f"data.split: valid 0.5 and test 0.4 leave no line of {path} for train: the text has too few different lines "
        "for it, and equal ones stay together. Change the share, or set it to 0 and name another text."
    )


def test_new_rules_of_splitting_make_a_new_vocabulary(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_tokenizer([path], cache_dir=cache)
    monkeypatch.setattr(rules_module, "_WORDS_AND_PUNCTUATION", r" ?\S+")
    assert train_tokenizer([path], cache_dir=cache).pieces == [" <unk>", "\n", " or", " tea", " sushi?"]


def test_a_damaged_vocabulary_is_learnt_again(path: Path, cache: Path) -> None:
    train_tokenizer([path], cache_dir=cache)
    (entry,) = (cache / "tokenizers").iterdir()
    entry.write_text("nonsense")
    assert train_tokenizer([path], cache_dir=cache).pieces == PIECES
