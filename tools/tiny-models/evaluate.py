"""Measures the models and prints the table of figures: python evaluate.py --models ../../models --cranfield FOLDER (see
README.md)."""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from benchmarks import Benchmark, load_beir, load_packages
from metrics import accuracy_at_1, interval, ndcg_at_10, order
from teacher import minilm

TOP = 50

Scores = np.ndarray  # [queries, documents]
Pairs = Callable[[int, list[int]], np.ndarray]  # query and candidates to scores


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--models", type=Path, default=Path("models"))
    arguments.add_argument("--cache", type=Path, default=Path(".cache"))
    arguments.add_argument("--cranfield", type=Path, required=True, help="Cranfield in BEIR layout")
    arguments.add_argument(
        "--near-misses", type=Path, help="a folder of folders in BEIR layout; grade 0 marks near misses"
    )
    arguments.add_argument("--rerankers", nargs="+", default=["zrank-tiny", "zrank-small"], help="folders in --models")
    options = arguments.parse_args()
    torch.set_num_threads(2)
    models = Models(options.models, options.rerankers)

    print(
        "| set and ranker | measure | development | test (95% interval) | all (95% interval) |\n|---|---|---|---|---|"
    )
    full_ranking(load_beir("Cranfield", options.cranfield), models)
    if options.near_misses:
        near_misses(
            [load_beir(f.parent.name, f.parent, judged_only=True) for f in sorted(options.near_misses.glob("*/qrels"))],
            models,
        )
    candidate_lists(load_packages(options.cache), models)
    for reranker in models.rerankers.values():
        reranker.close()


