import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rnn_cli.text.streams import (
    LineWindows,
    StreamWindows,
    Window,
    Windows,
    fit_batch_size,
    random_lengths,
)

EOS = 1
deterministic = settings(derandomize=True, deadline=None, max_examples=100)
sizes = st.integers(1, 9)


def numbered(tokens: int) -> NDArray[np.uint16]:
    """A text in which every token is another, so that each can be followed."""
    return np.arange(100, 100 + tokens, dtype=np.uint16)


def lines_of(lengths: list[int]) -> tuple[NDArray[np.uint16], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Lines of these lengths (`<eos>` counted), a blank line before each, and their spans."""
    ids: list[int] = []
    starts = []
    for length in lengths:
        ids.append(EOS)
        starts.append(len(ids))
        ids += range(100 + len(ids), 100 + len(ids) + length - 1)
        ids.append(EOS)
    return np.array(ids, np.uint16), (np.array(starts), np.array(lengths))


def counted(window: Window) -> NDArray[np.bool_]:
    return np.ones(window.targets.shape, bool) if window.mask is None else window.mask


def columns(windows: list[Window]) -> tuple[list[list[int]], list[list[int]]]:
    """The inputs and the targets of each stream, put together over windows that carry the state."""
    streams = range(windows[0].inputs.shape[1])
    inputs = [[int(x) for w in windows for x in w.inputs[counted(w)[:, b], b]] for b in streams]
    targets = [[int(x) for w in windows for x in w.targets[counted(w)[:, b], b]] for b in streams]
    return inputs, targets


def batches(windows: list[Window]) -> list[list[Window]]:
    """The windows in groups that begin with a reset."""
    groups: list[list[Window]] = []
    for window in windows:
        if window.resets:
            groups.append([])
        groups[-1].append(window)
    return groups


@deterministic
@given(tokens=st.integers(1, 60), batch_size=sizes, bptt_steps=sizes)
def test_carried_windows_put_together_are_the_text(tokens: int, batch_size: int, bptt_steps: int) -> None:
    ids = numbered(tokens)
    windows = list(StreamWindows(ids, eos_id=EOS, batch_size=batch_size, bptt_steps=bptt_steps))
    inputs, targets = columns(windows)
    assert [x for stream in targets for x in stream] == ids.tolist()
    assert [x for stream in inputs for x in stream] == [EOS, *ids.tolist()[:-1]]
    lengths = [len(stream) for stream in targets]
    assert max(lengths) - min(lengths) <= 1


def in_files(lengths: list[int], *, seed: int = 0, batch_size: int = 1, bptt_steps: int = 9) -> StreamWindows:
    """The numbered text, in files of these lengths."""
    ids = numbered(sum(lengths))
    return StreamWindows(
        ids, eos_id=EOS, batch_size=batch_size, bptt_steps=bptt_steps, file_lengths=lengths, seed=seed
    )


def order_of_files(lengths: list[int], epoch: int, *, seed: int = 0) -> list[int]:
    """The files in the order in which an epoch reads them, told from the first token of each."""
    firsts = {100 + sum(lengths[:file]): file for file, length in enumerate(lengths) if length}
    (targets,) = columns(list(in_files(lengths, seed=seed).epoch(epoch)))[1]
    return [firsts[target] for target in targets if target in firsts]


@deterministic
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any),
    seed=st.integers(0, 3),
    epoch=st.integers(0, 3),
    batch_size=sizes,
    bptt_steps=sizes,
)
def test_an_epoch_reads_files_as_if_the_text_had_been_put_together_in_another_order(
    lengths: list[int], seed: int, epoch: int, batch_size: int, bptt_steps: int
) -> None:
    windows = in_files(lengths, seed=seed, batch_size=batch_size, bptt_steps=bptt_steps)
    files = np.split(numbered(sum(lengths)), np.cumsum(lengths)[:-1])
    order = order_of_files(lengths, epoch, seed=seed)
    assert sorted(order) == [file for file, length in enumerate(lengths) if length]
    put_together = StreamWindows(
        np.concatenate([files[file] for file in order]),
        eos_id=EOS,
        batch_size=batch_size,
        bptt_steps=bptt_steps,
    )
    for found, expected in zip(windows.epoch(epoch), put_together.epoch(0), strict=True):
        assert found.inputs.tolist() == expected.inputs.tolist()
        assert found.targets.tolist() == expected.targets.tolist()
        assert counted(found).tolist() == counted(expected).tolist()
        assert found.resets == expected.resets


def test_the_order_of_files_depends_on_the_seed_and_the_epoch_alone() -> None:
    lengths = [5, 4, 6, 3]
    orders = [order_of_files(lengths, epoch) for epoch in range(4)]
    assert orders == [[2, 0, 1, 3], [3, 0, 2, 1], [2, 1, 0, 3], [2, 1, 0, 3]]
    assert orders == [order_of_files(lengths, epoch) for epoch in range(4)]
    assert order_of_files(lengths, 0, seed=1) != orders[0]


def test_an_epoch_of_shuffled_files_can_begin_in_its_middle() -> None:
    windows = in_files([5, 4, 6, 3], batch_size=2, bptt_steps=3)
    whole = [window.targets.tolist() for window in windows.epoch(1)]
    assert [window.targets.tolist() for window in windows.epoch(1, first=2)] == whole[2:]


def test_a_single_file_is_read_as_it_lies_in_every_epoch() -> None:
    for epoch in range(3):
        assert [w.targets.tolist() for w in in_files([20]).epoch(epoch)] == [
            w.targets.tolist() for w in StreamWindows(numbered(20), eos_id=EOS, batch_size=1, bptt_steps=9)
        ]


@deterministic
@given(tokens=st.integers(1, 60), batch_size=sizes, bptt_steps=sizes)
def test_every_token_of_a_stream_is_a_target_once(tokens: int, batch_size: int, bptt_steps: int) -> None:
    cut = StreamWindows(numbered(tokens), eos_id=EOS, batch_size=batch_size, bptt_steps=bptt_steps)
    windows = list(cut.epoch(0))
    assert sum(int(counted(window).sum()) for window in windows) == cut.tokens == tokens
    assert len(windows) == len(cut) == cut.windows_in_epoch(0)
    assert [window.resets for window in windows] == [True] + [False] * (len(windows) - 1)
    assert all(window.mask is None for window in windows[:-1])
    for window in windows:
        assert window.inputs.shape == window.targets.shape
        assert window.inputs.shape[1] == batch_size
        assert 1 <= window.inputs.shape[0] <= bptt_steps
        assert window.inputs.dtype == window.targets.dtype == np.int64
        assert (window.targets[~counted(window)] == EOS).all()
        assert (window.inputs[~counted(window)] == EOS).all()


@deterministic
@given(tokens=st.integers(1, 300), batch_size=sizes, bptt_steps=st.integers(1, 30), epoch=st.integers(0, 3))
def test_windows_of_random_lengths_put_together_are_the_text(
    tokens: int, batch_size: int, bptt_steps: int, epoch: int
) -> None:
    ids = numbered(tokens)
    cut = StreamWindows(ids, eos_id=EOS, batch_size=batch_size, bptt_steps=bptt_steps, random_lengths_from=5)
    windows = list(cut.epoch(epoch))
    assert [x for stream in columns(windows)[1] for x in stream] == ids.tolist()
    assert len(windows) == cut.windows_in_epoch(epoch) == cut.windows_in_epoch(0)
    assert [window.resets for window in windows] == [True] + [False] * (len(windows) - 1)


def lengths_of(windows: StreamWindows, epoch: int = 0) -> list[int]:
    return [len(window.inputs) for window in windows.epoch(epoch)]


def test_random_lengths_lie_around_the_window_and_now_and_then_around_half_of_it() -> None:
    lengths = random_lengths(700_000, 70, seed=1)
    assert lengths.sum() == 700_000
    short = lengths < 52  # the two kinds lie 7 deviations apart
    assert short.mean() == pytest.approx(0.05, abs=0.01)
    assert lengths[~short].mean() == pytest.approx(70, abs=0.3)
    assert lengths[~short].std() == pytest.approx(5, abs=0.2)
    assert lengths[short].mean() == pytest.approx(35, abs=1.5)
    assert random_lengths(1000, 1, seed=1).min() == 1


def test_random_lengths_are_the_same_in_each_epoch_in_another_order_and_follow_the_seed() -> None:
    def cut(seed: int) -> StreamWindows:
        return StreamWindows(numbered(900), eos_id=EOS, batch_size=1, bptt_steps=14, random_lengths_from=seed)

    first, second = lengths_of(cut(1)), lengths_of(cut(1), epoch=1)
    assert sorted(first) == sorted(second)
    assert first != second
    assert lengths_of(cut(1), epoch=1) == second
    assert sorted(lengths_of(cut(2))) != sorted(first)


def test_a_training_on_windows_of_random_lengths_can_go_on_anywhere() -> None:
    assert_goes_on_anywhere(
        StreamWindows(numbered(200), eos_id=EOS, batch_size=3, bptt_steps=8, random_lengths_from=4)
    )


@deterministic
@given(
    lengths=st.lists(st.integers(0, 30), min_size=2, max_size=6).filter(any),
    batch_size=sizes,
    bptt_steps=st.integers(1, 15),
    epoch=st.integers(0, 3),
)
def test_shuffled_files_in_windows_of_random_lengths_are_each_read_as_if_alone_and_can_go_on_anywhere(
    lengths: list[int], batch_size: int, bptt_steps: int, epoch: int
) -> None:
    ids = numbered(sum(lengths))
    both = StreamWindows(
        ids,
        eos_id=EOS,
        batch_size=batch_size,
        bptt_steps=bptt_steps,
        random_lengths_from=5,
        file_lengths=lengths,
        seed=2,
    )
    windows = list(both.epoch(epoch))
    files = np.split(ids, np.cumsum(lengths)[:-1])
    text = np.concatenate([files[file] for file in order_of_files(lengths, epoch, seed=2)])
    streams = np.split(text, np.arange(1, batch_size) * len(text) // batch_size)
    assert columns(windows)[1] == [stream.tolist() for stream in streams]
    assert [x for stream in columns(windows)[0] for x in stream] == [EOS, *text[:-1].tolist()]
    in_order = StreamWindows(
        ids, eos_id=EOS, batch_size=batch_size, bptt_steps=bptt_steps, random_lengths_from=5
    )
    assert [len(window.inputs) for window in windows] == lengths_of(in_order, epoch)
    assert_goes_on_anywhere(both)


def test_a_window_of_streams_is_time_first() -> None:
    windows = StreamWindows(numbered(7), eos_id=EOS, batch_size=2, bptt_steps=2)
    first, last = windows
    assert first.inputs.tolist() == [[EOS, 102], [100, 103]]
    assert first.targets.tolist() == [[100, 103], [101, 104]]
    assert first.mask is None
    assert last.inputs.tolist() == [[101, 104], [EOS, 105]]
    assert last.targets.tolist() == [[102, 105], [EOS, 106]]
    assert last.mask is not None
    assert last.mask.tolist() == [[True, True], [False, True]]


def test_one_stream_does_not_depend_on_the_length_of_windows() -> None:
    for bptt_steps in [1, 3, 100]:
        windows = StreamWindows(numbered(10), eos_id=EOS, batch_size=1, bptt_steps=bptt_steps)
        assert columns(list(windows))[1] == [numbered(10).tolist()]


@deterministic
@given(lengths=st.lists(st.integers(2, 20), min_size=1, max_size=20), batch_size=sizes, bptt_steps=sizes)
@pytest.mark.parametrize("shuffle", [True, False])
def test_each_line_is_read_from_eos_to_eos_once(
    shuffle: bool, lengths: list[int], batch_size: int, bptt_steps: int
) -> None:
    ids, spans = lines_of(lengths)
    cut = LineWindows(
        ids, spans, eos_id=EOS, batch_size=batch_size, bptt_steps=bptt_steps, seed=3, shuffle=shuffle
    )
    windows = list(cut.epoch(5))
    assert len(windows) == cut.windows_in_epoch(5)
    assert cut.tokens == sum(lengths) == sum(int(counted(window).sum()) for window in windows)
    read: list[list[int]] = []
    for batch in batches(windows):
        inputs, targets = columns(batch)
        assert len(targets) <= batch_size
        assert [[EOS, *line[:-1]] for line in targets] == inputs
        read += targets
    expected = [ids[start : start + length].tolist() for start, length in zip(*spans, strict=True)]
    assert sorted(read) == sorted(expected)


def test_a_training_on_lines_can_go_on_anywhere() -> None:
    ids, spans = lines_of([2, 9, 3, 3, 14, 2, 5])
    assert_goes_on_anywhere(LineWindows(ids, spans, eos_id=EOS, batch_size=2, bptt_steps=4))


def test_a_training_on_a_stream_can_go_on_anywhere() -> None:
    assert_goes_on_anywhere(StreamWindows(numbered(23), eos_id=EOS, batch_size=3, bptt_steps=2))


def assert_goes_on_anywhere(cut: Windows) -> None:
    windows = list(cut.epoch(2))
    for first in range(len(windows) + 1):
        rest = list(cut.epoch(2, first))
        assert [w.targets.tolist() for w in rest] == [w.targets.tolist() for w in windows[first:]]
        assert [w.resets for w in rest] == [w.resets for w in windows[first:]]


def test_a_long_line_goes_on_in_the_next_window_with_its_state() -> None:
    ids, spans = lines_of([2, 5])
    windows = list(LineWindows(ids, spans, eos_id=EOS, batch_size=2, bptt_steps=3, shuffle=False).epoch(0))
    assert [window.resets for window in windows] == [True, False]
    assert windows[0].inputs.tolist() == [[EOS, EOS], [101, 104], [EOS, 105]]
    assert windows[0].targets.tolist() == [[101, 104], [EOS, 105], [EOS, 106]]
    assert counted(windows[0]).tolist() == [[True, True], [True, True], [False, True]]
    assert windows[1].inputs.tolist() == [[EOS, 106], [EOS, 107]]
    assert counted(windows[1]).tolist() == [[False, True], [False, True]]


def test_lines_of_similar_length_make_a_batch_and_batches_are_of_similar_size() -> None:
    ids, spans = lines_of([9, 2, 8, 3, 2])
    cut = LineWindows(ids, spans, eos_id=EOS, batch_size=2, bptt_steps=9, shuffle=False)
    lengths = [counted(window).sum(axis=0).tolist() for window in cut.epoch(0)]
    assert lengths == [[2], [2, 3], [8, 9]]


def test_some_streams_of_a_window_are_a_window() -> None:
    window = Window(
        inputs=np.array([[1, 2, 3], [4, 5, 6]]),
        targets=np.array([[4, 5, 6], [7, 8, 9]]),
        mask=np.array([[True, True, True], [True, False, False]]),
        resets=True,
    )
    assert window.words == 4
    some = window.streams(slice(1, 3))
    assert some.inputs.tolist() == [[2, 3], [5, 6]]
    assert some.targets.tolist() == [[5, 6], [8, 9]]
    assert some.mask is not None
    assert some.mask.tolist() == [[True, True], [False, False]]
    assert (some.words, some.resets) == (2, True)


def test_the_fewest_streams_of_a_window_are_known() -> None:
    ids, spans = lines_of([3] * 10)
    cut = LineWindows(ids, spans, eos_id=EOS, batch_size=4, bptt_steps=5)
    assert cut.fewest_streams == min(window.inputs.shape[1] for window in cut.epoch(0)) == 3
    assert StreamWindows(numbered(20), eos_id=EOS, batch_size=4, bptt_steps=5).fewest_streams == 4


def test_the_order_depends_on_the_seed_and_the_epoch_only() -> None:
    ids, spans = lines_of([4] * 12 + [7] * 12)

    def order(seed: int, epoch: int) -> list[int]:
        cut = LineWindows(ids, spans, eos_id=EOS, batch_size=2, bptt_steps=10, seed=seed)
        return [int(x) for window in cut.epoch(epoch) for x in window.targets[0]]

    assert order(1, 3) == order(1, 3)
    assert order(1, 3) != order(1, 4)
    assert order(1, 3) != order(2, 3)
    assert sorted(order(1, 3)) == sorted(order(2, 4))


def test_unshuffled_lines_come_in_the_same_order_in_every_epoch() -> None:
    ids, spans = lines_of([3, 5, 3, 2])
    cut = LineWindows(ids, spans, eos_id=EOS, batch_size=1, bptt_steps=9, shuffle=False)
    firsts = [[int(window.targets[0, 0]) for window in cut.epoch(epoch)] for epoch in (0, 1)]
    starts = spans[0]
    assert firsts[0] == firsts[1] == [int(ids[starts[line]]) for line in (3, 0, 2, 1)]


def test_a_line_that_begins_the_text_is_read_from_eos() -> None:
    ids = np.array([7, 8, EOS], np.uint32)
    windows = LineWindows(ids, (np.array([0]), np.array([3])), eos_id=EOS, batch_size=4, bptt_steps=9)
    (window,) = windows.epoch(0)
    assert window.inputs.tolist() == [[EOS], [7], [8]]
    assert window.targets.tolist() == [[7], [8], [EOS]]
    assert window.mask is None


def test_no_tokens_and_no_lines_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^There are no tokens to cut into windows\.$"):
        StreamWindows(numbered(0), eos_id=EOS, batch_size=1, bptt_steps=1)
    nothing = np.array([], np.int64)
    with pytest.raises(ValueError, match=r"^There are no lines to cut into windows\.$"):
        LineWindows(numbered(3), (nothing, nothing), eos_id=EOS, batch_size=1, bptt_steps=1)


def test_a_text_that_fills_the_batch_leaves_it_as_it_is() -> None:
    assert fit_batch_size(320, 32, 10) == (32, None)
    assert fit_batch_size(32, 32, 10, mode="lines") == (32, None)


def test_a_short_text_shrinks_the_batch_until_each_stream_fills_a_window() -> None:
    assert fit_batch_size(40, 32, 8) == (5, "The text has 40 tokens: batch_size 32 is reduced to 5.")
    assert fit_batch_size(1119, 32, 35) == (31, "The text has 1,119 tokens: batch_size 32 is reduced to 31.")
    assert fit_batch_size(3, 32, 35) == (1, "The text has 3 tokens: batch_size 32 is reduced to 1.")
    assert fit_batch_size(1, 2, 35) == (1, "The text has 1 token: batch_size 2 is reduced to 1.")


def test_few_lines_shrink_the_batch_to_their_number() -> None:
    assert fit_batch_size(12, 32, 35, mode="lines") == (
        12,
        "The text has 12 lines: batch_size 32 is reduced to 12.",
    )
    assert fit_batch_size(1, 32, 35, mode="lines")[1] == "The text has 1 line: batch_size 32 is reduced to 1."
