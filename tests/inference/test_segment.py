import pytest

from rnn_cli.errors import UsageError
from rnn_cli.inference.segment import Segment, read_segment, word_ids
from rnn_cli.text.tokenizer import Tokenizer

LINES = ["I like sushi, too (well-known).", "I don't like pasta's ing-ing"]
WORD = Tokenizer.train(LINES)
SPLIT = Tokenizer.train(["I like sushi , too ."], split="whitespace")
CHAR = Tokenizer.train(LINES, kind="char")
BPE = Tokenizer.train(LINES, kind="bpe", max_size=270)


def read(text: str, tokenizer: Tokenizer = WORD, *, is_last: bool = True, lines: bool = False) -> Segment:
    return read_segment(text, tokenizer, is_last=is_last, independent_lines=lines)


@pytest.mark.parametrize("behind", ["", ".", ", too", " like", "'s ing", ") too", " (well-known)"])
@pytest.mark.parametrize("tokenizer", [WORD, BPE, CHAR], ids=["word", "bpe", "char"])
def test_text_behind_a_word_has_the_ids_that_it_has_in_the_whole_text(
    behind: str, tokenizer: Tokenizer
) -> None:
    word = tokenizer.encode("I like sushi")

    assert word + read(behind, tokenizer).lines[0] == tokenizer.encode(f"I like sushi{behind}")


def test_the_border_of_a_blank_is_a_border_of_tokens() -> None:
    assert read("ing", WORD).lines == [WORD.encode("ing-ing")[2:]]
    assert read(".", SPLIT).lines == [SPLIT.encode(".")]


def test_line_ends_are_read_where_they_were_typed() -> None:
    assert read(" too\n\nI like").lines == [WORD.encode("too"), [], WORD.encode("I like")]
    assert read(" too\n").lines == [WORD.encode("too"), []]
    assert read(" too\n").tokens == 2
    assert read(" too\n").joined(WORD.eos_id) == [*WORD.encode("too"), WORD.eos_id]


def test_a_line_without_memory_ends_what_counts() -> None:
    assert read(" too\nI like", lines=True).lines == [WORD.encode("too"), []]
    assert read(" too\nI like", is_last=False, lines=True).lines == [
        WORD.encode("too"),
        WORD.encode("I like"),
    ]


def test_white_space_before_the_next_blank_belongs_to_the_word_in_it() -> None:
    assert read(" like ", is_last=False) == Segment([WORD.encode("like")], after_space=True, unknown=[])
    assert read(" like\n", is_last=False).after_space
    assert not read(" (", is_last=False).after_space
    assert read(" ", CHAR, is_last=False) == Segment([CHAR.encode(" ")], after_space=False, unknown=[])


def test_unknown_words_are_named() -> None:
    assert read(", ramen, too ramen\nor Ramen").unknown == ["ramen", "or", "Ramen"]


def test_unknown_words_that_are_not_read_are_not_named() -> None:
    behind = " ramen" + " too" * 200 + "\n" + "too " * 53
    assert read(behind + "or ramen Ramen").tokens == 256
    assert read(behind + "or ramen Ramen").unknown == ["ramen", "or"]
    assert read(behind + "or ramen Ramen", is_last=False).unknown == ["ramen", "or", "Ramen"]


def test_the_last_segment_is_cut_after_256_tokens() -> None:
    assert read(" too" * 300).tokens == 256
    cut = read(" too" * 200 + "\n" + "too " * 200)
    assert [len(line) for line in cut.lines] == [200, 55]
    assert read(" too" * 256 + "\nI").tokens == 256


@pytest.mark.parametrize(
    ("text", "length"), [(" too" * 1001, "1,001 tokens"), ("x" * 100_001, "100,001 characters")]
)
def test_blanks_too_far_apart_are_refused(text: str, length: str) -> None:
    with pytest.raises(UsageError) as error:
        read(text, is_last=False)

    assert str(error.value) == (
        f"There are {length} between two blanks; at most 1,000 tokens may be there. "
        "Fill the blanks one at a time."
    )


def test_a_word_in_a_blank_has_the_space_that_was_typed_before_it() -> None:
    unknown: list[str] = []

    assert word_ids("known", WORD, unknown, after_space=False) == WORD.encode("well-known")[2:]
    assert word_ids("sushi", WORD, unknown, after_space=True) == WORD.encode("sushi")
    assert word_ids("ramen, too", WORD, unknown, after_space=True) == WORD.encode("ramen, too")
    assert unknown == ["ramen"]
