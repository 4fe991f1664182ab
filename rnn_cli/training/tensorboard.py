"""The scalars of a training for TensorBoard, beside the run's own metrics. The package is an extra."""

from pathlib import Path

from rnn_cli.errors import UsageError
from rnn_cli.training.events import Event, GradientFlow, Measured, Trained

LAGS_SHOWN = (0, 1, 2, 4, 8, 16, 32, 64)


def check_tensorboard() -> None:
    """Whether it can be written at all.

    Raises:
        UsageError: the package is not installed.
    """
    try:
        import tensorboard  # noqa: F401 - only to see whether it is there
    except ImportError:
        raise UsageError(
            "logging.tensorboard is true, and the package tensorboard is not installed. "
            "Install it from a clone: pip install -c constraints.txt '.[tensorboard]', "
            "or set logging.tensorboard to false."
        ) from None


class TensorBoard:
    """Writes what a training reports into a folder that `tensorboard --logdir` reads.

    Args:
        folder: made if it is not there.
        step: where the training begins or goes on; what an earlier sitting wrote of later steps is dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def write(self, event: Event) -> None:
        """The scalars of an event; events without any are passed over."""
        match event:
            case Trained():
                for name in ("loss", "perplexity", "tokens_per_s", "gradient_norm", "learning_rate"):
                    self._scalar(f"training/{name}", getattr(event, name), event.step)
            case Measured():
                self._scalar(f"{event.split}/loss", event.result.loss, event.step)
                self._scalar(f"{event.split}/perplexity", event.result.perplexity, event.step)
            case GradientFlow():
                for lag in LAGS_SHOWN:
                    if lag < len(event.by_lag):
                        self._scalar(f"gradient_by_lag/{lag}", event.by_lag[lag], event.step)

    def close(self) -> None:
        """Bring everything to the disk."""
        self._writer.close()

    def _scalar(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)
