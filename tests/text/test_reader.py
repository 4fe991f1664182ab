import bz2
import codecs
import gzip
import lzma
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_cli.errors import TextError
from rnn_cli.text import reader as reader_module
from rnn_cli.text.reader import TextFacts, TextReader, hash_file, read_lines

MIXED = "héllo\r\nwörld\r\rx\x0by\u2028z\n\nlast"
MIXED_LINES = ["héllo", "wörld", "", "x\x0by\u2028z", "", "last"]
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstd.compress,
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_file(content: bytes, name: str = "text.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_file


def facts_of(path: Path, encoding: str = "auto") -> TextFacts:
    reader = TextReader([path], encoding)
    for _ in reader:
        pass
    return reader.facts[0]


def damage(path: Path, encoding: str = "auto") -> tuple[str, int, int | None]:
    facts = facts_of(path, encoding)
    return facts.encoding, facts.invalid_bytes, facts.first_invalid_line


def complaint(paths: list[Path], encoding: str = "auto") -> str:
    with pytest.raises(TextError) as caught:
        list(read_lines(paths, encoding))
    return str(caught.value)


def test_lf_crlf_and_cr_end_lines_and_nothing_else_does(write: Callable[..., Path]) -> None:
    path = write(MIXED.encode())
    assert list(read_lines([path])) == MIXED_LINES
    assert facts_of(path) == TextFacts(
        path=str(path),
        encoding="utf-8",
        encoding_is_a_guess=False,
        invalid_bytes=0,
        first_invalid_line=None,
        line_ends={"LF": 2, "CRLF": 1, "CR": 2},
        lines=6,
        characters=len(MIXED) - 1,
        bytes=len(MIXED.encode()),
        sha256=sha256(MIXED.encode()).hexdigest(),
    )


@pytest.mark.parametrize("block_bytes", range(4, 24))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_block_borders_change_nothing(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, block_bytes: int, encoding: str
) -> None:
    monkeypatch.setattr(reader_module, "BLOCK_BYTES", block_bytes)
    path = write(MIXED.encode(encoding))
    assert list(read_lines([path])) == MIXED_LINES
    assert facts_of(path).line_ends == {"LF": 2, "CRLF": 1, "CR": 2}


@settings(derandomize=True, deadline=None, max_examples=100)
@given(text=st.text(alphabet="ab \r\n\u2028é", min_size=1), block_bytes=st.integers(4, 9))
def test_lines_are_those_of_universal_newlines(
    tmp_path_factory: pytest.TempPathFactory, text: str, block_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "text.txt"
    path.write_bytes(("x" + text).encode())
    with path.open(encoding="utf-8", newline=None) as file:
        expected = [line.removesuffix("\n") for line in file]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader_module, "BLOCK_BYTES", block_bytes)
        assert list(read_lines([path])) == expected
        assert facts_of(path).lines == len(expected)
        assert sum(facts_of(path).line_ends.values()) == len(expected) - (text[-1] not in "\r\n")


def test_a_carriage_return_at_the_very_end_is_one_line_end(write: Callable[..., Path]) -> None:
    path = write(b"a\rb\r")
    assert list(read_lines([path])) == ["a", "b"]
    assert facts_of(path).line_ends == {"CR": 2}


def test_a_last_line_without_an_end_is_a_line(write: Callable[..., Path]) -> None:
    assert list(read_lines([write(b"a\nb")])) == ["a", "b"]
    assert list(read_lines([write(b"a\nb\n")])) == ["a", "b"]
    assert list(read_lines([write(b"a\n\n")])) == ["a", ""]


def test_a_line_ends_with_its_file(write: Callable[..., Path]) -> None:
    reader = TextReader([write(b"a\nb", "1.txt"), write("cé\r\n".encode("utf-16"), "2.txt")])
    assert list(reader) == ["a", "b", "cé"]
    assert [(f.encoding, f.line_ends) for f in reader.facts] == [
        ("utf-8", {"LF": 1}),
        ("utf-16", {"CRLF": 1}),
    ]


def test_a_named_encoding_is_used(write: Callable[..., Path]) -> None:
    path = write("é – ü\n".encode("cp1252"))
    assert list(read_lines([path], "cp1252")) == ["é – ü"]
    assert facts_of(path, "Windows-1252").encoding == "cp1252"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_byte_order_mark_is_no_text_under_a_named_encoding(
    write: Callable[..., Path], encoding: str
) -> None:
    path = write("\ufeffa\ufeff\n".encode(encoding))
    assert list(read_lines([path], encoding)) == ["a\ufeff"]


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_files_are_read_as_they_are(write: Callable[..., Path], suffix: str) -> None:
    content = PACKERS[suffix](MIXED.encode())
    path = write(content, f"text.txt{suffix}")
    assert list(read_lines([path])) == MIXED_LINES
    facts = facts_of(path)
    assert (facts.bytes, facts.sha256) == (len(content), sha256(content).hexdigest())
    assert facts.characters == len(MIXED) - 1


def test_an_archive_that_asks_for_too_much_memory_is_not_called_damaged(write: Callable[..., Path]) -> None:
    window_of_2_gib = (
        b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"  # the header of `zstd --long=31`, and an empty block
    )
    path = write(window_of_2_gib, "text.zst")
    assert complaint([path]) == (
        f"{path} needs more memory to be unpacked than is given to that (zstd --long). Pack it anew without --long."
    )


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_damaged_archive_is_named(write: Callable[..., Path], suffix: str) -> None:
    whole = PACKERS[suffix](MIXED.encode() * 100)
    for content in [whole[:-9], b"no archive at all"]:
        path = write(content, f"text{suffix}")
        said = complaint([path])
        assert said.startswith(
            f"{path} cannot be unpacked: it is damaged, cut short or not a {suffix} file ("
        )


@pytest.mark.parametrize("block_bytes", [4, 5, 6, 1 << 20])
def test_invalid_bytes_are_replaced_and_counted_and_the_line_of_the_first_is_kept(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(reader_module, "BLOCK_BYTES", block_bytes)
    path = write("ééé\r\n".encode() + b"def\rgh\xe9i\n\xff")
    assert list(read_lines([path])) == ["ééé", "def", "gh\ufffdi", "\ufffd"]
    assert damage(path) == ("utf-8", 2, 3)
    assert damage(write(b"abc\r\n\xc3"), "utf-8") == ("utf-8", 1, 2)  # a character that is cut off
    assert damage(write(b"abc\r\xff"), "utf-8") == ("utf-8", 1, 2)
    assert damage(write(b"ab\xe2\x82"), "utf-8") == ("utf-8", 2, 1)  # one U+FFFD for each byte
    path = write(codecs.BOM_UTF16_BE + "ab\ncd".encode("utf-16-be") + b"\xdc\x00")
    assert damage(path) == ("utf-16", 2, 2)


def test_half_a_surrogate_pair_that_an_odd_codec_gives_is_replaced_and_counted(
    write: Callable[..., Path],
) -> None:
    path = write(b"the first line\nthe +2AA-second\n")
    assert list(read_lines([path], "utf-7")) == ["the first line", "the \ufffdsecond"]
    assert damage(path, "utf-7") == ("utf-7", 1, 2)


def test_invalid_bytes_of_an_archive_are_those_of_the_text_in_it(write: Callable[..., Path]) -> None:
    path = write(gzip.compress("éé\n".encode() + b"\xe9"), "text.gz")
    assert list(read_lines([path])) == ["éé", "\ufffd"]
    assert damage(path) == ("utf-8", 1, 2)


def test_bytes_that_the_named_encoding_lacks_are_replaced(write: Callable[..., Path]) -> None:
    path = write(b"abc\n\x81 \x80")
    assert list(read_lines([path], "cp1252")) == ["abc", "\ufffd €"]
    assert damage(path, "cp1252") == ("cp1252", 1, 2)
    assert list(read_lines([path], "ascii")) == ["abc", "\ufffd \ufffd"]
    assert list(read_lines([write(b"a \x81\xff b")], "shift_jis")) == ["a \ufffd\ufffd b"]


def test_a_text_that_is_mostly_invalid_is_refused(write: Callable[..., Path]) -> None:
    path = write("Привет\nмир\n".encode("cp1251"))
    assert complaint([path], "utf-8") == (
        f"{path} cannot be read as utf-8: 9 bytes are invalid, and only 2 characters are not. Name the encoding "
        "that the text was written with in data.encoding; auto finds it out from the bytes."
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_utf_16_without_a_byte_order_mark_is_refused_under_that_name(
    write: Callable[..., Path], encoding: str
) -> None:
    path = write(b"abcd")
    assert complaint([path], encoding) == (
        f"{path} cannot be read as {encoding}: it does not begin with a byte order mark. Set data.encoding to "
        f"{encoding}-le or {encoding}-be, or to auto."
    )


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "undefined", "idna", ""])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    assert complaint([], encoding) == (
        f"data.encoding is {encoding!r}, which is not an encoding that Python knows. "
        "Allowed are auto and names such as utf-8, utf-16, cp1252 and latin-1."
    )


def test_nul_emoji_marks_and_right_to_left_text_come_through(write: Callable[..., Path]) -> None:
    text = "a\0b\n👩\u200d👧 e\u0301\nשלום مرحبا"
    assert list(read_lines([write(text.encode())])) == text.split("\n")


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n", codecs.BOM_UTF8])
def test_a_file_without_text_is_refused(write: Callable[..., Path], content: bytes) -> None:
    path = write(content)
    assert complaint([path]) == f"{path} has no text: it is empty or holds only white space. Leave it out."


def test_a_missing_file_is_named_before_anything_is_read(write: Callable[..., Path], tmp_path: Path) -> None:
    lines = read_lines([write(b"a\n"), tmp_path / "no.txt"])
    with pytest.raises(TextError) as caught:
        next(lines)
    assert str(caught.value) == f"There is no file {tmp_path / 'no.txt'}."


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert complaint([tmp_path]) == f"{tmp_path} is a folder; name a text file."


def test_a_device_or_pipe_is_refused() -> None:
    assert complaint([Path("/dev/null")]) == (
        "/dev/null is not a regular file, and a text is read more than once: save it to a file first."
    )


def test_a_file_that_may_not_be_read_is_named(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(b"a\n")
    monkeypatch.setattr(Path, "open", refuse)
    assert complaint([path]) == f"{path} cannot be read: Permission denied."
    with pytest.raises(TextError):
        hash_file(path)


def test_progress_is_told_in_bytes_on_disk(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "BLOCK_BYTES", 4)
    told: list[tuple[int, int]] = []
    paths = [write(b"abcdef", "1.txt"), write(b"ghi", "2.txt")]
    list(TextReader(paths, on_progress=lambda done, total: told.append((done, total))))
    assert told == [(4, 9), (6, 9), (6, 9), (9, 9), (9, 9)]


def test_a_long_line_is_joined_once(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "BLOCK_BYTES", 16)
    path = write(b"a" * 1_000_000)
    assert list(read_lines([path])) == ["a" * 1_000_000]


def test_the_hash_is_that_of_the_file_on_disk(write: Callable[..., Path]) -> None:
    assert hash_file(write(b"abc")) == sha256(b"abc").hexdigest()


def test_reading_plain_text_imports_neither_torch_nor_fsspec(write: Callable[..., Path]) -> None:
    code = (
        "import sys; from pathlib import Path; from rnn_cli.text.reader import read_lines\n"
        f"list(read_lines([Path({str(write(b'a'))!r})])); print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in ["torch", "numpy", "fsspec"]:
        assert f"'{name}'" not in done.stdout
