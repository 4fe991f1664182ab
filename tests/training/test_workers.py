"""Threads that train side by side."""

import threading

import pytest
import torch

from rnn_cli.training.workers import Workers


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [
        (1, 5, [(0, 5)]),
        (2, 5, [(0, 2), (2, 5)]),
        (3, 9, [(0, 3), (3, 6), (6, 9)]),
        (4, 2, [(0, 1), (1, 2)]),
    ],
)
def test_shares_cover_everything_once_and_none_is_empty(
    count: int, total: int, expected: list[tuple[int, int]]
) -> None:
    assert [(share.start, share.stop) for share in Workers(count).shares(total)] == expected


def test_results_come_in_the_order_of_the_shares_whoever_ends_first() -> None:
    first_may_end = threading.Event()

    def do(number: int) -> int:
        if number == 0:
            assert first_may_end.wait(10)
        else:
            first_may_end.set()
        return number * number

    assert Workers(2).map(do, [0, 1]) == [0, 1]


def test_each_share_has_a_thread_and_torch_starts_none_inside() -> None:
    barrier = threading.Barrier(3)

    def do(_: int) -> tuple[int, int]:
        barrier.wait(10)  # passes only when three are there at once
        return threading.get_ident(), torch.get_num_threads()

    threads, inside = zip(*Workers(3).map(do, [0, 1, 2]), strict=True)
    assert len(set(threads)) == 3
    assert set(inside) == {1}


@pytest.mark.parametrize("number", [0, 1])
def test_what_goes_wrong_in_a_worker_goes_wrong_for_the_caller(number: int) -> None:
    def do(share: int) -> None:
        if share == number:
            raise ValueError("the text ends here")

    with pytest.raises(ValueError, match="the text ends here"):
        Workers(2).map(do, [0, 1])
