import json
import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers, trainers

from rnn_cli.text import rules as rules_module
from rnn_cli.text import tokenizer as tokenizer_module
from rnn_cli.text.tokenizer import Tokenizer

LINES = ["do you like sushi?", "i like tea", "", "I don't like sushi, I like tea..."]
BPE_SIZE = 300
LOSSLESS = ["word", "char", "bpe"]
ALL = [("word", "punctuation"), ("char", "punctuation"), ("bpe", "punctuation"), ("word", "whitespace")]

BLANKS = [" ", "  ", "\t", "\x0b", "\x1c", "\u2028", "\0", "\ufeff"]
SCRIPTS = ["é", "e\u0301", "a\u0323\u0307", "שלום", "مرحبا", "한국어", "日本", "😀", "👩‍👩‍👧", "ſ", "İ"]
WRITTEN = ["<eos>", "<unk>", "don't", "it’S", "'tis", "...", "!?"]
fragments = st.sampled_from(BLANKS + SCRIPTS + WRITTEN)
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\n\r")
texts = st.lists(fragments | st.text(characters, max_size=8), max_size=8).map("".join)
deterministic = settings(derandomize=True, deadline=None, max_examples=60)


def nfc(text: str) -> str:
    """NFC as the engine knows it: Python's own may be of another version of Unicode."""
    return normalizers.NFC().normalize_str(text)


def trained(lines: list[str], kind: str, split: str = "punctuation") -> Tokenizer:
    return Tokenizer.train(lines, kind=kind, split=split, max_size=BPE_SIZE if kind == "bpe" else None)


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


def splits(text: str) -> list[str]:
    """The pieces of the ids that the text has in a vocabulary of its own."""
    tokenizer = Tokenizer.train([text])
    return [tokenizer.pieces[id_] for id_ in tokenizer.encode(text)]


@pytest.mark.parametrize("kind", LOSSLESS)
@deterministic
@given(text=texts)
def test_text_without_unknown_tokens_comes_back_as_its_nfc(kind: str, text: str) -> None:
    tokenizer = trained([text], kind)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == nfc(text)
    assert tokenizer.unk_id not in ids
    assert tokenizer.eos_id not in ids


@deterministic
@given(text=texts)
def test_under_whitespace_words_come_back_with_one_space_between(text: str) -> None:
    text = text.replace("<eos>", "")
    tokenizer = Tokenizer.train([text], split="whitespace")
    assert tokenizer.decode(tokenizer.encode(text)) == " ".join(nfc(text).split())


@deterministic
@given(text=texts)
def test_bpe_that_was_trained_on_other_text_loses_nothing(text: str) -> None:
    tokenizer = BPE_OF_LINES
    assert tokenizer.decode(tokenizer.encode(text)) == nfc(text)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_nfc_is_that_of_unicodedata(kind: str) -> None:
    text = "e\u0301a\u0323\u0307 \u212b \u1100\u1161"
    tokenizer = trained([text], kind)
    assert tokenizer.decode(tokenizer.encode(text)) == unicodedata.normalize("NFC", text)
    assert tokenizer.encode(unicodedata.normalize("NFD", text)) == tokenizer.encode(text)


@pytest.mark.parametrize(("kind", "split"), ALL)
@deterministic
@given(text=texts)
def test_a_tokenizer_restored_from_json_gives_identical_ids(kind: str, split: str, text: str) -> None:
    tokenizer = TRAINED[kind, split]
    restored = Tokenizer.from_json(tokenizer.to_json())
    assert restored.encode(text) == tokenizer.encode(text)
    assert restored.to_json() == tokenizer.to_json()
    assert vars(restored) | {"_engine": None} == vars(tokenizer) | {"_engine": None}


def test_special_tokens_come_first_then_words_by_count_then_by_code_point() -> None:
    tokenizer = Tokenizer.train(["b a c", "c b", "c zebra Zebra"])
    assert tokenizer.pieces == [" <unk>", "\n", " c", " b", " Zebra", " a", " zebra"]
    assert (tokenizer.unk_id, tokenizer.eos_id) == (0, 1)


def test_characters_are_ordered_in_the_same_way() -> None:
    tokenizer = Tokenizer.train(["banana"], kind="char")
    assert tokenizer.pieces == ["<unk>", "\n", "a", "n", "b"]
    assert not tokenizer.joins_with_space


