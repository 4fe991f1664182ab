"""A trace's numbers, against the same numbers found another way."""

import json
import math

import numpy as np
import pytest

from rnn_cli.errors import UsageError
from rnn_cli.inference import TrainedModel
from rnn_cli.insight.trace import Trace, UnitChange, trace
from tests.insight.conftest import MakeModel, make_linear_model

CELLS = ["elman", "gru", "lstm", "mogrifier", "indrnn"]


def log2_probs(model: TrainedModel, ids: list[int]) -> np.ndarray:
    """log2 P(next | ids)."""
    engine = model.engine
    hidden, _ = engine.read_each([ids])
    return np.asarray(engine.log_probs(hidden)[0].astype(float) / math.log(2))


def ids_of(model: TrainedModel, text: str) -> list[int]:
    return [model.tokenizer.eos_id, *model.tokenizer.encode(text)]


def test_a_step_for_each_word_read_and_one_for_the_beginning(make_model: MakeModel) -> None:
    found = trace(make_model(), "I eat rice and ____ .")
    assert [step.token for step in found.steps] == ["<eos>", "I", "eat", "rice", "and"]
    assert [step.came for step in found.steps] == ["I", "eat", "rice", "and", None]


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_each_error_is_the_surprise_at_the_word_that_came(
    make_model: MakeModel, num_layers: int, output: str
) -> None:
    model = make_model(num_layers=num_layers, output=output)
    found = trace(model, "you eat soup ____")
    ids = ids_of(model, "you eat soup")
    for t, step in enumerate(found.steps[:-1]):
        assert step.error_bits == pytest.approx(-log2_probs(model, ids[: t + 1])[ids[t + 1]], abs=1e-5)
    assert found.steps[-1].error_bits is None


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_of_a_step_is_the_networks(make_model: MakeModel, cell: str) -> None:
    model = make_model(cell=cell, num_layers=2)
    found = trace(model, "I eat rice")
    _, two = model.engine.read(np.array(ids_of(model, "I eat"))[:, None], model.engine.initial_state(1))
    _, three = model.engine.read(
        np.array(ids_of(model, "I eat rice"))[:, None], model.engine.initial_state(1)
    )
    before, after = np.concatenate(two, axis=1)[0], np.concatenate(three, axis=1)[0]  # (layers · S,)
    step = found.steps[-1]
    assert step.norm == pytest.approx(np.linalg.norm(after), rel=1e-5)
    assert step.change == pytest.approx(np.linalg.norm(after - before), rel=1e-5)
    most = int(np.abs(after - before).argmax())
    layer, column = divmod(most, 12 if cell in ("lstm", "mogrifier") else 6)
    part = "hs"[column // 6]
    assert (step.units[0].layer, step.units[0].part, step.units[0].unit) == (layer + 1, part, column % 6 + 1)
    assert step.units[0].change == pytest.approx(after[most] - before[most], rel=1e-4)


def test_a_unit_is_written_with_its_layer_and_its_direction(make_model: MakeModel) -> None:
    for unit in trace(make_model(num_layers=2), "I eat").steps[0].units:
        place = f"{unit.unit}" if unit.layer == 1 else f"{unit.layer}:{unit.unit}"
        assert str(unit) == place + ("+" if unit.change > 0 else "-")


def test_a_unit_that_an_lstm_holds_beside_h_is_marked() -> None:
    assert str(UnitChange(1, 12, 0.5, "s")) == "s12+"
    assert str(UnitChange(2, 3, -0.5, "s")) == "2:s3-"


def test_the_blank_gets_the_word_that_complete_gives(make_model: MakeModel) -> None:
    model = make_model(mode="lines")
    found = trace(model, "I drink ____ .")  # what stands behind the blank has no part in a trace
    completions = model.complete("I drink ____", top=3).completions
    assert found.answer == completions[0].words[0]
    probabilities = [math.exp(c.joint_log_prob) for c in completions if c.joint_log_prob is not None]
    assert found.probability == pytest.approx(probabilities[0], rel=1e-5)
    last = found.steps[-1].predictions
    assert [best.token for best in last] == [completion.words[0] for completion in completions]
    assert [best.probability for best in last] == pytest.approx(probabilities, rel=1e-5)


def test_without_a_blank_the_last_prediction_is_what_comes_next(make_model: MakeModel) -> None:
    model = make_model()
    found = trace(model, "I drink")
    best = int(log2_probs(model, ids_of(model, "I drink")).argmax())
    assert found.answer == (model.tokenizer.pieces[best].strip() or "<eos>")


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_a_word_is_left_out_by_reading_the_text_without_it(
    make_model: MakeModel, cell: str, num_layers: int
) -> None:
    model = make_model(cell=cell, num_layers=num_layers)
    found = trace(model, "you eat soup and ____", answer="tea")
    ids = ids_of(model, "you eat soup and")
    (tea,) = model.tokenizer.encode("tea")
    rivals = [model.tokenizer.encode(word)[0] for word in found.rivals]

    def odds(log2: np.ndarray) -> float:
        return float(log2[tea] - np.log2(np.exp2(log2[rivals]).sum()))

    for t, step in enumerate(found.steps):
        without = log2_probs(model, ids[:t] + ids[t + 1 :])
        assert step.probability_without == pytest.approx(2 ** without[tea], rel=1e-4)
        assert step.evidence_bits == pytest.approx(odds(log2_probs(model, ids)) - odds(without), abs=1e-4)


def test_in_a_network_that_adds_up_the_estimate_is_exact_and_one_word_decides() -> None:
    found = trace(make_linear_model(), "you eat soup and ____")
    rivals = 7  # words besides tea; <unk>, <eos> and the full stop cannot fill a blank
    assert len(found.rivals) == rivals == 7
    assert found.answer == "tea"
    assert found.probability == pytest.approx(
        16 / (16 + 10)
    )  # 10 other tokens, each with half the weight of 2
    by_token = {step.token: step for step in found.steps}
    assert by_token["soup"].evidence_bits == pytest.approx(3, abs=1e-5)
    assert by_token["soup"].gradient_times_input_bits == pytest.approx(3, abs=1e-5)
    assert by_token["soup"].probability_without == pytest.approx(2 / 12)
    assert by_token["eat"].evidence_bits == pytest.approx(0, abs=1e-5)
    assert by_token["eat"].gradient_times_input_bits == pytest.approx(0, abs=1e-5)
    norms = [step.gradient_norm for step in found.steps]
    assert norms == pytest.approx([1 - found.probability] * 5)  # h goes on as it is: nothing fades
    assert found.decisive == by_token["soup"]
    assert found.verdict() == (
        'The model gives "tea" 61.5%.',
        'What speaks most for it is "soup": without that word it would be 16.7%.',
    )


def test_an_answer_of_ones_own_is_explained_in_place_of_the_best() -> None:
    found = trace(make_linear_model(), "you eat soup and ____", answer="rice")
    assert found.answer == "rice"
    assert found.probability == pytest.approx(1 / 26)
    assert found.rivals[0] == "tea"
    assert found.steps[-1].came == "rice"
    assert found.steps[-1].error_bits == pytest.approx(math.log2(26))
    assert found.verdict() == (
        'The model gives "rice" 3.8%.',
        'What speaks most against it is "soup": without that word it would be 8.3%.',
    )


def test_where_nothing_decides_that_is_said() -> None:
    found = trace(make_linear_model(), "you eat ____")
    assert found.decisive is None
    assert (
        found.verdict()[1] == "No single word decides that: leaving one out never halves or doubles its odds."
    )


def test_a_blank_in_front_is_read_from_the_beginning_of_a_line(make_model: MakeModel) -> None:
    model = make_model()
    found = trace(model, "____ eat rice")
    assert [step.token for step in found.steps] == ["<eos>"]
    (answer,) = model.tokenizer.encode(found.answer)
    assert found.steps[0].probability_without == pytest.approx(2 ** log2_probs(model, [])[answer], rel=1e-5)


@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_characters_and_byte_pairs_are_traced_piece_by_piece(make_model: MakeModel, kind: str) -> None:
    found = trace(make_model(kind=kind), "I eat ri____")
    assert len(found.steps) > 2
    assert all(step.token.isprintable() and step.token for step in found.steps)


def test_white_space_that_is_a_token_can_be_seen(make_model: MakeModel) -> None:
    assert [step.token for step in trace(make_model(kind="char"), "I e").steps] == ["<eos>", "I", "␣", "e"]


def test_unknown_words_are_named(make_model: MakeModel) -> None:
    found = trace(make_model(), "I eat sushi ____")
    assert found.unknown == ["sushi"]
    assert found.steps[-1].token == "<unk>"


def test_more_words_than_are_scored_at_once_are_left_out_one_by_one(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    expected = trace(model, "I eat rice and soup ____")
    monkeypatch.setattr("rnn_cli.insight.trace.SCORES_AT_ONCE", 20)
    found = trace(model, "I eat rice and soup ____")
    assert [s.evidence_bits for s in found.steps] == pytest.approx(
        [s.evidence_bits for s in expected.steps], abs=1e-5
    )


@pytest.mark.parametrize(
    ("text", "answer", "message"),
    [
        (
            " ",
            None,
            'The sentence is empty. Give some words: rnn trace "My favourite dish is sushi. So, my favourite ..."',
        ),
        (
            "I eat " * 300,
            None,
            "The sentence has 601 tokens; a trace has at most 400. Give its last words only.",
        ),
        (
            "I ____",
            "rise",
            '--answer: the model does not know "rise". Nearest known words: "rice".',
        ),
        ("I ____", "zzzz", '--answer: the model does not know "zzzz".'),
        (
            "I ____",
            "eat rice",
            '--answer: "eat rice" is 2 tokens for this model; it has to be one, because one step predicts one.',
        ),
        (
            "I ____ and ____",
            None,
            "The sentence has 2 blanks; a trace ends at one: write words in place of the others.",
        ),
    ],
)
def test_what_cannot_be_traced_is_said_in_a_sentence(
    make_model: MakeModel, text: str, answer: str | None, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        trace(make_model(), text, answer=answer)
    assert str(error.value) == message


def test_a_trace_is_json(make_model: MakeModel) -> None:
    found = trace(make_model(), "I eat ____")
    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(stored) == ["text", "cell", "answer", "probability", "rivals", "steps", "unknown"]
    assert stored["steps"][1]["token"] == "I"
    assert isinstance(found, Trace)


def test_an_answer_without_a_rival_has_no_trace(make_model: MakeModel) -> None:
    model = make_model(lines=["hello ."])
    with pytest.raises(UsageError) as error:
        trace(model, "hello ____")
    assert str(error.value) == (
        '"hello" is the only word that the model has for the blank, so there is nothing to weigh it against. '
        "Leave the blank out, or take a model that knows more words."
    )
    assert len(trace(model, "hello").steps) == 2
