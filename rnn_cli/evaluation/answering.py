"""How many questions of a set a model answers rightly, and how sure it was."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnn_cli.errors import RnnError, UsageError
from rnn_cli.evaluation.question_sets import Pair, QuestionSet
from rnn_cli.evaluation.questions import (
    Accuracy,
    Question,
    accuracy_by_category,
    accuracy_by_distance,
    answer_occurs,
    is_right,
)
from rnn_cli.evaluation.reliability import Reliability
from rnn_cli.inference.additions import NOTHING_ADDED, Additions
from rnn_cli.inference.choices import check_length
from rnn_cli.inference.completion import CompletionResult
from rnn_cli.inference.trained_model import TrainedModel


@dataclass(frozen=True)
class SetEvaluation:
    """What a model made of a set of questions.

    Attributes:
        format: of the set.
        accuracy: the share of right answers, and the same by category and distance.
        unknown_answers: how many answers have a word that the model does not know.
        reliability: of the best answers.
        problems: one message for each line that could not be used; these do not count.
        temperature: that the model was calibrated with; 1 where it was not.
        direction: from which end the questions were read, "forward", "backward" or "both".
        forward_weight: of a pair's first network; None where there is one network.
        by_occurrence: for passages whose last word is asked for: how many of those that hold the answer, as a word
            before its place, are answered rightly, and how many of the others; empty for other sets.
        additions: what was added to the network.
        pmi: whether choices were ranked as if all were equally frequent.
    """

    format: str
    accuracy: Accuracy
    unknown_answers: int
    reliability: Reliability
    problems: list[str] = field(default_factory=list)
    temperature: float = 1.0
    direction: str = "forward"
    forward_weight: float | None = None
    by_occurrence: dict[str, Accuracy] = field(default_factory=dict)
    additions: Additions = NOTHING_ADDED
    pmi: bool = False

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        occurrence = {name: part.to_dict() for name, part in self.by_occurrence.items()}
        return {
            "format": self.format,
            **self.accuracy.to_dict(),
            **({"by_occurrence": occurrence} if occurrence else {}),
            **({"added": self.additions.to_dict()} if self.additions.names else {}),
            **({"pmi": True} if self.pmi else {}),
            "unknown_answers": self.unknown_answers,
            "reliability": self.reliability.to_dict(),
            "problems": self.problems,
            "temperature": self.temperature,
            "direction": self.direction,
            **({} if self.forward_weight is None else {"forward_weight": self.forward_weight}),
        }


@dataclass(frozen=True)
class _Answer:
    """What came of a question: right or not, and with which probability the answer was given."""

    asked: Question | Pair
    right: bool
    confidence: float


def with_added(model: TrainedModel, additions: Additions, format_: str) -> TrainedModel:
    """The model with what is added to it, for a set of a format.

    Raises:
        UsageError: something is added that is not for such a set.
    """
    if not additions.names:
        return model
    if additions.cache and format_ == "pairs":
        raise UsageError("--cache is for texts and for questions with a blank, not for pairs. Leave it out.")
    return model.with_additions(additions)


def evaluate_set(
    model: TrainedModel,
    questions: QuestionSet,
    path: Path,
    *,
    batch_size: int,
    blank_words: tuple[int, int] = (1, 1),
    additions: Additions = NOTHING_ADDED,
    pmi: bool = False,
) -> SetEvaluation:
    """Ask `model` all questions. A blank is filled by the whole text; of a pair the more probable line is taken.

    Args:
        path: what messages call the set.
        batch_size: how many questions are read side by side; the result does not depend on it, but for rounding.
        blank_words: the smallest and the largest number of words in a blank.
        additions: a cache, which remembers what stands before a blank, and an n-gram model.
        pmi: rank choices as if all were equally frequent; every question has to have choices.

    Raises:
        RnnError: no question could be asked, or what is added is not for this set.
    """
    model = with_added(model, additions, questions.format)
    answers: list[_Answer] = []
    problems = list(questions.problems)
    last: RnnError | None = None
    for start in range(0, len(questions.questions), batch_size):
        some = questions.questions[start : start + batch_size]
        answered = _answers(model, [asked for _, asked in some], blank_words, pmi=pmi)
        for (number, _), answer in zip(some, answered, strict=True):
            if isinstance(answer, RnnError):
                last = answer
                problems.append(f"{path}:{number}: {answer}")
            else:
                answers.append(answer)
    if not answers and last is not None:
        raise last
    right = [answer.right for answer in answers]
    reliability = Reliability()
    reliability.add([answer.confidence for answer in answers], right)
    asked = [answer.asked for answer in answers]
    return SetEvaluation(
        questions.format,
        Accuracy(
            len(right),
            sum(right),
            accuracy_by_distance([getattr(one, "distance", None) for one in asked], right),
            accuracy_by_category([one.category for one in asked], right),
        ),
        unknown_answers=sum(_is_unknown(model, one) for one in asked),
        reliability=reliability,
        problems=problems,
        temperature=model.temperature,
        direction=model.direction,
        forward_weight=None if model.backward is None else model.forward_weight,
        by_occurrence=_by_occurrence(model, answers) if questions.format == "last-word" else {},
        additions=additions,
        pmi=pmi,
    )


def _by_occurrence(model: TrainedModel, answers: Sequence[_Answer]) -> dict[str, Accuracy]:
    """The share of right answers where the answer stands in the passage, and where it does not."""
    groups: dict[str, list[bool]] = {"in the passage": [], "not in the passage": []}
    for answer in answers:
        if isinstance(answer.asked, Question):
            occurs = answer_occurs(answer.asked, lowercase=model.tokenizer.lowercase)
            groups["in the passage" if occurs else "not in the passage"].append(answer.right)
    return {name: Accuracy(len(right), sum(right)) for name, right in groups.items() if right}


def _answers(
    model: TrainedModel, asked: Sequence[Question | Pair], blank_words: tuple[int, int], *, pmi: bool
) -> Iterator[_Answer | RnnError]:
    pairs = [one for one in asked if isinstance(one, Pair)]
    if pairs:
        yield from _judge_pairs(model, pairs)
        return
    questions = [one for one in asked if isinstance(one, Question)]
    results = model.predict(
        [question.text for question in questions],
        top=1,
        choices=[question.choices for question in questions],
        blank_words=blank_words,
        pmi=pmi,
    )
    for question, result in zip(questions, results, strict=True):
        yield result if isinstance(result, RnnError) else _answer(model, question, result, blank_words)


def _answer(
    model: TrainedModel, question: Question, result: CompletionResult, blank_words: tuple[int, int]
) -> _Answer | RnnError:
    """Whether the best completion is right; an error where the blank has no room for the answer."""
    try:
        check_length("answer", question.answer, blank_words)
    except UsageError as error:
        return error
    confidence = result.completions[0].probability if result.completions else 0.0
    return _Answer(question, is_right(model, question, result), confidence)


def _judge_pairs(model: TrainedModel, pairs: Sequence[Pair]) -> Iterator[_Answer | RnnError]:
    """The good sentence has to be more probable than the bad one, each as a line that stands alone."""
    sentences = [sentence for pair in pairs for sentence in (pair.good, pair.bad)]
    log_probs = model.sentence_log_probs(sentences)
    for pair, good, bad in zip(pairs, log_probs[::2], log_probs[1::2], strict=True):
        if isinstance(good, RnnError) or isinstance(bad, RnnError):
            yield good if isinstance(good, RnnError) else bad  # type: ignore[misc]
        else:
            ahead = good - bad
            yield _Answer(pair, ahead > 0, 1 / (1 + math.exp(-min(abs(ahead), 700))))


def _is_unknown(model: TrainedModel, asked: Question | Pair) -> bool:
    answer = asked.good if isinstance(asked, Pair) else asked.answer
    return model.tokenizer.unk_id in model.tokenizer.encode(answer)
