"""What to make of a text in a given time: pure functions from facts to settings, each with its reason.

The numbers come from trials on WikiText-2, tinyshakespeare and a million words with a vocabulary of 10,000; see
docs/results.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from rnn_cli.recipe.look import Look
from rnn_cli.recipe.reasons import PLAIN_KEYS, Reason, Settings, Speed, network_reasons

Kind = Literal["word", "char", "bpe"]

WORDS_FOR_WORDS = 20_000
"""With fewer, most words are seen once or twice, and characters say more."""

LONGEST_MEAN_WORD = 20.0
MOST_DISTINCT = 0.7
"""Chinese, base64, a list of names: what lies between white space is no word that comes again."""

UNRELATED = 1.5
FEWEST_LINES = 100
MOST_BLANK = 0.05
"""Lines are taken as independent if there are many, none of them blank, and neighbours share hardly more rare words
than lines far apart do. (LAMBADA 1.1, favourites 0.9; tinyshakespeare 5, WikiText-2 33.)"""

MOST_WORDS = 50_000
"""A larger vocabulary would spend the time on words that occur a few times in millions."""

FEWEST_MEASURED_LINES = 10.0
"""Different lines that a part of independent lines is to have on average: equal ones go together, to a part by
chance, and of parts that have so many one in 20,000 is empty."""

FEWEST_MEASURED_CHARACTERS = 5_000
FEWEST_LINES_TO_PART = 40
MEASURED_SHARE = 0.05
MEASURED_CHARACTERS_PER_MINUTE = 30_000
LEAST_MEASURED, MOST_MEASURED = 60_000, 1_000_000
"""Characters that validation and test take each: enough to be sure of the figure, few enough for the time."""

MEASURING_SHARE = 0.15
FEWEST_MEASURED_TOKENS = 10_000
"""What the last measurements of validation and test text may take of the time, and what is measured at least."""

SIZES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "word": ((128, 0, 0), (256, 100_000, 0), (400, 700_000, 12_000_000), (650, 1_500_000, 60_000_000)),
    "char": ((128, 0, 0), (256, 30_000, 0), (512, 500_000, 12_000_000), (1024, 3_000_000, 100_000_000)),
}
"""(units, tokens that the text needs to have, tokens that there must be time to read)."""

CHARACTERS_IN_A_WORD = 5

MANY_CHARACTERS = 500_000
"""So many are hardly learnt by heart: see Characters in docs/results.md."""

MOST_DROPOUT_BLIND = 0.2
"""A text too short to be measured on is there to be learnt by heart."""

GATES_FROM, GATES_READ = 500_000, 2_000_000
"""Tokens that a text needs to have, and that there must be time to read, for gates to pay. (In the same time, a
million words: 78 to 95; a fifth of that: 181 to 181; docs/results.md. Of the cells with gates the GRU is the fastest,
and no worse for so many updates as there is time for.)"""

GATED = ("gru", "lstm")

FEW_READINGS, MANY_READINGS = 6.0, 20.0
"""What is read less often than the first is hardly learnt by heart, and its words may move faster; for more readings
than the second, adagrad has not been tried."""

ADAGRAD_FROM = 500_000
"""Tokens: a tenth of WikiText-2, 210,000, it learns by heart and ends 15 % behind sgd (docs/results.md)."""

MOST_EPOCHS = 40
LEAST_UPDATES = 1_500
"""A tiny text is read more often: a network needs some hundreds of updates to say anything at all."""


@dataclass(frozen=True)
class Choices:
    """Settings, and the reasons for them."""

    settings: Settings
    reasons: tuple[Reason, ...]


def choose_text(
    look: Look,
    *,
    budget_s: float,
    kind: Kind | None = None,
    mode: str | None = None,
    has: frozenset[str] = frozenset(),
) -> Choices:
    """How the text is read, and what of it is kept apart.

    Args:
        kind, mode: what the user asks for; None: to be chosen.
        has: those of "valid" and "test" that have a text of their own.
    """
    kind_reason = _kind(look) if kind is None else Reason("tokens", kind, "as asked")
    mode_reason = _mode(look) if mode is None else Reason("lines", mode, "as asked")
    tokenizer: dict[str, Any] = {"kind": kind_reason.choice}
    reasons = [kind_reason, mode_reason]
    if tokenizer["kind"] == "word":
        tokenizer |= {"split": "whitespace"} if look.is_split else {"min_count": 2}
        tokenizer["max_size"] = MOST_WORDS
        words = "words as they stand between spaces" if look.is_split else "words seen twice or more"
        why = (
            "the text marks rare words itself"
            if look.is_split
            else "what is seen once teaches what <unk> is like"
        )
        keys = tuple(f"data.tokenizer.{key}" for key in ("split", "min_count", "max_size"))
        reasons.append(Reason("vocabulary", f"{words}, {MOST_WORDS:,} at most", why, keys))
    split, reason = _split(look, budget_s, has, independent=mode_reason.choice == "lines")
    return Choices(
        {"data": {"mode": mode_reason.choice, "split": split, "tokenizer": tokenizer}}, (*reasons, reason)
    )


def _kind(look: Look) -> Reason:
    if look.characters_per_word > LONGEST_MEAN_WORD:
        return Reason("tokens", "char", f"no spaces: one in {look.characters_per_word:,.0f} characters")
    if look.words < WORDS_FOR_WORDS:
        return Reason("tokens", "char", f"{look.words:,} words are too few to learn words from")
    if look.distinct_share > MOST_DISTINCT:
        return Reason("tokens", "char", f"{look.distinct_share:.0%} of the words never come again")
    return Reason("tokens", "word", f"about {look.words:,} words")


def _mode(look: Look) -> Reason:
    if look.lines < FEWEST_LINES or look.blank_share > MOST_BLANK:
        few = look.lines < FEWEST_LINES
        return Reason("lines", "stream", "few lines" if few else "blank lines part paragraphs: running text")
    if look.likeness < UNRELATED:
        return Reason("lines", "lines", "a line has no more to do with the next than with any other")
    return Reason(
        "lines", "stream", f"a line shares {look.likeness:.1f} times as much with the next as with others"
    )


def _split(
    look: Look, budget_s: float, has: frozenset[str], *, independent: bool
) -> tuple[dict[str, float], Reason]:
    """The shares of validation and test text.

    Args:
        independent: whether equal lines are in one part, all of them.
    """
    affordable = min(max(MEASURED_CHARACTERS_PER_MINUTE * budget_s / 60, LEAST_MEASURED), MOST_MEASURED)
    share = min(MEASURED_SHARE, affordable / look.characters)
    if share * look.characters < FEWEST_MEASURED_CHARACTERS:
        share = min(0.1, FEWEST_MEASURED_CHARACTERS / 2 / look.characters)
    if independent:
        share = max(share, min(0.1, FEWEST_MEASURED_LINES / look.distinct_lines))
    share = float(f"{share:.2g}")
    wanted = [name for name in ("valid", "test") if name not in has]
    if look.lines < FEWEST_LINES_TO_PART and look.characters >= 2 * FEWEST_MEASURED_CHARACTERS:
        kept: list[str] = []
        why = (
            f"{look.lines:,} line{'' if look.lines == 1 else 's'}, and a line is never cut: nothing tells how good "
            "the model is; put in line ends, or name a text in data.valid"
        )
    elif look.characters < 2 * FEWEST_MEASURED_CHARACTERS:
        kept = []
        why = "too short to spare a part of it: nothing tells how good the model is"
    elif independent and 0.1 * look.distinct_lines < FEWEST_MEASURED_LINES:
        kept = []
        why = "too few different lines to spare some of them: nothing tells how good the model is"
    elif look.characters < 8 * FEWEST_MEASURED_CHARACTERS and "valid" in wanted:
        kept, share = ["valid"], 0.1
        why = "too short for a test as well"
    else:
        kept, why = wanted, "lines here and there; the vocabulary is learnt without them"
        if look.blank_share > MOST_BLANK or look.likeness >= UNRELATED:
            why = "blocks, for neighbouring lines tell of the same; the vocabulary is learnt without them"
    if not wanted:
        return {}, Reason("kept apart", "nothing", "validation and test have texts of their own")
    shown = ", ".join(f"{name} {share:.2%}" for name in kept) or "nothing"
    keys = ("data.split.valid", "data.split.test")
    return {name: share if name in kept else 0.0 for name in wanted}, Reason("kept apart", shown, why, keys)


def choose_measured(parts: Mapping[str, int], *, token_s: float, training_s: float) -> Choices:
    """How much of the validation and the test text is measured: all of it where there is time.

    Args:
        parts: the tokens of each.
        token_s: seconds that measuring a token takes.
    """
    tokens = sum(parts.values())
    affordable = int(MEASURING_SHARE * training_s / max(token_s, 1e-9))
    each = int(float(f"{max(affordable / max(len(parts), 1), FEWEST_MEASURED_TOKENS):.2g}"))
    if tokens <= affordable or each >= max(parts.values()):
        return Choices({"data": {}}, ())
    reason = Reason(
        "measured",
        f"{each:,} tokens of {' and '.join(parts)}",
        f"all {tokens:,} would take {tokens * token_s:,.0f} s; `rnn eval` measures a whole text",
        ("data.measured_tokens",),
    )
    return Choices({"data": {"measured_tokens": each}}, (reason,))


def sizes_to_try(kind: Kind, tokens: int) -> list[tuple[int, int]]:
    """Numbers of units fit for a text of so many tokens, smallest first, and the tokens that each wants to read."""
    fit = [
        (units, wanted)
        for units, least, wanted in SIZES["char" if kind == "char" else "word"]
        if tokens >= least
    ]
    at_once = [size for size in fit if size[1] == 0]
    return at_once[-1:] + fit[len(at_once) :]


def cells_to_try(tokens: int, asked: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Cells fit for a text of so many tokens, best first, and the tokens that there must be time to read.

    asked: keys of `model` that the user gives; some belong to the plain cell alone.
    """
    if "cell" in asked:
        return [(asked["cell"], 0)]
    if tokens < GATES_FROM or asked.keys() & set(PLAIN_KEYS):
        return [("elman", 0)]
    return [("gru", GATES_READ), ("elman", 0)]


