"""What a config may say, and how it is read, checked and written.

    config = load_config(Path("favourites.yaml"), ["training.seed=2"])
    config.training.seed

Every problem of a file comes in one `ConfigError`, each with its line and column.
"""

from rnn_cli.config.loader import (
    config_from_choices,
    config_from_dict,
    config_to_dict,
    load_config,
    read_overrides,
)
from rnn_cli.config.schema import HIDDEN_ACTIVATIONS, Config
from rnn_cli.config.writer import config_to_yaml, json_schema, starter_yaml

__all__ = [
    "HIDDEN_ACTIVATIONS",
    "Config",
    "config_from_choices",
    "config_from_dict",
    "config_to_dict",
    "config_to_yaml",
    "json_schema",
    "load_config",
    "read_overrides",
    "starter_yaml",
]