def test_bpe_has_eos_then_all_bytes_then_the_pairs_in_order_of_merging() -> None:
    tokenizer = Tokenizer.train(["su su su sushi sushi"], kind="bpe", max_size=259)
    assert (tokenizer.eos_id, tokenizer.unk_id) == (0, None)
    assert tokenizer.pieces[0] == "\n"
    assert len(set(tokenizer.pieces[1:257]) - {"\ufffd"}) == 128  # the ASCII half stands for itself
    assert tokenizer.pieces[257:] == ["su", " su"]


def test_bpe_does_not_merge_a_pair_that_occurs_once() -> None:
    assert Tokenizer.train(["sushi"], kind="bpe").vocab_size == 257


def test_bpe_has_8000_at_most_when_no_size_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tokenizer_module.DEFAULT_BPE_SIZE == 8000
    monkeypatch.setattr(tokenizer_module, "DEFAULT_BPE_SIZE", 260)
    assert Tokenizer.train(LINES, kind="bpe").vocab_size == 260


def test_training_in_another_process_gives_the_same_bytes() -> None:
    code = (
        "from rnn_cli.text.tokenizer import Tokenizer\n"
        f"for kind in {LOSSLESS}:\n"
        f"    size = {BPE_SIZE} if kind == 'bpe' else None\n"
        f"    print(ascii(Tokenizer.train({LINES}, kind=kind, max_size=size).to_json()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [ascii(trained(LINES, kind).to_json()) for kind in LOSSLESS]


def test_min_count_makes_rare_words_unknown() -> None:
    tokenizer = Tokenizer.train(LINES, min_count=2)
    assert tokenizer.pieces == [" <unk>", "\n", " like", " I", " sushi", " tea"]
    assert tokenizer.encode("you like") == [0, 2]


@pytest.mark.parametrize("kind", ["word", "char"])
def test_max_size_counts_the_special_tokens(kind: str) -> None:
    assert Tokenizer.train(LINES, kind=kind, max_size=5).vocab_size == 5
    assert Tokenizer.train(LINES, kind=kind, max_size=10_000).vocab_size < 30


def test_max_size_counts_special_tokens_that_stand_in_the_corpus_once() -> None:
    lines = ["a <unk> b <eos> c c"] * 2
    assert Tokenizer.train(lines, split="whitespace").pieces == [" <unk>", "\n", " c", " a", " b"]
    assert Tokenizer.train(lines, split="whitespace", max_size=4).pieces == [" <unk>", "\n", " c", " a"]


def test_a_vocabulary_of_nothing_has_the_special_tokens_only() -> None:
    assert Tokenizer.train([]).pieces == [" <unk>", "\n"]


def test_clitics_words_and_punctuation_are_split() -> None:
    assert splits("Don't say 'tis, he'll re-do it... ok?!") == (
        [
            " Don",
            "'t",
            " say",
            " '",
            "tis",
            ",",
            " he",
            "'ll",
            " re",
            "-",
            "do",
            " it",
            "...",
            " ok",
            "?",
            "!",
        ]
    )
    assert splits("it’S ’s rock'n'roll I'd've") == (
        [" it", "’S", " ’", "s", " rock", "'", "n", "'", "roll", " I", "'d", "'ve"]
    )


def test_white_space_is_kept_in_tokens_of_its_own() -> None:
    assert splits("a  b\t\tc   ") == [" a", " ", " b", "\t\t", "c", "   "]
    assert splits("  a") == ["  ", " a"]
    assert splits(" ") == ["  "]


def test_marks_and_digits_belong_to_words() -> None:
    assert splits("naïve 1990's नमस्ते") == [" naïve", " 1990", "'s", " नमस्ते"]


def test_a_word_has_one_id_at_the_beginning_and_in_the_middle() -> None:
    tokenizer = Tokenizer.train(["tea for tea"])
    first, _, last = tokenizer.encode("tea for tea")
    assert first == last
    assert tokenizer.pieces[first] == " tea"


def test_the_text_eos_is_no_special_token() -> None:
    tokenizer = Tokenizer.train(["a <eos> b <unk>"])
    assert splits("a <eos>") == [" a", " <", "eos", ">"]
    assert tokenizer.eos_id not in tokenizer.encode("a <eos> b")
    assert tokenizer.decode(tokenizer.encode("a <eos> b <unk>")) == "a <eos> b <unk>"


def test_wikitext_words_unk_and_eos_are_the_special_tokens() -> None:
    tokenizer = Tokenizer.train([" = Robert <unk> = ", " The <unk> @-@ actor <eos> "], split="whitespace")
    unk, eos = tokenizer.unk_id, tokenizer.eos_id
    assert tokenizer.encode(" The <unk> @-@ chef <eos>")[1::2] == [unk, unk]
    assert tokenizer.encode("<eos>") == [eos]
    assert tokenizer.vocab_size == 2 + len({"=", "Robert", "The", "@-@", "actor"})
    assert tokenizer.decode(tokenizer.encode(" The <unk> @-@ actor ")) == "The <unk> @-@ actor"


def test_an_empty_line_has_no_ids() -> None:
    for kind in LOSSLESS:
        assert TRAINED[kind, "punctuation"].encode("") == []
        assert TRAINED[kind, "punctuation"].decode([]) == ""


def test_unknown_words_are_named_with_their_text() -> None:
    tokenizer = Tokenizer.train(LINES)
    typed = "do you like Pizza, cafe\u0301\t?"
    named = tokenizer.encode_with_words(typed)
    assert [word for _, word in named] == ["do", "you", "like", "Pizza", ",", "caf\u00e9", "\t", "?"]
    assert [word for id_, word in named if id_ == tokenizer.unk_id] == ["Pizza", "caf\u00e9", "\t"]
    assert [id_ for id_, _ in named] == tokenizer.encode(typed)


def test_words_are_named_as_they_were_typed_when_lower_cased() -> None:
    tokenizer = Tokenizer.from_json(Tokenizer.train(LINES, lowercase=True).to_json())
    assert tokenizer.lowercase
    assert tokenizer.encode_with_words("LIKE Pizza") == [(tokenizer.encode("like")[0], "LIKE"), (0, "Pizza")]
    assert tokenizer.decode(tokenizer.encode("Do You")) == "do you"


def test_unknown_characters_are_named() -> None:
    tokenizer = Tokenizer.train(["abc"], kind="char")
    assert [word for id_, word in tokenizer.encode_with_words("a z😀") if id_ == 0] == [" ", "z", "😀"]


def test_decoding_shows_line_ends_and_unknown_tokens() -> None:
    word = Tokenizer.train(["I like tea"])
    ids = [*word.encode("I like"), word.eos_id, word.eos_id, *word.encode("tea pizza,"), word.eos_id]
    assert word.decode(ids) == "I like\n\ntea <unk> <unk>\n"
    char = Tokenizer.train(["ab"], kind="char")
    assert char.decode([*char.encode("axb"), char.eos_id, *char.encode("b")]) == "a<unk>b\nb"
    bpe = BPE_OF_LINES
    assert bpe.decode([*bpe.encode("é"), bpe.eos_id, *bpe.encode("é")]) == "é\né"


def test_bytes_that_are_no_whole_character_show_as_replacement() -> None:
    tokenizer = BPE_OF_LINES
    ids = tokenizer.encode("😀")
    assert [tokenizer.pieces[id_] for id_ in ids] == [" "] + ["\ufffd"] * 4
    assert tokenizer.decode(ids) == "😀"
    assert tokenizer.encode_with_words("😀")[1:] == [(id_, "😀") for id_ in ids[1:]]


def test_a_batch_is_encoded_like_its_lines() -> None:
    for tokenizer in TRAINED.values():
        assert tokenizer.encode_batch(LINES) == [tokenizer.encode(line) for line in LINES]
        assert tokenizer.encode_batch([]) == []


@pytest.mark.parametrize(("kind", "split"), ALL)
@deterministic
@given(text=texts)
def test_the_stretches_of_a_line_have_its_ids(kind: str, split: str, text: str) -> None:
    tokenizer = trained([text], kind, split)
    ids = [id_ for stretch_ids in tokenizer.encode_batch(tokenizer.stretches(text)) for id_ in stretch_ids]
    assert ids == tokenizer.encode(text)


@pytest.mark.parametrize(("kind", "split"), [pair for pair in ALL if pair[0] != "bpe"])
@deterministic
@given(lines=st.lists(texts, max_size=4))
def test_the_vocabulary_is_that_of_the_engines_own_trainer(kind: str, split: str, lines: list[str]) -> None:
    engine = rules_module.make_engine(kind, split, lowercase=False)
    engine.train_from_iterator(lines, trainers.WordLevelTrainer(special_tokens=[], show_progress=False))
    ids = engine.get_vocab()
    words = [word for word in sorted(ids, key=ids.__getitem__) if word not in {"<unk>", "<eos>"}]
    tokens = json.loads(trained(lines, kind, split).to_json())["tokenizer"]["model"]["vocab"]
    assert sorted(tokens, key=tokens.__getitem__) == ["<unk>", "<eos>", *words]


@pytest.mark.parametrize(("kind", "split"), ALL)
@deterministic
@given(words=st.lists(st.text(characters, min_size=1, max_size=3), max_size=8), limit=st.integers(5, 10))
def test_the_parts_of_a_long_line_of_words_have_its_vocabulary_and_its_ids(
    kind: str, split: str, words: list[str], limit: int
) -> None:
    text = " ".join("".join(word.split()) or "-" for word in words)
    tokenizer = trained([text], kind, split)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules_module, "LONG_LINE", limit)
        assert trained([text], kind, split).pieces == tokenizer.pieces
        parts = tokenizer.parts(text)
    ids = [id_ for part_ids in tokenizer.encode_batch(parts) for id_ in part_ids]
    assert ids == tokenizer.encode(text)