def choose_network(
    *,
    kind: Kind,
    tokens: int,
    vocab_size: int,
    has_valid: bool,
    speeds: list[Speed],
    training_s: float,
    cell: str,
    asked: Mapping[str, Any] = MappingProxyType({}),
) -> Choices:
    """Sizes, regularisation, softmax and schedule.

    Args:
        tokens: of the training text.
        speeds: of the sizes that were tried, smallest first.
        training_s: the time that there is, measuring included.
        cell: see `cells_to_try`.
        asked: keys of `training` that the user gives; how often the text is read, and the rule of the tables, count.
    """
    speed = _best_size(kind, tokens, speeds, training_s)
    readable = speed.tokens_per_s * training_s
    char = kind == "char"
    steps = 100 if char else 35
    batch = batch_for(tokens, steps)
    most = asked.get("max_epochs") or most_epochs(tokens, batch * steps)
    epochs = min(readable / tokens, most)
    dropout = dropout_for(epochs, tokens, char=char)
    if not has_valid:
        dropout = min(dropout, MOST_DROPOUT_BLIND)
    tied = not char
    softmax = softmax_for(vocab_size)
    settings: Settings = {
        "model": {
            "cell": cell,
            "embedding_size": speed.units if tied else min(speed.units, 128),
            "hidden_size": speed.units,
            "dropout": dropout,
            **({} if char or cell != "elman" else {"recurrent_init": "identity"}),
        },
        "output": {"tie_embeddings": tied, **softmax},
        "training": {
            "batch_size": batch,
            "bptt_steps": steps,
            **rates_for(kind, speed.units, epochs, tokens, cell, asked.get("table_optimizer")),
            **({} if char else {"change_penalty": 1.0}),
            "schedule": "linear",
            "warmup_steps": 100,
            "max_epochs": max(1, math.ceil(min(1.5 * readable / tokens, most))),
            "max_minutes": float(f"{training_s / 60:.4g}"),
            "patience": 4 if has_valid else None,
            "engine": speed.engine,
            "threads": speed.threads,
            "log_every_windows": 20,
        },
    }
    enough = ", as asked" if "max_epochs" in asked else ", more would only be learnt by heart"
    return Choices(settings, network_reasons(settings, speed, tokens, vocab_size, epochs, training_s, enough))


