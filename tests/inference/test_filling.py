"""Blanks against brute force: every word in place, the whole text read token by token from its beginning."""

import itertools
import re
from collections.abc import Callable

import numpy as np
import pytest

from rnn_cli.inference import CompletionResult, TrainedModel
from rnn_cli.inference import filling as filling_module
from rnn_cli.model_file import ModelFile
from tests.inference.test_both_sides import directed

MakeModel = Callable[..., TrainedModel]


def log_prob(model: TrainedModel, ids: list[int], *, unweighed: int = 0) -> float:
    """ln P(ids | <eos>), the first `unweighed` not counted, nor what comes after one of them unknown."""
    engine = model.engine
    hidden, state = engine.step(np.array([model.tokenizer.eos_id]), engine.initial_state(1))
    total = 0.0
    for number, id_ in enumerate(ids):
        if number >= unweighed:
            total += float(engine.log_probs(hidden)[0, id_])
        hidden, state = engine.step(np.array([id_]), state)
    return total


def words_of(model: TrainedModel, *, spaced: bool) -> dict[str, int]:
    return {
        piece.strip(): id_
        for id_, piece in enumerate(model.tokenizer.pieces)
        if re.search(r"\w", piece) and piece.startswith(" ") == spaced and piece != " <unk>"
    }


def by_brute_force(
    model: TrainedModel, left: str, right: list[int], *, spaced: bool = True
) -> dict[str, float]:
    before = model.tokenizer.encode(left)
    return {
        word: log_prob(model, [*before, id_, *right], unweighed=len(before))
        for word, id_ in words_of(model, spaced=spaced).items()
    }


@pytest.mark.parametrize(
    ("text", "left", "right", "spaced"),
    [
        ("My favourite dish is _____", "My favourite dish is", "", True),
        ("My favourite dish is _____.", "My favourite dish is", ".", True),
        ("My favourite dish is\t_____. So, my dish is", "My favourite dish is", ". So, my dish is", True),
        ("_____ favourite dish is Italian.", "", " favourite dish is Italian.", True),
        ("_____ favourite dish ", "", " favourite dish", True),
        ("A well-_____ dish", "A well-", " dish", False),
        ("A dish (_____), 12 of them.", "A dish (", "), 12 of them.", False),
    ],
)
@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_a_blank_is_ranked_by_the_whole_text_with_each_word_in_place(
    make_model: MakeModel, text: str, left: str, right: str, spaced: bool, mode: str
) -> None:
    model = make_model(num_layers=2, mode=mode)
    behind = model.tokenizer.encode("x" + right)[1:]
    expected = by_brute_force(model, left, behind, spaced=spaced)
    total = np.logaddexp.reduce(list(expected.values()))

    result = model.complete(text, top=1000)

    best_first = sorted(expected, key=lambda word: -expected[word])
    assert [c.words for c in result.completions] == [[word] for word in best_first]
    for completion in result.completions:
        joint = expected[completion.words[0]]
        assert completion.joint_log_prob == pytest.approx(joint, abs=1e-4)
        assert completion.log_prob == pytest.approx(joint - total, abs=1e-4)
        assert completion.text == text.replace("_____", completion.words[0])
    assert result.ranked is not None
    assert (result.ranked.count, result.ranked.tokens_behind) == (len(expected), len(behind))
    assert sum(c.probability for c in result.completions) == pytest.approx(1)


def test_a_line_end_counts_where_it_was_typed_and_the_end_of_the_text_is_none(make_model: MakeModel) -> None:
    for mode, behind in (("stream", ["dish", "\n", "Is", "it"]), ("lines", ["dish", "\n"])):
        model = make_model(mode=mode)
        ids = [model.tokenizer.eos_id if w == "\n" else model.tokenizer.encode(w)[0] for w in behind]
        expected = by_brute_force(model, "My", ids)

        completions = model.complete("My __ dish\nIs it", top=1000).completions

        assert [c.words[0] for c in completions] == sorted(expected, key=lambda word: -expected[word])
        assert completions[0].joint_log_prob == pytest.approx(max(expected.values()), abs=1e-4)


