"""Which networks can be followed back step by step: what is written in this room follows the plain cell."""

from typing import Any

from rnn_cli.errors import UsageError


def check_can_follow(model_config: dict[str, Any], command: str) -> None:
    """Refuse a network whose way back is not written here.

    Args:
        model_config: the section `model` of a config.
        command: what was asked for, as typed.

    Raises:
        UsageError: it is another cell than elman, or has layer norm.
    """
    if model_config["cell"] != "elman":
        raise UsageError(
            f"{command} follows networks with model.cell elman, and this one has {model_config['cell']}. "
            "Give a model with that cell; rnn complete --why works for every cell."
        )
    if model_config.get("layer_norm"):
        raise UsageError(
            f"{command} follows networks without model.layer_norm, and this one has it. "
            "Give a model without; rnn complete --why works for every network."
        )
