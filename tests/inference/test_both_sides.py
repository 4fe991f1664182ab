"""Networks that read backwards, and pairs, against brute force: the whole text read token by token from both ends."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnn_cli.errors import ModelFileError, RnnError, UsageError
from rnn_cli.inference import CompletionResult, TrainedModel, load
from rnn_cli.inference.additions import Additions
from rnn_cli.inference.engine import Engine
from rnn_cli.inference.line_index import LineIndex, write_index
from rnn_cli.inference.mixture import fit_weight
from rnn_cli.model_file import ModelFile, write_model_file
from rnn_cli.model_tensors import BACKWARD
from tests.inference.conftest import LINES, random_tensors
from tests.inference.test_interpolation import ngrams_of

MakeModelFile = Callable[..., ModelFile]

WEIGHT = 0.3


def directed(model_file: ModelFile, direction: str) -> ModelFile:
    """The same weights with a direction; a pair's second network has others."""
    config = {**model_file.config, "model": {**model_file.config["model"], "direction": direction}}
    tensors = dict(model_file.tensors)
    if direction == "both":
        model = model_file.config["model"]
        second = random_tensors(
            len(tensors["c"]), cell=model["cell"], num_layers=model["num_layers"], scale=0.6, seed=8
        )
        tensors |= {f"{BACKWARD}{name}": tensor for name, tensor in second.items()}
    mixture = {"forward_weight": WEIGHT} if direction == "both" else None
    return replace(model_file, config=config, tensors=tensors, mixture=mixture)


@pytest.fixture
def make(make_model_file: MakeModelFile) -> Callable[..., TrainedModel]:
    """`make("both", mode="lines")`: a small model that reads so."""

    def make(direction: str, *args: object, **settings: object) -> TrainedModel:
        return TrainedModel.from_model_file(
            directed(make_model_file(*args, **settings), direction), name="small"
        )

    return make


Make = Callable[..., TrainedModel]


def log_prob(engine: Engine, eos_id: int, ids: list[int], weighed: list[bool]) -> float:
    """The sum of ln P of the weighed ids, each given `<eos>` and all before it."""
    hidden, state = engine.step(np.array([eos_id]), engine.initial_state(1))
    total = 0.0
    for id_, counts in zip(ids, weighed, strict=True):
        total += float(engine.log_probs(hidden)[0, id_]) if counts else 0.0
        hidden, state = engine.step(np.array([id_]), state)
    return total


def from_the_end(
    model: TrainedModel, engine: Engine, before: list[int], fill: list[int], behind: list[int]
) -> float:
    """ln P(fill, before it and the start of the line | behind it), read from the end."""
    eos = model.tokenizer.eos_id
    ids = [*behind[::-1], *fill[::-1], *before[::-1], eos]
    weighed = [False] * len(behind) + [True] * (len(ids) - len(behind))
    return log_prob(engine, eos, ids, weighed)


def from_the_start(
    model: TrainedModel, engine: Engine, before: list[int], fill: list[int], behind: list[int]
) -> float:
    ids = [*before, *fill, *behind]
    weighed = [False] * len(before) + [True] * (len(ids) - len(before))
    return log_prob(engine, model.tokenizer.eos_id, ids, weighed)


def by_brute_force(model: TrainedModel, before: str, fill: str, behind: str) -> float:
    tokenizer = model.tokenizer
    ids = tokenizer.encode(before), tokenizer.encode(fill), tokenizer.encode("x" + behind)[1:]
    if model.direction == "backward":
        return from_the_end(model, model.engine, *ids)
    assert model.backward is not None
    first = from_the_start(model, model.engine, *ids)
    return WEIGHT * first + (1 - WEIGHT) * from_the_end(model, model.backward, *ids)


