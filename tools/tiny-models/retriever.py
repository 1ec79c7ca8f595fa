"""A static bi-encoder: a text is the mean of its tokens' vectors, which are fitted to the teacher's text vectors.

Start (after model2vec, Tulkens and van Dongen 2024): each token through the teacher by itself, centred, projected on
the main directions of text vectors, weighted by a / (a + p) for a token of probability p (SIF, Arora et al. 2017).
Fit: Adam on the losses in `_loss`, over titles and passages, batches in a seeded order and a fixed number of steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from tokenizers import Tokenizer

from fitting import batches, divergence, geometry, rate
from teacher import Teacher


@dataclass(frozen=True)
class Fit:
    """Settings of the fit."""

    sif: float
    steps: int
    imitation: float  # weight of the KL divergence from the wanted similarities in the batch
    lexical: float  # how much of the tf-idf cosine is added to the teacher's in the wanted similarities
    dimension: int = 256
    batch: int = 512
    rate: float = 1.5e-3
    temperature: float = 0.05
    contrast: float = 0.1  # weight of the cross-entropy of a title's own passage in the batch
    geometry: float = 5.0  # weight of the squared error of passage-passage cosines
    seed: int = 1


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def encode(tokenizer: Tokenizer, table: np.ndarray, texts: list[str]) -> np.ndarray:
    """Unit vectors of texts; zero for a text without tokens."""
    means = np.zeros((len(texts), table.shape[1]), np.float32)
    for row, encoding in enumerate(tokenizer.encode_batch(texts, add_special_tokens=False)):
        if encoding.ids:
            means[row] = table[encoding.ids].mean(0)
    return unit(means)


def token_ids(tokenizer: Tokenizer, texts: list[str]) -> list[np.ndarray]:
    return [np.array(e.ids, np.int64) for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


def projection(text_vectors: np.ndarray, dimension: int) -> np.ndarray:
    """The leading right singular vectors of teacher vectors, not centred, so that cosines survive."""
    _, _, directions = np.linalg.svd(text_vectors[:8000].astype(np.float32), full_matrices=False)
    return directions[:dimension].T


def initial_table(teacher: Teacher, entries: list[str], uses: np.ndarray, basis: np.ndarray, sif: float) -> np.ndarray:
    vocabulary = teacher.tokenizer_json["model"]["vocab"]
    pieces = [
        [vocabulary[e]] if e in vocabulary else teacher.tokenizer.encode(e, add_special_tokens=False).ids
        for e in entries
    ]
    alone = teacher.encode_ids([[101, *p, 102] for p in pieces]).astype(np.float32)
    table = (alone - alone.mean(0)) @ basis * (sif / (sif + uses / uses.sum()))[:, None]
    return table / np.linalg.norm(table, axis=1).mean()


def fit(
    table: np.ndarray,
    titles: list[np.ndarray],
    texts: list[np.ndarray],
    title_vectors: np.ndarray,
    text_vectors: np.ndarray,
    idf: np.ndarray,
    settings: Fit,
) -> np.ndarray:
    """The table after the fit. A title may be empty."""
    torch.manual_seed(settings.seed)
    shuffle = np.random.default_rng(settings.seed)
    weights = torch.nn.Parameter(torch.tensor(table, dtype=torch.float32))
    optimizer = torch.optim.Adam([weights], betas=(0.9, 0.99))
    targets = torch.tensor(unit(title_vectors)), torch.tensor(unit(text_vectors))
    lexical = _tf_idf(titles, idf), _tf_idf(texts, idf)
    usable = np.array([i for i, text in enumerate(texts) if len(text)])
    for step, batch in zip(range(settings.steps), batches(usable, settings.batch, shuffle)):
        titled = [i for i in range(len(batch)) if len(titles[batch[i]])]
        bags = [titles[batch[i]] for i in titled], [texts[i] for i in batch]
        overlap = torch.from_numpy((lexical[0][batch[titled]] @ lexical[1][batch].T).toarray().astype(np.float32))
        loss = _loss(
            weights, bags, (targets[0][batch[titled]], targets[1][batch]), torch.tensor(titled), overlap, settings
        )
        optimizer.param_groups[0]["lr"] = settings.rate * rate(step, settings.steps, warm_up=30)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 200 == 0:
            print(f"  step {step}: loss {loss.item():.4f}", flush=True)
    return weights.detach().numpy()


def _bag(weights: torch.Tensor, bags: list[np.ndarray]) -> torch.Tensor:
    offsets = torch.from_numpy(np.cumsum([0, *map(len, bags[:-1])]))
    return F.normalize(F.embedding_bag(torch.from_numpy(np.concatenate(bags)), weights, offsets, mode="mean"), dim=-1)


def _tf_idf(bags: list[np.ndarray], idf: np.ndarray) -> csr_matrix:
    """Unit rows of idf, with a token counted once a text: their products are tf-idf cosines."""
    distinct = [np.unique(bag) for bag in bags]
    columns = np.concatenate(distinct)
    rows = np.repeat(np.arange(len(bags)), [len(d) for d in distinct])
    norms = np.sqrt(np.bincount(rows, idf[columns] ** 2, len(bags)))
    return csr_matrix((idf[columns] / norms[rows], (rows, columns)), shape=(len(bags), len(idf)))


def _loss(weights, bags, targets, titled: torch.Tensor, overlap: torch.Tensor, settings: Fit) -> torch.Tensor:
    title, text = _bag(weights, bags[0]), _bag(weights, bags[1])
    loss = (1 - (title * targets[0]).sum(-1)).mean() + (1 - (text * targets[1]).sum(-1)).mean()
    similarity = title @ text.T / settings.temperature
    kl = divergence(similarity, targets[0] @ targets[1].T + settings.lexical * overlap, settings.temperature)
    error = geometry(text, targets[1])
    return (
        loss
        + settings.imitation * kl
        + settings.contrast * F.cross_entropy(similarity, titled)
        + settings.geometry * error
    )
