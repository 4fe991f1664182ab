import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from rnn_cli.cache import cache_folder, keep_torch_inside
from rnn_cli.errors import RnnError, TextError
from rnn_cli.text import corpus as corpus_module
from rnn_cli.text import entries as entries_module
from rnn_cli.text import line_encoder as line_encoder_module
from rnn_cli.text import rules as rules_module
from rnn_cli.text.corpus import Corpus, prepare_corpus
from rnn_cli.text.tokenizer import Tokenizer
from rnn_cli.text.vocabulary import train_tokenizer
from tests.text.conftest import IDS, PIECES, TEXT, forbid, leftovers, written

RACY_NS = entries_module.RACY_NS


def test_every_line_ends_with_eos_and_blank_lines_are_kept(
    path: Path, tokenizer: Tokenizer, cache: Path
) -> None:
    corpus = prepare_corpus([path], tokenizer, cache_dir=cache)
    assert tokenizer.pieces == PIECES
    assert corpus.ids.tolist() == IDS
    assert (corpus.tokens, corpus.lines, corpus.unknown, corpus.unknown_share) == (9, 3, 0, 0.0)
    assert (corpus.vocab_size, corpus.eos_id) == (6, 1)
    assert isinstance(corpus.ids, np.memmap)
    assert not corpus.ids.flags.writeable


def test_unknown_words_are_counted(path: Path, cache: Path) -> None:
    corpus = prepare_corpus([path], Tokenizer.train(["tea"]), cache_dir=cache)
    assert corpus.ids.tolist() == [2, 0, 2, 1, 1, 0, 0, 0, 1]
    assert (corpus.unknown, corpus.unknown_share) == (4, 4 / 9)


def test_bpe_has_no_unknown_tokens(path: Path, cache: Path) -> None:
    corpus = prepare_corpus([path], Tokenizer.train(["tea"], kind="bpe"), cache_dir=cache)
    assert corpus.unknown == 0
    assert corpus.eos_id == 0


def test_each_id_is_counted(
    path: Path, tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_module, "AT_ONCE", 2)
    corpus = prepare_corpus([path], tokenizer, cache_dir=cache)
    assert corpus.counts().tolist() == [0, 3, 2, 2, 1, 1]
    assert corpus.counts().dtype == np.int64


def test_line_spans_leave_blank_lines_out(path: Path, tokenizer: Tokenizer, cache: Path) -> None:
    starts, lengths = prepare_corpus([path], tokenizer, cache_dir=cache).line_spans()
    assert starts.tolist() == [0, 5]
    assert lengths.tolist() == [4, 4]


@pytest.mark.parametrize(
    ("tokens", "kept"),
    [
        (1, 4),  # to the end of the first line
        (4, 4),
        (5, 5),  # the blank line
        (6, 9),
        (9, 9),
        (1_000_000, 9),
    ],
)
@pytest.mark.parametrize("at_once", [1, 100])
def test_a_stretch_ends_with_a_line(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tokens: int, kept: int, at_once: int
) -> None:
    monkeypatch.setattr(corpus_module, "AT_ONCE", at_once)
    tokenizer = Tokenizer.train(["tea"])
    whole = prepare_corpus([path], tokenizer, cache_dir=cache)
    some = whole.stretches(tokens, tokenizer.unk_id)
    assert some.ids.tolist() == whole.ids[:kept].tolist()
    assert (some.lines, some.unknown) == (some.ids.tolist().count(1), some.ids.tolist().count(0))
    assert some.of_tokens == (None if tokens >= 9 else 9)


def test_a_stretch_has_a_word(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "blank.txt").write_text("\n\n\ntea\n\ntea\n")
    corpus = prepare_corpus([tmp_path / "blank.txt"], Tokenizer.train(["tea"]), cache_dir=cache)
    assert corpus.stretches(2, None).ids.tolist() == [1, 1, 1, 2, 1]


