"""A trained model with what evaluation adds to it: what `rnn_cli.load` gives."""

from pathlib import Path
from typing import TYPE_CHECKING

from rnn_cli.errors import UsageError
from rnn_cli.inference.options import checked_blank_words
from rnn_cli.inference.trained_model import TrainedModel

if TYPE_CHECKING:
    from rnn_cli.evaluation.answering import SetEvaluation
    from rnn_cli.evaluation.text import TextEvaluation
    from rnn_cli.inference.additions import Additions

BATCH_SIZE = 64
LARGEST_BATCH_SIZE = 4096


class Model(TrainedModel):
    """A network with its vocabulary, to be asked and to be measured."""

    def evaluate(
        self,
        path: str | Path,
        *,
        answers: str | Path | None = None,
        format: str | None = None,  # noqa: A002
        blank_words: tuple[int, int] = (1, 1),
        batch_size: int = BATCH_SIZE,
        pmi: bool = False,
        cache: bool = False,
        dynamic: bool = False,
        ngram: str | Path | None = None,
    ) -> "TextEvaluation | SetEvaluation":
        """Measure the model on a text or a set of questions.

        Args:
            path: a text (it may be packed), or a file of questions, see `question_sets`.
            answers: the second file of a set of the format msr.
            format: "text", "msr", "choices", "cloze", "last-word" or "pairs"; None: what the file looks like.
            blank_words: the smallest and the largest number of words in a blank.
            batch_size: how many lines or questions are read side by side; it changes the speed, not the result.
            pmi: rank choices as if all were equally frequent, see `complete`; for the formats msr and choices.
            cache: add a neural cache.
            dynamic: let the network go on learning from the text that is measured; not for questions.
            ngram: the file of an n-gram model to add, see `rnn ngram`. The three have the numbers that were fitted
                for their combination, or defaults.

        Returns:
            Perplexity with its terms and more for a text; accuracy and more for questions.

        Raises:
            UsageError: an argument cannot be, or does not go with the file.
            TextError: a file cannot be read or used.
            ModelFileError: the model's numbers grew too large, the n-gram model cannot be used, or the model has no
                counts for `pmi`.
        """
        from rnn_cli.evaluation.answering import evaluate_set
        from rnn_cli.evaluation.question_sets import read_question_set
        from rnn_cli.evaluation.text import evaluate_text
        from rnn_cli.text.reader import read_lines

        path = Path(path)
        kind, additions = self.check_evaluation(
            path,
            answers=answers,
            format=format,
            blank_words=blank_words,
            batch_size=batch_size,
            pmi=pmi,
            cache=cache,
            dynamic=dynamic,
            ngram=ngram,
        )
        if kind == "text":
            return evaluate_text(self, read_lines([path]), batch_size=batch_size, additions=additions)
        questions = read_question_set(path, kind, None if answers is None else Path(answers))
        return evaluate_set(
            self,
            questions,
            path,
            batch_size=batch_size,
            blank_words=blank_words,
            additions=additions,
            pmi=pmi,
        )

    def check_evaluation(
        self,
        path: Path,
        *,
        answers: str | Path | None = None,
        format: str | None = None,  # noqa: A002
        blank_words: tuple[int, int] = (1, 1),
        batch_size: int = BATCH_SIZE,
        pmi: bool = False,
        cache: bool = False,
        dynamic: bool = False,
        ngram: str | Path | None = None,
    ) -> "tuple[str, Additions]":
        """The format of a file and what is added: all that can be refused before it is read is refused here.

        For the arguments and the errors see `evaluate`.
        """
        from rnn_cli.evaluation.answering import with_added
        from rnn_cli.evaluation.question_files import check_can_be_read, find_format
        from rnn_cli.evaluation.question_sets import FORMATS, check_answers, check_has_choices

        if format is not None and format not in FORMATS:
            raise UsageError(f"--format is {format}; it has to be one of {', '.join(FORMATS)}.")
        if not 1 <= batch_size <= LARGEST_BATCH_SIZE:
            raise UsageError(
                f"--batch-size is {batch_size}; it has to be a whole number from 1 to {LARGEST_BATCH_SIZE:,}."
            )
        checked_blank_words(blank_words)
        kind = format or find_format(path)
        answers = None if answers is None else Path(answers)
        check_answers(path, kind, answers)
        if pmi:
            check_has_choices(path, kind)
            self.check_pmi()
        for file in (path, answers):
            if file is not None:
                check_can_be_read(file)
        additions = self.additions(cache=cache, dynamic=dynamic, ngram=ngram)
        if kind != "text":
            with_added(self, additions, kind)
        return kind, additions
