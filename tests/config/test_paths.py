"""Where the files that a config names are looked for."""

import os
from pathlib import Path
from typing import Any

import pytest

from rnn_cli.config.loader import config_to_dict, load_config
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


def files(here: Path, *names: str) -> None:
    for name in names:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("a\n")


def test_a_folder_stands_for_the_files_directly_in_it(here: Path) -> None:
    files(here, "texts/b.txt", "texts/a.txt.gz", "texts/.hidden", "texts/deeper/c.txt")
    expected = (str(here / "texts/a.txt.gz"), str(here / "texts/b.txt"))
    for written in ["texts", "texts/", str(here / "texts")]:
        assert train_paths(f"data: {{train: {written}}}") == expected
    assert train_paths("data: {train: [texts, texts/deeper/c.txt]}") == (
        *expected,
        str(here / "texts/deeper/c.txt"),
    )


def test_a_pattern_stands_for_the_files_that_it_matches(here: Path) -> None:
    files(
        here, "texts/b.txt", "texts/a.txt", "texts/a.md", "texts/.h.txt", "texts/in/c.txt", "texts/.x/d.txt"
    )
    (here / "texts/folder.txt").mkdir()
    found = (str(here / "texts/a.txt"), str(here / "texts/b.txt"))
    for written in ["texts/*.txt", f"{here}/texts/*.txt", "texts/[ab].txt", "texts/?.txt"]:
        assert train_paths(f'data: {{train: "{written}"}}') == found
    assert train_paths('data: {train: "texts/**/*.txt"}') == (*found, str(here / "texts/in/c.txt"))
    assert train_paths('data: {train: "texts/b*"}') == (str(here / "texts/b.txt"),)


def test_a_pattern_is_looked_for_beside_the_config_first(here: Path) -> None:
    files(here, "texts/a.txt", "configs/texts/b.txt")
    assert train_paths("data: {train: texts}") == (str(here / "configs/texts/b.txt"),)
    assert train_paths('data: {train: "texts/*"}') == (str(here / "configs/texts/b.txt"),)
    assert train_paths("data: {train: x}", "data.train=texts/*") == (str(here / "texts/a.txt"),)


def test_a_file_under_the_very_name_is_no_pattern(here: Path) -> None:
    files(here, "a[1].txt", "a1.txt", "configs/a1.txt")
    assert train_paths('data: {train: "a[1].txt"}') == (str(here / "a[1].txt"),)
    (here / "a[1].txt").unlink()
    assert train_paths('data: {train: "a[1].txt"}') == (str(here / "configs/a1.txt"),)


def test_a_folder_with_brackets_in_its_name_is_no_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path, "odd [1]/configs/c.yaml", "odd [1]/texts/a.txt")
    monkeypatch.chdir(tmp_path / "odd [1]")
    assert train_paths('data: {train: "texts/*.txt"}') == (str(tmp_path / "odd [1]/texts/a.txt"),)


def test_a_pattern_that_matches_nothing_is_a_problem(here: Path) -> None:
    files(here, "texts/.hidden")
    assert problems_of('data:\n  train: "texts/*.txt"\n  valid: /nowhere/*\n', "data.test=texts/*") == [
        'configs/c.yaml:2:10: data.train: found "texts/*.txt", but no file matches it, neither beside the config '
        f"({here}/configs) nor in the current folder ({here}).",
        'configs/c.yaml:3:10: data.valid: found "/nowhere/*", but no file matches it.',
        f'--set data.test=texts/*: found "texts/*", but no file matches it in the current folder ({here}).',
    ]
    assert len(problems_of('data: {train: "a\\0b/*"}')) == 1


def test_a_folder_without_files_is_a_problem(here: Path) -> None:
    files(here, "texts/.hidden")
    assert problems_of("data: {train: texts}") == [
        f'configs/c.yaml:1:15: data.train: found "texts", but the folder {here}/texts has no files in it, hidden '
        "ones left out."
    ]
    files(here, "texts/deeper/a.txt")
    assert problems_of("data: {train: texts}") == [
        f'configs/c.yaml:1:15: data.train: found "texts", but the folder {here}/texts has no files in it, hidden '
        'ones left out. For the files in its folders write "texts/**/*".'
    ]
    assert train_paths('data: {train: "texts/**/*"}') == (str(here / "texts/deeper/a.txt"),)
    (here / "configs/texts").mkdir()
    files(here, "texts/b.txt")  # an empty folder beside the config hides nothing
    assert train_paths("data: {train: texts}") == (str(here / "texts/b.txt"),)


def test_a_folder_that_may_not_be_read_is_a_problem(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    files(here, "texts/a.txt")
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert problems_of("data: {train: texts}") == [
        f'configs/c.yaml:1:15: data.train: found "texts", but the folder {here}/texts cannot be read: '
        "Permission denied."
    ]


def test_a_folder_that_may_be_listed_and_not_entered_is_a_problem(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = os.stat

    def refuse(path: Any, **how: Any) -> os.stat_result:
        if "texts" in Path(path).parent.parts:  # as for everybody but root after chmod 444
            raise PermissionError(13, "Permission denied")
        return stat(path, **how)

    files(here, "texts/a.txt")
    monkeypatch.setattr(os, "stat", refuse)
    assert problems_of("data: {train: texts, valid: texts/*, test: texts/a.txt}") == [
        f'configs/c.yaml:1:15: data.train: found "texts", but the folder {here}/texts cannot be read: '
        "Permission denied.",
        'configs/c.yaml:1:29: data.valid: found "texts/*", but no file matches it, neither beside the config '
        f"({here}/configs) nor in the current folder ({here}).",
        'configs/c.yaml:1:44: data.test: found "texts/a.txt", but there is no such file, neither beside the config '
        f"({here}/configs) nor in the current folder ({here}).",
    ]


def test_the_resolved_config_holds_the_files_that_were_found(here: Path) -> None:
    files(here, "texts/a.txt", "texts/b.txt")
    Path("configs/c.yaml").write_text("data: {train: texts}")
    config = config_to_dict(load_config(Path("configs/c.yaml")))
    assert config["data"]["train"] == [str(here / "texts/a.txt"), str(here / "texts/b.txt")]


def test_a_folder_or_pattern_holds_no_questions(here: Path) -> None:
    assert problems_of('data: {train: c.yaml, questions: {a: ../configs, b: "*"}}') == [
        'configs/c.yaml:1:38: data.questions.a: found "../configs", which is a folder. Name the file in it.',
        'configs/c.yaml:1:53: data.questions.b: found "*", but there is no such file, neither beside the '
        f"config ({here}/configs) nor in the current folder ({here}).",
    ]
    (here / "configs/text").mkdir()
    files(here, "text")
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


def test_a_name_that_is_not_utf_8_is_a_problem(here: Path) -> None:
    files(here, "texts/caf\udce9.txt")
    assert problems_of("data: {train: texts}\n") == [
        f'configs/c.yaml:1:15: data.train: found "texts", which is "{here}/texts/caf\\udce9.txt", '
        "a name that is not UTF-8. Rename the file or its folder."
    ]


def test_more_files_than_a_run_can_list_are_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_cli.config.paths.MOST_FILES", 4)
    for name in "abcd":
        (here / f"{name}.txt").write_text("a\n")
    assert len(train_paths('data: {train: "*.txt"}')) == 4
    assert problems_of('data: {valid: a.txt, train: ["*.txt", a.txt]}') == [
        "configs/c.yaml:1:29: data.train: found 5 files, allowed: 4 in all texts together. Join them into fewer."
    ]
