"""A text cut into shards; and that shards put together are the text."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnn_cli.text import cut as cut_module
from rnn_cli.text import shard as shard_module
from rnn_cli.text import vocabulary as vocabulary_module
from rnn_cli.text.corpus import Corpus, EncodeStep, prepare_corpus
from rnn_cli.text.cut import shards_of
from rnn_cli.text.reader import ProgressCallback
from rnn_cli.text.shard import Shard, cut_into_shards
from rnn_cli.text.side_by_side import Step
from rnn_cli.text.split import Part, PartName
from rnn_cli.text.tokenizer import Tokenizer
from rnn_cli.text.vocabulary import CountStep, train_tokenizer
from tests.text.conftest import written

PARTS: list[Part | None] = [
    None,
    *(Part(name, valid=0.3, test=0.2, mode="stream") for name in ("train", "valid", "test")),
    *(Part(name, valid=0.3, test=0.2, mode="lines") for name in ("train", "valid")),
]


def files_of(folder: Path, sizes: list[int]) -> list[Path]:
    """Files of so many bytes."""
    return [written(folder / f"{number}.txt", "x" * size) for number, size in enumerate(sizes)]


def sizes_of_shards(folder: Path, sizes: list[int]) -> list[list[int]]:
    paths = files_of(folder, sizes)
    shards = cut_into_shards(paths, [path.name for path in paths], "auto")
    assert [path for shard in shards for path in shard.paths] == paths
    assert [sha256 for shard in shards for sha256 in shard.hashes] == [path.name for path in paths]
    return [[path.stat().st_size for path in shard.paths] for shard in shards]


@pytest.mark.parametrize(
    ("sizes", "shards"),
    [
        ([5], [[5]]),
        ([50, 10, 70], [[50], [10], [70]]),
        ([4, 4, 4, 4, 4, 4], [[4, 4, 4], [4, 4, 4]]),
        ([50, 9], [[50, 9]]),  # what is left is too small for a shard
        ([3, 50, 3, 3, 3, 3], [[3, 50], [3, 3, 3, 3]]),
    ],
)
def test_small_files_are_put_together_and_large_ones_stand_alone(
    sizes: list[int], shards: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_module, "SHARD_BYTES", 10)
    assert sizes_of_shards(tmp_path, sizes) == shards


@pytest.mark.parametrize("part", PARTS)
def test_a_shard_goes_through_json(part: Part | None) -> None:
    shard = Shard((Path("a.gz"), Path("b")), ("1" * 64, "2" * 64), "auto", part, begins=7, characters=70)
    stored = json.loads(json.dumps(shard.to_dict()))
    assert Shard.from_dict(stored) == shard
    assert Shard.from_dict(stored).key() == shard.key()


@pytest.mark.parametrize(
    ("kind", "part"), [*(("word", part) for part in PARTS), ("char", None), ("bpe", PARTS[1])]
)
def test_shards_put_together_are_the_text_in_one(
    kind: str, part: Part | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [
        "tea or tea\n\nor sushi?\n" * 9,
        "cats, dogs\nand tea",
        "\n\nsushi\r\nsashi\r\n" * 4,
        "one line\n",
    ]
    paths = [written(tmp_path / f"{number}.txt", text) for number, text in enumerate(texts)]

    def prepared(cache: str) -> tuple[str, bytes, Corpus]:
        tokenizer = train_tokenizer(paths, kind=kind, part=part, cache_dir=tmp_path / cache)
        corpus = prepare_corpus(paths, tokenizer, part=part, cache_dir=tmp_path / cache)
        return tokenizer.to_json(), corpus.ids.tobytes(), corpus

    vocabulary, ids, corpus = prepared("whole")
    monkeypatch.setattr(shard_module, "SHARD_BYTES", 1)
    in_shards = prepared("shards")
    assert in_shards[:2] == (vocabulary, ids)
    assert (in_shards[2].texts, in_shards[2].file_lengths) == (corpus.texts, corpus.file_lengths)
    assert (in_shards[2].unknown, in_shards[2].ids.dtype) == (corpus.unknown, corpus.ids.dtype)
    assert sum(corpus.file_lengths) == corpus.tokens


def test_the_tokens_of_each_file_are_known(tmp_path: Path, tokenizer: Tokenizer, cache: Path) -> None:
    paths = [
        written(tmp_path / "a.txt", "tea or\n"),
        written(tmp_path / "b.txt", "tea\n\n"),
        written(tmp_path / "c.txt", "or"),
    ]
    assert prepare_corpus(paths, tokenizer, cache_dir=cache).file_lengths == (3, 3, 2)


@pytest.mark.parametrize("lasts", ["d e f g\n", "tea\n\n", "tea"])
def test_a_text_turned_round_has_its_files_the_other_way_round(
    lasts: str, tmp_path: Path, tokenizer: Tokenizer, cache: Path
) -> None:
    texts = {"a": "tea or\n\nsushi\n", "b": "or or tea\n", "c": "or\n", "d": lasts}
    paths = [written(tmp_path / f"{name}.txt", text) for name, text in texts.items()]
    corpus = prepare_corpus(paths, tokenizer, cache_dir=cache)
    turned = corpus.backwards()
    end = turned.tokens
    for path, length in zip(paths, reversed(turned.file_lengths), strict=True):  # the first file lies last
        alone = prepare_corpus([path], tokenizer, cache_dir=cache)
        assert turned.ids[end - length : end].tolist() == alone.backwards().ids.tolist(), path
        end -= length
    assert end == 0


def test_a_file_without_lines_of_the_part_has_no_tokens(tmp_path: Path, cache: Path) -> None:
    paths = [written(tmp_path / "a.txt", "tea\n" * 9), written(tmp_path / "b.txt", "or\n" * 3)]
    part = Part("valid", valid=0.1, test=0.0, mode="stream")
    tokenizer = train_tokenizer(paths, cache_dir=cache)
    assert prepare_corpus(paths, tokenizer, part=part, cache_dir=cache).file_lengths == (0, 2)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    texts=st.lists(
        st.text(st.sampled_from("ab ,\n\r\té\u0301"), min_size=1, max_size=30).filter(str.strip),
        min_size=1,
        max_size=4,
    ),
    shard_bytes=st.integers(1, 40),
    name=st.sampled_from(["train", "valid", None]),
)
def test_where_shards_end_changes_nothing(
    texts: list[str], shard_bytes: int, name: PartName | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    paths = [written(folder / f"{number}.txt", text) for number, text in enumerate(texts)]
    part = name and Part(name, valid=0.3, test=0.0, mode="stream")
    tokenizer = Tokenizer.train(["a b ab , é"])
    whole = prepare_corpus(paths, tokenizer, part=part, cache_dir=folder / "whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shard_module, "SHARD_BYTES", shard_bytes)
        shards = prepare_corpus(paths, tokenizer, part=part, cache_dir=folder / "shards")
    assert shards.ids.tolist() == whole.ids.tolist()
    assert (shards.texts, shards.file_lengths) == (whole.texts, whole.file_lengths)


def test_a_changed_file_is_prepared_anew_with_its_shard_alone(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_module, "SHARD_BYTES", 1)
    made: list[tuple[str, str]] = []

    def noted(name: str, make: Callable[..., None]) -> Callable[..., None]:
        def make_and_note(step: Step, shard: Shard, tell: ProgressCallback) -> None:
            made.append((name, shard.paths[0].name))
            make(step, shard, tell)

        return make_and_note

    monkeypatch.setattr(CountStep, "make", noted("count", CountStep.make))
    monkeypatch.setattr(EncodeStep, "make", noted("encode", EncodeStep.make))
    paths = [written(tmp_path / name, f"tea tea or {name}\n") for name in ("a", "b", "c")]

    def prepare() -> list[tuple[str, str]]:
        made.clear()
        prepare_corpus(paths, train_tokenizer(paths, cache_dir=cache, max_size=4), cache_dir=cache)
        return made

    assert prepare() == [(step, name) for step in ("count", "encode") for name in ("a", "b", "c")]
    assert prepare() == []
    written(paths[1], "tea tea or tea\n", age_s=30)  # the vocabulary of four tokens stays as it was
    assert prepare() == [("count", "b"), ("encode", "b")]


@pytest.mark.parametrize("damage", ["", "nonsense", "[1]", '{"tea": "many"}'])
def test_damaged_counts_and_sizes_are_made_again(
    damage: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_module, "SHARD_BYTES", 1)
    paths = [written(tmp_path / name, f"tea or {name}\n") for name in ("a", "b")]
    part = Part("train", valid=0.1, test=0.0, mode="stream")

    def vocabulary() -> str:
        return train_tokenizer(paths, part=part, cache_dir=cache).to_json()

    first = vocabulary()
    for entry in [*(cache / "words").iterdir(), *(cache / "sizes").iterdir()]:
        entry.write_text(damage)
    for entry in (cache / "tokenizers").iterdir():
        entry.unlink()
    assert vocabulary() == first


def test_sizes_and_counts_are_known_where_somebody_deletes_the_cache_at_once(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (cut_module, vocabulary_module):
        monkeypatch.setattr(module, "write_text", lambda entry, text: None)
    [shard] = shards_of([path], encoding="auto", part=None, cache_dir=cache, processes=1)
    assert cut_module.MeasureStep(cache).load(shard) == 22
    assert CountStep(cache, "word", "punctuation", False).load(shard)[" tea"] == 2


def test_a_damaged_shard_is_encoded_again(
    tmp_path: Path, cache: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_module, "SHARD_BYTES", 1)
    paths = [written(tmp_path / name, f"tea or {name}\n") for name in ("a", "b")]
    first = prepare_corpus(paths, tokenizer, cache_dir=cache).ids.tolist()
    step = EncodeStep(cache, tokenizer)
    shards = shards_of(paths, encoding="auto", part=None, cache_dir=cache, processes=1)
    (step.entry(shards[0]) / "ids.npy").write_bytes(b"")
    (step.whole(shards) / "ids.npy").unlink()
    assert prepare_corpus(paths, tokenizer, cache_dir=cache).ids.tolist() == first


def test_progress_in_shards_is_told_as_progress_in_the_text(
    tmp_path: Path, cache: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_module, "SHARD_BYTES", 1)
    paths = [written(tmp_path / name, "tea\n") for name in ("a", "b", "c")]
    paths[2].write_text("sushi\n")
    told: list[tuple[int, int]] = []
    prepare_corpus(paths, tokenizer, cache_dir=cache, on_progress=lambda *bytes_: told.append(bytes_))
    assert list(dict.fromkeys(told)) == [(4, 10), (10, 10)]  # the second file is the first one again