def _best_size(kind: Kind, tokens: int, speeds: list[Speed], training_s: float) -> Speed:
    """The largest network that there is time for."""
    wanted = dict(sizes_to_try(kind, tokens))
    fit = [speed for speed in speeds if speed.tokens_per_s * training_s >= wanted.get(speed.units, 0)]
    return (fit or speeds[:1])[-1]


def most_epochs(tokens: int, window: int) -> int:
    """How often a text is read at most, in windows of so many tokens."""
    return max(MOST_EPOCHS, min(400, math.ceil(LEAST_UPDATES * window / tokens)))


def batch_for(tokens: int, steps: int) -> int:
    """Streams side by side: 32, fewer where a pass through the text would make no ten updates."""
    return min(32, max(4, tokens // (10 * steps)))


def dropout_for(epochs: float, tokens: int, *, char: bool = False) -> float:
    """The more often a text is read, the more of it is learnt by heart; a small one sooner.

    0.1 for 3 readings, 0.4 for 20, in twentieths; none for a text hardly read twice, a third for many characters.
    """
    if epochs < 1.5:
        return 0.0
    words = tokens // CHARACTERS_IN_A_WORD if char else tokens
    small = 0.1 if words < 200_000 else 0.0
    dropout = small + 0.1 + 0.3 * math.log(epochs / 3) / math.log(20 / 3)
    twentieths = round(20 * min(max(dropout, 0.0), 0.5))
    return (round(twentieths / 3) if char and tokens >= MANY_CHARACTERS else twentieths) / 20


def softmax_for(vocab_size: int) -> dict[str, Any]:
    """Over all words where they are few, else over some."""
    if vocab_size < 4_000:
        return {"softmax": "exact"}
    return {"softmax": "sampled", "samples": 256 if vocab_size < 20_000 else 512}


def rates_for(
    kind: Kind, units: int, epochs: float, tokens: int, cell: str, table_optimizer: str | None = None
) -> dict[str, Any]:
    """Learning rates: of AdamW for the cell, and for words of a rule of its own for their table.

    Args:
        table_optimizer: the rule that the user asks for, of characters as well; None: to be chosen.
    """
    rule = table_optimizer
    if rule is None and kind != "char":
        rule = "adagrad" if epochs < MANY_READINGS and tokens >= ADAGRAD_FROM else "sgd"
    tables: dict[str, Any] = {}
    if rule is not None:
        adagrad_rate = 0.3 if epochs < FEW_READINGS else 0.12
        tables = {"table_learning_rate": 15.0 if rule == "sgd" else adagrad_rate, "table_optimizer": rule}
    if kind == "char":
        return {"learning_rate": 3e-3 if units <= 256 else 2e-3, **tables}
    small, large = (4e-3, 3e-3) if cell in GATED else (2e-3, 1.5e-3)
    return {"learning_rate": small if units <= 256 else large, **tables}
