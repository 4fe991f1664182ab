"""`python -m tests.fuzz [TARGET...] --inputs 100000 --seed 1 --minutes 20`; exit code 1 where something broke."""

import argparse
import os
import resource
import sys
import tempfile
from pathlib import Path

from tests.fuzz.config_target import ConfigTarget
from tests.fuzz.driver import Target, replay, run, show
from tests.fuzz.model_file_target import ModelFileTarget
from tests.fuzz.prompt_target import PromptTarget
from tests.fuzz.tokenizer_target import TokenizerTarget

TARGETS = ("config", "model_file", "tokenizer", "prompt")
MOST_MEMORY = 8 << 30  # an input that asks for more is a finding, not the end of the machine


def main(arguments: list[str] | None = None) -> int:
    """Run the targets that are named, or all four, one after another."""
    asked = _arguments(arguments)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    kept = asked.folder.resolve()
    broken = False
    # In memory where that can be: the model files and configs are written to be read a moment later.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        saved = asked.replay.resolve() if asked.replay else None
        os.chdir(folder)  # the config target names files here
        for name in asked.targets or TARGETS:
            target = make_target(name, Path(folder))
            if saved is not None:
                print(replay(target, saved) or "accepted")
                continue
            report = run(
                target, inputs=asked.inputs, seed=asked.seed, seconds=60 * asked.minutes, folder=kept
            )
            show(report)
            broken = broken or bool(report.crashes)
    return 1 if broken else 0


def make_target(name: str, folder: Path) -> Target:
    """The target of that name; `folder` is where it may write, and the current folder."""
    match name:
        case "config":
            return ConfigTarget(folder)
        case "model_file":
            return ModelFileTarget(folder)
        case "tokenizer":
            return TokenizerTarget()
        case _:
            return PromptTarget()


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=" ".join(TARGETS)
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other inputs")
    parser.add_argument("--minutes", type=float, default=20, help="for each target at most")
    parser.add_argument(
        "--folder", type=Path, default=Path(".fuzz"), help="where inputs that break something go"
    )
    parser.add_argument("--replay", type=Path, help="check one saved input instead")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
