"""A plan is read whole, and everything wrong in it is said at once, at its place."""

from pathlib import Path

import pytest

from rnn_cli.batch.plan import command_on, load_plan
from rnn_cli.errors import ConfigError
from tests.batch.conftest import LoadPlan, WritePlan


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_plan(path)
    return error.value.problems


def test_a_config_alone_is_a_plan_of_one_run(plan_of: LoadPlan) -> None:
    plan = plan_of("configs: tiny.yaml")
    assert [run.name for run in plan.runs] == ["tiny"]
    assert (plan.metric, plan.after, plan.threads) == ("valid.perplexity", {}, None)


def test_configs_may_be_a_pattern_and_each_run_bears_its_configs_name(
    plan_of: LoadPlan, folder: Path
) -> None:
    (folder / "many").mkdir()
    for name in ("b", "a"):
        (folder / "many" / f"{name}.yaml").write_text("data: {train: train.txt, valid: valid.txt}\n")
    assert [run.name for run in plan_of("configs: many/*.yaml").runs] == ["a", "b"]


def test_a_change_for_every_config_may_be_written_in_full_or_as_sections(plan_of: LoadPlan) -> None:
    plan = plan_of(
        "configs: tiny.yaml\nset: {training.max_epochs: 2, model: {hidden_size: 7}, data.tokenizer: char}"
    )
    (run,) = plan.runs
    assert run.config.training.max_epochs == 2
    assert run.config.model.hidden_size == 7
    assert run.config.data.tokenizer.kind == "char"


def test_threads_of_the_plan_are_the_most_that_a_run_asks_for(plan_of: LoadPlan) -> None:
    assert plan_of("configs: tiny.yaml\ngrid: {training.threads: [1, 3]}").threads == 3


def test_commands_to_follow_are_cut_as_a_shell_does_and_may_begin_with_rnn(plan_of: LoadPlan) -> None:
    plan = plan_of("""\
configs: tiny.yaml
after:
  a.txt: complete "the cat ____" --top 2
  b: rnn predict {run}/prompts.txt
""")
    assert plan.after == {
        "a.txt": ("complete", "the cat ____", "--top", "2"),
        "b": ("predict", "{run}/prompts.txt"),
    }
    assert command_on(Path("runs/x"), plan.after["b"]) == ["predict", "runs/x/prompts.txt"]


def test_the_output_of_a_command_does_not_go_where_the_log_of_another_is_kept(
    write_plan: WritePlan,
) -> None:
    plan = write_plan("configs: tiny.yaml\nafter: {a.log: complete x, a: complete x, b.log: complete x}")
    assert problems(plan) == [
        "plan.yaml:2:9: after.a.log: is where the errors and messages of a are kept. "
        "Choose another name for one of the two."
    ]


def test_everything_wrong_with_a_plan_is_said_at_once_in_its_order(
    write_plan: WritePlan, folder: Path
) -> None:
    plan = write_plan("""\
configs: tiny.yml
seed: 3
seeds: many
grid:
  model.hidden_size: 64
  model.droput: [0.5, 0.5]
draws: 0
sample: {model.dropout: [0]}
after: {a: predcit x}
""")
    assert problems(plan) == [
        f'plan.yaml:1:10: configs: found "tiny.yml", but there is no such file in the current folder ({folder}). '
        'Did you mean "tiny.yaml"?',
        'plan.yaml:2:1: seed: unknown key. Did you mean "seeds"?',
        'plan.yaml:3:8: seeds: found "many", allowed: a whole number from 1 to 10,000, or a list of seeds, or null.',
        "plan.yaml:5:22: grid.model.hidden_size: found 64, allowed: a list of values.",
        "plan.yaml:6:23: grid.model.droput: found 0.5 a second time. Keep one of the two.",
        "plan.yaml:7:8: draws: found 0, allowed: a whole number of 1 or more and at most 10000, or null.",
        'plan.yaml:9:12: after.a: found "predcit", allowed: a command out of complete, eval, predict. '
        "Did you mean predict?",
    ]


