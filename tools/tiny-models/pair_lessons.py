"""What zrank-small learns from: a vocabulary, the groups as tokens, and titles with candidate passages and the scores
that it shall imitate.
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

TITLE_TOKENS, TEXT_TOKENS = 24, 72
CANDIDATES = 8  # of a title: its own passage, 3 of BM25's best, 2 of the teacher's best, 2 others
LEXICAL = 0.25  # what BM25, its best being 1, adds to the teacher's cosine in the scores to imitate
OWN = 0.05  # what the title's own passage gets besides


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
class Titles:
    """Titles, all passages, and for each title its candidates and the scores to imitate, [titles, CANDIDATES]; a title's
    own passage is its first candidate."""

    titles: list[list[int]]
    passages: list[list[int]]
    candidates: np.ndarray
    scores: np.ndarray


def titles_of(
    corpus: list[Passage], tokenizer: Tokenizer, teacher: Teacher, size: int, cache: Path, seed: int
) -> Titles:
    """Candidates for the titles of the first `size` passages that have one of at least two words."""
    chosen = [p for p in corpus if len(p.title.split()) > 1][:size]
    vectors = [
        teacher.encode_cached(texts, most, cache).astype(np.float32)
        for texts, most in (([p.title for p in chosen], TITLE_TOKENS), ([p.text for p in chosen], TEXT_TOKENS))
    ]
    titles = segments(tokenizer, [p.title for p in chosen], TITLE_TOKENS)
    passages = segments(tokenizer, [p.text for p in chosen], TEXT_TOKENS)
    lexical = _bm25(titles, passages, tokenizer.get_vocab_size())
    shuffle = np.random.default_rng(seed)
    candidates, scores = [], []
    for row in range(len(chosen)):
        words = np.asarray(lexical[row].todense()).ravel()
        cosines = vectors[1] @ vectors[0][row]
        picked = [row]
        for ranked, number in ((np.argsort(-words)[:20], 3), (np.argsort(-cosines)[:20], 2)):
            others = [d for d in ranked if d not in picked]
            picked += shuffle.choice(others, number, replace=False).tolist()
        picked += shuffle.choice(len(chosen), CANDIDATES - len(picked), replace=False).tolist()
        wanted = cosines[picked] + LEXICAL * words[picked] / max(words.max(), 1e-6)
        wanted[0] += OWN
        candidates.append(picked)
        scores.append(wanted)
    return Titles(titles, passages, np.array(candidates), np.array(scores, np.float32))


def _bm25(titles: list[list[int]], passages: list[list[int]], size: int, k1: float = 1.5, b: float = 0.75):
    """BM25 of the tokens of titles in passages, sparse, [titles, passages]. Tokens in more than a tenth are left out."""
    counts = _counts(passages, size)
    lengths = np.array([len(p) for p in passages])
    weights = k1 * (1 - b + b * lengths / lengths.mean())
    counts.data = counts.data * (k1 + 1) / (counts.data + np.repeat(weights, np.diff(counts.indptr)))
    seen = np.bincount(counts.indices, minlength=size)
    idf = np.where(seen < len(passages) / 10, idf_of(passages, size), 0)
    return (_counts(titles, size).multiply(idf[None]).tocsr() @ counts.T).tocsr()


def _counts(texts: list[list[int]], size: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(texts)), [len(t) for t in texts])
    columns = np.concatenate([np.asarray(t) for t in texts])
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(texts), size))
