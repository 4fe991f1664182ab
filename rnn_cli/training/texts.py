"""From a config to its texts: the vocabulary, the token ids of every split, and what was found in them, in words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rnn_cli.config import Config
from rnn_cli.cores import usable_cores
from rnn_cli.errors import TextError
from rnn_cli.text.corpus import Corpus, prepare_corpus
from rnn_cli.text.split import PartName, text_of_split, too_few_lines
from rnn_cli.text.tokenizer import Tokenizer
from rnn_cli.text.vocabulary import train_tokenizer
from rnn_cli.training.events import Notice, OnEvent, Preparing

FILES_NAMED = 4


@dataclass(frozen=True)
class Texts:
    """The tokenizer and the token ids of every split there is."""

    tokenizer: Tokenizer
    train: Corpus
    valid: Corpus | None
    test: Corpus | None

    def backwards(self) -> "Texts":
        """The same, read from the end."""
        return Texts(
            self.tokenizer,
            self.train.backwards(),
            self.valid and self.valid.backwards(),
            self.test and self.test.backwards(),
        )


def build_texts(config: Config, on_event: OnEvent) -> Texts:
    """Learn the vocabulary from the training text alone, then tokenise every split (or find it in the cache).

    Raises:
        TextError: a text cannot be used, or is too short for a part of it to be kept apart.
    """
    data = config.data
    settings = data.tokenizer
    train_text = text_of_split(data.model_dump(), "train")
    assert train_text is not None  # data.train has to be given
    train_paths, train_part = train_text
    on_progress = _progress_events(on_event)
    processes = data.processes or usable_cores()
    tokenizer = train_tokenizer(
        train_paths,
        encoding=data.encoding,
        kind=settings.kind,
        split=settings.split,
        lowercase=settings.lowercase,
        min_count=settings.min_count,
        max_size=settings.max_size,
        part=train_part,
        processes=processes,
        on_progress=on_progress("train"),
    )

    def prepare(split: PartName) -> Corpus | None:
        text = text_of_split(data.model_dump(), split)
        if text is None:
            return None
        paths, part = text
        corpus = prepare_corpus(
            paths,
            tokenizer,
            encoding=data.encoding,
            part=part,
            processes=processes,
            on_progress=on_progress(split),
        )
        blank = corpus.tokens == corpus.lines  # each line is a lone <eos>, if there is one
        if part is not None and (corpus.tokens == 0 or (blank and data.mode == "lines")):
            raise TextError(too_few_lines(part, data.train[0]))
        if part is not None and split != "train":
            found = [_describe_part(split, corpus)]
        else:
            found = [describe_corpus(split, corpus), *describe_encodings(split, corpus)]
        for sentence in found:
            on_event(Notice(sentence))
        if split == "train" or data.measured_tokens is None:
            return corpus
        measured = corpus.stretches(data.measured_tokens, tokenizer.unk_id)
        if measured is not corpus:
            what = f"{measured.tokens:,} tokens from all over it are measured (data.measured_tokens)"
            on_event(Notice(f"{split}: {what}"))
        return measured

    train = prepare("train")
    assert train is not None
    texts = Texts(tokenizer, train, prepare("valid"), prepare("test"))
    for split, corpus, own in (("valid", texts.valid, data.valid), ("test", texts.test, data.test)):
        if corpus is not None and own:
            for sentence in describe_what_is_learnt(split, corpus, train):
                on_event(Notice(sentence))
    return texts


def describe_what_is_learnt(split: str, corpus: Corpus, train: Corpus) -> Iterator[str]:
    """Files of a split that are read for training, too, under whatever name."""
    learnt = {text.sha256: text.path for text in train.texts}
    both = [text for text in corpus.texts if text.sha256 in learnt]
    if not both:
        return
    several = len(both) > 1
    files = f"{both[0].path} and {len(both) - 1:,} more are" if several else f"{both[0].path} is"
    name = learnt[both[0].sha256]
    under = "" if name == both[0].path else f" (as {name})"
    mend = (
        f"Leave {'them' if several else 'it'} out of data.train."
        if len(learnt) > len({text.sha256 for text in both})
        else f"Give data.{split} a text of its own, or leave it out and set data.split.{split}."
    )
    yield (
        f"{split}: {files} also read for training{under}, so {'their' if several else 'its'} figures say little of "
        f"new text. {mend}"
    )


def _progress_events(on_event: OnEvent) -> Callable[[str], Callable[[int, int], None]]:
    def for_split(split: str) -> Callable[[int, int], None]:
        return lambda done, total: on_event(Preparing(split, done, total))

    return for_split


def describe_corpus(split: str, corpus: Corpus) -> str:
    """What was found in a split: size, unknown words, encoding and line ends."""
    encodings = ", ".join(sorted({text.encoding for text in corpus.texts}))
    ends: dict[str, int] = {}
    for text in corpus.texts:
        for end, count in text.line_ends.items():
            ends[end] = ends.get(end, 0) + count
    found = ", ".join(f"{end} ({count:,})" for end, count in ends.items()) or "none"
    return (
        f"{split}: {_files(corpus)}{corpus.lines:,} lines, {corpus.tokens:,} tokens, {corpus.unknown_share:.2%} "
        f"unknown; encoding {encodings}; line ends {found}"
    )


def _files(corpus: Corpus) -> str:
    """How many files a text is, and what the first are called; nothing of a single one."""
    count = len(corpus.texts)
    if count == 1:
        return ""
    names = ", ".join(Path(text.path).name for text in corpus.texts[:FILES_NAMED])
    further = f" and {count - FILES_NAMED:,} more" if count > FILES_NAMED else ""
    return f"{count:,} files ({names}{further}), "


def _describe_part(split: str, corpus: Corpus) -> str:
    return (
        f"{split}: {corpus.lines:,} lines, {corpus.tokens:,} tokens of the same text, kept apart, "
        f"{corpus.unknown_share:.2%} unknown"
    )


def describe_encodings(split: str, corpus: Corpus) -> Iterator[str]:
    """What may be wrong with the characters of a split: bytes that were replaced, encodings that were guessed."""
    damaged = [text for text in corpus.texts if text.invalid_bytes]
    if damaged:
        count = sum(text.invalid_bytes for text in damaged)
        files = f" in {len(damaged):,} files" if len(damaged) > 1 else ""
        yield (
            f"{split}: {count:,} invalid byte{'s' if count > 1 else ''}{files} replaced, the first in line "
            f"{damaged[0].first_invalid_line:,} of {damaged[0].path}"
        )
    for encoding in ("cp1252", "latin-1"):
        guessed = [text for text in corpus.texts if text.encoding_is_a_guess and text.encoding == encoding]
        if guessed:
            more = f" and {len(guessed) - 1:,} more" if len(guessed) > 1 else ""
            yield (
                f"{split}: {guessed[0].path}{more} read as {encoding} because it is not UTF-8; "
                "if that is wrong, set data.encoding"
            )
