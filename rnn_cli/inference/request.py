"""A text to complete, as it was asked and as a model reads it: from its first word on, or from its last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rnn_cli.errors import UsageError
from rnn_cli.inference.choices import checked_choices
from rnn_cli.inference.prompt import Context, Prompt
from rnn_cli.inference.segment import MOST_TOKENS_BEHIND, Segment


@dataclass(frozen=True)
class Request:
    """A text to complete; with choices, which are checked already, only these are ranked for its blank.

    `pmi`: the choices are ranked by how much more probable the text makes them than they are by their frequency.
    """

    prompt: Prompt
    choices: Sequence[str] | None = None
    pmi: bool = False


def made_request(
    text: str, choices: Sequence[str] | None, blank_words: tuple[int, int], *, pmi: bool
) -> Request:
    """What is asked, checked.

    Raises:
        UsageError: the text or the choices cannot be, or there are none for `pmi`.
    """
    prompt = Prompt.parse(text)
    if pmi and choices is None:
        raise UsageError(
            '--pmi ranks choices; give --choices (in JSON lines "choices") with the words to rank, or leave it out.'
        )
    return Request(prompt, None if choices is None else checked_choices(choices, prompt, blank_words), pmi)


def request_or_error(
    text: str, choices: Sequence[str] | None, blank_words: tuple[int, int], *, pmi: bool
) -> Request | UsageError:
    """The same, where what is wrong with one text does not stop the others."""
    try:
        return made_request(text, choices, blank_words, pmi=pmi)
    except UsageError as error:
        return error


@dataclass(frozen=True)
class Asked:
    """A request as a model reads it.

    Attributes:
        context: what is read before the first blank.
        segments: what is read behind each blank.
        unknown: the words that the vocabulary does not have, as typed.
        choices: the ids of each choice.
        priors: ln P of each choice by its frequency, in nats, where they are ranked without regard to it; else None.
    """

    request: Request
    context: Context
    segments: list[Segment]
    unknown: list[str]
    choices: list[list[int]]
    priors: list[float] | None = None

    def mirrored(self, eos_id: int) -> "Asked":
        """The same from the other end, for a network that has learnt to read so.

        What stands behind the last blank is read first, its last token before all others; then what stands between
        the blanks, and last, up to `MOST_TOKENS_BEHIND` tokens of what stands before the first. The end of the text
        is taken for the end of a line: a network that begins there has learnt nothing else.
        """
        behind = self.segments[-1].joined(eos_id)[::-1]
        start = [] if behind[:1] == [eos_id] else [eos_id]
        return replace(
            self,
            context=replace(self.context, ids=[*start, *behind]),
            segments=[
                *(mirrored_segment(segment.joined(eos_id), eos_id) for segment in self.segments[-2::-1]),
                mirrored_segment(self.context.ids[-MOST_TOKENS_BEHIND:], eos_id),
            ],
            choices=[ids[::-1] for ids in self.choices],
        )


def mirrored_segment(ids: Sequence[int], eos_id: int) -> Segment:
    """Tokens from their last to their first, as what is read after a blank."""
    lines: list[list[int]] = [[]]
    for id_ in reversed(ids):
        if id_ == eos_id:
            lines.append([])
        else:
            lines[-1].append(id_)
    return Segment(lines, after_space=False, unknown=[])
