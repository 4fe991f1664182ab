"""What the bytes of a file are taken for."""

import bz2
import codecs
import gzip
import io
import lzma
import tarfile
from pathlib import Path

import pytest
from backports import zstd

from rnn_cli.errors import TextError
from rnn_cli.text.encoding import Encoding, find_encoding

WESTERN = "«Café», sagte er – für 5 € und ‘nichts’.\n"


def found(content: bytes, asked: str = "auto", name: str = "text.txt", block_bytes: int = 7) -> Encoding:
    """What a file with this content is taken for when it is read in blocks."""
    blocks = [content[at : at + block_bytes] for at in range(0, len(content), block_bytes)]
    return find_encoding(Path(name), asked, lambda: iter(blocks))


def refusal(content: bytes, asked: str = "auto", name: str = "text.txt") -> str:
    with pytest.raises(TextError) as caught:
        found(content, asked, name, block_bytes=1 << 20)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "utf-8"),
        (b"plain\n", "utf-8"),
        ("é\n".encode(), "utf-8"),
        (codecs.BOM_UTF8 + "é\n".encode(), "utf-8-sig"),
        (codecs.BOM_UTF16_LE + "é\n".encode("utf-16-le"), "utf-16"),
        (codecs.BOM_UTF16_BE + "é\n".encode("utf-16-be"), "utf-16"),
        (codecs.BOM_UTF32_LE + "é\n".encode("utf-32-le"), "utf-32"),
        (codecs.BOM_UTF32_BE + "é\n".encode("utf-32-be"), "utf-32"),
    ],
)
def test_a_byte_order_mark_decides_and_utf_8_is_the_rule(content: bytes, encoding: str) -> None:
    assert found(content) == Encoding(encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_by_its_nul_bytes(encoding: str) -> None:
    content = WESTERN.encode(encoding)
    assert found(content, block_bytes=1 << 20) == Encoding(encoding)
    assert found("hi".encode(encoding)) == Encoding(encoding)


def test_a_few_nul_bytes_are_characters_like_any_other() -> None:
    for content in [b"a\0b", b"a\0\n", b"tea\0time\0\0\n", b"name\0" * 20]:
        assert found(content, block_bytes=1 << 20) == Encoding("utf-8")


def test_utf_8_with_damage_stays_utf_8() -> None:
    assert found("éüß".encode() + b"\xff\xe9\n") == Encoding("utf-8")
    assert found("éüß".encode()[:-1]) == Encoding("utf-8")
    # A valid beginning does not decide: what comes later may outnumber it.
    assert found("é".encode() + b"\xe9\xe9\n") == Encoding("latin-1", is_guess=True)


def test_bytes_with_letters_where_latin_1_has_control_characters_are_cp1252() -> None:
    assert found(WESTERN.encode("cp1252")) == Encoding("cp1252", is_guess=True)


def test_other_bytes_beyond_ascii_are_latin_1() -> None:
    assert found("Das große Café\n".encode("latin-1")) == Encoding("latin-1", is_guess=True)
    assert found("großer Café".encode("latin-1") + b" \x80\x81\n") == Encoding("latin-1", is_guess=True)


def test_a_named_encoding_is_taken_without_a_look_at_the_text() -> None:
    assert found(b"\0\1\2\3\4\xff", "Latin1") == Encoding("iso8859-1")
    assert found(codecs.BOM_UTF8, "cp1252") == Encoding("cp1252")


TAR = io.BytesIO()
with tarfile.open(fileobj=TAR, mode="w") as archive:
    archive.addfile(tarfile.TarInfo("a.txt"))


@pytest.mark.parametrize("asked", ["auto", "latin-1"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04rest", "a ZIP archive, as documents such as .docx, .odt and .epub are, too"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "an Office document"),
        (b"\x89PNG\r\n\x1a\nrest", "a PNG image"),
        (b"\xff\xd8\xff\xe0rest", "a JPEG image"),
        (b"GIF87arest", "a GIF image"),
        (b"GIF89arest", "a GIF image"),
        (b"7z\xbc\xaf\x27\x1crest", "a 7z archive"),
        (b"Rar!\x1a\x07rest", "a RAR archive"),
        (b"\x7fELFrest", "a program"),
        (b"\xcf\xfa\xed\xferest", "a program"),
        (b"\xca\xfe\xba\xberest", "a Java class or a program"),
        (b"SQLite format 3\0rest", "an SQLite database"),
        (b"\x89HDF\r\n\x1a\nrest", "an HDF5 file"),
        (b"\x93NUMPYrest", "a NumPy array"),
    ],
)
def test_a_binary_file_is_refused_by_name(content: bytes, what: str, asked: str) -> None:
    assert refusal(content, asked) == f"text.txt is {what}, not plain text. Name a text file."


def test_a_tar_archive_is_refused() -> None:
    assert refusal(TAR.getvalue()) == (
        "text.txt is a tar archive, not plain text. Unpack it and name the files in it."
    )


@pytest.mark.parametrize(
    ("packed", "ending"),
    [
        (gzip.compress(b"a"), ".gz"),
        (lzma.compress(b"a"), ".xz"),
        (bz2.compress(b"a"), ".bz2"),
        (zstd.compress(b"a"), ".zst"),
    ],
    ids=["gz", "xz", "bz2", "zst"],  # gzip writes the time into what it packs, and xdist wants the same names
)
def test_packed_data_is_told_which_ending_it_wants(packed: bytes, ending: str) -> None:
    assert refusal(packed) == (
        f"text.txt is packed, but its name does not say so. Rename it to text.txt{ending}, and it is unpacked "
        "while it is read."
    )
    assert refusal(packed, name="text.txt.gz") == (
        f"text.txt.gz is packed twice, with {ending} data inside. Unpack it once."
    )


def test_a_text_about_bzip2_is_a_text() -> None:
    assert found(b"BZh is how it begins\n") == Encoding("utf-8")


@pytest.mark.parametrize(
    ("content", "share"),
    [
        (bytes(range(256)), "22%"),
        (b"\0\1\2\3", "100%"),
        (b"\5\0\0\0" * 10, "100%"),
        ("日本語のテキスト。".encode("shift_jis"), "50%"),
    ],
)
def test_what_would_be_full_of_control_characters_is_no_text(content: bytes, share: str) -> None:
    assert refusal(content) == (
        f"text.txt is no text that can be recognised: {share} of its beginning would be control characters. "
        "If it is text, name its encoding in data.encoding."
    )
    assert found(content, "shift_jis") == Encoding("shift_jis")


def test_what_printers_and_terminals_are_told_may_stand_in_a_text() -> None:
    assert found(b"N\bNA\bA\x1b[1mbold\x1b[0m\f" * 9) == Encoding("utf-8")
