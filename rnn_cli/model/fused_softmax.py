"""The fast path through the output layer: softmax and cross-entropy with their backward pass derived by hand.

The same equation as `losses.softmax_cross_entropy`; a test holds values and gradients equal. It is faster because
the only thing of the scores' size, the exponentials, is made a few words at a time while it is in the cache, is kept
in bfloat16 where the CPU multiplies that, and is never divided by its sums: they go into the much smaller factors
beside it. The sums stay float32.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

WORDS_AT_ONCE = 2048
"""Scores of so many words are made at a time: for a thousand positions 4 MB in bfloat16, which the cache holds."""

SMALLEST_SUM = 1e-30
"""Below this a sum of exponentials in float32 has lost too many of its terms."""


def fused_cross_entropy(
    hidden: Tensor,
    rows: Tensor,
    bias: Tensor,
    came: Tensor,
    came_bias: Tensor,
    *,
    product_dtype: torch.dtype | None = None,
) -> Tensor:
    """See `losses.softmax_cross_entropy`.

    Args:
        product_dtype: what matrix products are made in; None: as the weights.
    """
    dtype = product_dtype or rows.dtype
    total: Tensor = _CrossEntropy.apply(hidden, rows, bias, came, came_bias, dtype)  # type: ignore[no-untyped-call]
    return total


@torch.no_grad()
def fused_surprise(hidden: Tensor, rows: Tensor, bias: Tensor, came: Tensor) -> Tensor:
    """-ln softmax(rows · hidden_i + bias)[came_i] of each i, (N,), in nats; for the arguments see the same."""
    scored = _scored(hidden, rows, bias, came, bias[came], rows.dtype)
    return scored.s.log() - scored.t


class _Scored(NamedTuple):
    """The names are those of `_CrossEntropy`."""

    rows_came: Tensor
    factors: Tensor
    e: list[Tensor]
    others: Tensor
    s: Tensor
    t: Tensor


def _scored(
    hidden: Tensor, rows: Tensor, bias: Tensor, came: Tensor, came_bias: Tensor, dtype: torch.dtype
) -> _Scored:
    rows_came = rows[came]  # (N, H)
    t = (hidden * rows_came).sum(1) + came_bias  # (N,)
    factors = _with_bias(rows, bias, dtype)  # (K, H + 2)
    e, others = _exponentials(hidden, factors, came)
    s = others + t.exp()
    if not bool(((s > SMALLEST_SUM) & s.isfinite()).all()):
        # More than exp can hold: the largest score of each row is taken out of all of them.
        largest = torch.maximum((hidden @ rows.T + bias).amax(1), t)  # (N,)
        e, others = _exponentials(hidden, _with_bias(rows, bias, rows.dtype), came, shift=largest)
        e = [e_k.to(dtype) for e_k in e]
        t = t - largest
        s = others + t.exp()
    return _Scored(rows_came, factors, e, others, s, t)


class _CrossEntropy(torch.autograd.Function):
    """With the scores z_ik = rows_k · h_i + bias_k, and t_i = rows_k · h_i + came_bias_i where k came:

    e_ik = exp(z_ik), 0 where k came         s_i = Σ_k e_ik + exp(t_i)         Loss = Σ_i ln s_i - t_i

    ∂Loss/∂t_i = - Σ_k e_ik / s_i            ∂Loss/∂bias_k = Σ_i e_ik / s_i
    ∂Loss/∂h_i = Σ_k e_ik / s_i rows_k + ∂Loss/∂t_i rows_came
    ∂Loss/∂rows_k = Σ_i e_ik / s_i h_i + Σ_{i where k came} ∂Loss/∂t_i h_i
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        rows: Tensor,
        bias: Tensor,
        came: Tensor,
        came_bias: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        rows_came, factors, e, others, s, t = _scored(hidden, rows, bias, came, came_bias, dtype)
        ctx.save_for_backward(hidden, rows_came, factors, came, others, s, *e)
        return (s.log() - t).sum()

    @staticmethod
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor, Tensor, Tensor, None, Tensor, None]:
        hidden, rows_came, factors, came, others, s, *e = ctx.saved_tensors
        share = (d_loss / s)[:, None]  # (N, 1)
        d_t = -others[:, None] * share  # (N, 1)
        h_and_1 = torch.cat([hidden * share, share], dim=1).to(factors.dtype)  # (N, H + 1)
        d_hidden = torch.zeros_like(hidden)
        d_rows, d_bias = hidden.new_empty(len(factors), hidden.shape[1]), hidden.new_empty(len(factors))
        at = 0
        for e_k, factors_k in zip(e, _blocks(factors[:, :-2]), strict=True):
            d_hidden += e_k @ factors_k
            here = slice(at, at := at + len(factors_k))
            sums = e_k.T @ h_and_1  # (block, H + 1)
            d_rows[here], d_bias[here] = sums[:, :-1], sums[:, -1]
        d_hidden.mul_(share).addcmul_(d_t, rows_came)
        d_rows.index_add_(0, came, d_t * hidden)
        return d_hidden, d_rows, d_bias, None, d_t[:, 0], None


def _with_bias(rows: Tensor, bias: Tensor, dtype: torch.dtype) -> Tensor:
    """[rows, bias] in another dtype, (K, H + 2): the bias as two columns that hold its first and its last bits.

    As a part of the product it is added before the product is rounded.
    """
    K, H = rows.shape
    factors = rows.new_empty(K, H + 2, dtype=dtype)
    factors[:, :H] = rows
    factors[:, H] = bias
    factors[:, H + 1] = bias - factors[:, H]
    return factors


def _blocks(rows: Tensor) -> tuple[Tensor, ...]:
    """The rows of some words at a time; on a GPU, which waits at each block, those of all words at once."""
    return torch.split(rows, WORDS_AT_ONCE if rows.is_cpu else len(rows))


def _exponentials(
    hidden: Tensor, factors: Tensor, came: Tensor, *, shift: Tensor | None = None
) -> tuple[list[Tensor], Tensor]:
    """exp(z_ik - shift_i) with 0 where k came, as blocks (N, some words), and its sums over k, (N,)."""
    h_and_1 = torch.cat([hidden, hidden.new_ones(len(hidden), 2)], dim=1).to(factors.dtype)  # (N, H + 2)
    blocks = []
    sums = torch.zeros_like(hidden[:, 0])
    at = 0
    for factors_k in _blocks(factors):
        z = h_and_1 @ factors_k.T  # (N, block)
        e = (z if shift is None else z.sub_(shift[:, None])).exp_()
        i = ((came >= at) & (came < at + len(factors_k))).nonzero()[:, 0]
        e[i, came[i] - at] = 0
        sums += e.sum(1) if e.is_cpu else e.sum(1, dtype=sums.dtype)
        blocks.append(e)
        at += len(factors_k)
    return blocks, sums
