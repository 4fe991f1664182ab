"""A cell by the name that a config gives it."""

from rnn_cli.model.cells import Cell, ElmanCell, IndRNNCell
from rnn_cli.model.gated_cells import GRUCell, LSTMCell, MogrifierCell


def make_cell(
    kind: str,
    *,
    input_size: int,
    hidden_size: int,
    activation: str,
    recurrent_init: str,
    memory_steps: int | None,
) -> Cell:
    """The cell `kind`: elman, gru, lstm, mogrifier or indrnn. Settings that it does not have are not looked at.

    Args:
        activation: f, for elman and indrnn.
        recurrent_init: see `ElmanCell.initialise`.
        memory_steps: see `IndRNNCell`.

    Raises:
        ValueError: no cell is called that.
    """
    match kind:
        case "elman":
            return ElmanCell(
                input_size=input_size,
                hidden_size=hidden_size,
                activation=activation,
                recurrent_init=recurrent_init,
            )
        case "gru":
            return GRUCell(input_size=input_size, hidden_size=hidden_size)
        case "lstm":
            return LSTMCell(input_size=input_size, hidden_size=hidden_size)
        case "mogrifier":
            return MogrifierCell(input_size=input_size, hidden_size=hidden_size)
        case "indrnn":
            return IndRNNCell(
                input_size=input_size,
                hidden_size=hidden_size,
                activation=activation,
                memory_steps=memory_steps,
            )
    raise ValueError(f"no cell is called {kind!r}")
