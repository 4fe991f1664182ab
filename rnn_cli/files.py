"""Files that are whole or not there: written beside, flushed, synced and renamed."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


def parts_of(path: Path) -> str:
    """A pattern for what is left of `path` where a process was killed while it wrote it."""
    return f".{path.name}.*.part"


@contextmanager
def atomic_write(path: Path, *, sync: bool = True) -> Iterator[IO[bytes]]:
    """Open a file for writing that appears under `path` only once it is whole.

    On an error nothing is left behind and a file that was there before stays as it was. A link stays, too: the file
    that it leads to is written. So do the permissions of a file that is replaced.

    Args:
        sync: whether it is to last through a power cut; without, it may be there but damaged then.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Machines and containers that share a folder may give two processes one number.
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with beside.open("wb") as file:
            with suppress(OSError):  # there was none, or the file system has no permissions
                beside.chmod(stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        beside.replace(path)
        if sync:
            sync_folder(path.parent)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, *, sync: bool = True, errors: str = "strict") -> None:
    """Write UTF-8 text to `path`, whole or not at all.

    Args:
        sync: as for `atomic_write`.
        errors: what becomes of half surrogates, as which Python reads bytes of a path that are not UTF-8.
    """
    with atomic_write(path, sync=sync) as file:
        file.write(text.encode("utf-8", errors))


def sync_folder(path: Path) -> None:
    """Bring a folder's list of names to the disk: a rename or a removal before this lasts through a power cut.

    Some file systems (folders shared with a virtual machine) cannot; there it is theirs to keep.
    """
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(number)