@pytest.mark.parametrize("direction", ["backward", "both"])
@pytest.mark.parametrize("mode", ["stream", "lines"])
@pytest.mark.parametrize(
    ("text", "before", "behind"),
    [
        ("My favourite ____ is sushi. So, my", "My favourite", " is sushi. So, my"),
        ("My favourite dish is ____", "My favourite dish is", ""),
        ("____ favourite dish.", "", " favourite dish."),
    ],
)
def test_a_blank_is_ranked_by_the_whole_text_read_from_its_end_or_from_both_ends(
    make: Make, direction: str, mode: str, text: str, before: str, behind: str
) -> None:
    model = make(direction, mode=mode, num_layers=2)

    result = model.complete(text, top=1000)

    joint = {c.words[0]: by_brute_force(model, before, c.words[0], behind) for c in result.completions}
    assert len(joint) == 19
    total = np.logaddexp.reduce(list(joint.values()))
    assert [c.words[0] for c in result.completions] == sorted(joint, key=lambda word: -joint[word])
    for completion in result.completions:
        expected = joint[completion.words[0]]
        assert completion.joint_log_prob == pytest.approx(expected, abs=1e-4)
        assert completion.log_prob == pytest.approx(expected - total, abs=1e-4)
    assert result.ranked is not None
    assert (result.ranked.count, result.ranked.direction) == (19, direction)


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_choices_of_several_tokens_are_read_from_both_ends(make: Make, direction: str) -> None:
    model = make(direction, mode="lines")
    choices = ["sushi", "well-known dish", "favourite cuisine"]

    (alone,) = model.predict(["My ____ is Italian."], choices=[choices], blank_words=(1, 2))
    together = model.predict(
        ["My ____ is Italian.", "Is ____?"], choices=[choices, ["it", "dish"]], blank_words=(1, 2)
    )

    assert isinstance(alone, CompletionResult)
    for completion in alone.completions:
        fill = " ".join(completion.words)
        expected = by_brute_force(model, "My", fill, " is Italian.")
        assert completion.joint_log_prob == pytest.approx(expected, abs=1e-4)
    assert isinstance(together[0], CompletionResult)
    found = [(c.words, c.log_prob) for c in together[0].completions]
    assert [words for words, _ in found] == [c.words for c in alone.completions]
    assert [p for _, p in found] == pytest.approx([c.log_prob for c in alone.completions], abs=1e-5)


def test_several_blanks_and_blanks_of_several_words_are_weighed_from_both_ends(make: Make) -> None:
    model = make("both", mode="lines")
    assert model.backward is not None
    encode = model.tokenizer.encode

    for best in model.complete("My ____ is ____ of them.", top=3).completions:
        fill = [encode(" ".join(words)) for words in best.fills or ()]
        before, between, behind = encode("My"), encode("is"), encode("of them.")
        forward = from_the_start(model, model.engine, before, [*fill[0], *between, *fill[1]], behind)
        ids = [*behind[::-1], *fill[1], *between, *fill[0], *before, model.tokenizer.eos_id]
        weighed = [False] * len(behind) + [True] * (len(ids) - len(behind))
        backward = log_prob(model.backward, model.tokenizer.eos_id, ids, weighed)
        assert best.joint_log_prob == pytest.approx(WEIGHT * forward + (1 - WEIGHT) * backward, abs=1e-4)
    for best in model.complete("My ____ is sushi.", blank_words=(1, 2), top=5).completions:
        expected = by_brute_force(model, "My", " ".join(best.words), " is sushi.")
        assert best.joint_log_prob == pytest.approx(expected, abs=1e-4)


