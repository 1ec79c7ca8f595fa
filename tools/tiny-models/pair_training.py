"""Trains zrank-small's network: choices within groups, and imitation of the teachers on lists of candidates.

Groups: cross-entropy of choosing the question of a passage and, in symmetric groups, the passage of a question, over
all pairs of a group; the larger teacher's choice has a share in what is right. Lists: KL divergence from the scores of
pair_lessons.py over each query's candidates. The layers before the segments meet, and the embeddings, stay MiniLM's.

The rate follows the share of the time that is over, so a run of any length ends with a finished network, and a run
that was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fitting import batches, half_precision
from pair_lessons import Lists
from pair_network import PairNetwork, Texts


@dataclass(frozen=True)
class Training:
    """Settings of the training."""

    seconds: float = 2000.0
    groups: int = 4  # a step
    lists: int = 2  # of each kind, a step
    imitation: float = 0.5  # weight of each kind of lists
    taught: float = 0.4  # the larger teacher's share in the choices
    score_scale: float = 20.0  # logits a unit of the scores and cosines to imitate
    rate: float = 5e-5
    head_rate: float = 1e-3
    between_rate: float = 1e-2
    warm_up: float = 0.04
    decay: float = 0.01
    seed: int = 1
    checkpoint_seconds: float = 120.0


@dataclass(frozen=True)
class PairGroups:
    """Tokens of the questions and passages of each group, and the larger teacher's cosines, [questions, passages]."""

    questions: list[list[list[int]]]
    passages: list[list[list[int]]]
    symmetric: list[bool]
    cosines: list[np.ndarray]


def train(
    network: PairNetwork, groups: PairGroups, lists: list[Lists], settings: Training, checkpoint: Path | None
) -> None:
    """Changes the network's weights in place."""
    torch.manual_seed(settings.seed)
    optimizer = torch.optim.AdamW(_rates(network, settings), betas=(0.9, 0.98), weight_decay=settings.decay)
    spent, step = 0.0, 0
    if checkpoint is not None and checkpoint.exists():
        saved = torch.load(checkpoint)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        spent, step = saved["spent"], saved["step"]
    shuffle = np.random.default_rng([settings.seed, step])
    chosen = batches(np.arange(len(groups.questions)), settings.groups, shuffle)
    listed = [batches(np.arange(len(kind.queries)), settings.lists, shuffle) for kind in lists]
    trained = [p for p in network.parameters() if p.requires_grad]
    start, saved_at, means = time.monotonic() - spent, spent, np.zeros(3)
    while (spent := time.monotonic() - start) < settings.seconds:
        share = spent / settings.seconds
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * min(1, (share + 1e-3) / settings.warm_up) * max(0.02, 1 - share)
        choice, right = _choice(network, groups, next(chosen), settings)
        imitation = sum(_imitation(network, kind, next(rows), settings) for kind, rows in zip(lists, listed))
        loss = choice + settings.imitation * imitation
        means += (choice.item(), right, imitation.item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        step += 1
        if step % 50 == 0:
            scales = ", ".join(f"{s:.2f}" for s in network.scales.tolist())
            print(
                f"  step {step}, {spent:.0f} s: choice {means[0] / 50:.4f}, right {means[1] / 50:.3f}, "
                f"imitation {means[2] / 50:.4f}, scales {scales}, between {network.between.mean().item():.2f}",
                flush=True,
            )
            means[:] = 0
        if checkpoint is not None and spent - saved_at > settings.checkpoint_seconds:
            saved_at = spent
            _save(checkpoint, network, optimizer, spent, step)
    if checkpoint is not None:
        _save(checkpoint, network, optimizer, spent, step)


def _save(checkpoint: Path, network: PairNetwork, optimizer: torch.optim.Optimizer, spent: float, step: int) -> None:
    partial = checkpoint.with_suffix(".partial")
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "spent": spent, "step": step}
    torch.save(state, partial)
    partial.rename(checkpoint)


def _rates(network: PairNetwork, settings: Training) -> list[dict]:
    """Parameters with their highest rates; those of the layers apart and of the embeddings take no gradient."""
    for parameter in (network.words, network.positions, *network.norm.parameters()):
        parameter.requires_grad = False
    for layer in network.layers[: network.shape.apart]:
        layer.requires_grad_(False)
    rates = []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            head = name.startswith(("head", "scales"))
            highest = settings.head_rate if head else settings.between_rate if name == "between" else settings.rate
            decay = settings.decay if name.startswith("layers") and parameter.dim() > 1 else 0.0
            rates.append({"params": [parameter], "highest": highest, "weight_decay": decay})
    return rates


def pairs(network: PairNetwork, queries: list[list[int]], documents: list[list[int]], rows: np.ndarray) -> Tensor:
    """Logits of the pairs rows [pairs, 2] of queries and documents; each text passes the first layers once."""
    left, right = Texts.of(queries), Texts.of(documents)
    with half_precision():
        with torch.no_grad():
            query, document = network.apart(left), network.apart(right)
        i, j = torch.tensor(rows.T)
        return network.joined(query[i], left.rows(i), document[j], right.rows(j)).float()


def _choice(network: PairNetwork, groups: PairGroups, members: np.ndarray, settings: Training) -> tuple[Tensor, float]:
    """Mean cross-entropy of the choices in the groups, and the share of right choices of a question."""
    sizes = [len(groups.questions[g]) for g in members]
    starts = np.cumsum([0, *sizes])
    rows = np.array([(s + i, s + j) for s, n in zip(starts, sizes) for i in range(n) for j in range(n)])
    logits = pairs(
        network,
        [q for g in members for q in groups.questions[g]],
        [p for g in members for p in groups.passages[g]],
        rows,
    )
    loss, right = torch.zeros(()), 0
    for member, n, part in zip(members, sizes, logits.split([n * n for n in sizes])):
        table, own = part.view(n, n), torch.arange(n)  # [questions, passages]
        taught = torch.tensor(groups.cosines[member]) * settings.score_scale
        wanted = torch.lerp(torch.eye(n), taught.softmax(0), settings.taught)
        loss = loss + F.cross_entropy(table.T, wanted.T)
        if groups.symmetric[member]:
            loss = loss + F.cross_entropy(table, torch.lerp(torch.eye(n), taught.softmax(1), settings.taught))
        right += int((table.argmax(0) == own).sum())
    return loss / len(members), right / sum(sizes)


def _imitation(network: PairNetwork, lists: Lists, members: np.ndarray, settings: Training) -> Tensor:
    """KL divergence from the scores to imitate."""
    wanted = torch.tensor(lists.scores[members]) * settings.score_scale
    number = wanted.shape[1]
    documents = [lists.passages[d] for d in lists.candidates[members].ravel()]
    rows = np.stack([np.repeat(np.arange(len(members)), number), np.arange(len(documents))], 1)
    logits = pairs(network, [lists.queries[t] for t in members], documents, rows).view(len(members), number)
    return F.kl_div(F.log_softmax(logits, -1), F.softmax(wanted, -1), reduction="batchmean")
