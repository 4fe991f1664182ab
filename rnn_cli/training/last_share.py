"""What happens in the last share of a training alone, and what to say where it never came."""

from collections.abc import Iterator

from rnn_cli.training.parts import Training


def phases_that_never_came(training: Training, reason: str) -> Iterator[str]:
    """Of a training that is over: what was to be done at its end, and was not, in words."""
    if training.average is not None and not training.average.count:
        yield _never_came(
            "training.average_share", "no weights were averaged", training.average.share, reason
        )
    if training.last_loss is not None and not training.last_loss_came():
        yield _never_came("output.exact_share", "the softmax stayed sampled", training.last_share, reason)


def _never_came(key: str, missing: str, share: float, reason: str) -> str:
    mend = "More training.patience" if reason == "stopped early" else "A larger share"
    ended = f"training ended before its last {100 * share:.3g} % ({reason})"
    return f"{key}: {missing}, for {ended}. {mend} lets it come."