def test_a_blank_between_lines_is_read_as_the_network_has_learnt_lines(make: Make) -> None:
    text, eos = "Is it?\nMy ____ dish.\nIt is!", "\n"
    for mode, before, behind in (
        ("stream", ["Is", "it", "?", eos, "My"], [" dish", ".", eos, "It", "is", "!"]),
        ("lines", ["My"], [" dish", ".", eos]),
    ):
        model = make("backward", mode=mode)
        tokenizer = model.tokenizer
        known = {piece: id_ for id_, piece in enumerate(tokenizer.pieces)} | {eos: tokenizer.eos_id}
        left, right = ([known.get(w, known.get(f" {w}", -1)) for w in words] for words in (before, behind))

        best = model.complete(text, top=1).completions[0]

        start = [] if mode == "stream" else [tokenizer.eos_id]
        right = right[::-1][len(start) :]
        read = [*right, *tokenizer.encode(best.words[0]), *left[::-1], tokenizer.eos_id]
        weighed = [False] * len(right) + [True] * (len(left) + 2)
        expected = log_prob(model.engine, tokenizer.eos_id, read, weighed)
        assert best.joint_log_prob == pytest.approx(expected, abs=1e-4), mode


def test_the_weight_of_a_side_decides_whose_answer_is_given(make_model_file: MakeModelFile) -> None:
    model_file = directed(make_model_file(mode="lines"), "both")
    text = "My favourite ____ is sushi."

    def words(weight: float) -> list[list[str]]:
        model = TrainedModel.from_model_file(
            replace(model_file, mixture={"forward_weight": weight}), name="x"
        )
        return [c.words for c in model.complete(text, top=1000).completions]

    alone = TrainedModel.from_model_file(
        replace(
            model_file,
            tensors=model_file.network(backwards=True),
            config={**model_file.config, "model": {**model_file.config["model"], "direction": "backward"}},
        ),
        name="x",
    )
    forward = TrainedModel.from_model_file(make_model_file(mode="lines"), name="x")
    assert words(1.0) == [c.words for c in forward.complete(text, top=1000).completions]
    assert words(0.0) == [c.words for c in alone.complete(text, top=1000).completions]
    assert words(1.0) != words(0.0)


def test_a_pair_goes_on_with_a_text_as_its_forward_network_does(
    make: Make, make_model_file: MakeModelFile
) -> None:
    pair = make("both")
    forward = TrainedModel.from_model_file(make_model_file(), name="x")

    assert pair.complete("My dish", max_words=4) == forward.complete("My dish", max_words=4)
    assert pair.predict(["My dish"]) == forward.predict(["My dish"])
    assert pair.score("Is it? It is!") == forward.score("Is it? It is!")


def test_a_network_that_reads_backwards_says_what_it_cannot_do(make: Make) -> None:
    no_continuation = (
        "This model reads backwards, so it cannot go on with a text. Put ____ where a word is missing, or train with "
        "model.direction forward or both."
    )
    one_word = (
        "This model only reads backwards, so it fills one blank with one word of its vocabulary, or ranks choices. "
        "For more, train with model.direction both."
    )
    model = make("backward")
    for text, settings, message in (
        ("My dish", {}, no_continuation),
        ("My dish", {"samples": 2}, no_continuation),
        ("My __ is __.", {}, one_word),
        ("My __ is sushi.", {"blank_words": (1, 2)}, one_word),
    ):
        with pytest.raises(UsageError) as error:
            model.complete(text, **settings)
        assert str(error.value) == message
    with pytest.raises(UsageError) as error:
        make("backward", kind="char").complete("My __ is sushi.")
    assert str(error.value) == one_word
    # In a batch it is an error of that text alone.
    wrong, right = model.predict(["My dish", "My __ is sushi."])
    assert str(wrong) == no_continuation
    assert isinstance(right, CompletionResult)


@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_pairs_of_characters_and_pieces_weigh_whole_words_from_both_ends(make: Make, kind: str) -> None:
    model = make("both", mode="lines", kind=kind, H=8)
    encode = model.tokenizer.encode
    text = "My dish is ____, so is it."

    (result,) = model.predict([text], choices=[["sushi", "pasta"]])

    assert isinstance(result, CompletionResult)
    assert model.backward is not None
    before = encode(f"My dish is{' ' if kind == 'char' else ''}")
    behind = encode("x, so is it.")[len(encode("x")) :]
    for completion in result.completions:
        fill = encode(completion.words[0])
        forward = from_the_start(model, model.engine, before, fill, behind)
        backward = from_the_end(model, model.backward, before, fill, behind)
        expected = WEIGHT * forward + (1 - WEIGHT) * backward
        assert completion.joint_log_prob == pytest.approx(expected, abs=1e-3)
    assert model.complete(text, top=2).completions


