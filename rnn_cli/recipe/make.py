"""Gather the facts that a recipe is chosen from: look at the text, tokenise it, try how fast this machine is."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnn_cli.config import Config, config_from_choices, read_overrides
from rnn_cli.config.nodes import dotted_keys
from rnn_cli.recipe.choice import cells_to_try, choose_network, sizes_to_try
from rnn_cli.recipe.look import look_at
from rnn_cli.recipe.reasons import CELL_NAMES, Choices, Kind, Reason, Settings, Speed
from rnn_cli.recipe.text_choice import MEASURED_SHARE, choose_measured, choose_text
from rnn_cli.training.build import build_model, build_windows, build_workers
from rnn_cli.training.engine_choice import TRYING_S, choose_engine
from rnn_cli.training.events import Notice, OnEvent, Preparing
from rnn_cli.training.texts import Texts, build_texts
from rnn_cli.training.validation import seconds_per_token

TRYING_SHARE = 0.05
"""So much of the budget goes into trying each size."""

CLOSING_S = 0.3
"""From the end of the test to the end of the command."""

INDEXING_S = 1.0
"""What the index of training lines takes then: it is of 100,000 tokens at most (0.7 s for 256 units)."""

TO_COME = {"training": {"table_learning_rate": 1.0}}
"""Stands for what is chosen at the end: a rule for the tables that is asked for is not to be refused before."""

LEAST_SHARE = 0.2
"""A text that takes nearly all of the budget to read is trained on for this share of it all the same."""


@dataclass(frozen=True)
class Recipe:
    """A config, and the reasons for what it says."""

    config: Config
    reasons: tuple[Reason, ...]


def make_recipe(
    paths: Sequence[Path],
    *,
    budget_s: float,
    overrides: Sequence[str],
    started_at: float,
    on_event: OnEvent,
) -> Recipe:
    """Choose everything for a text.

    Args:
        budget_s: seconds for the whole command.
        overrides: texts "section.key=value", which rule out any choice.
        started_at: when the command began, on the clock of time.perf_counter.

    Raises:
        ConfigError: an override is wrong.
        TextError: a text cannot be used.
    """
    said = read_overrides(overrides)
    asked = {section: keys if isinstance(keys, dict) else {} for section, keys in said.items()}
    text = _text(paths, overrides, asked.get("data", {}), budget_s, on_event)
    chosen = {**TO_COME, **text.settings}
    config = config_from_choices(chosen, overrides)
    # What is found in the text is told when it is trained on.
    texts = build_texts(config, lambda event: on_event(event) if isinstance(event, Preparing) else None)
    kind = config.data.tokenizer.kind
    cell, speeds = _cell(
        cells_to_try(kind, texts.train.tokens, asked.get("model", {})),
        budget_s,
        lambda cell: _speeds(
            {**chosen, "model": {"cell": cell}}, overrides, texts, asked, budget_s, on_event
        ),
    )
    networks = 2 if config.model.direction == "both" else 1
    training_s = _training_s(config, budget_s, started_at, on_event) / networks
    network = choose_network(
        kind=kind,
        tokens=texts.train.tokens,
        vocab_size=texts.tokenizer.vocab_size,
        has_valid=texts.valid is not None,
        speeds=speeds,
        training_s=training_s,
        cell=cell,
        asked=asked.get("training", {}),
    )
    settings = _beside_what_is_asked({**chosen, **network.settings}, asked)
    tried_at = time.perf_counter()
    measured = _measured(config_from_choices(settings, overrides), texts, training_s)
    settings["data"] |= measured.settings["data"]
    trying_s = min(time.perf_counter() - tried_at, (1 - LEAST_SHARE) * training_s)
    left_s = networks * (training_s - trying_s)
    settings["training"]["max_minutes"] = float(f"{left_s / 60:.4g}")
    config = config_from_choices(settings, overrides)
    keys, values = dotted_keys(asked), dotted_keys(config.model_dump())
    reasons = (*text.reasons, *network.reasons, *measured.reasons)
    return Recipe(config, tuple(reason.as_asked(keys, values) for reason in reasons))


def _text(
    paths: Sequence[Path],
    overrides: Sequence[str],
    asked: Mapping[str, Any],
    budget_s: float,
    on_event: OnEvent,
) -> Choices:
    """How the text is read, by a look at it.

    Args:
        asked: keys of `data` that the user gives.
    """
    train = {"train": [str(path) for path in paths]}
    has = frozenset(name for name in ("valid", "test") if asked.get(name) is not None)
    split = {} if "valid" in has else {"valid": MEASURED_SHARE}  # or patience would have nothing to go by
    # This refuses what is wrong at once.
    encoding = config_from_choices({**TO_COME, "data": {**train, "split": split}}, overrides).data.encoding
    look = look_at(paths, encoding=encoding, on_progress=lambda *done: on_event(Preparing("the text", *done)))
    text = choose_text(
        look,
        budget_s=budget_s,
        kind=(asked.get("tokenizer") or {}).get("kind"),
        mode=asked.get("mode"),
        has=has,
    )
    if not has:  # texts of their own may be in another encoding
        encoding = look.encoding
    return Choices({"data": {**train, "encoding": encoding, **text.settings["data"]}}, text.reasons)


def _training_s(config: Config, budget_s: float, started_at: float, on_event: OnEvent) -> float:
    """Seconds of training: those that the user asks for, or what is left of the budget."""
    if config.training.max_minutes is not None:
        return 60 * config.training.max_minutes
    closing_s = CLOSING_S + (INDEXING_S if config.logging.index else 0.0)
    left_s = budget_s - closing_s - (time.perf_counter() - started_at)
    if left_s < LEAST_SHARE * budget_s:
        left_s = LEAST_SHARE * budget_s
        on_event(Notice(f"Starting took most of the budget; training takes {left_s:.0f} s all the same."))
    return left_s


def _cell(
    cells: Sequence[tuple[str, int]], budget_s: float, speeds_of: Callable[[str], list[Speed]]
) -> tuple[str, list[Speed]]:
    """The last of `cells_to_try` that there is time for, and how fast it is."""
    (cell, _), *richer = cells
    speeds = speeds_of(cell)
    for another, wanted in richer:
        if speeds[0].tokens_per_s * budget_s < wanted:  # each is slower than the one before
            break
        tried = speeds_of(another)
        if tried[0].tokens_per_s * budget_s < wanted:
            break
        cell, speeds = another, tried
    return cell, speeds


def _speeds(
    chosen: Settings,
    overrides: Sequence[str],
    texts: Texts,
    asked: Mapping[str, Any],
    budget_s: float,
    on_event: OnEvent,
) -> list[Speed]:
    """Try the sizes that there may be time for: all ways of computing with the first, its best with the others."""
    config = config_from_choices(chosen, overrides)
    kind, cell = config.data.tokenizer.kind, config.model.cell
    sizes = sizes_to_try(kind, texts.train.tokens)
    if units := asked.get("model", {}).get("hidden_size"):
        sizes = [(units, 0)]
    speeds: list[Speed] = []
    for units, wanted in sizes:
        if speeds and speeds[-1].tokens_per_s * budget_s < wanted:
            break
        known = speeds[-1:] or [Speed(units, 1.0, "auto", 0)]
        trial = _beside_what_is_asked(_trial(chosen, kind, cell, texts, units, asked), asked)
        trial["training"] |= {"engine": known[0].engine, "threads": known[0].threads or None}
        config = config_from_choices(trial, overrides)
        windows = build_windows(config, texts.train, lambda _: None)
        within_s = min(TRYING_S, TRYING_SHARE * budget_s)
        way = choose_engine(config, windows, texts.train.counts(), always=True, within_s=within_s).taken
        speeds.append(Speed(units, way.tokens_per_s, way.engine, way.threads))
        on_event(
            Notice(f"{CELL_NAMES[cell]}, {units} units: {way.tokens_per_s:,.0f} tokens/s ({way.name()})")
        )
    return speeds


def _measured(config: Config, texts: Texts, training_s: float) -> Choices:
    """How much of the validation and the test text there is time to measure, by a trial of a moment."""
    parts = {"validation": texts.valid, "test": texts.test}
    tokens = {name: corpus.tokens for name, corpus in parts.items() if corpus is not None}
    corpus = texts.valid or texts.test
    if corpus is None:
        return choose_measured(tokens, token_s=0.0, training_s=training_s)
    token_s = seconds_per_token(
        build_model(config, texts.train.counts()),
        corpus,
        mode=config.data.mode,
        output_activation=config.model.output_activation,
        workers=build_workers(config),
    )
    return choose_measured(tokens, token_s=token_s, training_s=training_s)


def _beside_what_is_asked(settings: Settings, asked: Mapping[str, Any]) -> Settings:
    """The settings without those that do not go with what the user asks for."""
    if "table_learning_rate" in asked.get("training", {}):
        # The rate is for the rule that a config has by itself.
        settings["training"].pop("table_optimizer", None)
    if asked.get("model", {}).get("output_activation") == "sigmoid":  # yes or no for each word: no softmax
        settings["output"] = {k: v for k, v in settings["output"].items() if k not in ("softmax", "samples")}
    return settings


def _trial(
    chosen: Settings, kind: Kind, cell: str, texts: Texts, units: int, asked: Mapping[str, Any]
) -> Settings:
    """A network of so many units, with dropout, as it would be trained."""
    network: Choices = choose_network(
        kind=kind,
        tokens=texts.train.tokens,
        vocab_size=texts.tokenizer.vocab_size,
        has_valid=texts.valid is not None,
        speeds=[Speed(units, 1e4, "auto", 1)],
        training_s=600.0,
        cell=cell,
        asked=asked.get("training", {}),
    )
    return {**chosen, **network.settings}