@pytest.mark.parametrize(
    ("tokens", "lines"),
    [
        (3, [0, 1]),
        (6, [0, 1, 5, 6]),
        (9, [0, 1, 3, 4, 6, 7]),
        (
            17,
            [0, 1, 2, 3, 4, 5, 6, 7, 8],
        ),  # a stretch begins behind the one before, which took a whole line more
    ],
)
def test_stretches_are_from_all_over_a_text(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tokens: int, lines: list[int]
) -> None:
    monkeypatch.setattr(corpus_module, "SHORTEST_STRETCH", 3)
    words = [f"w{number}" for number in range(9)]
    (tmp_path / "a.txt").write_text("\n".join(words))
    tokenizer = Tokenizer.train(words)
    corpus = prepare_corpus([tmp_path / "a.txt"], tokenizer, cache_dir=cache)
    some = corpus.stretches(tokens, tokenizer.unk_id)
    assert tokenizer.decode(some.ids.tolist()).split() == [words[line] for line in lines]


def test_files_follow_one_another_and_each_has_its_facts(
    path: Path, tokenizer: Tokenizer, tmp_path: Path, cache: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_bytes("tea\r\ntea".encode("utf-16"))
    corpus = prepare_corpus([path, other], tokenizer, cache_dir=cache)
    assert corpus.ids.tolist() == [*IDS, 3, 1, 3, 1]
    assert corpus.lines == 5
    assert [(t.path, t.encoding, t.line_ends) for t in corpus.texts] == [
        (str(path), "utf-8", {"LF": 3}),
        (str(other), "utf-16", {"CRLF": 1}),
    ]


@pytest.mark.parametrize(("vocab_size", "dtype"), [(65_536, np.uint16), (65_537, np.uint32)])
def test_ids_are_as_narrow_as_the_vocabulary_allows(
    tmp_path: Path, cache: Path, vocab_size: int, dtype: type
) -> None:
    words = [f"w{number}" for number in range(vocab_size - 2)]
    tokenizer = Tokenizer.train([" ".join(words)])
    path = written(tmp_path / "words.txt", f"w1 {words[-1]}\n")
    corpus = prepare_corpus([path], tokenizer, cache_dir=cache)
    assert corpus.ids.dtype == dtype
    assert corpus.ids.tolist() == [*tokenizer.encode(f"w1 {words[-1]}"), 1]


def test_batch_borders_change_nothing(
    path: Path, tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_module, "LONG_LINE", 6)  # cuts "tea or tea" and "or sushi?" into parts
    for characters in range(1, 12):
        monkeypatch.setattr(line_encoder_module, "BATCH_CHARACTERS", characters)
        corpus = prepare_corpus([path], tokenizer, cache_dir=cache / str(characters))
        assert corpus.ids.tolist() == IDS


def test_the_second_call_encodes_nothing_and_reads_nothing(
    path: Path, tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare_corpus([path], tokenizer, cache_dir=cache)
    forbid(monkeypatch, Tokenizer, "encode_batch")
    monkeypatch.setattr(entries_module, "hash_file", None)
    second = prepare_corpus([path], tokenizer, cache_dir=cache)
    assert second.ids.tolist() == first.ids.tolist()
    assert (second.unknown, second.texts) == (first.unknown, first.texts)


def test_the_same_content_under_another_name_is_found_and_named_as_it_is(
    path: Path, tokenizer: Tokenizer, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_corpus([path], tokenizer, cache_dir=cache)
    forbid(monkeypatch, Tokenizer, "encode_batch")
    copy = written(tmp_path / "copy.txt", TEXT)
    assert prepare_corpus([copy], tokenizer, cache_dir=cache).texts[0].path == str(copy)


def test_changed_content_is_encoded_anew_even_at_equal_size(
    path: Path, tokenizer: Tokenizer, cache: Path
) -> None:
    prepare_corpus([path], tokenizer, cache_dir=cache)
    written(path, TEXT.replace("sushi", "sashi"), age_s=30)
    assert prepare_corpus([path], tokenizer, cache_dir=cache).unknown == 1


@pytest.mark.parametrize("moved", [True, False], ids=["mv", "touch -r"])
def test_another_text_of_the_same_size_and_time_of_change_is_encoded_anew(
    path: Path, tokenizer: Tokenizer, tmp_path: Path, cache: Path, moved: bool
) -> None:
    prepare_corpus([path], tokenizer, cache_dir=cache)
    before = path.stat()
    other = tmp_path / "other" if moved else path
    other.write_text(TEXT.replace("sushi", "sashi"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    while other.stat().st_ctime_ns == before.st_ctime_ns:  # within one tick of the clock
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert prepare_corpus([path], tokenizer, cache_dir=cache).unknown == 1


@pytest.mark.parametrize("age_s", [0, 60])
def test_a_file_that_was_just_written_is_hashed_every_time(
    path: Path, tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch, age_s: float
) -> None:
    monkeypatch.setattr(entries_module, "RACY_NS", RACY_NS)
    written(path, TEXT, age_s=age_s)
    prepare_corpus([path], tokenizer, cache_dir=cache)
    assert not (cache / "hashes").exists()


def test_another_tokenizer_or_encoding_or_compression_is_another_entry(
    path: Path, tokenizer: Tokenizer, tmp_path: Path, cache: Path
) -> None:
    prepare_corpus([path], tokenizer, cache_dir=cache)
    assert prepare_corpus([path], Tokenizer.train(["or"]), cache_dir=cache).unknown == 4
    assert (
        prepare_corpus([path], tokenizer, cache_dir=cache, encoding="latin-1").texts[0].encoding
        == "iso8859-1"
    )
    with pytest.raises(TextError, match="cannot be unpacked"):
        prepare_corpus([written(tmp_path / "text.gz", TEXT)], tokenizer, cache_dir=cache)


@pytest.mark.parametrize(
    "damage", ["no ids", "no facts", "short", "long", "empty", "nonsense", "wrong", "bare"]
)
def test_a_damaged_entry_is_rebuilt(path: Path, tokenizer: Tokenizer, cache: Path, damage: str) -> None:
    prepare_corpus([path], tokenizer, cache_dir=cache)
    (entry,) = (cache / "corpora").iterdir()
    ids, facts = entry / "ids.npy", entry / "facts.json"
    damages: dict[str, Callable[[], object]] = {
        "no ids": ids.unlink,
        "no facts": facts.unlink,
        "short": lambda: ids.write_bytes(ids.read_bytes()[:-3]),
        "long": lambda: ids.write_bytes(ids.read_bytes() + b"\0\0"),
        "empty": lambda: ids.write_bytes(b""),
        "nonsense": lambda: facts.write_text("nonsense"),
        "wrong": lambda: facts.write_text(json.dumps(json.loads(facts.read_text()) | {"tokens": 8})),
        "bare": lambda: facts.write_text("{}"),
    }
    damages[damage]()
    corpus = prepare_corpus([path], tokenizer, cache_dir=cache)
    assert corpus.ids.tolist() == IDS
    assert corpus.lines == 3
    assert leftovers(cache) == []


def test_a_crash_while_encoding_leaves_nothing(
    path: Path, tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_encoder_module, "BATCH_CHARACTERS", 1)
    encode_batch = Tokenizer.encode_batch

    def crash_at_sushi(self: Tokenizer, lines: Sequence[str]) -> list[list[int]]:
        if "sushi?" in lines:
            raise KeyboardInterrupt
        return encode_batch(self, lines)

    monkeypatch.setattr(Tokenizer, "encode_batch", crash_at_sushi)
    with pytest.raises(KeyboardInterrupt):
        prepare_corpus([path], tokenizer, cache_dir=cache)
    assert list((cache / "corpora").iterdir()) == []
    monkeypatch.setattr(Tokenizer, "encode_batch", encode_batch)
    assert prepare_corpus([path], tokenizer, cache_dir=cache).ids.tolist() == IDS


def test_what_a_killed_process_left_is_removed_a_day_later(
    path: Path, tokenizer: Tokenizer, cache: Path
) -> None:
    corpora = cache / "corpora"
    left, at_work, of_a_user = (corpora / name for name in (f".{'0' * 64}.a", f".{'1' * 64}.b", ".mine.c"))
    for folder in (left, at_work, of_a_user):
        (folder / "entry").mkdir(parents=True)
        (folder / "entry/ids.npy").touch()
        for old in (folder / "entry/ids.npy", folder / "entry", folder):
            os.utime(old, (1, 1))
    (at_work / "entry/ids.npy").write_bytes(b"half")
    prepare_corpus([path], tokenizer, cache_dir=cache)
    assert (left.exists(), at_work.exists(), of_a_user.exists()) == (False, True, True)


def test_two_at_once_prepare_the_same_entry(
    path: Path, tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode_batch = Tokenizer.encode_batch
    others: list[Corpus] = []

    def encode_while_another_is_faster(self: Tokenizer, lines: Sequence[str]) -> list[list[int]]:
        monkeypatch.setattr(Tokenizer, "encode_batch", encode_batch)
        others.append(prepare_corpus([path], tokenizer, cache_dir=cache))
        return encode_batch(self, lines)

    monkeypatch.setattr(Tokenizer, "encode_batch", encode_while_another_is_faster)
    corpus = prepare_corpus([path], tokenizer, cache_dir=cache)
    assert corpus.ids.tolist() == others[0].ids.tolist() == IDS
    assert len(list((cache / "corpora").iterdir())) == 1
    assert leftovers(cache) == []


def test_a_file_that_changes_while_it_is_read_is_refused(
    path: Path, tokenizer: Tokenizer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries_module, "hash_file", lambda path: "0" * 64)
    with pytest.raises(TextError) as caught:
        prepare_corpus([path], tokenizer, cache_dir=cache)
    assert str(caught.value) == f"{path} changed while it was read. Start again once nothing writes to it."
    assert list((cache / "corpora").iterdir()) == []


def test_a_cache_folder_that_cannot_be_written_is_named(
    path: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    no_folder = written(tmp_path / "file", "")
    with pytest.raises(TextError) as caught:
        prepare_corpus([path], tokenizer, cache_dir=no_folder)
    assert str(caught.value) == (
        f"The cache folder {no_folder} cannot be written: Not a directory. "
        "Set RNN_CACHE to a folder that can be, with room for the text."
    )
    with pytest.raises(TextError):
        train_tokenizer([path], cache_dir=no_folder)


def test_the_facts_of_a_damaged_text_come_back_from_the_cache(
    tokenizer: Tokenizer, tmp_path: Path, cache: Path
) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("tea\néé".encode() + b"\xff\n")
    for _ in range(2):
        (facts,) = prepare_corpus([path], tokenizer, cache_dir=cache).texts
        assert (facts.encoding, facts.encoding_is_a_guess) == ("utf-8", False)
        assert (facts.invalid_bytes, facts.first_invalid_line) == (1, 2)


def test_a_damaged_memory_of_hashes_is_no_harm(path: Path, tokenizer: Tokenizer, cache: Path) -> None:
    prepare_corpus([path], tokenizer, cache_dir=cache)
    (note,) = (cache / "hashes").iterdir()
    for content in ["nonsense", "[]", "{}", "", "\0" * 200]:
        note.write_text(content)
        assert prepare_corpus([path], tokenizer, cache_dir=cache).ids.tolist() == IDS


def test_hashes_are_remembered_without_waiting_for_the_disk(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    monkeypatch.setattr("os.fsync", waited.append)
    entries_module.hashes_of([path], "auto", cache)
    assert len(list((cache / "hashes").iterdir())) == 1
    assert waited == []


def test_progress_is_told_while_the_text_is_read(path: Path, tokenizer: Tokenizer, cache: Path) -> None:
    told: list[tuple[int, int]] = []
    for _ in range(2):
        prepare_corpus([path], tokenizer, cache_dir=cache, on_progress=lambda *bytes_: told.append(bytes_))
    assert told == [(22, 22), (22, 22)]


def test_an_unknown_encoding_is_refused_before_anything_else(tokenizer: Tokenizer, cache: Path) -> None:
    with pytest.raises(TextError, match=r"^data\.encoding is 'utf-9'"):
        prepare_corpus([Path("no.txt")], tokenizer, encoding="utf-9", cache_dir=cache)
    assert not cache.exists()


def test_the_cache_folder_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNN_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_folder() == Path("/a")
    monkeypatch.delenv("RNN_CACHE")
    assert cache_folder() == Path("/b/rnn_cli")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path.home() / ".cache" / "rnn_cli"


def test_without_a_home_folder_the_cache_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("RNN_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(RnnError) as error:
        cache_folder()
    assert str(error.value) == (
        "There is no place for the cache: this user has no home folder. Set RNN_CACHE to a folder that can be "
        "written to."
    )
    keep_torch_inside()  # does without


def test_without_a_named_cache_the_users_own_is_taken(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNN_CACHE", str(cache))
    prepare_corpus([path], train_tokenizer([path]))
    assert {found.name for found in cache.iterdir()} == {"corpora", "tokenizers", "hashes"}


def test_the_room_of_text_imports_no_torch() -> None:
    code = "import sys, rnn_cli.text.corpus, rnn_cli.text.streams; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in ["torch", "fsspec", "rich"]:
        assert f"'{name}'" not in done.stdout