@pytest.mark.parametrize("mode", ["stream", "lines"])
def test_backwards_each_token_is_scored_by_those_behind_it(make: Make, mode: str) -> None:
    model = make("backward", mode=mode)
    tokenizer, eos = model.tokenizer, model.tokenizer.eos_id
    lines = ["Is it?", "It is!"]
    ids = [tokenizer.encode(line) for line in lines]
    score = model.score("\n".join(lines))
    if mode == "lines":
        read = [[*line[::-1], eos] for line in ids]
        expected = [
            [log_prob(model.engine, eos, some, [i == n for i in range(len(some))]) for n in range(len(some))]
            for some in read
        ]
    else:
        whole = [*ids[1][::-1], eos, *ids[0][::-1], eos]
        flat = [
            log_prob(model.engine, eos, whole, [i == n for i in range(len(whole))]) for n in range(len(whole))
        ]
        expected = [flat[len(ids[1]) + 1 :], flat[: len(ids[1]) + 1]]
    for line, text, figures in zip(score.lines, lines, expected, strict=True):
        assert line.text == text
        assert [t.text for t in line.tokens][-1] == "<eos>"
        found = [t.log_prob for t in line.tokens]
        assert found == pytest.approx([*figures[:-1][::-1], figures[-1]], abs=1e-4)


def test_a_sentence_is_as_probable_as_both_networks_say(make: Make) -> None:
    model = make("both")
    tokenizer, eos = model.tokenizer, model.tokenizer.eos_id
    assert model.backward is not None
    ids = tokenizer.encode("Is it?")
    everything = [True] * (len(ids) + 1)
    forward = log_prob(model.engine, eos, [*ids, eos], everything)
    backward = log_prob(model.backward, eos, [*ids[::-1], eos], everything)

    found = model.sentence_log_probs(["Is it?", "It is!"])

    assert found[0] == pytest.approx(WEIGHT * forward + (1 - WEIGHT) * backward, abs=1e-4)
    assert not isinstance(found[1], RnnError)


def test_the_weight_is_the_one_at_which_the_words_are_most_probable(make: Make) -> None:
    model = make("both", mode="lines")
    assert model.backward is not None
    lines = [model.tokenizer.encode(line) for line in LINES]

    fitted = fit_weight(model.engine, model.backward, model.tokenizer, lines)

    assert fitted is not None
    assert fitted.blanks == 1000
    assert fitted.loss < min(fitted.forward_loss, fitted.backward_loss)
    assert fit_weight(model.engine, model.backward, model.tokenizer, [[], []]) is None


