"""Where the files that a config names are looked for."""

from pathlib import Path

import pytest

from rnn_cli.config.loader import load_config
from rnn_cli.errors import ConfigError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a folder `configs` in it."""
    (tmp_path / "configs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems_of(text: str, *overrides: str) -> list[str]:
    Path("configs/c.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(Path("configs/c.yaml"), overrides)
    return caught.value.problems


def train_paths(text: str, *overrides: str) -> tuple[str, ...]:
    Path("configs/c.yaml").write_text(text)
    return load_config(Path("configs/c.yaml"), overrides).data.train


def test_a_path_is_looked_for_beside_the_config_first_and_then_in_the_current_folder(here: Path) -> None:
    (here / "a.txt").write_text("a\n")
    assert train_paths("data: {train: a.txt}") == (str(here / "a.txt"),)
    (here / "configs/a.txt").write_text("a\n")
    assert train_paths("data: {train: a.txt}") == (str(here / "configs/a.txt"),)
    assert train_paths("data: {train: [../a.txt, a.txt]}") == (
        str(here / "a.txt"),
        str(here / "configs/a.txt"),
    )


def test_a_path_of_an_override_is_looked_for_in_the_current_folder_only(here: Path) -> None:
    (here / "configs/a.txt").write_text("a\n")
    assert problems_of("data: {train: a.txt}", "data.train=a.txt") == [
        f'--set data.train=a.txt: found "a.txt", but there is no such file in the current folder ({here}).'
    ]
    (here / "a.txt").write_text("a\n")
    assert train_paths("data: {train: gone}", "data.train=a.txt") == (str(here / "a.txt"),)


def test_an_absolute_path_is_taken_as_it_is(here: Path) -> None:
    (here / "a.txt").write_text("a\n")
    assert train_paths(f"data: {{train: {here}/a.txt}}") == (str(here / "a.txt"),)
    assert problems_of("data: {train: /nowhere/a.txt}") == [
        'configs/c.yaml:1:15: data.train: found "/nowhere/a.txt", but there is no such file.'
    ]


def test_a_tilde_is_the_home_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    (here / "a.txt").write_text("a\n")
    assert train_paths("data: {train: ~/a.txt}") == (str(here / "a.txt"),)
    assert problems_of("data: {train: ~no-such-user/a.txt}") == [
        'configs/c.yaml:1:15: data.train: found "~no-such-user/a.txt", but there is no such file, neither beside '
        f"the config ({here / 'configs'}) nor in the current folder ({here})."
    ]


def test_every_path_that_leads_nowhere_is_reported_with_both_folders(here: Path) -> None:
    (here / "a.txt").write_text("a\n")
    text = "data:\n  train:\n    - a.txt\n    - b.text\n  test: gone\n  questions:\n    cloze: q.jsonl\n"
    where = "but there is no such file, "
    where += f"neither beside the config ({here}/configs) nor in the current folder ({here})."
    assert problems_of(text) == [
        f'configs/c.yaml:4:7: data.train: found "b.text", {where}',
        f'configs/c.yaml:5:9: data.test: found "gone", {where}',
        f'configs/c.yaml:7:12: data.questions.cloze: found "q.jsonl", {where}',
    ]


def test_a_similar_name_beside_the_missing_file_is_suggested(here: Path) -> None:
    (here / "texts").mkdir()
    (here / "texts/favourites.txt").write_text("a\n")
    (problem,) = problems_of("data: {train: texts/favorites.txt}")
    assert problem.endswith(f' in the current folder ({here}). Did you mean "texts/favourites.txt"?')


def test_a_folder_is_no_text(here: Path) -> None:
    assert problems_of("data: {train: configs}") == [
        'configs/c.yaml:1:15: data.train: found "configs", which is a folder. Name the files in it.'
    ]
    (here / "configs/text").mkdir()
    (here / "text").write_text("a\n")
    assert train_paths("data: {train: text}") == (str(here / "text"),)


def test_names_that_no_file_can_have_are_missing_files(here: Path) -> None:
    where = f"neither beside the config ({here}/configs) nor in the current folder ({here})."
    for written, shown in [('"a\\0b"', '"a\\u0000b"'), ("x" * 300, f'"{"x" * 60}…"')]:
        assert problems_of(f"data: {{train: {written}}}") == [
            f"configs/c.yaml:1:15: data.train: found {shown}, but there is no such file, {where}"
        ]


def test_behind_a_link_the_name_stays_as_it_was_written(here: Path) -> None:
    (here / "blob").write_text("a\n")
    (here / "a.txt").symlink_to(here / "blob")
    (here / "linked").symlink_to(here / "configs")
    (here / "configs/b.txt").write_text("b\n")
    assert train_paths("data: {train: [a.txt, ../linked/b.txt]}") == (
        str(here / "a.txt"),
        str(here / "configs/b.txt"),
    )


def test_questions_and_the_other_texts_are_found_like_the_training_text(here: Path) -> None:
    for name in ("a", "b", "c", "q"):
        (here / name).write_text("a\n")
    Path("configs/c.yaml").write_text("data: {train: a, valid: b, test: [b, c], questions: {cloze: q}}\n")
    data = load_config(Path("configs/c.yaml")).data
    assert (data.valid, data.test) == ((str(here / "b"),), (str(here / "b"), str(here / "c")))
    assert data.questions == {"cloze": str(here / "q")}
