"""A trained model as Python sees it: loaded from its file, asked for completions."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from rnn_cli.errors import RnnError, UsageError
from rnn_cli.inference.adding import find_additions, mixed_engine, remembering
from rnn_cli.inference.additions import Additions
from rnn_cli.inference.building import ModelParts, parts_of
from rnn_cli.inference.completer import Completer
from rnn_cli.inference.completion import CompletionResult
from rnn_cli.inference.evidence import CANDIDATES, find_evidence
from rnn_cli.inference.frequency import frequencies_for_pmi
from rnn_cli.inference.interpolation import MixedEngine
from rnn_cli.inference.line_index import NAME_IN_RUN_FOLDER as INDEX_NAME
from rnn_cli.inference.line_index import NearLine, read_index
from rnn_cli.inference.nearest import nearest_words
from rnn_cli.inference.options import check_together, checked_blank_words, given_options
from rnn_cli.inference.pieces import PieceTable
from rnn_cli.inference.prompt import Prompt, lines_of, read_context
from rnn_cli.inference.request import Request, made_request, request_or_error
from rnn_cli.inference.sampling import Sampling
from rnn_cli.inference.sides import Side
from rnn_cli.inference.surprisal import LINES_AT_ONCE, LineScorer, TextScore, weighted_log_probs
from rnn_cli.model_file import ModelFile, read_model_file

DEFAULT_TOP_FOR_A_BLANK = 5


def load(path: str | Path) -> "TrainedModel":
    """Load a model file, or the one in the folder of a run.

    Raises:
        ModelFileError: there is none, or it cannot be used.
    """
    path = Path(path)
    return TrainedModel.from_model_file(read_model_file(path), name=str(path), index=index_beside(path))


def index_beside(path: Path) -> Path | None:
    """The index of training lines in the folder of a run, given the folder or its model file; None without one."""
    index = (path if path.is_dir() else path.parent) / INDEX_NAME
    return index if index.is_file() else None


class TrainedModel:
    """A network with its vocabulary. Made by `load`.

    Attributes:
        config: the whole resolved config of its training.
        metrics: what it reached.
        tokenizer: its vocabulary.
        engine: its equations; a pair's are those of the network that reads forward.
        backward: a pair's second network, which reads backwards; None where there is one network.
        direction: "forward", "backward" or "both".
        forward_weight: how much the first network of a pair weighs, from 0 to 1; 0.5 where it was not fitted.
        frequencies: how often each token stands in the training text; None where the model file does not say so.
        temperature: that its probabilities were calibrated with; 1 where they were not.
    """

    def __init__(self, parts: ModelParts, *, index: Path | None = None) -> None:
        """A model of what stands in a model file, with an index of training lines where its run kept one."""
        self.engine = parts.engine
        self.backward = parts.backward
        self.direction = parts.direction
        self.forward_weight = parts.forward_weight
        self.frequencies = parts.frequencies
        self.tokenizer = parts.tokenizer
        self.config = parts.config
        self.metrics = parts.metrics
        self.temperature = parts.engine.temperature
        self._independent_lines = parts.independent_lines
        self._fitted = parts.fitted
        self._index = index
        second = None
        if parts.backward is not None:
            second = Side(parts.backward, backwards=True, weight=1 - parts.forward_weight)
        self._completer = Completer(
            parts.engine,
            parts.tokenizer,
            independent_lines=parts.independent_lines,
            backwards=parts.direction == "backward",
            second=second,
            frequencies=parts.frequencies,
        )

    @classmethod
    def from_model_file(cls, model_file: ModelFile, *, name: str, index: Path | None = None) -> Self:
        """The model in a file that was read; `name` is what messages call it, `index` an index of training lines.

        Raises:
            ModelFileError: the parts of the file do not belong together, or this version cannot use them.
        """
        return cls(parts_of(model_file, name=name), index=index)

    def additions(
        self, *, cache: bool = False, dynamic: bool = False, ngram: str | Path | None = None
    ) -> Additions:
        """What is to be added, with the numbers fitted for this combination, or defaults.

        Args:
            cache: a neural cache.
            dynamic: dynamic evaluation.
            ngram: the file of an n-gram model.

        Raises:
            UsageError: the model only reads backwards.
            ModelFileError: the file cannot be used, or does not belong to this model.
        """
        if cache or dynamic or ngram is not None:
            self.check_reads_forward()
        return find_additions(
            self.engine,
            self.tokenizer,
            self._fitted,
            cache=cache,
            dynamic=dynamic,
            ngram=None if ngram is None else Path(ngram),
        )

    def with_additions(self, additions: Additions, *, context: Iterable[str] = ()) -> Self:
        """The same model with a cache and an n-gram model added: for completions and scores.

        The cache remembers the context, and what stands before the blank or the end of each text; nothing that is put
        there. Of a pair it is the network that reads forward, alone: the weight of the two was fitted without them.

        Args:
            additions: what is added; dynamic evaluation is for measuring a text.
            context: lines of a text that stands before all that is asked. A model of independent lines does not read
                it, but its cache remembers it.

        Raises:
            UsageError: dynamic evaluation is added, or the model only reads backwards.
            ModelFileError: the model's numbers grew too large.
        """
        self.check_reads_forward()
        model = copy.copy(self)
        model.backward, model.direction = None, "forward"
        model.engine = mixed_engine(
            self.engine, self.tokenizer, additions, context, independent_lines=self._independent_lines
        )
        model._completer = self._completer.with_engine(model.engine)
        return model

    def check_reads_forward(self) -> None:
        """For what is added at prediction time, which follows a text from its first word on.

        Raises:
            UsageError: the model only reads backwards.
        """
        if self.direction == "backward":
            raise UsageError(
                "--cache, --dynamic, --ngram and --context are for a network that reads forward, and this model "
                "reads backwards. Leave them out, or train with model.direction forward or both."
            )

    def complete(
        self,
        text: str,
        *,
        choices: Sequence[str] | None = None,
        blank_words: tuple[int, int] = (1, 1),
        pmi: bool = False,
        why: bool = False,
        top: int | None = None,
        max_words: int = 30,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        samples: int | None = None,
        seed: int | None = None,
    ) -> CompletionResult:
        """Fill the blanks of `text` (two or more underscores each), or continue it to the end of the sentence.

        What is put into a blank is ranked by the probability of the whole text with it in place, so that the words
        behind the blank count as those before it; the end of the text is no end of a line. A continuation is the
        best that a search finds. With any of the options from `temperature` on it is drawn at random instead.

        Args:
            choices: rank these for the one blank, and nothing else; a word that the model does not know counts as
                its unknown word.
            blank_words: the smallest and the largest number of words in a blank.
            pmi: rank the choices as if all were equally frequent, by how much more probable the text makes each than
                it is by its frequency in the training text (pointwise mutual information, see `frequency`).
            why: also find out which words around the one blank moved the best completion, away from its rivals, and,
                where the run kept an index, which training lines are the nearest by hidden state.
            top: how many completions; None: 5 for a blank, 1 for a continuation, all choices, all that are drawn.
            max_words: a continuation ends after so many words at the latest.
            temperature: below 1 draws the probable more often, above 1 less often; 0 takes the best each time.
            top_k: draw from so many of the most probable tokens only.
            top_p: draw from the fewest of the most probable tokens that together have this probability.
            samples: how many continuations to draw.
            seed: start of the random numbers; the same seed draws the same.

        Raises:
            UsageError: an option is out of its range or does not go with the text, or the text is too long, has too
                many blanks or nothing but blanks, or the choices are none; `pmi`, and there are no choices, or the
                model's tokens are no words.
            ModelFileError: the model's numbers grew too large while it read the text; `pmi`, and it has no counts.
        """
        given_options(top=top, max_words=max_words)
        checked_blank_words(blank_words)
        drawing = given_options(temperature=temperature, top_k=top_k, top_p=top_p, samples=samples, seed=seed)
        request = made_request(text, choices, blank_words, pmi=pmi)
        if pmi:
            self.check_pmi()
        prompt = request.prompt
        check_together(
            blanks=prompt.blanks, blank_words=blank_words, why=why, drawing=drawing, remembers=self._remembers
        )
        if prompt.blanks:
            wanted = top or DEFAULT_TOP_FOR_A_BLANK
            completer = self._completer_for(prompt)
            (result,) = completer.answers(
                [request], top=max(wanted, CANDIDATES) if why else wanted, blank_words=blank_words
            )
            if isinstance(result, RnnError):
                raise result
            if why and result.completions:
                why_so = find_evidence(self._completer, result)
                result = replace(result, why=replace(why_so, nearest=self._nearest_lines(prompt)))
            shown = len(result.completions) if choices is not None and top is None else wanted
            return replace(result, completions=result.completions[:shown])
        if drawing:
            return self._completer_for(prompt).sampled_continuations(
                prompt, top=top, max_words=max_words, sampling=Sampling(**drawing)
            )
        return self._completer_for(prompt).continuations(prompt, top=top or 1, max_words=max_words)

    def predict(
        self,
        texts: Sequence[str],
        top: int = 5,
        *,
        choices: Sequence[Sequence[str] | None] | None = None,
        blank_words: tuple[int, int] = (1, 1),
        pmi: bool = False,
    ) -> list[CompletionResult | RnnError]:
        """The `top` best words for the blanks of each text, or the next word where there is no blank.

        Texts are read side by side, which is many times faster than one by one. What is wrong with one text takes
        its place in the list and does not stop the others.

        Args:
            top: how many completions of each; of choices all are given.
            choices: for each text what is to be ranked for its blank, or None.
            blank_words: the smallest and the largest number of words in a blank.
            pmi: rank the choices as if all were equally frequent, see `complete`; each text has to have choices.

        Raises:
            UsageError: `texts` is one text, `top` or `blank_words` is out of its range, or the model's tokens are
                no words for `pmi`.
            ModelFileError: the model has no counts for `pmi`.
        """
        if isinstance(texts, str):
            raise UsageError("predict takes a list of texts. For one text: complete(text).")
        given_options(top=top)
        checked_blank_words(blank_words)
        if pmi:
            self.check_pmi()
        all_choices = [None] * len(texts) if choices is None else choices
        parsed = [
            request_or_error(text, some, blank_words, pmi=pmi)
            for text, some in zip(texts, all_choices, strict=True)
        ]
        wanted = [request for request in parsed if isinstance(request, Request)]
        if not self._remembers:
            results = iter(self._completer.answers(wanted, top=top, blank_words=blank_words))
        else:  # each has a memory of its own
            results = iter(
                self._completer_for(request.prompt).answers([request], top=top, blank_words=blank_words)[0]
                for request in wanted
            )
        return [next(results) if isinstance(request, Request) else request for request in parsed]

    def check_pmi(self) -> None:
        """See that the model can rank choices by PMI.

        Raises:
            UsageError: its tokens are no words.
            ModelFileError: it has no counts.
        """
        frequencies_for_pmi(self.frequencies, self.tokenizer)

    def _completer_for(self, prompt: Prompt) -> Completer:
        """What completes a prompt: with a cache, one that remembers what stands before its first blank."""
        if not (isinstance(self.engine, MixedEngine) and self._remembers):
            return self._completer
        context = read_context(prompt.left, self.tokenizer, independent_lines=self._independent_lines)
        return self._completer.with_engine(remembering(self.engine, context.ids))

    @property
    def _remembers(self) -> bool:
        """Whether a cache is added, so that each text needs a completer of its own."""
        return isinstance(self.engine, MixedEngine) and self.engine.cache is not None

    def score(self, text: str, *, state_carried: bool | None = None) -> TextScore:
        """The log-probability, surprisal, rank and frequency of every token of `text`, and the sums.

        Each token is judged by those before it; where the model only reads backwards, by those behind it.

        Args:
            text: one line or several; the end of each line is scored, too.
            state_carried: whether the state runs on from line to line; None: as the model was trained.

        Raises:
            UsageError: the text is no str or too long.
            ModelFileError: the model's numbers grew too large.
        """
        scorer = self.line_scorer(state_carried=state_carried)
        scores, _ = scorer.score(lines_of(text), scorer.start())
        lines = []
        for score in scores:
            if isinstance(score, RnnError):
                raise score
            lines.append(score)
        return TextScore(lines)

    def line_scorer(self, *, state_carried: bool | None = None, at_once: int = LINES_AT_ONCE) -> LineScorer:
        """What `score` works with, for texts that come bit by bit."""
        carried = not self._independent_lines if state_carried is None else state_carried
        return LineScorer(
            self.engine,
            self.tokenizer,
            state_carried=carried,
            at_once=at_once,
            backwards=self.direction == "backward",
            frequencies=self.frequencies,
        )

    def sentence_log_probs(self, sentences: Sequence[str]) -> list[float | RnnError]:
        """ln P of each sentence as a line that stands alone, in nats; of a pair the weighted mean of both networks.

        An error stands in place of one that cannot be read.

        Raises:
            UsageError: it is one text, and no list.
        """
        if isinstance(sentences, str):
            raise UsageError("sentence_log_probs takes a list of sentences. For one text: score(text).")
        scorers = [(1.0, self.line_scorer(state_carried=False))]
        if self.backward is not None:
            back = LineScorer(self.backward, self.tokenizer, state_carried=False, backwards=True)
            scorers = [(self.forward_weight, scorers[0][1]), (1 - self.forward_weight, back)]
        return weighted_log_probs(scorers, sentences)

    def nearest_words(self, word: str) -> list[str]:
        """Up to three words of the vocabulary that look like `word`, best first."""
        return nearest_words(word, self._words)

    @property
    def pieces(self) -> PieceTable:
        """What each id can be in a sentence."""
        return self._completer.pieces

    def _nearest_lines(self, prompt: Prompt) -> list[NearLine] | None:
        """The training lines whose state was most like the one before the blank."""
        if self._index is None:
            return None
        context = read_context(prompt.left, self.tokenizer, independent_lines=self._independent_lines)
        hidden, _ = self.engine.read_each([context.ids])
        if isinstance(self.engine, MixedEngine):
            hidden = self.engine.own(hidden)
        return read_index(self._index, self.engine).nearest(hidden[0], self.tokenizer)

    @cached_property
    def _words(self) -> list[str]:
        """The words of the vocabulary, most frequent first; none where words have no pieces of their own."""
        if self.tokenizer.kind != "word":
            return []
        pieces = self.tokenizer.pieces
        return list(dict.fromkeys(pieces[i].strip() for i in np.flatnonzero(self.pieces.word)))
