"""The sets that the models are measured on. Nothing in them is ever trained on.

Queries 0, 3, 6, ... of every set are the development part, on which choices were made; the others are the test part.
"""

from __future__ import annotations

import csv
import json
import random
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import bm25s
import numpy as np

from metrics import order

DEVELOPMENT_STEP = 3


@dataclass
class Benchmark:
    """Texts and, for every query, the grades of documents and the candidates to rank (all documents where None)."""

    name: str
    queries: list[str]
    documents: list[str]
    grades: list[dict[int, int]]
    candidates: list[list[int]] | None = None
    bm25: np.ndarray = field(init=False)  # [queries, documents]

    def __post_init__(self) -> None:
        self.bm25 = bm25_scores(self.queries, self.documents)

    def is_development(self, query: int) -> bool:
        return query % DEVELOPMENT_STEP == 0


def bm25_scores(queries: list[str], documents: list[str]) -> np.ndarray:
    """bm25s with its defaults (Lucene's variant, k1 1.5, b 0.75), English stop words, no stemming."""
    index = bm25s.BM25()
    index.index(bm25s.tokenize(documents, stopwords="en", show_progress=False), show_progress=False)
    words = bm25s.tokenize(queries, stopwords="en", show_progress=False, return_ids=False)
    known = [[w for w in query if w in index.vocab_dict] for query in words]
    return np.stack([index.get_scores(q) if q else np.zeros(len(documents), np.float32) for q in known])


def load_beir(name: str, folder: Path, judged_only: bool = False) -> Benchmark:
    """A folder with corpus.jsonl, queries.jsonl and qrels/test.tsv."""
    corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text("utf-8").splitlines()]
    row = {d["_id"]: i for i, d in enumerate(corpus)}
    documents = [f"{d.get('title', '')} {d['text']}".strip() for d in corpus]
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text("utf-8").splitlines()]
    grades: dict[str, dict[int, int]] = {}
    with (folder / "qrels" / "test.tsv").open(encoding="utf-8", newline="") as file:
        for judgement in csv.DictReader(file, delimiter="\t"):
            grades.setdefault(judgement["query-id"], {})[row[judgement["corpus-id"]]] = int(judgement["score"])
    queries = [q for q in queries if q["_id"] in grades]
    judged = [grades[q["_id"]] for q in queries]
    candidates = [sorted(g) for g in judged] if judged_only else None
    return Benchmark(name, [q["text"] for q in queries], documents, judged, candidates)


def load_packages(cache: Path, queries: int = 300, depth: int = 100) -> Benchmark:
    """Debian package descriptions: the one-line summary is the query, the long text of the same package is right, and
    BM25's best others complete the list. The first 100 queries are the set that the first models were measured on."""
    held_out = _package_descriptions(cache)[:3000]
    chosen = random.Random(1).sample(range(len(held_out)), queries)
    texts = [text for _, text in held_out]
    packages = Benchmark("packages", [held_out[i][0] for i in chosen], texts, [{i: 1} for i in chosen])
    packages.candidates = [
        [i, *(int(j) for j in order(scores)[: depth + 1] if j != i)][:depth] for i, scores in zip(chosen, packages.bm25)
    ]
    return packages


def _package_descriptions(cache: Path) -> list[tuple[str, str]]:
    """Summary and text of the packages of Debian 12, shuffled; those that begin alike are left out."""
    lists = cache / "lists"
    if not lists.exists():
        (lists / "partial").mkdir(parents=True)
        options = ["-o", "Acquire::Languages=en", "-o", f"Dir::State::lists={lists.resolve()}"]
        subprocess.run(["apt-get", "update", "-q", *options], check=True)
    (index,) = lists.glob("*_bookworm_main_i18n_Translation-en*")
    entries = subprocess.run(
        ["/usr/lib/apt/apt-helper", "cat-file", index], capture_output=True, text=True, check=True
    ).stdout
    found = []
    for entry in entries.split("\n\n"):
        match = re.search(r"(?ms)^Description-en: (.*?)\n((?: .*\n?)+)", entry + "\n")
        if match:
            summary, text = (
                match.group(1).strip(),
                re.sub(r"\s+", " ", re.sub(r"\n \.\n", "\n", match.group(2))).strip(),
            )
            if len(text) >= 120 and len(summary) >= 12:
                found.append((summary, text if len(text) <= 600 else text[:600].rpartition(" ")[0]))
    random.Random(0).shuffle(found)
    seen: set[str] = set()
    distinct = []
    for summary, text in found:
        if seen.isdisjoint((summary.lower(), text[:80])):
            seen |= {summary.lower(), text[:80]}
            distinct.append((summary, text))
    return distinct
