import unicodedata
from collections.abc import Callable

import numpy as np
import pytest

from rnn_cli.inference import CompletionResult, TrainedModel, choosing
from rnn_cli.inference import completer as completer_module
from rnn_cli.inference import rules as rules_module
from rnn_cli.inference import words as words_module
from rnn_cli.model_file import ModelFile

MakeModel = Callable[..., TrainedModel]
MakeModelFile = Callable[..., ModelFile]

PROMPTS = [
    "My favourite dish is sushi. So, my favourite cuisine is _____.",
    "_____ favourite dish",
    "A well-____ dish",
    "Is it?",
    "My favourite",
    "",
    "My dish is paella. It is _____",
    "My favourite dish is sushi. So, my favourite cuisine is ",
]


def log_probs_after(model: TrainedModel, text: str) -> np.ndarray:
    """ln P(next) after `<eos>` and the text, token by token."""
    return log_probs_after_ids(model, model.tokenizer.encode(text))


def log_probs_after_ids(model: TrainedModel, ids: list[int]) -> np.ndarray:
    engine = model.engine
    state = engine.initial_state(1)
    for id_ in [model.tokenizer.eos_id, *ids]:
        hidden, state = engine.step(np.array([id_]), state)
    return np.asarray(engine.log_probs(hidden)[0])


def predicted(model: TrainedModel, text: str, top: int) -> CompletionResult:
    (result,) = model.predict([text], top=top)
    assert isinstance(result, CompletionResult)
    return result


def test_what_comes_next_may_be_a_word_a_mark_or_the_end(make_model: MakeModel) -> None:
    model = make_model()
    log_probs = log_probs_after(model, "My favourite dish")
    best_first = [int(id_) for id_ in np.argsort(-log_probs) if id_ != model.tokenizer.unk_id]

    completions = predicted(model, "My favourite dish", top=1000).completions

    pieces = ["" if id_ == model.tokenizer.eos_id else model.tokenizer.pieces[id_] for id_ in best_first]
    assert [c.text for c in completions] == [f"My favourite dish{piece}" for piece in pieces]
    assert [c.words for c in completions] == [[piece.strip()] if piece else [] for piece in pieces]


def test_after_a_space_no_word_sticks_to_the_text(make_model: MakeModel) -> None:
    model = make_model()

    texts = [
        {c.text for c in predicted(model, text, top=1000).completions} for text in ("A well-", "A well ")
    ]

    assert "A well-known" in texts[0]
    assert "A wellknown" not in texts[1]
    assert {"A well sushi", "A well-"} <= texts[1]


