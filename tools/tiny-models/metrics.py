"""Ranking measures and their confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def ndcg_at_10(ranked: Sequence[str], grades: dict[str, int]) -> float:
    """trec_eval's ndcg_cut_10: gain = grade, discount = log2(rank + 1)."""
    gain = sum(max(0, grades.get(d, 0)) / math.log2(i + 2) for i, d in enumerate(ranked[:10]))
    ideal = sorted((max(0, g) for g in grades.values()), reverse=True)[:10]
    best = sum(g / math.log2(i + 2) for i, g in enumerate(ideal))
    return gain / best if best else 0.0


def order(scores: np.ndarray) -> np.ndarray:
    """Indices, best score first; ties go to the lower index."""
    return np.argsort(-np.asarray(scores), kind="stable")


def accuracy_at_1(scores: np.ndarray, right: int) -> float:
    """1 where the right candidate beats every other; a tie counts as a miss."""
    return float(np.all(np.delete(scores, right) < scores[right]))


def interval(values: Sequence[float], samples: int = 5000, seed: int = 1) -> tuple[float, float, float]:
    """Mean and its 95% interval: percentiles of means over bootstrap samples of the queries."""
    values = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(values), (samples, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)
