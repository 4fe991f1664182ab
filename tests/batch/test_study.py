"""What there is to do in each folder of a study."""

import errno
from pathlib import Path
from unittest.mock import Mock

import pytest

from rnn_cli.batch.record import NEXT
from rnn_cli.batch.results import figures_of
from rnn_cli.batch.study import Next, Study, log_of_failure, look_at
from rnn_cli.config import config_to_yaml
from rnn_cli.errors import UsageError
from rnn_cli.training.run_folder import RunFolder
from tests.batch.conftest import LoadPlan, RunPlan

PLAN = "configs: tiny.yaml\nseeds: [1, 66]"


def next_steps(plan_of: LoadPlan, text: str, *, force: bool = False) -> list[Next]:
    return [run.next for run in look_at(plan_of(text), Path("study"), force=force)]


def test_an_empty_folder_has_everything_to_do(plan_of: LoadPlan) -> None:
    assert next_steps(plan_of, PLAN) == [Next.TRAIN, Next.TRAIN]


def test_a_finished_run_is_left_alone_and_a_half_one_goes_on(plan_of: LoadPlan, run_plan: RunPlan) -> None:
    run_plan(PLAN)  # seed 66 is killed in the middle
    assert next_steps(plan_of, PLAN) == [Next.NOTHING, Next.RESUME]


def test_changed_runs_are_refused_with_what_has_changed(
    plan_of: LoadPlan, run_plan: RunPlan, folder: Path
) -> None:
    run_plan(PLAN)
    (folder / "train.txt").write_text("another text\n")
    changed = f"{PLAN}\nset: {{model: {{hidden_size: 7, dropout: 0.5}}, training: {{max_epochs: 3, batch_size: 2}}}}"
    with pytest.raises(UsageError) as error:
        look_at(plan_of(changed), Path("study"))
    what = (
        "model.dropout was 0.0 and is 0.5; model.hidden_size was 128 and is 7; "
        "training.batch_size was 32 and is 2; and 2 more."
    )
    assert str(error.value) == (
        f"study/tiny,seed=1 was trained otherwise: {what}\n"
        f"study/tiny,seed=66 was trained otherwise: {what}\n"
        "To train them anew, give --force; "
        "to keep what is there, choose another folder with --run-dir."
    )
    assert next_steps(plan_of, changed, force=True) == [Next.AGAIN, Next.AGAIN]


def test_a_run_whose_folder_holds_another_training_than_its_record_says_is_refused(
    plan_of: LoadPlan, run_plan: RunPlan
) -> None:
    run_plan("configs: tiny.yaml")
    folder = RunFolder(Path("study/tiny"))
    other = plan_of("configs: tiny.yaml\nset: {model.hidden_size: 64}").runs[0].config
    folder.config.write_text(config_to_yaml(other))  # as a rerun with --force that was killed
    with pytest.raises(UsageError) as error:
        look_at(plan_of("configs: tiny.yaml"), Path("study"))
    assert str(error.value).startswith(
        "study/tiny was trained otherwise: model.hidden_size was 64 and is 128.\n"
    )
    Path("other.txt").write_text("another text\n")
    other = plan_of("configs: tiny.yaml\nset: {data.train: other.txt}").runs[0].config
    folder.config.write_text(config_to_yaml(other))
    assert next_steps(plan_of, "configs: tiny.yaml", force=True) == [Next.AGAIN]


def test_what_a_training_resolves_is_no_other_training(plan_of: LoadPlan, run_plan: RunPlan) -> None:
    run_plan("configs: tiny.yaml")
    taken = "output.softmax: exact, training.engine: float32, training.threads: 2, training.device: cpu"
    config = plan_of(f"configs: tiny.yaml\nset: {{{taken}}}").runs[0].config
    RunFolder(Path("study/tiny")).config.write_text(config_to_yaml(config))
    assert next_steps(plan_of, "configs: tiny.yaml") == [Next.NOTHING]
    chosen = "configs: tiny.yaml\nset: {output.softmax: sampled}"
    run_plan(chosen, force=True)
    RunFolder(Path("study/tiny")).config.write_text(config_to_yaml(config))
    assert next_steps(plan_of, chosen, force=True) == [Next.AGAIN]


def test_a_run_of_a_folder_that_was_moved_is_known_without_the_texts_it_was_trained_on(
    plan_of: LoadPlan, run_plan: RunPlan, folder: Path
) -> None:
    run_plan("configs: tiny.yaml")
    config = RunFolder(Path("study/tiny")).config
    config.write_text(config.read_text().replace(str(folder), "/not/there"))
    assert next_steps(plan_of, "configs: tiny.yaml") == [Next.NOTHING]


def test_a_training_that_no_plan_has_made_is_not_overwritten(plan_of: LoadPlan, run_plan: RunPlan) -> None:
    run_plan("configs: tiny.yaml")
    Path("study/tiny/batch.json").unlink()
    with pytest.raises(UsageError) as error:
        look_at(plan_of("configs: tiny.yaml"), Path("study"))
    assert str(error.value) == (
        "study/tiny holds a training that no plan has made.\n"
        "To train it anew, give --force; "
        "to keep what is there, choose another folder with --run-dir."
    )


