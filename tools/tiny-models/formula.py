"""What the constructed reranker computes, in numpy: the specification of reranker.py and the quick way to try settings.

logit   = gain * (cosine + share * lexical) - offset cosine  = of the encoder's vectors of query and document lexical =
sum over document tokens i of  p_i * 4 m_i / D_i^2 * (L0 + 200) / (L0 + sum p) w(a, b) = exp(sharpness * (cos(a, b) -
1)) over the first `columns` columns: 1 for equal tokens, a little for near ones m_i = sum over query tokens j of idf_j
w(i, j) D_i = sum over query tokens j of w(i, j) + sum over document tokens k <= i of w(i, k) + sink p_i = exp(early *
reach / (reach + 2 + i)): the document's first tokens weigh more

A word of the document that is new there contributes idf (D = 2), its repetitions 4/9, 4/16, ... of it, so that term
frequency saturates as in BM25, and L0 normalises for length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Settings:
    """The constants of the formula; the defaults are those of the shipped model."""

    gain: float = 14.0
    offset: float = 9.0
    share: float = 0.0125
    sharpness: float = 15.0
    sink: float = 0.02
    length: float = 2000.0  # L0
    early: float = 0.7
    reach: float = 15.0
    columns: int = 80
    idf_power: float = 1.0
    norm_power: float = 2.0


def token_weights(
    table: np.ndarray, frequency: np.ndarray, documents: int, is_word: np.ndarray, settings: Settings
) -> np.ndarray:
    """idf^idf_power times the vector's length^norm_power (the fit left an idf of its own there), in idf's scale."""
    norm = np.linalg.norm(table, axis=1)
    idf = np.log(1 + (documents - frequency + 0.5) / (frequency + 0.5)) * is_word
    weights = idf**settings.idf_power * norm**settings.norm_power
    return weights * (idf * norm).mean() / weights.mean()


def lexical(
    directions: np.ndarray, weights: np.ndarray, query: np.ndarray, document: np.ndarray, settings: Settings
) -> float:
    """The lexical part for token ids. `directions` are the unit rows of the table's first columns."""
    if not len(query) or not len(document):
        return 0.0
    near_query = np.exp(settings.sharpness * (directions[document] @ directions[query].T - 1))
    near_self = np.tril(np.exp(settings.sharpness * (directions[document] @ directions[document].T - 1)))
    total = near_query.sum(1) + near_self.sum(1) + settings.sink
    place = np.exp(settings.early * settings.reach / (settings.reach + 2 + np.arange(len(document))))
    matched = place * 4 * (near_query @ weights[query]) / total**2
    return float(matched.sum() * (settings.length + 200) / (settings.length + place.sum()))
