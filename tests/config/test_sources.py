"""Config files that cannot be read, and `--set section.key=value` laid over those that can."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_cli.config.loader import load_config
from rnn_cli.config.schema import HIDDEN_ACTIVATIONS
from rnn_cli.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a text in it."""
    (tmp_path / "text.txt").write_text("a b c\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problem_of(path: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(Path(path), overrides)
    (problem,) = caught.value.problems
    return problem


def test_links_that_go_round_in_a_circle_lead_to_no_file(folder: Path) -> None:
    (folder / "circle").symlink_to("circle")
    assert problem_of("circle/c.yaml") == (
        "circle/c.yaml: cannot be read: Too many levels of symbolic links."
    )


EMPTY = "c.yaml: empty. A config needs data.train at least; `rnn init` writes one to begin with."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", EMPTY),
        (b"# nothing but a comment\n", EMPTY),
        (b"---\n", EMPTY),
        (b"- a\n", 'c.yaml:1:1: found a list, allowed: sections such as "data:" and "model:".'),
        (
            b"\n It was night.",
            'c.yaml:2:2: found "It was night.", allowed: sections such as "data:" and "model:".',
        ),
        (b"data:\n  train: caf\xe9\n", "c.yaml:2:13: not UTF-8. Save the file as UTF-8 text."),
        ("data: {train: a}".encode("utf-16"), "c.yaml:1:1: not UTF-8. Save the file as UTF-8 text."),
        (b"\xef\xbb\xbfx: \xff", "c.yaml:1:4: not UTF-8. Save the file as UTF-8 text."),
        (b"x" * 20_000_001, "c.yaml: more than 20 MB, too much for a config. Is this the text to train on?"),
    ],
)
def test_a_file_that_is_no_config_is_answered_in_one_exact_sentence(
    folder: Path, content: bytes, message: str
) -> None:
    Path("c.yaml").write_bytes(content)
    assert problem_of("c.yaml") == message


def test_a_missing_file_is_named_with_the_nearest_that_is_there(folder: Path) -> None:
    assert problem_of("favorites.yaml") == "favorites.yaml: no such file."
    (folder / "favourites.yaml").write_text("")
    assert problem_of("favorites.yaml") == 'favorites.yaml: no such file. Did you mean "favourites.yaml"?'
    assert problem_of("sub/favorites.yaml") == "sub/favorites.yaml: no such file."
    assert problem_of("text.txt/c.yaml") == "text.txt/c.yaml: cannot be read: Not a directory."


def test_a_folder_is_no_config(folder: Path) -> None:
    (folder / "configs").mkdir()
    assert problem_of("configs") == "configs: this is a folder. Name the config file in it."


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(folder: Path) -> None:
    Path("c.yaml").write_bytes(b"\xef\xbb\xbfdata:\r\n  train: text.txt\r\nlr: 1\r\n")
    assert (
        problem_of("c.yaml")
        == "c.yaml:3:1: lr: unknown key. Allowed here: data, model, output, training, logging."
    )


# What a --set says over a good config, and the message.
WRONG_OVERRIDES = {
    "training.batch_sise=3": 'unknown key. Did you mean "training.batch_size"?',
    "trainin.batch_size=3": 'trainin: unknown key. Did you mean "training"?',
    "batch_size=3": 'unknown key here. It belongs under "training".',
    "training.hidden_size=3": 'unknown key here. It belongs under "model".',
    "training.batch_size=0": "found 0, allowed: a whole number of 1 or more.",
    "training.batch_size=": "found null, allowed: a whole number of 1 or more.",
    "training={batch_size: 0}": "training.batch_size: found 0, allowed: a whole number of 1 or more.",
    "model.hidden_size.x=3": "model.hidden_size: found a mapping, allowed: a whole number of 1 or more.",
    "model.cell=esn": 'found "esn", allowed: "elman", "gru", "lstm", "mogrifier", "indrnn".',
    "data.train=[text.txt, 3]": "found 3, allowed: a path or a list of paths.",
    "training.seed": "not of the form section.key=value, such as training.seed=2.",
    "=3": "not of the form section.key=value, such as training.seed=2.",
    "training..seed=3": "not of the form section.key=value, such as training.seed=2.",
    "training.seed=[1": 'this "[" is not closed, or a comma is missing after it.',
    "training.seed=&a 1": "anchors (&) and aliases (*) are not used in configs. Write the value out.",
    "training={seed: 1, seed: 2}": "training.seed: written twice, first at line 1. Keep one of the two.",
    "data=null": "data.train: this key is needed. Allowed: a path or a list of paths.",
}


