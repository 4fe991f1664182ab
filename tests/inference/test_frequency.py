"""Choices ranked by PMI, against Bayes' rule on what the same model says without it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from rnn_cli.errors import ModelFileError, RnnError, UsageError
from rnn_cli.inference import CompletionResult, TrainedModel
from rnn_cli.inference.additions import Additions
from rnn_cli.inference.frequency import Frequencies
from rnn_cli.model_file import ModelFile
from tests.inference.test_both_sides import directed
from tests.inference.test_interpolation import ngrams_of

MakeModelFile = Callable[..., ModelFile]
CHOICES = ["sushi", "ramen", "favourite dish", "is"]  # the model does not know ramen
TEXT = "My favourite dish is ____. So, my"


@pytest.fixture
def make(make_model_file: MakeModelFile) -> Callable[..., TrainedModel]:
    """`make("both", mode="lines")`: a small model that reads so, and knows how often its words stood in a text."""

    def make(direction: str = "forward", **settings: object) -> TrainedModel:
        file = directed(make_model_file(**settings), direction)
        counts = np.arange(len(file.tensors["c"])) ** 3
        return TrainedModel.from_model_file(replace(file, counts=counts), name="small")

    return make


Make = Callable[..., TrainedModel]


def by_frequency(model: TrainedModel, *words: str) -> float:
    """P(words), each by itself: one more than it was seen, of one more for all tokens."""
    tokens = [*model.tokenizer.pieces]
    counts = [number**3 for number in range(len(tokens))]
    ids = [tokens.index(f" {word}") if f" {word}" in tokens else tokens.index(" <unk>") for word in words]
    return math.prod((counts[id_] + 1) / (sum(counts) + len(tokens)) for id_ in ids)


def shares(result: CompletionResult | RnnError) -> dict[str, float]:
    assert isinstance(result, CompletionResult)
    return {" ".join(c.words): c.probability for c in result.completions}


def bayes(model: TrainedModel, plain: CompletionResult | RnnError) -> dict[str, float]:
    """P(choice | text) / P(choice), made to sum to 1."""
    odds = {
        choice: probability / by_frequency(model, *choice.split())
        for choice, probability in shares(plain).items()
    }
    return {choice: one / sum(odds.values()) for choice, one in odds.items()}


def test_a_token_is_as_probable_as_one_more_than_its_count() -> None:
    frequencies = Frequencies(np.array([0, 9, 5, 0]))

    assert np.exp(frequencies.log_probs) == pytest.approx([1 / 18, 10 / 18, 6 / 18, 1 / 18])
    assert frequencies.log_prob([1, 2, 2]) == pytest.approx(math.log(10 * 6 * 6 / 18**3))
    assert frequencies.log_prob([]) == 0


def test_the_largest_counts_still_make_probabilities() -> None:
    frequencies = Frequencies(np.array([2**63 - 1, 2**63 - 1, 0]))

    assert np.exp(frequencies.log_probs) == pytest.approx([0.5, 0.5, 2**-64])


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_choices_have_their_probability_if_all_were_equally_frequent(make: Make, direction: str) -> None:
    model = make(direction)
    plain = model.complete(TEXT, choices=CHOICES, blank_words=(1, 2))

    found = model.complete(TEXT, choices=CHOICES, blank_words=(1, 2), pmi=True)

    assert shares(found) == pytest.approx(bayes(model, plain), rel=1e-9)
    assert list(shares(found).values()) == sorted(shares(found).values(), reverse=True)
    assert list(shares(found)) != list(shares(plain))
    joint = {" ".join(c.words): c.joint_log_prob for c in plain.completions}
    for completion in found.completions:
        assert completion.joint_log_prob == joint[" ".join(completion.words)]
        assert completion.joint_log_prob is not None
        prior = math.log(by_frequency(model, *completion.words))
        assert completion.pmi == pytest.approx(completion.joint_log_prob - prior)
        assert completion.log_prob == pytest.approx(math.log(completion.probability))


def test_where_nothing_stands_behind_the_blank_it_is_the_mutual_information_itself(make: Make) -> None:
    model = make()
    (best,) = model.complete("My favourite dish is __", choices=["sushi"], pmi=True).completions

    text = model.score("My favourite dish is sushi").lines[0].tokens
    assert best.pmi == pytest.approx(text[4].log_prob - math.log(by_frequency(model, "sushi")), abs=1e-5)
    assert best.probability == 1


def test_choices_that_are_equally_frequent_are_ranked_as_without_it(make_model_file: MakeModelFile) -> None:
    file = make_model_file()
    counts = np.full(len(file.tensors["c"]), 7)
    model = TrainedModel.from_model_file(replace(file, counts=counts), name="even")
    words = ["sushi", "pasta", "is"]

    found, plain = (model.complete(TEXT, choices=words, pmi=pmi) for pmi in (True, False))

    assert shares(found) == pytest.approx(shares(plain))


def test_a_word_right_after_a_bracket_counts_as_it_stands_there(make: Make) -> None:
    model = make()
    tokens = model.tokenizer.pieces
    assert "paella" in tokens
    assert " paella" not in tokens
    (best,) = model.complete("A dish (__)", choices=["paella"], pmi=True).completions

    count, total = tokens.index("paella") ** 3, sum(n**3 for n in range(len(tokens)))
    assert best.joint_log_prob is not None
    assert best.pmi == pytest.approx(best.joint_log_prob - math.log((count + 1) / (total + len(tokens))))


def test_many_texts_are_ranked_as_one_by_one(make: Make) -> None:
    model = make("both")
    texts: Sequence[str] = (TEXT, "My __ is", "So, my favourite __")

    results = model.predict(texts, choices=[CHOICES[:2]] * 3, pmi=True)

    for text, result in zip(texts, results, strict=True):
        assert shares(result) == pytest.approx(shares(model.complete(text, choices=CHOICES[:2], pmi=True)))


def test_it_goes_with_a_temperature_and_with_what_is_added(
    make: Make, make_model_file: MakeModelFile
) -> None:
    words = ["sushi", "pasta", "is"]
    file = make_model_file()
    counts = np.arange(len(file.tensors["c"])) ** 3
    calibrated = replace(file, counts=counts, calibration={"temperature": 3.0})
    model = make()
    plain = model.complete(TEXT, choices=words, pmi=True)
    for other in (
        TrainedModel.from_model_file(calibrated, name="calibrated"),
        model.with_additions(Additions(ngrams=ngrams_of(model))),
        model.with_additions(Additions(cache=True)),
    ):
        found = other.complete(TEXT, choices=words, pmi=True)
        assert shares(found) != pytest.approx(shares(plain), rel=1e-3)
        assert shares(found) == pytest.approx(bayes(model, other.complete(TEXT, choices=words)), rel=1e-9)
        assert shares(other.predict([TEXT], choices=[words], pmi=True)[0]) == pytest.approx(shares(found))


def test_why_weighs_the_choices_in_the_same_way(make: Make) -> None:
    model = make()
    text, words = "My dish is __", ["sushi", "pasta", "is"]

    result = model.complete(text, choices=words, pmi=True, why=True)

    def odds_bits(text: str, answer: str) -> float:
        found = shares(model.complete(text, choices=words, pmi=True))
        return math.log2(found[answer] / (1 - found[answer]))

    assert result.why is not None
    (answer,) = result.why.answer
    assert result.why.log_odds_bits == pytest.approx(odds_bits(text, answer), abs=1e-4)
    brought = {word.word: word.bits for word in result.why.words}
    expected = odds_bits(text, answer) - odds_bits("My is __", answer)
    assert brought["dish"] == pytest.approx(expected, abs=1e-4)


def test_how_it_was_ranked_is_said_in_json_and_in_words(make: Make) -> None:
    model = make("both")
    result = model.complete(TEXT, choices=CHOICES[:2], pmi=True)

    record = result.to_dict()
    assert record["completions"][0]["pmi"] == result.completions[0].pmi
    assert record["ranked"] == {
        "count": 2,
        "tokens_behind": 4,
        "direction": "both",
        "by_pmi": True,
        "probabilities": "normalised over the ranked, as if all were equally frequent",
    }
    assert str(result.ranked) == (
        "2 fillings were ranked by the whole text, read from both ends, as if all choices were equally frequent "
        "(PMI); the probabilities of all of them sum to 1."
    )


WITHOUT_CHOICES = (
    '--pmi ranks choices; give --choices (in JSON lines "choices") with the words to rank, or leave it out.'
)


@pytest.mark.parametrize("text", [TEXT, "My favourite"])
def test_without_choices_it_is_refused(make: Make, text: str) -> None:
    with pytest.raises(UsageError) as error:
        make().complete(text, pmi=True)

    assert str(error.value) == WITHOUT_CHOICES


def test_a_text_without_choices_does_not_stop_the_others(make: Make) -> None:
    first, second = make().predict([TEXT, TEXT], choices=[None, ["sushi"]], pmi=True)

    assert isinstance(first, UsageError)
    assert str(first) == WITHOUT_CHOICES
    assert shares(second) == {"sushi": 1}


def test_a_model_without_counts_says_how_to_mend_it(make_model_file: MakeModelFile) -> None:
    model = TrainedModel.from_model_file(make_model_file(), name="old")
    for ask in (
        lambda: model.complete(TEXT, choices=["sushi"], pmi=True),
        lambda: model.predict([TEXT], choices=[["sushi"]], pmi=True),
    ):
        with pytest.raises(ModelFileError) as error:
            ask()
        assert str(error.value) == (
            "--pmi asks how frequent a word is, and this model was trained before model files said so. Leave it out, "
            "or train the model again with this rnn_cli."
        )
    assert model.complete(TEXT, choices=["sushi"]).completions[0].pmi is None


@pytest.mark.parametrize(("kind", "settings"), [("char", {}), ("bpe", {"max_size": 290})])
def test_pieces_of_words_have_no_frequency_of_a_word(make: Make, kind: str, settings: dict[str, int]) -> None:
    with pytest.raises(UsageError) as error:
        make(kind=kind, **settings).complete(TEXT, choices=["sushi"], pmi=True)

    assert str(error.value) == (
        f"--pmi asks how frequent a word is, and this model's tokens are pieces of words (kind {kind}). "
        "Leave it out, or train with data.tokenizer.kind word."
    )
