"""All that there is to say of one run: what was recorded, and what its model does with a text it has not learnt."""

from dataclasses import asdict, dataclass
from typing import Any

from rnn_cli.errors import RnnError
from rnn_cli.evaluation.reliability import Reliability
from rnn_cli.inference import CompletionResult, TrainedModel, load
from rnn_cli.insight.measured import predict, take_sample
from rnn_cli.insight.prompts import Tried, prompts_of
from rnn_cli.insight.quality import Group, Remembered, by_frequency, memory_length, reliability
from rnn_cli.insight.runs import Run
from rnn_cli.text.corpus import Corpus, prepare_corpus
from rnn_cli.text.split import PartName, text_of_split

SPLITS: tuple[PartName, ...] = ("valid", "test", "train")  # in the order of preference
PROMPTS = 12
COMPLETIONS = 3


@dataclass(frozen=True)
class Measured:
    """What a model does with a text.

    Attributes:
        split: valid; test or train where there is no validation text.
        tokens: how many were predicted.
        loss: mean nats per token.
        accuracy: the share right at the first guess.
        memory: by length of context.
        frequency: by how often the word occurs in the training text; empty where that is no longer there.
        reliability: by the probability of the best guess.
    """

    split: str
    tokens: int
    loss: float
    accuracy: float
    memory: list[Remembered]
    frequency: list[Group]
    reliability: Reliability

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "split": self.split,
            "tokens": self.tokens,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "memory": [asdict(point) for point in self.memory],
            "frequency": [asdict(group) for group in self.frequency],
            "reliability": self.reliability.to_dict(),
        }


@dataclass(frozen=True)
class Report:
    """A run and its model.

    Attributes:
        measured: None where the run has no model, or no text is left to measure on.
        completions: prompts with what the model says first, and the word that belongs there where that is known.
        missing: what could not be done, each in a sentence.
    """

    run: Run
    measured: Measured | None
    completions: list[tuple[Tried, CompletionResult]]
    missing: list[str]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "run": self.run.name,
            "gradient_flow": self.run.gradient_flow,
            "samples": self.run.samples,
            "measured": None if self.measured is None else self.measured.to_dict(),
            "completions": [
                {**result.to_dict(), "answer": prompt.answer} for prompt, result in self.completions
            ],
            "missing": self.missing,
        }


def make_report(run: Run) -> Report:
    """Measure what the model of a run does, as far as the model and its texts are there.

    Raises:
        ModelFileError: the model cannot be used.
    """
    if not run.has_model:
        return Report(run, None, [], ["The run has no model yet, so there is nothing to measure."])
    model = load(run.path)
    data = run.config.get("data") or {}
    missing: list[str] = []
    measured = _measure(model, data, missing)
    if model.backward is not None:
        missing.append(
            "The model has two networks; curves and measurements are of the one that reads forward. The completions "
            "are both networks'."
        )
    prompts = prompts_of(data, PROMPTS)
    results = model.predict([prompt.text for prompt in prompts], top=COMPLETIONS)
    completions = [
        (prompt, result)
        for prompt, result in zip(prompts, results, strict=True)
        if isinstance(result, CompletionResult)
    ]
    return Report(run, measured, completions, missing)


def _measure(model: TrainedModel, data: dict[str, Any], missing: list[str]) -> Measured | None:
    split = next((split for split in SPLITS if text_of_split(data, split)), None)
    corpus = None if split is None else _corpus(model, data, split, missing)
    if split is None or corpus is None or not corpus.tokens:
        return None
    sample = take_sample(corpus, lines=data.get("mode") == "lines")
    predictions = predict(model.engine, sample)
    train = corpus if split == "train" else _corpus(model, data, "train", missing)
    return Measured(
        split=split,
        tokens=len(sample.targets),
        loss=-float(predictions.log_probs.mean()),
        accuracy=float(predictions.right.mean()),
        memory=memory_length(model.engine, sample, predictions),
        frequency=[]
        if train is None
        else by_frequency(sample, predictions, train.counts(), unk_id=model.tokenizer.unk_id),
        reliability=reliability(predictions),
    )


def _corpus(model: TrainedModel, data: dict[str, Any], split: PartName, missing: list[str]) -> Corpus | None:
    """The token ids of a split; None, and a sentence in `missing`, where its text is no longer there."""
    text = text_of_split(data, split)
    if text is None:
        return None
    paths, part = text
    try:
        corpus = prepare_corpus(paths, model.tokenizer, encoding=data.get("encoding", "auto"), part=part)
        return corpus.backwards() if model.direction == "backward" else corpus
    except RnnError as error:
        missing.append(f"The {split} text was not read: {error}")
        return None
