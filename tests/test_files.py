"""Files that are whole or not there."""

import errno
import os
import stat
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from rnn_cli.files import atomic_write, parts_of, write_text


def test_the_file_is_there_once_it_is_whole_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with atomic_write(path) as file:
        file.write(b"weights")
        assert not path.exists()
    assert path.read_bytes() == b"weights"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a" / "b" / "model") as file:
        file.write(b"weights")
    assert (tmp_path / "a/b/model").read_bytes() == b"weights"


def test_a_file_that_was_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_on_an_error_nothing_is_left_behind_and_the_old_file_stays(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"old")

    def write_half() -> None:
        with atomic_write(path) as file:
            file.write(b"half of the new")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_without_an_old_file_an_error_leaves_none(tmp_path: Path) -> None:
    with suppress(ValueError), atomic_write(tmp_path / "model") as file:
        file.write(b"half")
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_a_rename_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(IsADirectoryError), atomic_write(tmp_path / "model") as file:
        file.write(b"weights")
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


def test_the_bytes_are_on_the_disk_before_the_name_is_theirs_and_the_name_before_we_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def record_fsync(number: int) -> None:
        status = os.fstat(number)
        if stat.S_ISDIR(status.st_mode):
            done.append("fsync of the folder")
        else:
            assert status.st_size == len(b"weights")  # nothing waits in a buffer any more
            done.append("fsync")
        fsync(number)

    def record_replace(self: Path, target: Path) -> Path:
        assert self.parent == target.parent  # a rename is atomic within one folder
        done.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_replace)
    with atomic_write(path) as file:
        file.write(b"weights")
    assert done == ["fsync", "rename", "fsync of the folder"]


@pytest.mark.parametrize(
    ("number", "kept"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False)]
)
def test_a_file_system_that_cannot_sync_a_folder_can_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kept: bool
) -> None:
    fsync = os.fsync

    def refuse_folders(opened: int) -> None:
        if stat.S_ISDIR(os.fstat(opened).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(opened)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    with nullcontext() if kept else pytest.raises(OSError, match="Input/output error"):
        write_text(tmp_path / "model", "weights")
    assert (tmp_path / "model").read_text() == "weights"


def test_the_file_beside_is_hidden_and_belongs_to_one_writing(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "model") as one, atomic_write(tmp_path / "model") as other:
        beside = list(tmp_path.iterdir())
        assert sorted(tmp_path.glob(parts_of(tmp_path / "model"))) == sorted(beside)
        assert len(beside) == 2  # as when two containers, in which both are process 1, share the folder
        assert all(path.name.startswith(f".model.{os.getpid()}-") for path in beside)
        one.write(b"one")
        other.write(b"other")
    assert (tmp_path / "model").read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_the_file_that_it_leads_to_is_written(tmp_path: Path, is_there: bool) -> None:
    (tmp_path / "run").mkdir()
    if is_there:
        (tmp_path / "run/model").write_bytes(b"old")
    (tmp_path / "link").symlink_to("run/model")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "run/model").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["link", "model", "run"]


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    (tmp_path / "model").touch()
    (tmp_path / "model").chmod(mode)
    with atomic_write(tmp_path / "model") as file:
        file.write(b"new")
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == mode
    assert (tmp_path / "model").read_bytes() == b"new"


def test_text_is_written_as_utf_8_with_the_line_ends_that_it_has(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "été\r\n→\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa9t\xc3\xa9\r\n\xe2\x86\x92\n"
