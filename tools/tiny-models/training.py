"""Trains the encoder: it imitates the teacher on the corpus and learns to choose within groups (groups.py).

Losses of a batch of passages with their titles: cosine distance from the teacher's vectors, KL divergence from the
teacher's similarities of titles to passages, squared error of passage-passage cosines (as in retriever.py). Of a batch
of groups: cosine distance from the teacher's vectors, and cross-entropy of choosing the question of a passage and, in
symmetric groups, the passage of a question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from encoder import Encoder
from fitting import batches, divergence, geometry, half_precision, rate
from retriever import unit


@dataclass(frozen=True)
class Training:
    """Settings of the training."""

    steps: int = 1900
    passages: int = 128
    passage_tokens: int = 48
    title_tokens: int = 32
    groups: int = 12
    temperature: float = 0.05
    imitation: float = 0.5  # weight of the KL divergence
    geometry: float = 5.0  # weight of the passage-passage cosines
    choice: float = 0.3  # weight of the choices within groups
    group_imitation: float = 0.5  # weight of the cosine distance in groups
    rate: float = 2e-3
    table_rate: float = 5e-4
    slower: tuple[tuple[str, float], ...] = (
        (".q", 0.2),
        (".k", 0.2),
        ("context.o", 0.5),
        ("context.down", 0.5),
        ("pool.o", 0.2),
        ("pool.down", 0.2),
    )
    seed: int = 1


@dataclass(frozen=True)
class Taught:
    """Token ids of texts and the unit vectors that the teacher gives them."""

    ids: list[np.ndarray]
    vectors: torch.Tensor

    @classmethod
    def of(cls, ids: list[np.ndarray], vectors: np.ndarray, most_tokens: int) -> Taught:
        return cls([i[:most_tokens] for i in ids], torch.tensor(unit(vectors)))

    def encode(self, encoder: Encoder, rows: np.ndarray, queries: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors of the rows, the encoder's and the teacher's."""
        with half_precision():
            return encoder([self.ids[row] for row in rows], queries), self.vectors[rows]


@dataclass(frozen=True)
class TaughtGroups:
    """Questions and passages of all groups, one after the other."""

    questions: Taught
    passages: Taught
    sizes: list[int]
    symmetric: list[bool]


def train(encoder: Encoder, titles: Taught, texts: Taught, groups: TaughtGroups, settings: Training) -> None:
    """Changes the encoder's weights in place. A title may be empty."""
    torch.manual_seed(settings.seed)
    shuffle = np.random.default_rng(settings.seed)
    optimizer = torch.optim.Adam(_rates(encoder, settings), betas=(0.9, 0.98))
    passages = _batches_of_like_length(np.array([len(ids) for ids in texts.ids]), settings.passages, shuffle)
    starts = np.cumsum([0, *groups.sizes])
    chosen = batches(np.arange(len(groups.sizes)), settings.groups, shuffle)
    trained = [p for name, p in encoder.named_parameters() if name != "table"]
    for step in range(settings.steps):
        batch = next(passages)
        titled = np.array([row for row in batch if len(titles.ids[row])])
        loss = _imitation(titles.encode(encoder, titled, True), texts.encode(encoder, batch, False), settings)
        members = next(chosen)
        rows = np.concatenate([np.arange(starts[g], starts[g + 1]) for g in members])
        loss = loss + _choice(
            groups.questions.encode(encoder, rows, True),
            groups.passages.encode(encoder, rows, False),
            members,
            groups,
            settings,
        )
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * rate(step, settings.steps, warm_up=40)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        if step % 100 == 0:
            print(f"  step {step}: loss {loss.item():.4f}", flush=True)


def _rates(encoder: Encoder, settings: Training) -> list[dict]:
    """Parameters with their highest rates: `slower` names those whose values are small, or whose outputs are added to
    what is there."""
    slower = dict(settings.slower)
    rates = [{"params": [encoder.table], "highest": settings.table_rate}]
    for name, parameter in encoder.named_parameters():
        if name != "table":
            factor = next((f for end, f in slower.items() if name.endswith(end)), 1.0)
            rates.append({"params": [parameter], "highest": settings.rate * factor})
    return rates


def _batches_of_like_length(
    lengths: np.ndarray, size: int, shuffle: np.random.Generator, pool: int = 16
) -> Iterator[np.ndarray]:
    """Batches cut from `pool` batches' worth of rows in the order of their lengths, so that little is padding. Empty
    rows are left out."""
    for rows in batches(np.flatnonzero(lengths), size * pool, shuffle):
        ordered = rows[np.argsort(lengths[rows], kind="stable")].reshape(pool, size)
        yield from ordered[shuffle.permutation(pool)]


def _distance(ours: torch.Tensor, teachers: torch.Tensor) -> torch.Tensor:
    return (1 - F.cosine_similarity(ours, teachers)).mean()


def _imitation(
    titles: tuple[torch.Tensor, torch.Tensor], texts: tuple[torch.Tensor, torch.Tensor], settings: Training
) -> torch.Tensor:
    (title, wanted_title), (text, wanted_text) = titles, texts
    kl = divergence(title @ text.T / settings.temperature, wanted_title @ wanted_text.T, settings.temperature)
    error = geometry(text, wanted_text)
    return _distance(*titles) + _distance(*texts) + settings.imitation * kl + settings.geometry * error


def _choice(questions, passages, members: np.ndarray, groups: TaughtGroups, settings: Training) -> torch.Tensor:
    loss = settings.group_imitation * (_distance(*questions) + _distance(*passages)) / 2
    sizes = [groups.sizes[g] for g in members]
    for member, question, passage in zip(members, questions[0].split(sizes), passages[0].split(sizes)):
        similarity, own = question @ passage.T / settings.temperature, torch.arange(len(question))
        entropy = F.cross_entropy(similarity.T, own)
        if groups.symmetric[member]:
            entropy = entropy + F.cross_entropy(similarity, own)
        loss = loss + settings.choice * entropy / len(members)
    return loss
