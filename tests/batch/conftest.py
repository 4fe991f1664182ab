"""A tiny config, plans for it, and a program that behaves like `rnn` without training anything."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rnn_cli.batch.events import StudyEvent
from rnn_cli.batch.here import Here
from rnn_cli.batch.job import Outcome
from rnn_cli.batch.plan import Plan, load_plan
from rnn_cli.batch.scheduler import Resources, run_study
from rnn_cli.batch.study import Study
from rnn_cli.training.interrupt import StopSignal

WritePlan = Callable[[str], Path]
LoadPlan = Callable[[str], Plan]
RunPlan = Callable[..., dict[str, Outcome]]

FAKE = """
import json, os, re, signal, sys, time
from pathlib import Path

command, *rest = sys.argv[1:]
if command != "train":
    print(json.dumps({"words": rest, "model": os.environ["RNN_MODEL"], "accuracy": len(rest) / 10}))
    print("said", file=sys.stderr)
    sys.exit("fail" in rest)
resume = rest[0] == "--resume"
run = Path(rest[1] if resume else rest[2])
config = (run / "config.yaml" if resume else Path(rest[0])).read_text()
seed = int(re.search(r"seed: (\\d+)", config)[1])
with (run / "arguments.jsonl").open("a") as file:
    file.write(json.dumps([*sys.argv[1:], os.environ.get("OMP_NUM_THREADS")]) + "\\n")
if seed == 13:
    print("error: The text is unlucky.", file=sys.stderr)
    sys.exit(1)
if not resume:
    (run / "summary.json").unlink(missing_ok=True)
    (run / "config.yaml").write_text(config)
    (run / "metrics.jsonl").write_text("")
(run / "model.safetensors").write_text("")
(run / "good.safetensors").write_text("")
started = {"event": "start", "step": 0, "total_windows": 10}
trained = {"event": "train", "step": 5, "tokens_per_s": 100.0}
valid = {"event": "validation", "perplexity": 10.0 + seed}
with (run / "metrics.jsonl").open("a") as file:
    file.write("".join(json.dumps(record) + "\\n" for record in (started, trained, valid)))
if seed == 66 and not resume:
    os.kill(os.getpid(), signal.SIGKILL)
if seed >= 100 and not resume:  # trains until it is stopped
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    (run / "trains").touch()
    time.sleep(60)
(run / "summary.json").write_text(json.dumps({"steps": 10, "valid": {"perplexity": 10.0 + seed}}))
(run / "good.safetensors").unlink()
"""


FAKE_SEARCH = """
import json, re, signal, sys, time
from pathlib import Path

command, *rest = sys.argv[1:]
if command != "train":
    print(json.dumps({"accuracy": 0.5}))
    sys.exit()
resume = rest[0] == "--resume"
run = Path(rest[1] if resume else rest[2])
config = (run / "planned.yaml").read_text()
size = int(re.search(r"hidden_size: (\\d+)", config)[1])
with (run / "arguments.jsonl").open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
if size == 13:
    print("error: The text is unlucky.", file=sys.stderr)
    sys.exit(1)
(run / "good.safetensors").write_text("")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))

def note(**record):
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\\n")

note(event="start", step=0, total_windows=30)
note(event="validation", step=10, loss=size / 10, perplexity=float(size))
slow = (size == 100 and len(list(run.parent.glob("*/summary.json"))) >= 2) or size == 99  # trains until it is stopped
if slow and not resume:
    (run / "trains").touch()
    time.sleep(60)
note(event="validation", step=30, loss=size / 10, perplexity=float(size))
summary = {"steps": 30, "valid": {"perplexity": None if size == 66 else size, "loss": size / 10}}
(run / "summary.json").write_text(json.dumps(summary))
(run / "good.safetensors").unlink()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with tiny.yaml and its texts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.txt").write_text("the cat sat on the mat\n")
    (tmp_path / "valid.txt").write_text("the dog sat\n")
    (tmp_path / "tiny.yaml").write_text("data: {train: train.txt, valid: valid.txt}\n")
    return tmp_path


@pytest.fixture
def write_plan(folder: Path) -> WritePlan:
    """`write_plan("configs: tiny.yaml")` writes plan.yaml."""

    def write(text: str) -> Path:
        Path("plan.yaml").write_text(text)
        return Path("plan.yaml")

    return write


@pytest.fixture
def plan_of(write_plan: WritePlan) -> LoadPlan:
    """The plan that a text says."""
    return lambda text: load_plan(write_plan(text))


@pytest.fixture
def run_plan(plan_of: LoadPlan, folder: Path) -> RunPlan:
    """Run a plan's text in the folder `study`, with the fake `rnn`: how each run ended."""

    def run(
        text: str,
        events: list[StudyEvent] | None = None,
        *,
        jobs: int = 2,
        force: bool = False,
        fake: str = FAKE,
    ) -> dict[str, Outcome]:
        (folder / "fake.py").write_text(fake)
        program: Sequence[str] = (sys.executable, str(folder / "fake.py"))
        note = (lambda _: None) if events is None else events.append
        plan = plan_of(text)
        with Study.open(plan, Path("study"), force=force) as study, StopSignal() as stop:
            stop.wait_for_steps()
            shares = Resources.shared_out(
                cores=2, runs=len(study.to_do()), jobs=jobs, planned_threads=plan.threads
            )
            return run_study(study, shares=shares, stop=stop, on_event=note, launcher=Here(program))

    return run
