import pytest

from rnn_cli.insight.labels import label
from rnn_cli.text.tokenizer import Tokenizer


@pytest.mark.parametrize("kind", ["word", "char", "bpe"])
def test_every_token_has_a_label_that_can_be_seen(kind: str) -> None:
    tokenizer = Tokenizer.train(["a  b\tc \u200b\u202e\x1b zoë"], kind=kind)
    labels = [label(tokenizer, id_) for id_ in range(tokenizer.vocab_size)]
    assert all(text and text.isprintable() and " " not in text for text in labels)
    assert labels[tokenizer.eos_id] == "<eos>"
    if tokenizer.unk_id is not None:
        assert labels[tokenizer.unk_id] == "<unk>"


def test_a_word_is_shown_without_the_space_before_it() -> None:
    tokenizer = Tokenizer.train(["I eat rice"])
    assert [label(tokenizer, id_) for id_ in tokenizer.encode("I eat rice")] == ["I", "eat", "rice"]
