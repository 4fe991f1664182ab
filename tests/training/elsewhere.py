"""A second device, pretended: its tensors lie on the CPU, but no operation takes one of each kind.

Where there is no GPU this tells whether a training would mix devices on one. PyTorch's FakeTensorMode cannot: in a
build without CUDA the backward pass of a fake cuda tensor aborts the process. So here the device is called meta,
which autograd knows in every build. And unlike fake tensors these have values, so that losses can be compared.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Self

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from rnn_cli.training import build, engine_choice, plan, run
from rnn_cli.training.device import CPU, has_bfloat16_products

ELSEWHERE = torch.device("meta")

MAY_MIX = ("aten::copy_", "aten::_to_copy")
"""Copies from one device to another. (PyTorch lets a few more pass on a GPU; a training needs none of them.)"""


class Elsewhere(Tensor):
    """A tensor of the second device; `here` has its values."""

    here: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, here: Tensor) -> Self:
        strided = here.layout == torch.strided
        return Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride() if strided else None,
            storage_offset=here.storage_offset() if strided else None,
            dtype=here.dtype,
            layout=here.layout,
            device=ELSEWHERE,
        )

    def __init__(self, here: Tensor) -> None:
        self.here = here

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, other: Tensor) -> None:
        if not isinstance(other, Elsewhere):
            raise TypeError("weights of one device are put in the place of those of another")
        self.here = other.here

    def new(self, *parts: Any) -> Tensor:  # type: ignore[override]
        """SparseAdam makes its updates by this old constructor."""
        return torch.sparse_coo_tensor(*parts, check_invariants=False)

    def __deepcopy__(self, memo: object) -> "Elsewhere":
        twin = Elsewhere(self.here.clone())
        twin.__dict__.update({name: value for name, value in self.__dict__.items() if name != "here"})
        twin.requires_grad_(self.requires_grad)
        return twin

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        """With this and the next, `Module.to` keeps tied parameters tied."""
        return ["here"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], *_: object) -> "Elsewhere":
        return Elsewhere(inner["here"])

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _compute(func, args, kwargs or {})


class Pretence(TorchDispatchMode):
    """Within it, tensors can be made elsewhere and brought there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})


def _compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    elsewhere = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
    if 0 < len(elsewhere) < len(tensors) and func._schema.name not in MAY_MIX:
        raise RuntimeError(f"{func}: one tensor lies here and another elsewhere")
    asked_for = kwargs.get("device")
    goes_elsewhere = bool(elsewhere) if asked_for is None else torch.device(asked_for) == ELSEWHERE
    args, kwargs = tree_map(lambda leaf: leaf.here if isinstance(leaf, Elsewhere) else leaf, (args, kwargs))
    if asked_for is not None:
        kwargs["device"] = torch.device("cpu")
    found = func(*args, **kwargs)
    if func._schema.name == "aten::copy_":
        return tensors[0]  # what was copied into
    known = {id(tensor.here): tensor for tensor in elsewhere}

    def wrapped(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not goes_elsewhere:
            return leaf
        return known[id(leaf)] if id(leaf) in known else Elsewhere(leaf)

    return tree_map(wrapped, found)


@contextmanager
def training_elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within it, what would be trained on a GPU is trained on the second device."""
    with monkeypatch.context() as patched, Pretence():
        for module in (build, engine_choice, plan, run):
            patched.setattr(module, "training_device", lambda config: ELSEWHERE)
        patched.setattr(torch.cuda, "get_device_name", lambda device: "pretended")
        patched.setattr(
            torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=1 << 34)
        )
        # It computes as the CPU does.
        patched.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bfloat16_products(CPU))
        # Tensors with a Python class of their own are not made for inference mode.
        patched.setattr(torch._C, "_InferenceMode", lambda mode: torch.set_grad_enabled(not mode))
        optimizers = sys.modules["torch.optim.optimizer"]  # torch.optim has no such name
        patched.setattr(optimizers, "_get_fused_kernels_supported_devices", lambda: ["cpu", ELSEWHERE.type])
        yield
