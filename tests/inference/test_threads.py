"""Parts of a task side by side."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from rnn_cli import cores
from rnn_cli.inference import completer
from rnn_cli.inference import threads as threads_module
from rnn_cli.inference.threads import in_threads
from tests.inference.conftest import MakeModel


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "usable_threads", lambda: 2)


@pytest.mark.usefixtures("two_threads")
def test_parts_are_worked_on_at_the_same_time_and_come_in_their_order() -> None:
    both_there = threading.Barrier(2, timeout=30)

    def do(part: int) -> tuple[int, str]:
        both_there.wait()
        return part, threading.current_thread().name

    found = list(in_threads(do, [1, 2, 3, 4]))
    assert [part for part, _ in found] == [1, 2, 3, 4]
    assert {name for _, name in found} == {"rnn-part_0", "rnn-part_1"}


@pytest.mark.parametrize(("threads", "parts"), [(1, [1, 2, 3]), (2, [1]), (2, [])])
def test_without_a_second_thread_or_a_second_part_all_is_done_here(
    threads: int, parts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads_module, "usable_threads", lambda: threads)
    here = threading.current_thread()
    assert list(in_threads(lambda part: (part, threading.current_thread()), parts)) == [
        (part, here) for part in parts
    ]


@pytest.mark.usefixtures("two_threads")
def test_what_goes_wrong_in_a_part_is_raised_and_no_further_part_is_begun() -> None:
    begun = []

    def do(part: int) -> int:
        begun.append(part)
        if part == 0:
            raise ValueError("wrong")
        threading.Event().wait(0.05)
        return part

    with pytest.raises(ValueError, match="wrong"):
        list(in_threads(do, range(100)))
    assert len(begun) < 10


@pytest.mark.usefixtures("two_threads")
def test_what_numpy_is_told_to_pass_over_is_passed_over_in_the_threads_too() -> None:
    with np.errstate(divide="ignore"):
        found = list(in_threads(np.log, [np.zeros(2), np.ones(2)]))
    assert found[0].tolist() == [-np.inf, -np.inf]


@pytest.mark.parametrize(
    ("said", "threads"), [(None, 4), ("", 4), ("2", 2), ("9", 4), ("0", 4), ("2,1", 4), ("²", 4)]
)
def test_there_is_a_thread_a_core_or_as_many_as_omp_num_threads_says(
    said: str | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: 4)
    if said is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert cores.usable_threads() == threads


@pytest.mark.usefixtures("two_threads")
def test_a_large_model_answers_in_threads_with_the_same_results(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    texts = [
        "My favourite dish is",
        "So, my ____ cuisine",
        "",
        "Is it? ____",
        "A dish",
        "is sushi. ____ my",
    ] * 2
    choices = [None, None, None, None, None, ["So", "Is", "12"]] * 2
    expected = model.predict(texts, choices=choices)
    worked_on: list[str] = []

    def watched(do: object, parts: list[list[int]]) -> Iterator[object]:
        worked_on.extend(map(str, parts))
        return in_threads(do, parts)  # type: ignore[arg-type]

    monkeypatch.setattr(completer, "in_threads", watched)
    monkeypatch.setattr(completer, "WORTH_A_THREAD", 1)
    assert model.predict(texts, choices=choices) == expected
    assert sorted(worked_on) == sorted(["[1]", "[7]", "[3]", "[9]", "[2, 8]", "[4, 10]", "[5, 11]", "[0, 6]"])
