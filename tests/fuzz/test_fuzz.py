"""The fuzz command finds what is broken, keeps it, and finds nothing in a short run over the real targets."""

import random
from pathlib import Path

import pytest

from tests.fuzz import driver
from tests.fuzz.__main__ import TARGETS, main, make_target
from tests.fuzz.driver import kind_of, replay, run


class Broken:
    """Refuses odd numbers, breaks at those that end in 4, and hangs at 8."""

    name = "broken"

    def make(self, rng: random.Random) -> bytes:
        return b"%d" % rng.randrange(10)

    def check(self, data: bytes) -> str | None:
        number = int(data)
        while number == 8:
            pass
        if number == 4:
            raise ZeroDivisionError(f"of {number}")
        return f'the number {number} is "odd".' if number % 2 else None


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_breaks_under_a_few_hundred_inputs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    report = run(make_target(name, tmp_path), inputs=200, seed=7, seconds=60, folder=tmp_path / "found")

    assert report.crashes == {}
    assert report.inputs == 200
    assert report.accepted + report.refusals.total() == 200
    assert min(report.accepted, report.refusals.total()) > 10  # inputs on both sides of the line


def test_what_breaks_a_target_is_counted_saved_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "SLOWEST_S", 0.01)

    report = run(Broken(), inputs=100, seed=1, seconds=60, folder=tmp_path)

    made = [int(Broken().make(random.Random(f"1/broken/{number}"))) for number in range(100)]
    assert report.refusals == {'the number N is "…".': sum(number % 2 for number in made)}
    (hang, hung), (division, divided) = sorted(report.crashes.items())  # by name: T before Z
    assert (hung, divided) == (made.count(8), made.count(4))
    assert hang.startswith("TooSlowError at test_fuzz.py:")
    assert hang.endswith(": more than N s")
    assert division.startswith("ZeroDivisionError at test_fuzz.py:")
    assert division.endswith(": of N")
    assert len(report.saved) == 6  # three of each
    path, way = next(saved for saved in report.saved if saved[1] == division)
    assert path.read_bytes() == b"4"
    assert "ZeroDivisionError: of 4" in path.with_name(path.name + ".traceback").read_text()
    lines = list(report.lines())
    assert f"{len(made):,} inputs" in lines[0]
    assert f"  CRASH {made.count(4)} times: {way}" in lines
    assert f"  replay: python -m tests.fuzz broken --replay {path}" in lines
    with pytest.raises(ZeroDivisionError):
        replay(Broken(), path)


def test_a_seed_makes_the_same_inputs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in TARGETS:
        target = make_target(name, tmp_path)
        made = [[target.make(random.Random(f"{seed}/{number}")) for number in range(5)] for seed in (1, 1, 2)]
        assert made[0] == made[1] != made[2]


def test_a_run_ends_when_its_time_is_over(tmp_path: Path) -> None:
    report = run(Broken(), inputs=10**9, seed=1, seconds=-1, folder=tmp_path)

    assert report.inputs == 0


def test_messages_that_differ_in_names_and_numbers_are_of_one_kind() -> None:
    assert kind_of('found "x\\"y", allowed: 1,000 or -2.5.') == kind_of('found "z", allowed: 3 or 4')


def test_the_command_reports_a_target_and_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tests.fuzz.__main__.resource.setrlimit", lambda *limits: None)  # not for all tests

    assert main(["tokenizer", "--inputs", "20", "--folder", str(tmp_path / "kept")]) == 0
    assert capsys.readouterr().out.startswith("tokenizer: 20 inputs in 0 s: ")

    monkeypatch.setattr("tests.fuzz.__main__.make_target", lambda name, folder: Broken())
    monkeypatch.setattr(driver, "SLOWEST_S", 0.01)
    assert main(["config", "--inputs", "20", "--folder", str(tmp_path / "kept")]) == 1
    assert list((tmp_path / "kept").glob("broken-1-*.traceback"))
