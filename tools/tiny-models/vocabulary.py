"""WordPiece vocabularies for the tiny models: the teacher's, cut to size by use and, for the retriever, split at
regular endings.

"pressures" is then no entry where "pressure" and "##s" are: both forms share a token, which is the stemming of search
engines done by the tokenizer alone, and the freed entries go to words that the teacher's vocabulary lacks.
"""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
from tokenizers import Tokenizer

from corpus import Passage
from teacher import Teacher

ENDINGS = ("s", "ed", "d", "ing", "ly", "es", "al", "er", "ers", "ness")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def count_words(corpus: list[Passage], tokenizer: Tokenizer) -> Counter[str]:
    """How often each word (of the teacher's normalizer and pre-tokenizer) stands in titles and texts."""
    words: Counter[str] = Counter()
    for passage in corpus:
        text = tokenizer.normalizer.normalize_str(f"{passage.title} {passage.text}")
        words.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))
    return words


def wordpiece(word: str, vocabulary: set[str] | dict[str, int]) -> list[str]:
    """The longest entry first, from left to right, as tokenizers does it; ["[UNK]"] where that fails."""
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = word[start:end] if start == 0 else f"##{word[start:end]}"
            if piece in vocabulary:
                break
        else:
            return ["[UNK]"]
        pieces.append(piece)
        start = end
    return pieces


def build_vocabulary(
    teacher: Teacher, words: Counter[str], size: int, similarity: float | None, new_words: int
) -> list[str]:
    """Entries in the order of their ids. `similarity`: the least cosine of the teacher's vectors of a form and its stem
    for the form to be split (None: nothing is); `new_words`: how many frequent words beyond the teacher's vocabulary
    may enter."""
    known = [e for e in teacher.tokenizer_json["model"]["vocab"] if e.isascii() and not e.startswith("[")]
    fresh = [
        w
        for w, n in words.most_common()
        if n >= 5 and w.isascii() and w.isalpha() and len(w) > 3 and w not in set(known)
    ]
    entries = set(known) | set(fresh[:new_words])
    if similarity is not None:
        entries -= _split_forms(teacher, entries, similarity)
        entries |= {f"##{ending}" for ending in ENDINGS}
    single = {e for e in known if len(e.removeprefix("##")) == 1}
    uses = Counter()
    for word, n in words.items():
        for piece in wordpiece(word, entries):
            uses[piece] += n
    # The teacher's ids follow frequency: a prior for entries that this corpus seldom uses.
    rank = {e: i for i, e in enumerate(teacher.tokenizer_json["model"]["vocab"])}
    ordered = sorted(entries - single, key=lambda e: (-(uses[e] + 30_000 / (rank.get(e, 30_000) + 1)), e))
    return [*SPECIAL, *sorted(single), *ordered[: size - len(SPECIAL) - len(single)]]


def _split_forms(teacher: Teacher, entries: set[str], similarity: float) -> set[str]:
    """Whole-word entries that are another entry plus a regular ending and mean nearly the same to the teacher."""
    pairs = []
    for form in sorted(entries):
        for ending in ENDINGS:
            stem = form.removesuffix(ending)
            if stem != form and len(stem) >= 3 and stem in entries and form.isalpha():
                pairs.append((form, stem, ending))
    forms, stems = (teacher.encode([pair[side] for pair in pairs], 16).astype(np.float32) for side in (0, 1))
    alike = {pair[0]: pair for pair, cosine in zip(pairs, (forms * stems).sum(1)) if cosine >= similarity}
    left = entries - set(alike) | {f"##{ending}" for ending in ENDINGS}
    return {form for form, stem, ending in alike.values() if wordpiece(form, left) == [stem, f"##{ending}"]}


def make_tokenizer_json(teacher: Teacher, entries: list[str]) -> dict:
    """The teacher's tokenizer.json with these entries, no added [CLS] and [SEP], no padding and no truncation."""
    spec = copy.deepcopy(teacher.tokenizer_json)
    spec["model"]["vocab"] = {entry: i for i, entry in enumerate(entries)}
    for token in spec["added_tokens"]:
        token["id"] = spec["model"]["vocab"][token["content"]]
    spec["post_processor"] = spec["padding"] = spec["truncation"] = None
    return spec
