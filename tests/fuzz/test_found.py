"""What `make fuzz` has found, kept."""

from rnn_cli.inference import TrainedModel
from tests.fuzz.models import tiny_model_file


def test_bytes_that_spell_white_space_do_not_fill_a_blank() -> None:
    model = TrainedModel.from_model_file(tiny_model_file("bpe"), name="tiny")

    completions = model.complete(
        " Japanese. is favouritedish\u1161\u11c2\u11c212dish\U000f401c__", top=999
    ).completions

    assert len(completions) > 200
    assert {len(completion.words) for completion in completions} == {1}  # not U+0085 or U+00A0


def test_bytes_that_spell_a_mark_behind_a_word_do_not_fill_a_blank() -> None:
    model = TrainedModel.from_model_file(tiny_model_file("bpe"), name="tiny")

    completions = model.complete(
        "\u1ab0isdon't\x7f\b\x1b\x07'3\U000f33aa__iszxGsushiMysushi", top=999
    ).completions

    assert len(completions) > 200
    assert {len(completion.words) for completion in completions} == {1}  # not "u" and the mark U+0387
