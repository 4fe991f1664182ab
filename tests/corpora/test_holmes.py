"""Novels become sentences, spelt as the questions are."""

import lzma
from pathlib import Path

import pytest

from corpora.holmes.prepare import main, sentences


def written(text: str) -> list[str]:
    return list(sentences(text.splitlines()))


def test_lines_are_joined_and_paragraphs_are_not() -> None:
    assert written("He went\nhome early.\n\nShe stayed where she was.") == [
        "He went home early.",
        "She stayed where she was.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Come in, said he; and then: nothing.", ["Come in , said he ; and then : nothing."]),
        ('"Come in now!" said he. "Why, Mr. Smith?"', ["Come in now! said he.", "Why , Mr. Smith?"]),
        (
            "\u201cI won\u2019t go there,\u201d said J. S. Hardy--at once.",
            ["I won't go there , said J. S. Hardy -- at once."],
        ),
        ("'Tis the dogs' dinner, 'he said' twice.", ["'Tis the dogs' dinner , he said twice."]),
        (
            "It was I. He had 30,000 bell-pulls (of _brass_).",
            ["It was I.", "He had 30,000 bell-pulls of brass."],
        ),
        ("Chapter One\n\n* * *\n\n12 34 56", []),
    ],
)
def test_sentences_are_spelt_as_the_questions_are(text: str, expected: list[str]) -> None:
    assert written(text) == expected


def test_a_packed_file_becomes_a_file_of_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "novels.txt.xz", tmp_path / "sentences.txt"
    with lzma.open(source, "wt", encoding="utf-8") as file:
        file.write("One of the books.\n\f\nAnother of the books. It ends here.\n")
    assert main(str(source), str(target)) == 0
    assert target.read_text("utf-8") == "One of the books.\nAnother of the books.\nIt ends here.\n"
    assert capsys.readouterr().out == f"3 sentences written to {target}\n"


def test_the_text_itself_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "novels.txt"
    source.write_text("One of the books.\n")
    (tmp_path / "link").symlink_to(source)
    for target in (source, tmp_path / "link"):
        assert main(str(source), str(target)) == 1
        assert capsys.readouterr().err == (
            f"error: {target} is the text itself. Name another file for its sentences.\n"
        )
    assert source.read_text() == "One of the books.\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("not there", None),
        ("damaged.xz", b"no archive"),
        ("cut.xz", lzma.compress(b"One of the books.\n" * 999)[:-20]),
        ("latin.txt", b"One of the books.\n\nOne of the caf\xe9s here.\n"),
    ],
)
def test_what_cannot_be_prepared_is_one_message_and_sentences_that_were_there_stay(
    name: str, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / name, tmp_path / "sentences.txt"
    if content is not None:
        source.write_bytes(content)
    target.write_text("from before\n")
    assert main(str(source), str(target)) == 1
    assert capsys.readouterr().err.startswith(f"error: {source} cannot be prepared into {target}: ")
    assert target.read_text() == "from before\n"