@pytest.mark.parametrize("kind", ["word", "char"])
def test_what_is_gathered_to_be_counted_stays_small_where_no_two_stretches_are_alike(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"{number} 我愛喝茶{number % 100:03}" for number in range(1000)]
    counts = rules_module.count_words(lines, kind=kind, split="punctuation", lowercase=False)
    monkeypatch.setattr(rules_module, "GATHERED_CHARACTERS", 500)
    gathered = list(rules_module._counted_stretches(lines, kind))
    assert max(sum(map(len, stretches)) for stretches in gathered) < 500 + max(map(len, lines))
    assert rules_module.count_words(lines, kind=kind, split="punctuation", lowercase=False) == counts


def test_what_comes_again_and_again_is_split_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_module, "GATHERED_CHARACTERS", 50)
    assert list(rules_module._counted_stretches(["do you like tea"] * 99, "word")) == [
        {"do": 99, "you": 99, "like": 99, "tea": 99}
    ]


def test_a_long_line_is_cut_where_two_words_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_module, "LONG_LINE", 7)
    assert TRAINED["word", "punctuation"].parts("do you  like tea") == ["do you  like", "tea"]
    assert TRAINED["char", "punctuation"].parts("do you  like tea") == ["do you  like", " tea"]


def test_a_giant_word_is_cut_but_never_before_a_combining_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_module, "LONG_LINE", 5)
    word = TRAINED["word", "punctuation"]
    assert word.parts("nospaceatall") == ["nospa", "ceatall"]  # up to twice the length is bearable
    assert word.parts("go nospaceatall") == ["go no", "spaceatall"]
    assert word.parts("abcde\u0301\u0323fghijkl") == ["abcd", "e\u0301\u0323fghijkl"]
    assert word.parts("abcd\u1100\u1161\u11a8efgh") == ["abcd", "\u1100\u1161\u11a8efgh"]
    assert word.parts("a" + 13 * "\u0301") == ["a" + 4 * "\u0301", 9 * "\u0301"]  # nowhere else to cut


