"""From a text and some minutes to a config."""

import time
from pathlib import Path

import pytest

from rnn_cli.recipe import make
from rnn_cli.recipe.make import make_recipe
from rnn_cli.recipe.reasons import Speed


@pytest.fixture(autouse=True)
def _known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "_speeds", lambda *_: [Speed(128, 1e4, "float32", 1)])


def encoding_of_recipe(path: Path, *overrides: str) -> str:
    recipe = make_recipe(
        [path], budget_s=60.0, overrides=overrides, started_at=time.perf_counter(), on_event=lambda _: None
    )
    return recipe.config.data.encoding


def test_the_encoding_found_in_a_text_is_not_forced_on_others(tmp_path: Path) -> None:
    text, other = tmp_path / "a.txt", tmp_path / "b.txt"
    text.write_text("".join(f"the café number {n} is open\n" for n in range(400)), "utf-16")
    other.write_text("the café is open\n" * 40, "utf-8")
    assert encoding_of_recipe(text) == "utf-16"
    assert encoding_of_recipe(text, f"data.valid={other}") == "auto"
    assert encoding_of_recipe(text, f"data.test={other}", "data.encoding=auto") == "auto"


def test_the_budget_covers_the_index_of_training_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    text = tmp_path / "a.txt"
    text.write_text("".join(f"the café number {n} is open\n" for n in range(400)))

    def seconds_of_training(*overrides: str) -> float:
        recipe = make_recipe(
            [text], budget_s=60.0, overrides=overrides, started_at=0.0, on_event=lambda _: None
        )
        return 60 * (recipe.config.training.max_minutes or 0)

    assert seconds_of_training() == pytest.approx(59.7, abs=0.1)
    assert seconds_of_training("logging.index=true") == pytest.approx(58.7, abs=0.1)