def test_mistakes_in_what_is_combined_are_said_at_once(write_plan: WritePlan, folder: Path) -> None:
    plan = write_plan("""\
configs: [tiny.yml]
seeds: [1, 1]
grid: {training.seed: [1, 2], model.dropout: [0.5, 0.5]}
sample:
  model.dropout: 3
  training.learning_rate: {low: 1e-2, hihg: 1e-4}
  model.hidden_size: {low: 64, high: 32}
  training.weight_decay: {low: 0, high: 1, log: true}
after:
  ../answers: complete x
  one: predcit x
  two: complete "x
  three: ""
""")
    assert problems(plan) == [
        f'plan.yaml:1:11: configs: found "tiny.yml", but there is no such file in the current folder ({folder}). '
        'Did you mean "tiny.yaml"?',
        "plan.yaml:2:12: seeds: found 1 a second time. Keep one of the two.",
        "plan.yaml:3:8: grid.training.seed: is varied by seeds already. Take it out of one of the two.",
        "plan.yaml:3:52: grid.model.dropout: found 0.5 a second time. Keep one of the two.",
        "plan.yaml:4:1: sample: needs to know how many times to draw. Add for instance: draws: 10, or "
        "search: {trials: 50}",
        "plan.yaml:5:3: sample.model.dropout: is varied by grid already. Take it out of one of the two.",
        "plan.yaml:5:18: sample.model.dropout: found 3, allowed: a list of values, or a range such as "
        "{low: 1e-4, high: 1e-2, log: true}.",
        "plan.yaml:6:3: sample.training.learning_rate.high: this key is needed. Allowed: a number.",
        'plan.yaml:6:39: sample.training.learning_rate.hihg: unknown key. Did you mean "high"?',
        "plan.yaml:7:28: sample.model.hidden_size.low: found 64, allowed: less than high.",
        "plan.yaml:8:32: sample.training.weight_decay.low: found 0, allowed with log: above 0.",
        "plan.yaml:10:3: after.../answers: names the file for the output: letters, digits, points, - and _ only, "
        "such as answers.jsonl.",
        'plan.yaml:11:8: after.one: found "predcit", allowed: a command out of complete, eval, predict. '
        "Did you mean predict?",
        "plan.yaml:12:8: after.two: a quote in this command is never closed.",
        'plan.yaml:13:10: after.three: found "", allowed: a command out of complete, eval, predict.',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "grid: {model: [{hidden_size: 4}, {hidden_size: 5}], model.hidden_size: [6, 7]}",
            "plan.yaml:2:53: grid.model.hidden_size: is varied by grid.model already.",
        ),
        (
            "grid: {model.hidden_size: [6, 7], model: [{dropout: 0.1}, {hidden_size: 5}]}",
            "plan.yaml:2:35: grid.model: model.hidden_size is varied by grid already.",
        ),
        (
            "seeds: 2\ngrid: {training: [{seed: 1}, {seed: 2}]}",
            "plan.yaml:3:8: grid.training: training.seed is varied by seeds already.",
        ),
        (
            "seeds: 2\ndraws: 2\nsample: {training: [{seed: 1}, {seed: 2}]}",
            "plan.yaml:4:10: sample.training: training.seed is varied by seeds already.",
        ),
        (
            "grid: {model: [{dropout: 0.1}]}\ndraws: 2\nsample: {model.dropout: {low: 0, high: 0.5}}",
            "plan.yaml:4:10: sample.model.dropout: is varied by grid.model already.",
        ),
        (
            "search: {trials: 2}\nsample: {model: [{dropout: 0.1}], model.dropout: {low: 0, high: 0.5}}",
            "plan.yaml:3:35: sample.model.dropout: is varied by sample.model already.",
        ),
        (
            "grid: {data.tokenizer: [word, char], data.tokenizer.lowercase: [true, false]}",
            "plan.yaml:2:38: grid.data.tokenizer.lowercase: is varied by grid.data.tokenizer already.",
        ),
        (
            "set: {model: {hidden_size: 4}, model.hidden_size: 5}",
            "plan.yaml:2:32: set.model.hidden_size: is said by set.model already.",
        ),
    ],
)
def test_what_a_section_varies_is_not_varied_a_second_time_by_its_key_in_full(
    write_plan: WritePlan, text: str, message: str
) -> None:
    assert problems(write_plan(f"configs: tiny.yaml\n{text}")) == [
        f"{message} Take it out of one of the two."
    ]


