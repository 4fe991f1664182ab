"""Figures under dotted names."""

from rnn_cli.batch.figures import flattened, higher_is_better


def test_numbers_are_found_in_nested_mappings_and_nothing_else() -> None:
    data = {
        "reason": "epochs done",
        "steps": 10,
        "valid": {"perplexity": 8.5, "loss": None, "end_of_line_counted": True},
        "questions": {"unseen pairings": {"accuracy": 0.5}},
        "rollbacks": [{"step": 3}],
        "worst": float("inf"),
    }
    assert flattened(data) == {
        "steps": 10,
        "valid.perplexity": 8.5,
        "questions.unseen pairings.accuracy": 0.5,
    }


def test_a_high_accuracy_is_good_and_a_high_perplexity_is_not() -> None:
    assert higher_is_better("questions.unseen pairings.accuracy")
    assert not higher_is_better("valid.perplexity")
    assert not higher_is_better("elapsed_s")