def test_words_of_more_than_a_thousand_characters_are_unknown() -> None:
    longest, longer = "a" * 999, "b" * 1000  # the space before a word is a character of it
    tokenizer = Tokenizer.train([f"tea {longest} {longer}"])
    assert tokenizer.pieces == [" <unk>", "\n", f" {longest}", " tea"]
    assert tokenizer.encode(longer) == [0]


def test_bpe_learns_from_a_tenth_of_a_giant_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_module, "LONG_LINE", 30)
    monkeypatch.setattr(rules_module, "LONGEST_WORD", 3)
    parts = ["a few short words", "abcdefghijklmnopqrstuvwxyz0123456789ABC"]
    assert list(rules_module.samples_of_giants(parts)) == ["a few short words", "abc", "456"]


def test_half_a_surrogate_pair_is_an_unknown_character() -> None:
    tokenizer = Tokenizer.train(["ab"], kind="char")
    assert tokenizer.encode("a\udce9b") == [*tokenizer.encode("a"), 0, *tokenizer.encode("b")]
    assert tokenizer.encode_with_words("\udce9") == [(0, "\ufffd")]


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"kind": "words"}, "The tokenizer's kind is 'words'; allowed are word, char, bpe."),
        ({"split": "spaces"}, "The tokenizer's split is 'spaces'; allowed are punctuation, whitespace."),
        ({"min_count": 0}, "The tokenizer's min_count is 0; it is at least 1."),
        ({"max_size": 2}, "The tokenizer's max_size is 2; for word it is at least 3."),
        ({"kind": "bpe", "max_size": 256}, "The tokenizer's max_size is 256; for bpe it is at least 257."),
    ],
)
def test_settings_that_cannot_be_are_refused(settings_: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=exactly(message)):
        Tokenizer.train(LINES, **settings_)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "3", "{}", '{"kind": "word"}'])