class Reranker:
    """The reranker as zrank runs it, in fp32: a process of score.mjs, which needs the built repository around it."""

    def __init__(self, folder: Path) -> None:
        command = ["node", Path(__file__).with_name("score.mjs"), folder]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def score(self, query: str, documents: list[str]) -> list[float]:
        """One logit a document."""
        print(json.dumps({"query": query, "documents": documents}), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise RuntimeError("score.mjs failed")


class Models:
    """The retriever as sentence-transformers loads it, in fp32, the rerankers, and the teacher."""

    def __init__(self, folder: Path, rerankers: list[str]) -> None:
        self.retriever = SentenceTransformer(str(folder / "zrank-tiny-retriever"), device="cpu").float()
        self.rerankers = {name: Reranker(folder / name) for name in rerankers}
        self.teacher = minilm()

    def retrieve(self, benchmark: Benchmark) -> Scores:
        return self.retriever.encode(benchmark.queries) @ self.retriever.encode(benchmark.documents).T

    def teach(self, benchmark: Benchmark) -> Scores:
        queries = self.teacher.encode(benchmark.queries, 256).astype(np.float32)
        return queries @ self.teacher.encode(benchmark.documents, 256).astype(np.float32).T

    def rerank(self, benchmark: Benchmark) -> dict[str, Pairs]:
        """For each reranker, what gives the logits of candidates."""
        return {name: self._logits(benchmark, reranker) for name, reranker in self.rerankers.items()}

    @staticmethod
    def _logits(benchmark: Benchmark, reranker: Reranker) -> Pairs:
        """Each pair is scored once."""
        known: dict[tuple[int, int], float] = {}

        def score(query: int, candidates: list[int]) -> np.ndarray:
            new = [d for d in candidates if (query, d) not in known]
            if new:
                logits = reranker.score(benchmark.queries[query], [benchmark.documents[d] for d in new])
                known.update(zip([(query, d) for d in new], logits))
            return np.array([known[query, d] for d in candidates])

        return score


def full_ranking(benchmark: Benchmark, models: Models) -> None:
    """NDCG@10 of BM25 and of the retriever over all documents, and of their best 50 reranked."""
    retrieved, taught, rerank = models.retrieve(benchmark), models.teach(benchmark), models.rerank(benchmark)
    values: dict[str, list[float]] = {}
    for query, grades in enumerate(benchmark.grades):
        for first, scores in (
            ("BM25", benchmark.bm25),
            ("zrank-tiny-retriever", retrieved),
            ("MiniLM (the teacher)", taught),
        ):
            best = order(scores[query])[:TOP].tolist()
            values.setdefault(first, []).append(ndcg_at_10(best, grades))
            if first.startswith("MiniLM"):
                continue
            logits_of = {name: logits(query, best) for name, logits in rerank.items()} | {"MiniLM": taught[query, best]}
            for second, logits in logits_of.items():
                values.setdefault(f"{first} top {TOP}, reranked by {second}", []).append(
                    ndcg_at_10([best[i] for i in order(logits)], grades)
                )
    for ranker, per_query in values.items():
        report(benchmark, ranker, "NDCG@10", per_query)
    for first in ("BM25", "zrank-tiny-retriever"):
        for second in rerank:
            gain = np.subtract(values[f"{first} top {TOP}, reranked by {second}"], values[first])
            report(benchmark, f"gain of reranking {first} by {second}", "NDCG@10", gain)


def candidate_lists(benchmark: Benchmark, models: Models) -> None:
    """NDCG@10 over given candidates, of which the first is right; ties count against it."""
    retrieved, taught, rerank = models.retrieve(benchmark), models.teach(benchmark), models.rerank(benchmark)
    rankers: dict[str, Pairs] = {
        "BM25": lambda q, c: benchmark.bm25[q, c],
        "zrank-tiny-retriever": lambda q, c: retrieved[q, c],
        **rerank,
        "MiniLM (the teacher)": lambda q, c: taught[q, c],
    }
    values: dict[str, list[float]] = {}
    for ranker, score in rankers.items():
        for query, candidates in enumerate(benchmark.candidates):
            scores = score(query, candidates)
            better = int((scores[1:] >= scores[0]).sum())
            values.setdefault(ranker, []).append(1 / np.log2(better + 2) if better < 10 else 0.0)
        report(benchmark, ranker, "NDCG@10", values[ranker])
    for name in rerank:
        report(benchmark, f"{name} minus BM25", "NDCG@10", np.subtract(values[name], values["BM25"]))
    for ranker in rankers:
        print(f"| packages, first 100: {ranker} | NDCG@10 | | | {_interval(values[ranker][:100])} |")


def near_misses(benchmarks: list[Benchmark], models: Models) -> None:
    """How often the best grade comes first among a query's judged documents; ties count against it."""
    rankers = ("length alone", "BM25", "zrank-tiny-retriever", *models.rerankers, "MiniLM (the teacher)")
    development: dict[str, list[float]] = {ranker: [] for ranker in rankers}
    test: dict[str, list[float]] = {ranker: [] for ranker in rankers}
    for benchmark in benchmarks:
        retrieved, taught, rerank = models.retrieve(benchmark), models.teach(benchmark), models.rerank(benchmark)
        for query, candidates in enumerate(benchmark.candidates):
            lengths = [float(len(benchmark.documents[d])) for d in candidates]
            scores = (
                lengths,
                benchmark.bm25[query, candidates],
                retrieved[query, candidates],
                *(logits(query, candidates) for logits in rerank.values()),
                taught[query, candidates],
            )
            right = max(range(len(candidates)), key=lambda i: benchmark.grades[query][candidates[i]])
            part = development if benchmark.is_development(query) else test
            for ranker, values in zip(rankers, scores):
                part[ranker].append(accuracy_at_1(np.asarray(values), right))
    for ranker in rankers:
        row(f"near misses: {ranker}", "accuracy@1", development[ranker], test[ranker])


def report(benchmark: Benchmark, ranker: str, measure: str, per_query) -> None:
    development = [v for q, v in enumerate(per_query) if benchmark.is_development(q)]
    test = [v for q, v in enumerate(per_query) if not benchmark.is_development(q)]
    row(f"{benchmark.name}: {ranker}", measure, development, test)


def row(name: str, measure: str, development: list[float], test: list[float]) -> None:
    print(
        f"| {name} | {measure} | {np.mean(development):.3f} | {_interval(test)} | {_interval([*development, *test])} |",
        flush=True,
    )


def _interval(values) -> str:
    mean, low, high = interval(values)
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