@pytest.mark.parametrize("change", ["config", "text", "no record"])
def test_a_training_anew_whose_batch_was_killed_goes_on_once_it_has_begun_and_is_finished_at_its_end(
    plan_of: LoadPlan, run_plan: RunPlan, folder: Path, change: str
) -> None:
    run_plan("configs: tiny.yaml")
    plan = plan_of("configs: tiny.yaml" + ("\nset: {model.hidden_size: 7}" if change == "config" else ""))
    if change == "text":
        (folder / "train.txt").write_text("another text\n")
    if change == "no record":
        Path("study/tiny/batch.json").unlink()
    (run,) = look_at(plan, Path("study"), force=True)
    run.prepare()
    with pytest.raises(UsageError):
        look_at(plan, Path("study"))
    training = RunFolder(run.path)
    training.summary.unlink()
    training.metrics.unlink()
    training.metrics.write_text("")
    training.config.write_text(config_to_yaml(run.planned.config))
    training.good.touch()
    assert [run.next for run in look_at(plan, Path("study"))] == [Next.RESUME]
    training.good.unlink()
    training.summary.write_text('{"steps": 3}')
    (run,) = look_at(plan, Path("study"))
    assert (run.next, run.record.exit_code, figures_of(run, ())) == (Next.NOTHING, 0, {"steps": 3})


def test_what_was_announced_and_did_not_begin_says_nothing_of_what_is_trained_there(
    plan_of: LoadPlan, run_plan: RunPlan
) -> None:
    run_plan("configs: tiny.yaml")
    (run,) = look_at(plan_of("configs: tiny.yaml\nset: {model.hidden_size: 7}"), Path("study"), force=True)
    run.prepare()
    with RunFolder(run.path).metrics.open("a") as file:
        file.write("gone on with by hand\n")
    assert next_steps(plan_of, "configs: tiny.yaml") == [Next.NOTHING]
    run_plan("configs: tiny.yaml\nset: {model.hidden_size: 9}", force=True)
    assert not (run.path / NEXT).exists()


def test_the_log_of_a_failure_is_that_of_the_command_that_failed(run_plan: RunPlan) -> None:
    run_plan("configs: tiny.yaml\nseeds: [1, 13]\nafter: {good.json: eval x, bad.json: eval fail}")
    assert log_of_failure(Path("study/tiny,seed=1")) == Path("study/tiny,seed=1/after/bad.json.log")
    assert log_of_failure(Path("study/tiny,seed=13")) == Path("study/tiny,seed=13/train.log")


def test_a_folder_of_a_training_is_no_folder_for_a_study(plan_of: LoadPlan) -> None:
    Path("study").mkdir()
    Path("study/summary.json").write_text("{}")
    with pytest.raises(UsageError) as error:
        Study.open(plan_of(PLAN), Path("study"))
    assert str(error.value) == "study holds a training of its own. Choose another folder with --run-dir."


def test_a_study_is_held_by_one_at_a_time(plan_of: LoadPlan) -> None:
    plan = plan_of(PLAN)
    with Study.open(plan, Path("study")), pytest.raises(UsageError, match="study is held by process"):
        Study.open(plan, Path("study"))
    Study.open(plan, Path("study")).close()


def test_a_folder_that_cannot_be_made_is_one_sentence(plan_of: LoadPlan) -> None:
    with pytest.raises(UsageError) as error:
        Study.open(plan_of(PLAN), Path("tiny.yaml/study"))
    assert (
        str(error.value)
        == "tiny.yaml/study: cannot be written to (Not a directory). Choose another --run-dir."
    )


def test_a_name_that_is_too_long_is_one_sentence(plan_of: LoadPlan) -> None:
    path = Path("n" * 300)
    with pytest.raises(UsageError) as error:
        Study.open(plan_of(PLAN), path)
    assert str(error.value) == (
        f"{path}: cannot be written to (File name too long). Choose another --run-dir."
    )


def test_a_run_that_may_not_be_looked_at_is_one_sentence_and_the_study_is_let_go(
    plan_of: LoadPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(PLAN)
    with monkeypatch.context() as patched:
        denied = PermissionError(errno.EACCES, "Permission denied", "study/tiny,seed=1/summary.json")
        patched.setattr(RunFolder, "states", Mock(side_effect=denied))
        with pytest.raises(UsageError) as error:
            Study.open(plan, Path("study"))
    assert str(error.value) == (
        "study/tiny,seed=1/summary.json: cannot be looked at (Permission denied). Choose another --run-dir."
    )
    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "states", Mock(side_effect=RuntimeError))
        with pytest.raises(RuntimeError):
            Study.open(plan, Path("study"))
    Study.open(plan, Path("study")).close()


def test_threads_are_given_to_a_config_that_leaves_them_open(plan_of: LoadPlan) -> None:
    plan = plan_of("configs: tiny.yaml\ngrid: {training.threads: [null, 3]}")
    open_, given = look_at(plan, Path("study"))
    assert open_.training(1) == [
        "train", "study/tiny,threads=null/planned.yaml", "--run-dir", "study/tiny,threads=null", "--force",
        "--set", "training.threads=1",
    ]  # fmt: skip
    assert "--set" not in given.training(1)
    assert "--set" not in open_.training(None)
