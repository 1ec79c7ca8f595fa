"""zrank-small's figures on development queries and on held-out groups, by which settings are chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from benchmarks import Benchmark, load_beir
from groups import load_groups
from metrics import accuracy_at_1, ndcg_at_10, order
from pair_lessons import segments
from pair_network import PairNetwork
from pair_training import pairs

QUERY_TOKENS, DOCUMENT_TOKENS = 40, 200
_BATCH_TOKENS = 6000


class Scorer:
    """Logits of a network, in bf16 where the processor has it."""

    def __init__(self, network: PairNetwork, tokenizer: Tokenizer) -> None:
        self.network, self.tokenizer = network, tokenizer

    @torch.inference_mode()
    def score(self, query: str, documents: list[str]) -> np.ndarray:
        """One logit a document."""
        asked = segments(self.tokenizer, [query], QUERY_TOKENS)
        given = segments(self.tokenizer, documents, DOCUMENT_TOKENS)
        by_length, logits, start = sorted(range(len(given)), key=lambda i: len(given[i])), np.zeros(len(given)), 0
        while start < len(by_length):
            end = start + 1
            while end < len(by_length) and (len(given[by_length[end]]) + 20) * (end + 1 - start) <= _BATCH_TOKENS:
                end += 1
            batch = by_length[start:end]
            rows = np.stack([np.zeros(len(batch), int), np.arange(len(batch))], 1)
            logits[batch] = pairs(self.network, asked, [given[i] for i in batch], rows).numpy()
            start = end
        return logits


def held_out_choices(scorer: Scorer, every: int = 1) -> float:
    """How often the passage of a question is first in its held-out group: symmetric groups, and the choice of a
    question for a passage in the others."""
    right = []
    for group in [g for g in load_groups() if g.held_out][::every]:
        table = np.stack([scorer.score(q, group.passages) for q in group.questions])
        own = np.arange(len(table))
        right += (table.argmax(1) == own).tolist() if group.symmetric else (table.argmax(0) == own).tolist()
    return float(np.mean(right))


def near_misses(scorer: Scorer, folder: Path) -> float:
    """Accuracy@1 on the development queries of data/domains."""
    right = []
    for qrels in sorted(folder.glob("*/qrels")):
        benchmark = load_beir(qrels.parent.name, qrels.parent, judged_only=True)
        for query, candidates in enumerate(benchmark.candidates):
            if benchmark.is_development(query):
                scores = scorer.score(benchmark.queries[query], [benchmark.documents[d] for d in candidates])
                best = max(range(len(candidates)), key=lambda i: benchmark.grades[query][candidates[i]])
                right.append(accuracy_at_1(scores, best))
    return float(np.mean(right))


def reranked(scorer: Scorer, benchmark: Benchmark, queries: int, depth: int) -> tuple[float, float]:
    """NDCG@10 of BM25's best `depth` before and after, over the first development queries."""
    values = []
    for query in [q for q in range(len(benchmark.queries)) if benchmark.is_development(q)][:queries]:
        best = order(benchmark.bm25[query])[:depth].tolist()
        scores = scorer.score(benchmark.queries[query], [benchmark.documents[d] for d in best])
        grades = benchmark.grades[query]
        values.append((ndcg_at_10(best, grades), ndcg_at_10([best[i] for i in order(scores)], grades)))
    before, after = np.mean(values, 0)
    return float(before), float(after)


def listed(scorer: Scorer, benchmark: Benchmark, queries: int, depth: int) -> float:
    """NDCG@10 over the first `depth` given candidates, the first of which is right, of development queries."""
    values = []
    for query in [q for q in range(len(benchmark.queries)) if benchmark.is_development(q)][:queries]:
        scores = scorer.score(
            benchmark.queries[query], [benchmark.documents[d] for d in benchmark.candidates[query][:depth]]
        )
        better = int((scores[1:] >= scores[0]).sum())
        values.append(1 / np.log2(better + 2) if better < 10 else 0.0)
    return float(np.mean(values))


def calibrate(scorer: Scorer) -> tuple[float, float]:
    """Scale and shift with which sigmoid(scale * logit + shift) is the probability that a passage of a held-out group
    is the question's own, by logistic regression; symmetric groups alone."""
    logits, own = [], []
    for group in load_groups():
        if group.held_out and group.symmetric:
            for number, question in enumerate(group.questions):
                logits.append(scorer.score(question, group.passages))
                own.append(np.arange(len(group.passages)) == number)
    x, y = np.concatenate(logits), np.concatenate(own).astype(float)
    center, spread = x.mean(), x.std()
    z, weights = np.stack([(x - center) / spread, np.ones_like(x)], 1), np.zeros(2)
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-z @ weights))
        weights += np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z, z.T @ (y - p))
    return float(weights[0] / spread), float(weights[1] - weights[0] * center / spread)
