"""What the README tells people to type does what it says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rnn_cli.config import load_config
from tests.conftest import Rnn

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
STORY = "It was a dark and stormy night. The rain fell and the wind blew.\n" * 40


def commands() -> list[str]:
    """Every line of the README that is a command of ours, without its comment."""
    lines = re.findall(r"^    (?:\$ )?(rnn .*)$", README, re.MULTILINE)
    return [line.split("  #")[0].strip() for line in lines]


def test_the_readmes_commands_run_one_after_another(
    rnn: Rnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnn_cli.recipe.choice.LEAST_UPDATES", 0)
    for name in ("text.txt", "my.txt"):
        (tmp_path / name).write_text(STORY)
    (plan,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "study.yaml").write_text(plan)
    ran = []
    for command in commands():
        if "configs/" in command:
            continue  # trained by `make demo` and by the long tests
        words = shlex.split(command)
        if words[1:] == ["batch", "study.yaml"]:
            continue  # 24 trainings
        target = words.index(">") if ">" in words else len(words)
        arguments = words[1:target]
        if arguments[0] == "complete" and not list(tmp_path.glob("runs/*/summary.json")):
            continue  # the demo's sentence, before anything is trained here
        result = rnn(*arguments)
        assert result.code == 0, (command, result.err)
        if target < len(words):
            (tmp_path / words[target + 1]).write_text(result.out)
        ran.append(arguments[0])
    assert ran == ["train", "complete", "init", "init", "check", "train", "batch", "runs"]


def test_the_first_config_takes_another_cell_without_the_two_lines_that_the_readme_names(
    rnn: Rnn, tmp_path: Path
) -> None:
    (found,) = re.findall(r"take two lines out of that config .*?, `(\w+)` and `(\w+)`\.", README)
    (tmp_path / "text.txt").write_text(STORY)
    lines = rnn("init").out.splitlines(keepends=True)
    fewer = [line for line in lines if not line.lstrip().startswith(found)]
    assert len(fewer) == len(lines) - 2
    (tmp_path / "config.yaml").write_text("".join(fewer))
    for cell in ("gru", "lstm", "mogrifier", "indrnn"):
        assert load_config(tmp_path / "config.yaml", [f"model.cell={cell}"]).model.cell == cell


def test_the_readmes_further_commands_run_with_a_model(rnn: Rnn, tmp_path: Path) -> None:
    for name in ("text.txt", "valid.txt"):
        (tmp_path / name).write_text(STORY)
    (tmp_path / "config.yaml").write_text("data: {train: text.txt}\ntraining: {max_epochs: 1}\n")
    assert rnn("train", "config.yaml").code == 0
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        for command in block.splitlines():
            result = rnn(*shlex.split(command, comments=True)[1:])
            assert (result.code, result.out != "") == (0, True), (command, result.err)


def test_the_readmes_python_runs(rnn: Rnn, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(STORY)
    (tmp_path / "config.yaml").write_text("data: {train: text.txt}\ntraining: {max_epochs: 1}\n")
    assert rnn("train", "config.yaml", "--run-dir", "runs/favourites").code == 0
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\['\w+'\] 0\.\d+\n", done.stdout)


@pytest.mark.parametrize(
    ("target", "last"),
    [
        ("demo", '.venv/bin/rnn complete "My favourite dish is sushi. So, my favourite cuisine is _____."'),
        ("test", ".venv/bin/pytest -n 2 --dist loadfile"),
    ],
)
def test_the_two_commands_end_with_what_they_promise(target: str, last: str) -> None:
    assert f"    make {target}" in README
    plan = subprocess.run(
        ["make", "--no-print-directory", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert plan.stdout.splitlines()[-1] == last


def test_every_file_that_the_readme_names_is_there() -> None:
    for name in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / name).exists(), name
