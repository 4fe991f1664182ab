"""Where pages go."""

from pathlib import Path

import pytest

from rnn_cli.cli.pages import write_page
from rnn_cli.errors import UsageError


def test_a_page_may_name_a_path_that_is_not_utf_8(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", "<p>caf\udce9 é</p>")
    assert (tmp_path / "page.html").read_text("utf-8") == "<p>caf\\udce9 é</p>"


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        write_page(tmp_path, "<p></p>")
    assert str(error.value) == (
        f"{tmp_path}: cannot be written to (Is a directory). Choose another file with --html."
    )
