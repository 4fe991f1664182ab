"""Runs side by side, with figures that are known."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rnn_cli.insight.comparison import Comparison, Difference, Level, Reached, compare, reached
from rnn_cli.insight.comparison_page import comparison_page, difference_rows, level_rows
from rnn_cli.insight.curves import loss_lines
from rnn_cli.insight.plots import can_plot
from rnn_cli.insight.prompts import Tried
from rnn_cli.insight.runs import Run, read_run
from tests.insight.conftest import MakeModel, make_linear_model, trained, validated, write_model, write_run

SUMMARY = {
    "reason": "epochs done",
    "elapsed_s": 9.6,
    "rollbacks": [{}, {}],
    "test": {"perplexity": 6.5, "perplexity_standard_error": 0.125},
    "questions": {"cloze": {"accuracy": 0.75, "standard_error": 0.05}},
}


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """A finished run with a model, and one that is not finished and has none."""
    one = write_run(
        tmp_path / "one",
        [trained(10, perplexity=9), validated(40, perplexity=8), validated(80, perplexity=6.001)],
        config="data: {train: x}\nmodel: {hidden_size: 8, dropout: 0.0}\ntraining: {seed: 1}\n",
        summary=SUMMARY,
    )
    write_model(one, make_linear_model())
    two = write_run(
        tmp_path / "two",
        [validated(20, perplexity=9), validated(40, perplexity=7.5)],
        config="data: {train: x, valid: [a, b]}\nmodel: {hidden_size: 8, dropout: null}\ntraining: {seed: 2}\n",
    )
    return [read_run(one), read_run(two)]


def comparison(runs: list[Run], perplexities: list[float] | None = None) -> Comparison:
    return compare(runs, perplexities=perplexities or [], prompts=[Tried("you eat soup __"), Tried("I __")])


def test_only_keys_that_differ_are_told(runs: list[Run]) -> None:
    assert comparison(runs).config == [
        Difference("model.dropout", ["0.0", "null"]),
        Difference("training.seed", ["1", "2"]),
        Difference("data.valid", ["-", "a, b"]),
    ]


def test_the_figures_are_those_of_the_summary_or_what_there_is_of_them(runs: list[Run]) -> None:
    assert comparison(runs).figures == [
        Difference("state", ["epochs done", "not finished"]),
        Difference("parameters", ["1,234", "1,234"]),
        Difference("validation perplexity", ["6.00", "7.50"]),
        Difference("test perplexity", ["6.50 ± 0.12", "-"]),
        Difference("cloze, right", ["75.0% ± 5.0%", "-"]),
        Difference("seconds of training", ["10", "4"]),
        Difference("tokens/s, median", ["1,000", "-"]),
        Difference("went wrong", ["2 times", "-"]),
    ]


def test_a_figure_of_a_part_of_the_text_says_so(runs: list[Run]) -> None:
    part = replace(runs[0], summary={"test": {"perplexity": 6.5, "tokens": 1_200, "of_tokens": 24_000}})
    (row,) = (row for row in comparison([part, runs[1]]).figures if row.what == "test perplexity")
    assert row.runs[0] == "6.50 (1,200 of 24,000 tokens)"


def test_perplexities_over_different_tokens_are_said_not_to_be_comparable(runs: list[Run]) -> None:
    words, characters = (
        replace(run, validations=[{**run.validations[-1], "tokens": tokens, "unknown": unknown}])
        for run, tokens, unknown in zip(runs, (1_234, 6_789), (5, 0), strict=True)
    )
    found = comparison([words, characters])
    assert found.figures[3] == Difference(
        "it is over", ["1,234 tokens, 5 unknown", "6,789 tokens, 0 unknown"]
    )
    caution = "Perplexities over different tokens cannot be compared; bits per character can (`rnn eval`)."
    assert found.caution == caution
    assert caution in comparison_page(found, [words, characters]).replace("&#x27;", "'")
    assert comparison([words, words]).caution is comparison(runs).caution is None


def test_a_perplexity_is_reached_at_the_first_validation_that_is_as_low(runs: list[Run]) -> None:
    assert reached(runs[0], 8) == Reached(elapsed_s=4.0, tokens=400)
    assert reached(runs[0], 7.9) == Reached(elapsed_s=8.0, tokens=800)
    assert reached(runs[0], 6) is None


def test_unless_others_are_asked_for_the_levels_are_the_best_of_each_run(runs: list[Run]) -> None:
    assert comparison(runs).levels == [
        Level(7.5, [Reached(8.0, 800), Reached(4.0, 400)]),
        Level(6.01, [Reached(8.0, 800), None]),
    ]
    assert [level.perplexity for level in comparison(runs, [5, 10.5]).levels] == [10.5, 5]


@pytest.mark.parametrize(
    ("best", "level"), [(6.001, 6.01), (8.0, 8.0), (131.9, 132), (1.8418, 1.85), (12345, 12400)]
)
def test_a_level_has_three_digits_and_is_reached(tmp_path: Path, best: float, level: float) -> None:
    run = read_run(write_run(tmp_path / "run", [validated(40, perplexity=best)]))
    (found,) = compare([run], perplexities=[], prompts=[]).levels
    assert found.perplexity == level
    assert found.runs[0] is not None


def test_prompts_that_are_completed_differently_are_told(runs: list[Run]) -> None:
    found = comparison(runs)
    assert found.completions == [
        Difference("you eat soup __", ["tea", "-"]),
        Difference("I __", ["tea", "-"]),
    ]
    assert found.prompts == 2
    assert comparison([runs[0], runs[0]]).completions == []


def test_a_model_without_a_word_for_a_blank_says_nothing(tmp_path: Path, make_model: MakeModel) -> None:
    folders = [write_run(tmp_path / name, []) for name in ("marks", "words")]
    for folder, model in zip(folders, (make_model(lines=["! ?"]), make_model()), strict=True):
        write_model(folder, model)
    found = compare([read_run(folder) for folder in folders], perplexities=[], prompts=[Tried("! __")])
    assert found.completions[0].runs[0] == "-"


def test_a_comparison_is_json(runs: list[Run]) -> None:
    stored = json.loads(json.dumps(comparison(runs).to_dict()))
    assert list(stored) == ["names", "config", "figures", "levels", "completions", "prompts"]
    assert stored["levels"][1] == {"perplexity": 6.01, "runs": [{"elapsed_s": 8.0, "tokens": 800}, None]}


def test_the_rows_of_the_tables_have_a_cell_for_each_run(runs: list[Run]) -> None:
    found = comparison(runs)
    assert level_rows(found) == [
        ["7.5", "8 s, 800 tokens", "4 s, 400 tokens"],
        ["6.01", "8 s, 800 tokens", "never"],
    ]
    assert difference_rows(found.config)[1] == ["training.seed", "1", "2"]


def test_the_losses_stand_over_the_tokens(runs: list[Run]) -> None:
    train, valid = loss_lines(runs[0], 1, "one, ")
    assert (train.label, train.x) == ("one, training", [100])
    assert train.y == pytest.approx([2.1972], abs=1e-4)
    assert (valid.label, valid.x, valid.points, valid.number) == ("one, validation", [400, 800], True, 1)


def test_the_page_has_every_table_and_escapes_every_text(runs: list[Run]) -> None:
    found = compare(runs, perplexities=[], prompts=[Tried("<script>soup __")])
    page = comparison_page(found, runs)
    for heading in ("What they came to", "What was set differently", "Time to a perplexity"):
        assert f"<h2>{heading}</h2>" in page
    assert "&lt;script&gt;soup __" in page
    assert "<script" not in page
    assert ("<svg" in page) is can_plot()