@pytest.mark.parametrize("settings", [{}, {"kind": "char"}, {"kind": "bpe", "max_size": 290}])
def test_prompts_read_together_are_answered_as_if_alone(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    model = make_model(**settings)
    alone = [predicted(model, prompt, top=3) for prompt in PROMPTS]
    monkeypatch.setattr(completer_module, "PROMPTS_AT_ONCE", 3)

    together = model.predict(PROMPTS, top=3)

    for prompt, one, other in zip(PROMPTS, alone, together, strict=True):
        assert isinstance(other, CompletionResult)
        assert one.text == other.text == prompt
        assert one.unknown == other.unknown
        assert [c.text for c in one.completions] == [c.text for c in other.completions]
        np.testing.assert_allclose(
            [c.log_prob for c in one.completions], [c.log_prob for c in other.completions], atol=1e-6
        )


def test_a_large_vocabulary_takes_fewer_prompts_at_once(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    expected = model.predict(PROMPTS)

    monkeypatch.setattr(completer_module, "SCORES_AT_ONCE", 1)

    for few, many in zip(model.predict(PROMPTS), expected, strict=True):
        assert isinstance(few, CompletionResult)
        assert isinstance(many, CompletionResult)
        assert [c.text for c in few.completions] == [c.text for c in many.completions]


def test_a_word_of_byte_pairs_is_the_best_of_all(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_module, "LONGEST_WORD", 2)
    monkeypatch.setattr(words_module, "NARROWEST_WORD_BEAM", 10_000)  # leaves nothing out
    model = make_model(kind="bpe", max_size=290)
    pieces = model.tokenizer.pieces

    def in_word(text: str) -> bool:
        return text != "" and all(c == "\ufffd" or unicodedata.category(c)[0] in "LMN" for c in text)

    inside = [id_ for id_, piece in enumerate(pieces) if in_word(piece)]
    begins = [id_ for id_, piece in enumerate(pieces) if piece[0] == " " and in_word(piece[1:])]
    context = [model.tokenizer.eos_id, *model.tokenizer.encode("My dish is")]
    expected: dict[str, float] = {}
    space = pieces.index(" ")  # a piece of its own where it was not merged with the word
    for ids in [(i,) for i in begins] + [(i, j) for i in (space, *begins) for j in inside]:
        hidden, state = model.engine.read_each([context])
        log_prob = 0.0
        for id_ in ids:
            log_prob += float(model.engine.log_probs(hidden)[0, id_])
            hidden, state = model.engine.step(np.array([id_]), state)
        log_prob += float(np.log(np.delete(np.exp(model.engine.log_probs(hidden)[0]), inside).sum()))
        text = model.tokenizer.decode(ids)
        if "\ufffd" not in text:
            expected[text] = max(log_prob, expected.get(text, -np.inf))

    completions = predicted(model, "My dish is _____", top=60).completions

    best = sorted(expected.items(), key=lambda item: -item[1])[:60]
    assert [c.words for c in completions] == [[word] for word, _ in best]
    assert [c.joint_log_prob for c in completions] == pytest.approx([p for _, p in best], abs=1e-5)


def test_the_space_before_a_word_may_be_a_piece_of_its_own(make_model_file: MakeModelFile) -> None:
    model_file = make_model_file(kind="bpe", max_size=290, scale=0.0)
    model = TrainedModel.from_model_file(model_file, name="small")
    pieces = model.tokenizer.pieces
    for piece, score in ((" ", 6.0), ("J", 5.0), (".", 5.0), (" dish", 4.0)):
        model_file.tensors["c"][pieces.index(piece)] = score

    assert predicted(model, "My dish is __.", top=1).completions[0].text == "My dish is J."
    assert predicted(model, "My dish is ", top=1).completions[0].text == "My dish is."
    assert all("  " not in c.text for c in predicted(model, "My dish is", top=20).completions)
    assert {c.text for c in predicted(model, "My dish is", top=4).completions} == {
        "My dish is.",
        "My dish is .",
        "My dish isJ",
        "My dish is J",
    }


def test_white_space_is_no_prediction(make_model: MakeModel) -> None:
    model = make_model(["sushi  and   pasta", "sushi \t pasta "])

    completions = predicted(model, "sushi", top=100).completions

    assert sorted(c.words for c in completions) == [[], ["and"], ["pasta"], ["sushi"]]


def test_under_white_space_split_every_blank_finds_words(make_model: MakeModel) -> None:
    model = make_model(["I like sushi .", "I like pasta ."], split="whitespace")

    texts = sorted(c.text for c in predicted(model, "I like (_____)", top=10).completions)

    assert texts == ["I like (I)", "I like (like)", "I like (pasta)", "I like (sushi)"]


def test_choices_ranked_together_are_ranked_as_if_alone(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    texts = ["My __ is sushi.", "Is it", "My favourite __", "Is __ dish? It is."] * 3
    choices = [["dish", "favourite dish", "ramen"], None, ["sushi", "pasta"], ["my", "a"]] * 3
    alone = [
        model.predict([text], choices=[some], blank_words=(1, 2))[0]
        for text, some in zip(texts, choices, strict=True)
    ]
    monkeypatch.setattr(choosing, "CHOICES_AT_ONCE", 4)

    for one, other in zip(alone, model.predict(texts, choices=choices, blank_words=(1, 2)), strict=True):
        assert isinstance(one, CompletionResult)
        assert isinstance(other, CompletionResult)
        assert [c.words for c in one.completions] == [c.words for c in other.completions]
        assert [c.log_prob for c in one.completions] == pytest.approx(
            [c.log_prob for c in other.completions], abs=1e-5
        )
    assert {c.text for c in alone[0].completions} == {  # type: ignore[union-attr]
        "My dish is sushi.",
        "My favourite dish is sushi.",
        "My ramen is sushi.",
    }


@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_a_choice_at_the_end_of_the_text_is_a_whole_word(make_model: MakeModel, kind: str) -> None:
    model = make_model(kind=kind, max_size=290 if kind == "bpe" else None)
    context = "My dish " if kind == "char" else "My dish"
    before = len(model.tokenizer.encode(context))
    found = {c.words[0]: c.joint_log_prob for c in model.complete("My dish __", top=60).completions}

    ranked = model.complete("My dish __", choices=list(found)).completions

    assert len(ranked) == len(found) > 40
    for choice in ranked:
        ids = model.tokenizer.encode(choice.text)
        log_probs = [log_probs_after_ids(model, ids[:end]) for end in range(before, len(ids) + 1)]
        ends = np.logaddexp.reduce(log_probs[-1][~model.pieces.goes_on])
        expected = ends + sum(p[id_] for p, id_ in zip(log_probs, ids[before:], strict=False))
        assert choice.joint_log_prob == pytest.approx(expected, abs=1e-4)
        if kind == "char":  # byte pairs may spell a word in another way than the tokenizer does
            assert choice.joint_log_prob == pytest.approx(found[choice.words[0]], abs=1e-4)
