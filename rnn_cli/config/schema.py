"""What a config may say: every key with its type, its limits, its one default, its unit and its reason.

The descriptions, and the docstrings of the sections, are what users read: `rnn init` writes them beside the
keys, and editors show them from the JSON Schema. Rules that tie one key to another are in `conflicts.py`.
"""

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rnn_cli.config.values import Codec, Paths, Questions, SomePaths

HiddenActivation = Literal[
    "tanh", "relu", "sigmoid", "identity", "relu6", "elu", "selu", "celu", "gelu", "silu", "mish",
    "softplus", "softsign", "leaky_relu", "hardtanh", "hardsigmoid", "hardswish", "logsigmoid",
    "tanhshrink", "softshrink", "hardshrink",
]  # fmt: skip
HIDDEN_ACTIVATIONS: tuple[HiddenActivation, ...] = get_args(HiddenActivation)


class Section(BaseModel):
    """A mapping of known keys. Types are strict: true is no number, "32" and 2.0 are no whole numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _an_empty_section_means_its_defaults(cls, value: Any) -> Any:
        return {} if value is None else value


class TokenizerConfig(Section):
    """How text becomes tokens."""

    kind: Literal["word", "char", "bpe"] = Field(
        default="word",
        description="what a token is: a word, a character, or (bpe) a frequent piece of a word",
    )
    split: Literal["punctuation", "whitespace"] = Field(
        default="punctuation",
        description="only for words; whitespace takes the text as split already, like WikiText",
    )
    lowercase: bool = Field(
        default=False, description="true needs fewer words, but completions come out in lower case"
    )
    min_count: int = Field(
        default=1, ge=1, description="only for word and char; what occurs less often becomes <unk>"
    )
    max_size: int | None = Field(
        default=None,
        ge=3,
        le=10_000_000,  # the trainer of bpe allocates it at once
        description="tokens in the vocabulary, with <eos> and <unk>; null = no limit, for bpe 8000",
    )


class SplitConfig(Section):
    """Parts of data.train kept apart to measure on: of a stream in blocks, of lines one here, one there."""

    valid: float = Field(
        default=0.0,
        ge=0,
        le=0.4,
        description="share of data.train to measure progress on, in place of a data.valid; 0 = none",
    )
    test: float = Field(
        default=0.0,
        ge=0,
        le=0.4,
        description="share of data.train to measure once, in place of a data.test; 0 = none",
    )


class DataConfig(Section):
    """What is read. A relative path is looked for beside this file, then in the current folder."""

    train: SomePaths = Field(
        description="the text to learn from: a file, a folder, a pattern (texts/*.txt) or a list of them; "
        "may be packed (.gz .xz .bz2 .zst)"
    )
    valid: Paths = Field(
        default=None,
        validate_default=True,
        description="a text to measure progress on after each epoch; null = none",
    )
    test: Paths = Field(
        default=None, validate_default=True, description="a text to measure once, at the end; null = none"
    )
    split: SplitConfig = SplitConfig()
    measured_tokens: int | None = Field(
        default=None,
        ge=1,
        description="of validation and test text about so many tokens are measured, from all over it; null = all",
    )
    mode: Literal["stream", "lines"] = Field(
        default="stream", description="stream reads on over line ends; lines starts each line with no memory"
    )
    shuffle_files: bool = Field(
        default=True,
        description="only for stream: many files are read in another order in each epoch, drawn from training.seed",
    )
    processes: int | None = Field(
        default=None,
        ge=1,
        description="processes that prepare many files side by side; null = one for each core",
    )
    encoding: Codec = Field(
        default="auto", description="auto finds it out from the bytes; else a Python codec such as cp1252"
    )
    questions: Questions = Field(
        default={}, description="name: path of a JSONL file of cloze questions, answered after training"
    )
    tokenizer: TokenizerConfig = TokenizerConfig()


class ModelConfig(Section):
    """The network: h_t = f(W·[h_{t-1}, x_t] + b), or the equation of another cell; y_t = g(V·h_t + c)."""

    cell: Literal["elman", "gru", "lstm", "mogrifier", "indrnn"] = Field(
        default="elman",
        description="the equation of h_t: elman is the plain one, gru and lstm have gates, mogrifier is an lstm "
        "with more of them, in indrnn a unit remembers itself alone",
    )
    direction: Literal["forward", "backward", "both"] = Field(
        default="forward",
        description="from which end a text is read; both trains two networks in turn, and blanks are filled by both, "
        "texts continued by the forward one",
    )
    embedding_size: int = Field(default=128, ge=1, description="units of x_t, the vector of a token")
    hidden_size: int = Field(default=128, ge=1, description="units of h_t, the memory of each layer")
    num_layers: int = Field(default=1, ge=1, description="layers; each reads the h_t of the one below")
    hidden_activation: HiddenActivation = Field(
        default="tanh",
        description="f in the equation, only for elman and indrnn; tanh keeps h_t between -1 and 1, so that it "
        "cannot grow; indrnn without this key has relu",
    )
    recurrent_init: Literal["orthogonal", "identity", "half_identity", "uniform"] = Field(
        default="orthogonal",
        description="only for elman: first W on the side of h_{t-1}; orthogonal keeps the length of h_t",
    )
    output_activation: Literal["softmax", "sigmoid"] = Field(
        default="softmax", description="g in the equation; sigmoid gives each word a yes or no of its own"
    )
    layer_norm: bool = Field(
        default=False,
        description="true brings the units of each h_t to mean 0 and deviation 1 on its way up, for many layers",
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of units silent in training, against learning by heart, where no key below says "
        "otherwise; 0 = none",
    )
    dropout_input: float | None = Field(
        default=None, ge=0, lt=1, description="the same of x_t alone; null = as dropout"
    )
    dropout_between: float | None = Field(
        default=None, ge=0, lt=1, description="the same between layers alone; null = as dropout"
    )
    dropout_output: float | None = Field(
        default=None, ge=0, lt=1, description="the same of the top h_t alone; null = as dropout"
    )
    dropout_embedding: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the vocabulary that is not heard in a window: x_t is 0 wherever such a word stands",
    )
    dropout_words: float = Field(
        default=0.0, ge=0, lt=1, description="share of the places in a text where x_t is 0, whatever the word"
    )
    dropout_weights: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the weights that read h_{t-1} silent in a window (DropConnect)",
    )

    @model_validator(mode="before")
    @classmethod
    def _indrnn_has_relu_where_no_f_is_given(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("cell") == "indrnn":
            return {"hidden_activation": "relu", **value}
        return value


class OutputConfig(Section):
    """The output layer, where most of the time goes when the vocabulary is large."""

    softmax: Literal["auto", "exact", "sampled"] = Field(
        default="auto",
        description="exact sums over all words, sampled over some; auto goes by the vocabulary",
    )
    samples: int = Field(
        default=2048,
        ge=1,
        le=10_000_000,
        description="words drawn for the sampled softmax, shared by a window",
    )
    exact_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of a sampled training, at its end, that sums over all words after all",
    )
    tie_embeddings: bool = Field(
        default=False,
        description="V is the embedding itself: fewer weights; h_t is projected where the two sizes differ",
    )


class TrainingConfig(Section):
    """How the weights are found."""

    batch_size: int = Field(
        default=32, ge=1, description="streams (with mode lines: lines) read side by side in one update"
    )
    bptt_steps: int = Field(
        default=35, ge=1, description="tokens in a window: so far back does an error reach"
    )
    random_windows: bool = Field(
        default=False,
        description="true varies the length of windows round bptt_steps and the learning rate with it, so that they "
        "end elsewhere in each epoch",
    )
    optimizer: Literal["sgd", "momentum", "nesterov", "adam", "adamw", "muon", "rmsprop", "adagrad"] = Field(
        default="adamw",
        description="the update rule; sgd wants a far larger learning_rate than adamw does, muon (for matrices, the "
        "rest by adamw) the same",
    )
    learning_rate: float = Field(
        default=0.002, gt=0, le=1000, description="size of an update, at its largest"
    )  # torch refuses what is beyond float32
    table_learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="if given, the embedding and V learn at this rate, by a rule of their own: table_optimizer",
    )
    table_optimizer: Literal["sgd", "adagrad"] = Field(
        default="sgd",
        description="with table_learning_rate: plain sgd (10 to 20) learns less by heart where a text is read often, "
        "adagrad (0.1 to 0.3) soonest",
    )
    weight_decay: float = Field(
        default=0.0, ge=0, le=1000, description="pull of the weights towards 0; 0 = none"
    )
    activation_penalty: float = Field(
        default=0.0,
        ge=0,
        description="so many times the mean square of the top h_t after dropout is added to the loss (AR); 0 = none",
    )
    change_penalty: float = Field(
        default=0.0,
        ge=0,
        description="so many times the mean square of h_t - h_{t-1} at the top is added to the loss (TAR); 0 = none",
    )
    schedule: Literal["constant", "linear", "cosine", "plateau"] = Field(
        default="linear",
        description="how the learning rate falls: evenly, in a wave, or where data.valid stalls",
    )
    warmup_steps: int = Field(
        default=0, ge=0, description="updates in which the learning rate rises from 0, for a calm start"
    )
    average_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the training, at its end, over which the weights are averaged; their mean is what is "
        "measured and kept; 0 = none",
    )
    max_grad_norm: float | None = Field(
        default=1.0,
        gt=0,
        description="a longer gradient is cut to this length, so none explodes; null = never",
    )
    max_epochs: int = Field(default=10, ge=1, description="times the training text is read")
    max_minutes: float | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        description="if given, updates, validations and test end in time, the learning rate and validations follow "
        "the clock",
    )
    patience: int | None = Field(
        default=None, ge=1, description="validations without improvement before an early stop; null = never"
    )
    validate_every_epochs: int = Field(default=1, ge=1, description="epochs from one validation to the next")
    seed: int = Field(
        default=1, ge=0, le=2**32 - 1, description="starts every random choice: same seed, same model"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="what trains: auto takes a GPU (cuda) where PyTorch finds one"
    )
    engine: Literal["auto", "reference", "float32", "bfloat16"] = Field(
        default="auto",
        description="auto measures and takes the fastest: matrix products in float32 or bfloat16 with hand-derived "
        "backward passes, or reference, plain autograd",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="CPU threads that train side by side, each on its own streams; null = measure, take the fastest",
    )
    log_every_windows: int = Field(
        default=10, ge=1, description="windows from one line of progress to the next"
    )
    checkpoint_windows: int = Field(
        default=1000,
        ge=1,
        description="windows from one state that training can go back to until the next",
    )
    checkpoint_minutes: float = Field(
        default=10.0, gt=0, description="a state to resume from is saved at least so often"
    )
    max_rollbacks: int = Field(
        default=8,
        ge=0,
        description="times that a training gone wrong goes back to a good state, with half the learning rate",
    )


class LoggingConfig(Section):
    """What is written down beside the losses."""

    gradient_flow: bool = Field(
        default=True,
        description="at each validation, the gradient's norm by lag: how far back an error reaches",
    )
    samples: bool = Field(
        default=True,
        description="at each validation, what the network writes and how it completes a few prompts",
    )
    index: bool = Field(
        default=False,
        description="keep lines of data.train by hidden state, for rnn complete --why to name the nearest",
    )
    tensorboard: bool = Field(
        default=False, description="write for TensorBoard, too, into RUN/tensorboard; the package is an extra"
    )


class Config(Section):
    """A whole training: what is read, what is built, and how it is trained."""

    data: DataConfig
    model: ModelConfig = ModelConfig()
    output: OutputConfig = OutputConfig()
    training: TrainingConfig = TrainingConfig()
    logging: LoggingConfig = LoggingConfig()
