"""What the fits share: their precision, batches, the course of the rate, and losses that imitate similarities.

The order in which a fit computes its losses decides the last bits of the gradients, and so of the weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F


def half_precision() -> torch.autocast:
    """bf16 where the processor multiplies in it; elsewhere it would be slower than fp32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bf16())


def has_bf16() -> bool:
    return torch.cpu._is_avx512_bf16_supported()


def batches(rows: np.ndarray, size: int, shuffle: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless batches of the rows, in a new order each time round; what is left of a round is dropped."""
    while True:
        order = shuffle.permutation(rows)
        yield from (order[start : start + size] for start in range(0, len(order) - size + 1, size))


def rate(step: int, steps: int, warm_up: int) -> float:
    """The share of the highest rate at a step: rises over `warm_up` steps, falls to .02."""
    return min(1, (step + 1) / warm_up) * max(0.02, 1 - step / steps)


def divergence(similarity: torch.Tensor, wanted: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL divergence of softmax(similarity) from softmax(wanted), a row each, [rows, columns]; `similarity` has been
    divided by the temperature."""
    return F.kl_div(F.log_softmax(similarity, -1), F.softmax(wanted / temperature, -1), reduction="batchmean")


def geometry(vectors: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean squared error of all dot products among vectors, [rows, width]."""
    return ((vectors @ vectors.T - wanted @ wanted.T) ** 2).mean()
