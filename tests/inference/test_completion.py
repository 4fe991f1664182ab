import math

import pytest

from rnn_cli.inference.completion import Completion, CompletionResult, Ranked, continued, filled
from rnn_cli.inference.prompt import Prompt, read_context
from rnn_cli.inference.rules import Draft
from rnn_cli.text.tokenizer import Tokenizer

LINES = ["I like sushi, too (well-known).", "I don't like pasta."]
WORD = Tokenizer.train(LINES)
SPLIT = Tokenizer.train(["I like sushi , too ."], split="whitespace")
CHAR = Tokenizer.train(LINES, kind="char")
BPE = Tokenizer.train(LINES, kind="bpe", max_size=270)


def completed(text: str, ids: list[int], tokenizer: Tokenizer) -> Completion:
    prompt = Prompt.parse(text)
    context = read_context(prompt.left, tokenizer, independent_lines=False)
    return continued(Draft(tuple(ids), ids[-1], log_prob=0.0), prompt, context, tokenizer)


def with_fills(text: str, *words: str) -> Completion:
    fills = [(word, word.split()) for word in words]
    return filled(Prompt.parse(text), fills, log_prob=math.log(0.5), joint_log_prob=-9.0)


def test_the_text_keeps_everything_that_was_typed_around_the_blanks() -> None:
    assert with_fills("I  like __ , too", "sushi").text == "I  like sushi , too"
    assert with_fills("I like (__)", "sushi").text == "I like (sushi)"
    assert with_fills("__?", "sushi").text == "sushi?"
    assert with_fills("__ like\n____, too", "I", "rice").text == "I like\nrice, too"


def test_the_words_of_all_blanks_stand_together_and_by_blank() -> None:
    completion = with_fills("__ like ____.", "You", "brown rice")

    assert completion.words == ["You", "brown", "rice"]
    assert completion.fills == [["You"], ["brown", "rice"]]
    assert completion.probability == pytest.approx(0.5)


def test_a_continuation_follows_with_the_spaces_that_its_words_carry() -> None:
    ids = WORD.encode("like sushi, too.")

    for typed in ("I", "I ", "I \t"):
        completion = completed(typed, ids, WORD)
        assert completion.text == "I like sushi, too."
        assert completion.words == ["like", "sushi", ",", "too", "."]


def test_a_mark_follows_without_a_space() -> None:
    assert completed("I like sushi ", WORD.encode("sushi.")[1:], WORD).text == "I like sushi."


def test_a_line_does_not_begin_with_a_space() -> None:
    assert completed("", WORD.encode("I like"), WORD).text == "I like"
    assert completed("I like.\n", WORD.encode("I like"), WORD).text == "I like.\nI like"


def test_the_end_of_the_line_is_not_written() -> None:
    assert completed("I", [*WORD.encode("like"), WORD.eos_id], WORD).text == "I like"
    completion = completed("I like ", [WORD.eos_id], WORD)
    assert (completion.text, completion.words) == ("I like ", [])


def test_text_split_at_white_space_comes_back_with_single_spaces() -> None:
    completion = completed("I", SPLIT.encode("like sushi ."), SPLIT)

    assert (completion.text, completion.words) == ("I like sushi .", ["like", "sushi", "."])


def test_characters_follow_just_as_they_are() -> None:
    completion = completed("I li", CHAR.encode("ke well-known sushi."), CHAR)

    assert completion.text == "I like well-known sushi."
    assert completion.words == ["ke", "well", "-", "known", "sushi", "."]
    assert completed("I like", CHAR.encode(" sushi"), CHAR).text == "I like sushi"


@pytest.mark.parametrize("typed", ["I", "I "])
def test_pieces_of_words_are_put_together(typed: str) -> None:
    completion = completed(typed, BPE.encode("like café."), BPE)

    assert (completion.text, completion.words) == ("I like café.", ["like", "café", "."])


def test_results_have_exactly_these_keys_in_json() -> None:
    completion = Completion("I eat rice.", ["rice"], probability=0.5, log_prob=-0.693)
    keys = {"text": "I eat rice.", "words": ["rice"], "probability": 0.5, "log_prob": -0.693}

    assert CompletionResult("I eat", [completion], ["eat"]).to_dict() == {
        "text": "I eat",
        "completions": [keys],
        "unknown": ["eat"],
    }


def test_blanks_add_what_they_were_ranked_by() -> None:
    completion = Completion("I eat rice.", ["rice"], 0.5, -0.693, fills=[["rice"]], joint_log_prob=-4.0)

    record = CompletionResult("I eat __.", [completion], [], Ranked(256, tokens_behind=1)).to_dict()

    assert list(record) == ["text", "completions", "unknown", "ranked"]
    assert list(record["completions"][0]) == [
        "text", "words", "probability", "log_prob", "fills", "joint_log_prob",
    ]  # fmt: skip
    assert record["ranked"] == {
        "count": 256,
        "tokens_behind": 1,
        "direction": "forward",
        "probabilities": "normalised over the ranked",
    }


def test_what_was_ranked_is_said_in_words() -> None:
    assert (
        str(Ranked(1, 0))
        == "1 filling was ranked by the whole text; the probabilities of all of them sum to 1."
    )
    assert str(Ranked(33_276, 9)) == (
        "33,276 fillings were ranked by the whole text; the probabilities of all of them sum to 1."
    )