@pytest.mark.parametrize("override", WRONG_OVERRIDES)
def test_a_wrong_override_is_answered_in_one_exact_sentence(folder: Path, override: str) -> None:
    Path("c.yaml").write_text("data: {train: text.txt}\n")
    assert problem_of("c.yaml", override) == f"--set {override}: {WRONG_OVERRIDES[override]}"


def test_what_cannot_be_printed_is_shown_as_an_escape(folder: Path) -> None:
    Path("c.yaml").write_text("data: {train: text.txt}\n")
    assert problem_of("c.yaml", "x\n\udcff=1") == (
        "--set x\\n\\udcff=1: not of the form section.key=value, such as training.seed=2."
    )
    assert problem_of("c.yaml", "data.train=\udcff") == (
        "--set data.train=\\udcff: the character U+DCFF is not allowed."
    )


def test_override_values_are_yaml(folder: Path) -> None:
    (folder / "b.txt").write_text("b\n")
    Path("c.yaml").write_text("data: {train: text.txt}\n")
    config = load_config(
        Path("c.yaml"),
        [
            "data.train=[text.txt, b.txt]",
            "training={learning_rate: 1e-3, max_grad_norm: null}",
            "data.tokenizer.lowercase=true",
            "data.questions.on=b.txt",
            " model.hidden_size =64",
        ],
    )
    assert config.data.train == (str(folder / "text.txt"), str(folder / "b.txt"))
    assert (config.training.learning_rate, config.training.max_grad_norm) == (0.001, None)
    assert config.data.tokenizer.lowercase is True
    assert config.data.questions == {"on": str(folder / "b.txt")}
    assert config.model.hidden_size == 64


# What may be set, and how it is written; every value differs from the default.
SETTINGS: dict[str, st.SearchStrategy[str]] = {
    "training.batch_size": st.integers(33, 999).map(str),
    "training.seed": st.integers(2, 99).map(str),
    "training.learning_rate": st.floats(1e-5, 1e-3).map(repr),
    "training.threads": st.sampled_from(["1", "2", "0x4"]),
    "model.hidden_size": st.integers(129, 999).map(str),
    "model.hidden_activation": st.sampled_from(HIDDEN_ACTIVATIONS[1:]),
    "data.mode": st.just("lines"),
    "data.tokenizer.lowercase": st.sampled_from(["true", "TRUE"]),
    "data.tokenizer.max_size": st.integers(3, 99).map(str),
}
overrides_of_different_keys = st.fixed_dictionaries({}, optional=SETTINGS).map(
    lambda values: tuple(f"{key}={value}" for key, value in values.items())
)


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    (folder / "text.txt").write_text("a b c\n")
    (folder / "c.yaml").write_text("data: {train: text.txt}\ntraining: {seed: 5, max_epochs: 2}\n")
    return folder / "c.yaml"


def flat(section: Any, way: str = "") -> dict[str, Any]:
    """Every key of a config with its value: {"training.seed": 1, ...}."""
    if not hasattr(section, "model_fields_set"):
        return {way: section}
    keys = type(section).model_fields
    return {k: v for key in keys for k, v in flat(getattr(section, key), f"{way}.{key}".strip(".")).items()}


@settings(derandomize=True, deadline=None, max_examples=25)
@given(overrides_of_different_keys)
def test_the_same_overrides_twice_change_nothing_more(config_file: Path, overrides: tuple[str, ...]) -> None:
    assert load_config(config_file, [*overrides, *overrides]) == load_config(config_file, overrides)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(overrides_of_different_keys, st.data())
def test_the_order_of_overrides_of_different_keys_does_not_matter(
    config_file: Path, overrides: tuple[str, ...], data: st.DataObject
) -> None:
    other_order = data.draw(st.permutations(overrides))
    assert load_config(config_file, other_order) == load_config(config_file, overrides)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(overrides_of_different_keys)
def test_overrides_change_their_keys_and_no_others(config_file: Path, overrides: tuple[str, ...]) -> None:
    before, after = flat(load_config(config_file)), flat(load_config(config_file, overrides))
    changed = {key for key in before if before[key] != after[key]}
    assert changed <= {override.partition("=")[0] for override in overrides}
    assert changed >= {override.partition("=")[0] for override in overrides} - {"training.seed"}


@settings(derandomize=True, deadline=None, max_examples=25)
@given(overrides_of_different_keys, overrides_of_different_keys)
def test_the_last_override_of_a_key_wins(
    config_file: Path, earlier: tuple[str, ...], later: tuple[str, ...]
) -> None:
    both = flat(load_config(config_file, [*earlier, *later]))
    alone = flat(load_config(config_file, later))
    for override in later:
        key = override.partition("=")[0]
        assert both[key] == alone[key]