def test_parts_of_one_section_may_be_varied_apart_and_what_is_set_may_be_varied(plan_of: LoadPlan) -> None:
    plan = plan_of("""\
configs: tiny.yaml
set: {model: {hidden_size: 4}, model.dropout: 0.1, data.tokenizer: char, data.tokenizer.lowercase: true}
grid: {model: [{hidden_size: 6}, {hidden_size: 7}], model.hidden_activation: [tanh], model.dropout: [0.2]}
seeds: 1
""")
    assert [(run.config.model.hidden_size, run.config.model.dropout) for run in plan.runs] == [
        (6, 0.2),
        (7, 0.2),
    ]


def test_a_range_of_whole_numbers_has_whole_ends(write_plan: WritePlan) -> None:
    plan = write_plan("""\
configs: tiny.yaml
search: {trials: 2}
sample:
  model.hidden_size: {low: 8.2, high: 8.7}
  training.bptt_steps: {low: 8, high: 9.5}
  training.batch_size: {low: 8.0, high: 9}
""")
    assert problems(plan) == [
        "plan.yaml:4:28: sample.model.hidden_size.low: found 8.2, allowed: a whole number, as model.hidden_size "
        "takes.",
        "plan.yaml:5:39: sample.training.bptt_steps.high: found 9.5, allowed: a whole number, as training.bptt_steps "
        "takes.",
    ]


@pytest.mark.parametrize("draws", [1, 2, 20])
def test_what_may_be_drawn_is_checked_by_the_ends_that_the_plan_says_however_few_are_drawn(
    write_plan: WritePlan, draws: int
) -> None:
    plan = write_plan(f"""\
configs: tiny.yaml
draws: {draws}
sample:
  training.seed: {{low: -5, high: 5}}
  model.dropout: {{low: 0.1, high: 1.5}}
  model.hidden_size: [8, 16, many]
grid: {{training.batch_size: [2, none]}}
""")
    assert problems(plan) == [
        "plan.yaml:4:18: training.seed: found -5, allowed: a whole number of 0 or more and at most 4294967295.",
        "plan.yaml:5:18: model.dropout: found 1.5, allowed: a number of 0 or more and below 1.",
        'plan.yaml:6:30: model.hidden_size: found "many", allowed: a whole number of 1 or more.',
        'plan.yaml:7:33: training.batch_size: found "none", allowed: a whole number of 1 or more.',
    ]


def test_what_a_config_may_not_say_is_told_where_the_plan_or_the_config_says_it(
    write_plan: WritePlan, folder: Path
) -> None:
    Path("bad.yaml").write_text("data: {train: train.txt}\nmodel: {droput: 0.1}\n")
    plan = write_plan("""\
configs: [tiny.yaml, bad.yaml]
set: {training: {max_epoch: 3}}
grid:
  model.hiden_size: [64, 128]
  training.batch_size: [32, none]
  data.train: [train.txt, gone.txt]
seeds: 2
""")
    assert problems(plan) == [
        'plan.yaml:2:18: training.max_epoch: unknown key. Did you mean "training.max_epochs"?',
        'plan.yaml:4:3: model.hiden_size: unknown key. Did you mean "model.hidden_size"?',
        'plan.yaml:5:29: training.batch_size: found "none", allowed: a whole number of 1 or more.',
        f'plan.yaml:6:27: data.train: found "gone.txt", but there is no such file in the current folder ({folder}).',
        'bad.yaml:2:9: model.droput: unknown key. Did you mean "dropout"?',
    ]