def test_nonsense_is_no_tokenizer(text: str) -> None:
    with pytest.raises(ValueError, match=exactly("This is not a tokenizer of rnn_cli.")):
        Tokenizer.from_json(text)


def test_a_tokenizer_of_a_newer_version_is_refused() -> None:
    stored = json.loads(Tokenizer.train(LINES).to_json()) | {"format_version": 2}
    with pytest.raises(
        ValueError,
        match=exactly(
            "The tokenizer has format version 2; this rnn_cli reads version 1. A newer rnn_cli may read it."
        ),
    ):
        Tokenizer.from_json(json.dumps(stored))


def test_a_damaged_tokenizer_is_refused() -> None:
    stored = json.loads(Tokenizer.train(LINES).to_json())
    stored["tokenizer"]["model"]["vocab"][" tea"] = 999
    with pytest.raises(ValueError, match=exactly("The tokenizer is damaged: its ids have gaps")):
        Tokenizer.from_json(json.dumps(stored))
    stored["tokenizer"] = {}
    with pytest.raises(ValueError, match=r"^The tokenizer is damaged: "):
        Tokenizer.from_json(json.dumps(stored))


def test_the_engine_in_the_json_has_no_added_tokens_and_a_readable_vocabulary() -> None:
    engine = json.loads(Tokenizer.train(["tea, tea"]).to_json())["tokenizer"]
    assert engine["added_tokens"] == []
    assert engine["model"]["vocab"] == {"<unk>": 0, "<eos>": 1, " tea": 2, ",": 3}


def test_it_imports_neither_torch_nor_numpy_nor_the_files_of_a_corpus() -> None:
    code = "import sys, rnn_cli.text.tokenizer; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in ["torch", "numpy", "fsspec", "rnn_cli.text.reader", "rnn_cli.text.corpus"]:
        assert f"'{name}'" not in done.stdout


TRAINED = {(kind, split): trained(LINES, kind, split) for kind, split in ALL}
BPE_OF_LINES = TRAINED["bpe", "punctuation"]


def test_a_stored_tokenizer_brings_a_vocabulary_and_no_rules_of_its_own() -> None:
    stored = json.loads(Tokenizer.train(["a cat sat"]).to_json())
    ids = Tokenizer.from_json(json.dumps(stored)).encode("a cat")
    stored["tokenizer"] |= {
        "padding": {
            "strategy": {"Fixed": 2**40}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "",
        },
        "normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "x"},
        "pre_tokenizer": {
            "type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False
        },
    }  # fmt: skip

    assert Tokenizer.from_json(json.dumps(stored)).encode("a cat") == ids


@pytest.mark.parametrize("kind", ["word", "char"])
def test_a_vocabulary_without_the_unknown_word_is_refused(kind: str) -> None:
    stored = json.loads(Tokenizer.train(["a"], kind=kind).to_json())
    stored["tokenizer"]["model"]["vocab"] = {"<eos>": 0, "a": 1}

    with pytest.raises(ValueError, match=r"^The tokenizer is damaged: <unk> is missing$"):
        Tokenizer.from_json(json.dumps(stored))


def test_brackets_without_end_are_no_tokenizer() -> None:
    with pytest.raises(ValueError, match=r"^This is not a tokenizer of rnn_cli\.$"):
        Tokenizer.from_json("[" * 100_000)


def test_tokens_have_the_places_that_they_stand_for() -> None:
    text, spans = Tokenizer.train(["I like sushi."]).encode_with_spans("I  like cafe\u0301.")

    assert text == "I  like caf\u00e9."
    assert [text[start:end] for _, start, end in spans] == ["I", " ", " like", " caf\u00e9", "."]
