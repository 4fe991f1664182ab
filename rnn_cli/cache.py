"""Where things lie that may be deleted at any time: the cache folder."""

import os
from contextlib import suppress
from pathlib import Path

from rnn_cli.errors import RnnError


def cache_folder() -> Path:
    """`RNN_CACHE`, or `rnn_cli` in the user's cache folder (`XDG_CACHE_HOME`, or `~/.cache`).

    Raises:
        RnnError: none is named, and the user has no home folder, as in a container.
    """
    if named := os.environ.get("RNN_CACHE"):
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rnn_cli"
    except RuntimeError:
        raise RnnError(
            "There is no place for the cache: this user has no home folder. Set RNN_CACHE to a folder that can be "
            "written to."
        ) from None


def keep_torch_inside() -> None:
    """Give torch's compiler a place in the cache folder. To be called before torch is imported.

    It is not used here, and still makes a folder for itself: where temporary files are, if no other is named.
    """
    with suppress(OSError, RnnError):  # where there is no place in the cache, it has to stay there
        folder = cache_folder() / "torch"
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))