def test_an_unknown_word_behind_the_blank_is_read_but_not_weighed(make_model: MakeModel) -> None:
    model = make_model()
    unk, dish = model.tokenizer.unk_id, model.tokenizer.encode("dish")[0]
    assert unk is not None

    result = model.complete("My __ ramen dish", top=1000)

    my = model.tokenizer.encode("My")
    for completion in result.completions:
        read = [*my, *model.tokenizer.encode(completion.words[0]), unk]
        expected = log_prob(model, read[:-1], unweighed=1) + log_prob(
            model, [*read, dish], unweighed=len(read)
        )
        assert completion.joint_log_prob == pytest.approx(expected, abs=1e-4)
    assert result.unknown == ["ramen"]


def test_what_is_further_behind_than_the_limit_does_not_count(make_model: MakeModel) -> None:
    model = make_model()

    near = model.complete("My __" + " dish" * 256, top=5)
    far = model.complete("My __" + " dish" * 256 + " sushi", top=5)

    assert near.ranked is not None
    assert near.ranked.tokens_behind == 256
    assert far.ranked == near.ranked
    assert [c.log_prob for c in far.completions] == [c.log_prob for c in near.completions]


@pytest.mark.parametrize("text", ["My __ is __.", "__ dish\n__ it", "__ __", "Is __ well-__, __"])
def test_several_blanks_are_the_best_of_all_combinations(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(filling_module, "BEAM", 2000)  # leaves nothing out
    monkeypatch.setattr(filling_module, "MOST_RANKED", 200_000)
    monkeypatch.setattr(filling_module, "NEGLIGIBLE", 0.0)
    model = make_model(["My dish is it.", "Is it well-known, my dish?"])
    text = text.replace("__ __", "__ dish __") if text == "__ __" else text
    spaced, stuck = words_of(model, spaced=True), words_of(model, spaced=False)
    parts = text.split("__")
    expected = {}
    choices = [stuck if part.endswith("-") else spaced for part in parts[:-1]]
    for words in itertools.product(*choices):
        whole = "".join(part + word for part, word in zip(parts, words, strict=False)) + parts[-1]
        ids: list[int] = []
        for number, line in enumerate(whole.split("\n")):
            ids += [model.tokenizer.eos_id] * (number > 0) + model.tokenizer.encode(line)
        before = len(model.tokenizer.encode(parts[0].rstrip()))
        expected[words] = log_prob(model, ids, unweighed=before)
    total = np.logaddexp.reduce(list(expected.values()))

    result = model.complete(text, top=20)

    best_first = sorted(expected, key=lambda words: -expected[words])[:20]
    assert [tuple(c.words) for c in result.completions] == best_first
    for completion in result.completions:
        assert completion.log_prob == pytest.approx(expected[tuple(completion.words)] - total, abs=1e-4)
    assert result.ranked is not None
    assert result.ranked.count == len(expected)


def test_a_blank_of_several_words_is_the_best_of_all_of_them(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling_module, "BEAM", 2000)
    model = make_model(["My dish is it.", "Is it my dish?"])
    words = words_of(model, spaced=True)
    behind = model.tokenizer.encode("it.")
    expected = {
        some: log_prob(
            model, [*model.tokenizer.encode("Is"), *(words[w] for w in some), *behind], unweighed=1
        )
        for number in (1, 2, 3)
        for some in itertools.product(words, repeat=number)
    }

    result = model.complete("Is __ it.", blank_words=(1, 3), top=15)

    assert [tuple(c.words) for c in result.completions] == sorted(expected, key=lambda w: -expected[w])[:15]
    assert result.completions[0].fills == [result.completions[0].words]
    assert result.completions[0].joint_log_prob == pytest.approx(max(expected.values()), abs=1e-4)


def spellings(pieces: list[str], text: str) -> list[list[int]]:
    """All ways to put a text together from pieces, as ids."""
    if not text:
        return [[]]
    return [
        [id_, *rest]
        for id_, piece in enumerate(pieces)
        if piece and text.startswith(piece)
        for rest in spellings(pieces, text[len(piece) :])
    ]


@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_a_word_of_several_pieces_is_ranked_by_the_whole_text(make_model: MakeModel, kind: str) -> None:
    model = make_model(kind=kind, max_size=290 if kind == "bpe" else None, scale=0.3)
    tokenizer = model.tokenizer
    # Among characters the space is read before the word, else it is in the word's pieces.
    left, space = ("My dish is ", "") if kind == "char" else ("My dish is", " ")
    before, behind = tokenizer.encode(left), tokenizer.encode("x, so it is.")[len(tokenizer.encode("x")) :]

    result = model.complete("My dish is __, so it is.", top=3, blank_words=(1, 2))

    assert len(result.completions) == 3
    for completion in result.completions:
        assert 1 <= len(completion.words) <= 2
        # Byte pairs may spell a word in another way than the tokenizer does.
        joint = [
            log_prob(model, [*before, *fill, *behind], unweighed=len(before))
            for fill in spellings(tokenizer.pieces, space + " ".join(completion.words))
        ]
        assert completion.joint_log_prob == pytest.approx(
            min(joint, key=lambda found: abs(found - (completion.joint_log_prob or 0))), abs=1e-3
        )


@pytest.mark.parametrize("kind", ["char", "bpe"])
@pytest.mark.parametrize("text", ["My dish is __", "My dish is __."])
def test_a_probability_does_not_depend_on_how_many_are_asked_for(
    make_model: MakeModel, kind: str, text: str
) -> None:
    model = make_model(kind=kind, max_size=290 if kind == "bpe" else None)

    one, five, all_ = (model.complete(text, top=top) for top in (1, 5, filling_module.MOST_SEARCHED))

    assert five.completions == all_.completions[:5]
    assert one.completions == all_.completions[:1]
    assert one.completions[0].probability < 0.9
    assert one.ranked == five.ranked == all_.ranked
    assert all_.ranked is not None
    assert all_.ranked.count == len(all_.completions)
    assert sum(c.probability for c in all_.completions) == pytest.approx(1)


@pytest.mark.parametrize("blank_words", [(1, 1), (1, 2)])
def test_a_word_of_characters_at_the_end_is_as_probable_found_as_given_as_a_choice(
    make_model_file: Callable[..., ModelFile], blank_words: tuple[int, int]
) -> None:
    pair = directed(make_model_file(kind="char"), "both")
    model = TrainedModel.from_model_file(pair, name="small")

    found = model.complete("My dish ____", top=40, blank_words=blank_words).completions

    assert len(found) == 40
    fills = [" ".join(c.words) for c in found]
    ranked = model.complete("My dish ____", choices=fills, blank_words=blank_words).completions
    assert {c.text: c.joint_log_prob for c in ranked} == {
        c.text: pytest.approx(c.joint_log_prob, abs=1e-4) for c in found
    }


def test_fewer_are_ranked_where_the_others_cannot_matter(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"w{number}" for number in range(300)]
    model = make_model([" ".join(words)], scale=0.0)
    model.engine._c[model.tokenizer.encode("w7")[0]] = 30.0

    sure = model.complete("w1 __ w7", top=2)
    monkeypatch.setattr(filling_module, "NEGLIGIBLE", 0.0)
    everything = model.complete("w1 __ w7", top=2)

    assert sure.ranked is not None
    assert everything.ranked is not None
    assert (sure.ranked.count, everything.ranked.count) == (64, 300)
    assert sure.completions[0].words == ["w7"]
    assert sure.completions[0].probability == pytest.approx(everything.completions[0].probability, abs=1e-4)


def test_in_bounded_time_the_best_by_the_left_side_are_ranked(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling_module, "WORK", 1)
    monkeypatch.setattr(filling_module, "FEWEST_RANKED", 8)
    model = make_model()
    behind = model.tokenizer.encode("x dish.")[1:]
    by_left = by_brute_force(model, "My", [])
    expected = by_brute_force(model, "My", behind)
    eight = sorted(by_left, key=lambda word: -by_left[word])[:8]

    result = model.complete("My __ dish.", top=8)

    assert [c.words[0] for c in result.completions] == sorted(eight, key=lambda word: -expected[word])
    assert result.ranked is not None
    assert result.ranked.count == 8


def test_where_no_word_may_stand_nothing_is_found(make_model: MakeModel) -> None:
    model = make_model([". , !"])

    for text in ("! __ ,", "! __ , __ ."):
        result = model.complete(text)
        assert isinstance(result, CompletionResult)
        assert result.completions == []