def test_a_path_is_looked_for_beside_the_plan_first(write_plan: WritePlan, folder: Path) -> None:
    (folder / "plans").mkdir()
    plan = write_plan("configs: tiny.yaml\nset: {data.valid: gone.txt}").rename(
        folder / "plans" / "plan.yaml"
    )
    assert problems(plan) == [
        f'{plan}:2:19: data.valid: found "gone.txt", but there is no such file, neither beside the plan '
        f"({folder}/plans) nor in the current folder ({folder})."
    ]


def test_two_configs_of_one_name_would_share_their_folders(write_plan: WritePlan, folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "tiny.yaml").write_text("data: {train: train.txt, valid: valid.txt}\n")
    assert problems(write_plan("configs: [tiny.yaml, other/tiny.yaml]")) == [
        "plan.yaml:1:22: configs: a second config called tiny; its runs would get the folders "
        "of the first. Rename one."
    ]


def test_a_plan_of_too_many_runs_is_refused_before_they_are_made(write_plan: WritePlan) -> None:
    hundred = ", ".join(str(number) for number in range(1, 101))
    grid = "".join(f"  {key}: [{hundred}]\n" for key in ("model.hidden_size", "training.batch_size"))
    assert problems(write_plan(f"configs: tiny.yaml\nseeds: 2\ngrid:\n{grid}")) == [
        "plan.yaml: this plan makes 20,000 runs, and 10,000 are the most. Take some values out."
    ]


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (
            "valid.perplexty",
            'found "valid.perplexty", allowed: elapsed_s, parameters, steps, valid.loss, valid.perplexity. '
            'Did you mean "valid.perplexity"?',
        ),
        (
            "test.loss",
            'found "test.loss", which needs a text to measure on. Name one in data.test of every config, or keep a '
            "part of data.train apart with data.split.test.",
        ),
    ],
)
def test_a_metric_that_no_run_will_have_is_refused(write_plan: WritePlan, metric: str, text: str) -> None:
    plan = write_plan(f"configs: tiny.yaml\nmetric: {metric}")
    assert problems(plan) == [f"plan.yaml:2:9: metric: {text}"]


def test_a_metric_may_be_what_a_command_that_follows_prints(plan_of: LoadPlan) -> None:
    plan = plan_of("configs: tiny.yaml\nmetric: cloze.accuracy\nafter: {cloze: eval questions.jsonl --json}")
    assert plan.metric == "cloze.accuracy"


def test_without_a_validation_text_there_is_no_metric(plan_of: LoadPlan) -> None:
    assert plan_of("configs: tiny.yaml\nset: {data.valid: null}").metric is None


def test_a_part_of_the_training_text_kept_apart_is_measured_on_as_well(plan_of: LoadPlan) -> None:
    text = "configs: tiny.yaml\nset: {data.valid: null, data.split: {valid: 0.1, test: 0.1}}\n"
    assert plan_of(text).metric == "valid.perplexity"
    assert plan_of(text + "metric: test.loss").metric == "test.loss"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'plan.yaml: empty. A plan needs "configs:" at least, such as configs: config.yaml'),
        ("[a]", 'plan.yaml:1:1: found a list, allowed: keys such as "configs:" and "grid:".'),
        ("seeds: 2", "plan.yaml:1:1: configs: this key is needed. Allowed: a path or a list of paths."),
        (
            "data: {train: train.txt}",
            "plan.yaml:1:1: this is a config, not a plan. Train it with: rnn train plan.yaml, "
            "or name it in a plan: configs: plan.yaml",
        ),
        (
            "configs: !!python/name:os.system",
            "plan.yaml:1:10: tags (!) are not used in configs. Write the plain value.",
        ),
        ("grid: {a: [1, 2}", 'plan.yaml:1:11: this "[" is not closed, or a comma is missing after it.'),
    ],
)
def test_a_file_that_is_no_plan_is_one_sentence(write_plan: WritePlan, text: str, message: str) -> None:
    assert problems(write_plan(text)) == [message]


def test_a_plan_that_is_not_there_is_met_with_a_near_name(write_plan: WritePlan) -> None:
    write_plan("configs: tiny.yaml")
    assert problems(Path("plam.yaml")) == ['plam.yaml: no such file. Did you mean "plan.yaml"?']
