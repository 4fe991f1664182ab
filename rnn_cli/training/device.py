"""Where a training computes. It is decided here and nowhere else: all the rest goes where the weights lie."""

import os

import torch

from rnn_cli.config import Config
from rnn_cli.errors import UsageError

CPU = torch.device("cpu")


def training_device(config: Config) -> torch.device:
    """The device that `training.device` means on this machine; of processes that train together each has a GPU.

    Raises:
        UsageError: the config asks for a GPU and there is none, or none for this process.
    """
    there_is_one = torch.cuda.is_available()
    if config.training.device == "cpu" or (config.training.device == "auto" and not there_is_one):
        return CPU
    if not there_is_one:
        raise UsageError(
            f"training.device is cuda, but PyTorch {torch.__version__} finds no GPU here. Set training.device to "
            "auto (to go on with a run: in its config.yaml), or install PyTorch's CUDA build where there is a GPU."
        )
    number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= count:
        raise UsageError(
            f"This machine has a GPU for {count} process{'' if count == 1 else 'es'}, and more were started. Start "
            "as many as there are GPUs, or set training.device to cpu."
        )
    return torch.device("cuda", number)


def device_name(device: torch.device) -> str:
    """For a person: cpu, or which GPU of what make."""
    return "cpu" if device == CPU else f"{device} ({torch.cuda.get_device_name(device)})"


def memory_bytes(device: torch.device) -> int:
    """What the device has in all."""
    if device == CPU:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(torch.cuda.get_device_properties(device).total_memory)


def has_bfloat16_products(device: torch.device) -> bool:
    """Whether it multiplies in bfloat16; one that does not would only imitate it."""
    if device == CPU:
        return torch.cpu._is_avx512_bf16_supported()
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))
