"""How a text is read and what is kept to measure on: pure functions from facts to settings, each with its reason.

The numbers come from trials on WikiText-2, tinyshakespeare, LAMBADA and favourites; see docs/results.md.
"""

from collections.abc import Mapping
from typing import Any

from rnn_cli.recipe.look import Look
from rnn_cli.recipe.reasons import Choices, Kind, Reason

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
"""Lines that a part is to have on average (of independent lines different ones: equal ones go together): which part a
line goes to is chance, and of parts that have so many one in 20,000 is empty."""

FEWEST_MEASURED_CHARACTERS = 5_000
FEWEST_LINES_TO_PART = 60
MEASURED_SHARE = 0.05
MEASURED_CHARACTERS_PER_MINUTE = 30_000
LEAST_MEASURED, MOST_MEASURED = 60_000, 1_000_000
"""Characters that validation and test take each: enough to be sure of the figure, few enough for the time."""

MOST_MEASURING_SHARE, MEASURING_SHARE = 0.25, 0.15
"""Where the last measurements of validation and test text would take more of the time than the first, the second is
what they get: a little too long is better than a part."""

FEWEST_MEASURED_TOKENS = 10_000


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
    share = max(share, min(0.1, FEWEST_MEASURED_LINES / (look.distinct_lines if independent else look.lines)))
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
        kept = wanted
        how = "lines here and there" if independent else "blocks, for neighbouring lines tell of the same"
        why = f"{how}; the vocabulary is learnt without them"
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
    if tokens * token_s <= MOST_MEASURING_SHARE * training_s:
        return Choices({"data": {}}, ())
    affordable = MEASURING_SHARE * training_s / token_s
    each = int(float(f"{max(affordable / len(parts), FEWEST_MEASURED_TOKENS):.2g}"))
    if each >= max(parts.values()):
        return Choices({"data": {}}, ())
    reason = Reason(
        "measured",
        f"{each:,} tokens of {' and '.join(parts)}",
        f"all {tokens:,} would take {tokens * token_s:,.0f} s; `rnn eval` measures a whole text",
        ("data.measured_tokens",),
    )
    return Choices({"data": {"measured_tokens": each}}, (reason,))