def test_the_fitted_weight_is_found_by_trying_all(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss at the fitted weight, by the very ranking that a completion makes."""
    from rnn_cli.inference import mixture

    monkeypatch.setattr(mixture, "FEWEST_BLANKS", 3)
    model = make("both", mode="lines")
    assert model.backward is not None
    lines = [model.tokenizer.encode(line) for line in LINES]
    scores: list[tuple[np.ndarray, np.ndarray]] = []
    plain = mixture._scores

    def kept(*args: object) -> tuple[np.ndarray, np.ndarray]:
        scores.append(plain(*args))  # type: ignore[arg-type]
        return scores[-1]

    monkeypatch.setattr(mixture, "_scores", kept)
    fitted = fit_weight(model.engine, model.backward, model.tokenizer, lines, work=1)
    assert fitted is not None
    assert fitted.blanks == len(scores) == 3

    def loss(weight: float) -> float:
        ranked = [weight * f + (1 - weight) * b for f, b in scores]
        return float(np.mean([np.log(np.exp(r).sum()) - r[0] for r in ranked]))

    best = min(np.linspace(0, 1, 1001), key=loss)
    assert fitted.forward_weight == pytest.approx(best, abs=2e-3)
    assert fitted.loss == pytest.approx(loss(best), abs=1e-6)


def test_a_pair_that_is_not_whole_is_one_clear_message(
    make_model_file: MakeModelFile, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    pair = directed(make_model_file(), "both")
    model = pair.config["model"]
    single = {**pair.config, "model": {**model, "direction": "forward"}}
    sideways = {**pair.config, "model": {**model, "direction": "sideways"}}
    with pytest.raises(ModelFileError) as error:
        write_model_file(path, replace(pair, tensors=pair.network(backwards=False)))
    assert str(error.value) == (
        f"{path}: the tensor backward.embedding is missing; its shape would be (30, 5)."
    )
    with pytest.raises(ModelFileError) as error:
        write_model_file(path, replace(pair, config=single))
    assert str(error.value) == (f"{path}: the tensor 'backward.V' has no place in a model with this config.")
    with pytest.raises(ModelFileError) as error:
        write_model_file(path, replace(pair, config=sideways))
    assert str(error.value) == (
        f"{path}: the model's direction is 'sideways', which this rnn_cli does not know. A newer rnn_cli may."
    )
    write_model_file(path, replace(pair, mixture={"forward_weight": 2}))
    with pytest.raises(ModelFileError) as error:
        load(path)
    assert str(error.value) == (
        f"{path}: the forward_weight of its two networks is 2; it has to be a number from 0 to 1. Fit it anew with "
        "rnn eval --calibrate."
    )
    write_model_file(path, pair)
    assert (load(path).direction, load(path).forward_weight) == ("both", WEIGHT)


def test_a_pair_takes_what_is_added_with_its_forward_network_alone(make: Make) -> None:
    pair, forward = make("both"), make("forward")
    text = "My favourite dish is ____. So, my favourite cuisine is Japanese."
    for additions in (Additions(cache=True), Additions(ngrams=ngrams_of(pair))):
        found = pair.with_additions(additions)
        expected = forward.with_additions(additions)
        assert (found.direction, found.backward) == ("forward", None)
        one, other = found.complete(text), expected.complete(text)
        assert one.ranked is not None
        assert one.ranked.direction == "forward"
        assert one.completions == other.completions
        assert one.completions != pair.complete(text).completions
        assert found.predict([text]) == [one]
        assert found.sentence_log_probs(["My dish"]) == expected.sentence_log_probs(["My dish"])
    assert (pair.direction, pair.complete(text).ranked.direction) == ("both", "both")  # type: ignore[union-attr]


def test_why_finds_the_nearest_lines_also_with_an_n_gram_model(make: Make, tmp_path: Path) -> None:
    model = make("both")
    ids = [model.tokenizer.encode(line) for line in LINES]
    path = tmp_path / "index.safetensors"
    write_index(path, LineIndex.of(model.engine, ids, model.tokenizer.eos_id), model.engine)
    model._index = path
    plain = model.complete("My favourite dish is ____.", why=True).why
    added = model.with_additions(Additions(ngrams=ngrams_of(model)))
    found = added.complete("My favourite dish is ____.", why=True).why
    assert plain is not None
    assert found is not None
    assert found.nearest
    assert found.nearest == plain.nearest


def test_nothing_is_added_to_a_model_that_only_reads_backwards(make: Make) -> None:
    model = make("backward")
    for add in (
        lambda: model.additions(cache=True),
        lambda: model.additions(dynamic=True),
        lambda: model.additions(ngram="ngram.safetensors"),
        lambda: model.with_additions(Additions(), context=["My dish"]),
    ):
        with pytest.raises(UsageError) as error:
            add()
        assert str(error.value) == (
            "--cache, --dynamic, --ngram and --context are for a network that reads forward, and this model reads "
            "backwards. Leave them out, or train with model.direction forward or both."
        )
    assert model.additions().names == []
