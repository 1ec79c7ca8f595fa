"""What zrank-small learns from: a vocabulary, the groups as tokens with the larger teacher's cosines, and queries (titles,
and the groups' questions) with candidate passages and the scores that it shall imitate.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
from tokenizers import Tokenizer

from corpus import Passage
from groups import Group
from teacher import Teacher
from vocabulary import SPECIAL, build_vocabulary, count_words

CANDIDATES = 8  # of a query: its own passage, 3 of BM25's best, 2 of the teachers' best, 2 others
OWN = 0.05  # what the query's own passage gets besides
_ROWS = 256  # queries whose scores are computed together


def vocabulary_of(teacher: Teacher, corpus: list[Passage], groups: list[Group], size: int) -> list[str]:
    """The teacher's entries that the corpus and the groups use most, in the order of their ids."""
    words: Counter[str] = count_words(corpus, teacher.tokenizer)
    taught = [g for g in groups if not g.held_out]
    words.update(
        count_words([Passage("", q, p) for g in taught for q, p in zip(g.questions, g.passages)], teacher.tokenizer)
    )
    return build_vocabulary(teacher, words, size, None, 0)


def pair_tokenizer(teacher: Teacher, entries: list[str]) -> dict:
    """tokenizer.json: the teacher's with these entries; a pair is [CLS] query [SEP] [CLS] document [SEP]."""
    spec = copy.deepcopy(teacher.tokenizer_json)
    spec["model"]["vocab"] = {entry: i for i, entry in enumerate(entries)}
    for token in spec["added_tokens"]:
        token["id"] = spec["model"]["vocab"][token["content"]]
    spec["padding"] = spec["truncation"] = None

    def segment(name: str, kind: int) -> list[dict]:
        first, last = ({"SpecialToken": {"id": mark, "type_id": kind}} for mark in ("[CLS]", "[SEP]"))
        return [first, {"Sequence": {"id": name, "type_id": kind}}, last]

    spec["post_processor"] = {
        "type": "TemplateProcessing",
        "single": segment("A", 0),
        "pair": [*segment("A", 0), *segment("B", 1)],
        "special_tokens": {
            mark: {"id": mark, "ids": [spec["model"]["vocab"][mark]], "tokens": [mark]} for mark in ("[CLS]", "[SEP]")
        },
    }
    return spec


def idf_of(ids: list[list[int]], size: int) -> np.ndarray:
    """BM25's idf of each token over the passages; 0 for the special ones."""
    seen = np.bincount(np.concatenate([np.unique(text) for text in ids]), minlength=size)
    idf = np.log(1 + (len(ids) - seen + 0.5) / (seen + 0.5))
    idf[: len(SPECIAL)] = 0
    return idf


def segments(tokenizer: Tokenizer, texts: list[str], most: int) -> list[list[int]]:
    """[CLS], the text, [SEP]: at most `most` tokens."""
    last = tokenizer.token_to_id("[SEP]")
    ids = (encoding.ids for encoding in tokenizer.encode_batch(texts))
    return [text if len(text) <= most else [*text[: most - 1], last] for text in ids]


@dataclass(frozen=True)
class Pairs:
    """Queries, as many passages that each answer their own, and the teachers' vectors of both, [pairs, width]; cosines of
    teachers side by side in one vector are their mean."""

    queries: list[list[int]]
    passages: list[list[int]]
    query_vectors: np.ndarray
    passage_vectors: np.ndarray

    @classmethod
    def of(
        cls,
        queries: list[str],
        passages: list[str],
        tokenizer: Tokenizer,
        teachers: list[Teacher],
        most: tuple[int, int],
        cache: Path,
    ) -> Pairs:
        """`most`: tokens of a query and of a passage."""
        ids = (segments(tokenizer, texts, tokens) for texts, tokens in zip((queries, passages), most))
        vectors = (
            np.concatenate([t.encode_cached(texts, tokens, cache).astype(np.float32) for t in teachers], 1)
            * len(teachers) ** -0.5
            for texts, tokens in zip((queries, passages), most)
        )
        return cls(*ids, *vectors)


@dataclass(frozen=True)
class Lists:
    """Candidates of each query, as numbers of passages, and the scores to imitate, [queries, CANDIDATES]; a query's own
    passage is its first candidate."""

    queries: list[list[int]]
    passages: list[list[int]]
    candidates: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, pairs: Pairs, vocabulary: int, lexical: float, seed: int) -> Lists:
        """`lexical`: what BM25, its best being 1, adds to the teachers' cosine in the scores."""
        matches = _bm25(pairs.queries, pairs.passages, vocabulary)
        shuffle = np.random.default_rng(seed)
        number, candidates, scores = len(pairs.queries), [], []
        for start in range(0, number, _ROWS):
            rows = range(start, min(start + _ROWS, number))
            cosines = pairs.query_vectors[rows] @ pairs.passage_vectors.T
            for row, cosine, words in zip(rows, cosines, matches[rows].toarray()):
                picked = [row]
                for ranked, taken in ((_best(words, 20), 3), (_best(cosine, 20), 2)):
                    picked += shuffle.choice(np.setdiff1d(ranked, picked), taken, replace=False).tolist()
                picked += shuffle.choice(number, CANDIDATES - len(picked), replace=False).tolist()
                wanted = cosine[picked] + lexical * words[picked] / max(words.max(), 1e-6)
                wanted[0] += OWN
                candidates.append(picked)
                scores.append(wanted)
        return cls(pairs.queries, pairs.passages, np.array(candidates), np.array(scores, np.float32))


def _best(scores: np.ndarray, number: int) -> np.ndarray:
    """The rows of the highest scores, in no order."""
    return np.argpartition(-scores, number)[:number]


def _bm25(queries: list[list[int]], passages: list[list[int]], size: int, k1: float = 1.5, b: float = 0.75):
    """BM25 of the tokens of queries in passages, sparse, [queries, passages]. Tokens in more than a tenth are left out."""
    counts = _counts(passages, size)
    lengths = np.array([len(p) for p in passages])
    weights = k1 * (1 - b + b * lengths / lengths.mean())
    counts.data = counts.data * (k1 + 1) / (counts.data + np.repeat(weights, np.diff(counts.indptr)))
    seen = np.bincount(counts.indices, minlength=size)
    idf = np.where(seen < len(passages) / 10, idf_of(passages, size), 0)
    return (_counts(queries, size).multiply(idf[None]).tocsr() @ counts.T).tocsr()


def _counts(texts: list[list[int]], size: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(texts)), [len(t) for t in texts])
    columns = np.concatenate([np.asarray(t) for t in texts])
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(texts), size))
