from pathlib import Path

from rnn_cli.insight.prompts import Tried, prompts_of


def test_a_runs_own_questions_come_first_spread_over_all(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(f'{{"text": "I eat __ {number}", "answer": "rice"}}\n' for number in range(10)))
    data = {"questions": {"cloze": str(path)}, "train": str(tmp_path / "gone.txt")}
    assert prompts_of(data, 2) == [Tried("I eat __ 0", "rice"), Tried("I eat __ 5", "rice")]
    assert len(prompts_of(data, 20)) == 10


def test_without_questions_lines_of_the_text_are_begun(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("too short\n\none two three four five\n" + "word " * 40 + "\n")
    data = {"questions": {"gone": "gone.jsonl"}, "valid": str(tmp_path / "valid.txt"), "train": "x.txt"}
    assert prompts_of(data, 5) == [Tried("one two"), Tried(" ".join(["word"] * 12))]


def test_lines_that_begin_alike_are_one_prompt(tmp_path: Path) -> None:
    lines = ["one two three four", "one two five six", "three four five six", "one two three four"]
    (tmp_path / "valid.txt").write_text("\n".join(lines) + "\n")
    assert prompts_of({"valid": str(tmp_path / "valid.txt")}, 4) == [Tried("one two"), Tried("three four")]


def test_the_training_text_serves_where_there_is_no_other(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("one two three four five\n")
    for valid in (None, ["gone.txt"]):
        assert prompts_of({"valid": valid, "train": [str(tmp_path / "train.txt")]}, 5) == [Tried("one two")]


def test_a_part_that_was_kept_apart_of_the_training_text_is_begun(tmp_path: Path) -> None:
    lines = [f"line number {number} of the text" for number in range(100)]
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    data = {"train": str(tmp_path / "text.txt"), "mode": "stream", "split": {"valid": 0.1, "test": 0.1}}
    found = prompts_of(data, 100)
    assert [prompt.text for prompt in found] == [f"line number {number}" for number in range(81, 91)]


def test_where_the_texts_are_gone_there_are_no_prompts() -> None:
    assert prompts_of({"train": "gone.txt"}, 5) == []
    assert prompts_of({}, 5) == []
