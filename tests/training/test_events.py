"""The records that a training reports."""

import json
import math

import pytest

from rnn_cli.inference.scoring import Perplexity
from rnn_cli.training.events import Ended, Event, Measured, Notice, Preparing, RolledBack, Started, Trained

RESULT = Perplexity(nll=0.0, tokens=13, unknown=2, state_carried=False)


def measured(split: str) -> Measured:
    return Measured(step=9, epoch=2, split=split, result=RESULT, best=True, elapsed_s=1.5, update_cpu_s=2.5)


@pytest.mark.parametrize(
    ("event", "record"),
    [
        (Notice("A batch made smaller."), {"event": "notice", "message": "A batch made smaller."}),
        (
            Preparing("train", 5, 10),
            {"event": "preparing", "split": "train", "done_bytes": 5, "total_bytes": 10},
        ),
        (
            Started(0, 323, 11, 174, 18, 54, 2),
            {
                "event": "start",
                "step": 0,
                "parameters": 323,
                "vocab_size": 11,
                "train_tokens": 174,
                "windows_per_epoch": 18,
                "total_windows": 54,
                "batch_size": 2,
                "resumed": False,
                "device": "cpu",
            },
        ),
        (
            RolledBack(170, 100, "the loss is not finite", math.nan, 5.5, math.inf, 0.1, 0.5),
            {
                "event": "rollback",
                "step": 170,
                "back_to": 100,
                "reason": "the loss is not finite",
                "loss": None,
                "level": 5.5,
                "gradient_norm": None,
                "learning_rate": 0.1,
                "rate_factor": 0.5,
            },
        ),
        (
            Trained(10, 1, 2.5, 12.2, 9000.0, 0.8, 0.01, 0.5),
            {
                "event": "train",
                "step": 10,
                "epoch": 1,
                "loss": 2.5,
                "perplexity": 12.2,
                "tokens_per_s": 9000.0,
                "gradient_norm": 0.8,
                "learning_rate": 0.01,
                "elapsed_s": 0.5,
            },
        ),
        (
            Ended(54, 3, "epochs done", 2.5),
            {"event": "end", "step": 54, "epoch": 3, "reason": "epochs done", "elapsed_s": 2.5},
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Event) else "",
)
def test_a_record_is_flat_and_begins_with_its_kind(event: Event, record: dict[str, object]) -> None:
    assert event.to_record() == record
    assert next(iter(event.to_record())) == "event"
    assert json.loads(json.dumps(event.to_record())) == record


def test_a_measurement_has_its_perplexity_with_all_its_terms_beside_the_other_keys() -> None:
    assert measured("valid").to_record() == {
        "event": "validation",
        "step": 9,
        "epoch": 2,
        "split": "valid",
        "best": True,
        "elapsed_s": 1.5,
        "update_cpu_s": 2.5,
        "perplexity": 1.0,
        "loss": 0.0,
        "tokens": 13,
        "unknown": 2,
        "end_of_line_counted": True,
        "state": "reset",
    }


def test_a_measurement_on_the_test_text_is_called_test() -> None:
    record = measured("test").to_record()
    assert (record["event"], record["split"]) == ("test", "test")


def test_only_reading_the_texts_is_not_recorded() -> None:
    events: list[type[Event]] = [Notice, Preparing, RolledBack, Started, Trained, Measured, Ended]
    assert [event.__name__ for event in events if not event.recorded] == ["Preparing"]


def test_every_kind_of_event_has_a_name_of_its_own() -> None:
    names = [event.name for event in Event.__subclasses__()]
    assert sorted(names) == [
        "end", "gradient_flow", "notice", "preparing", "rollback", "sample", "start", "train", "validation",
    ]  # fmt: skip
