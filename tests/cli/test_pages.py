"""Where pages go."""

import os
import threading
from pathlib import Path

import pytest

from rnn_cli.cli.pages import write_page
from rnn_cli.errors import UsageError


def test_a_page_may_name_a_path_that_is_not_utf_8(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", "<p>caf\udce9 é</p>")
    assert (tmp_path / "page.html").read_text("utf-8") == "<p>caf\\udce9 é</p>"


@pytest.mark.parametrize("folder", [".", "..", "/", "folder"])
def test_a_folder_is_no_place_for_a_page(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    with pytest.raises(UsageError) as error:
        write_page(Path(folder), "<p></p>")
    assert str(error.value) == (
        f"{folder}: cannot be written to (Is a directory). Choose another file with --html."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")), daemon=True)
    reader.start()
    write_page(pipe, "<p>é</p>")
    reader.join(timeout=10)
    assert read == ["<p>é</p>"]
    assert pipe.is_fifo()
