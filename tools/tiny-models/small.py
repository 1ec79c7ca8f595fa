"""Makes zrank-small: lessons, network, training, calibration, folder. make.py calls it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

import pair_export
from corpus import Passage
from groups import Group, load_groups
from pair_development import Scorer, calibrate, held_out_choices
from pair_lessons import Lists, Pairs, idf_of, pair_tokenizer, segments, vocabulary_of
from pair_network import POSITIONS, PairNetwork, Shape, Texts, from_minilm
from pair_training import PairGroups, Training, train
from teacher import Teacher

ENTRIES = 23_000
TITLES = 8_000
IDF_PASSAGES = 40_000
QUESTION_TOKENS, PASSAGE_TOKENS = 40, 96
TITLE_TOKENS, TEXT_TOKENS = 24, 72
LEXICAL = 0.25  # what word matching adds to the scores of titles; in those of questions it would cost near misses
KEPT = 0.7  # of the way from MiniLM to the trained weights (WiSE-FT, arXiv:2109.01903)
SHAPE = Shape()
THREADS = 2


def make(corpus: list[Passage], small: Teacher, large: Teacher, folder: Path, cache: Path, seed: int) -> None:
    """Trains for Training.seconds, or what a checkpoint in the cache leaves of them, and writes the folder, and into the
    cache what test/fixtures/zrank-small.json holds. `small` is MiniLM, `large` the teacher beside it."""
    torch.manual_seed(seed)
    torch.set_num_threads(THREADS)
    groups = load_groups()
    entries = vocabulary_of(small, corpus, groups, ENTRIES)
    spec = pair_tokenizer(small, entries)
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    network = start(small, entries, tokenizer, corpus)
    before = copy.deepcopy(network)
    taught = [g for g in groups if not g.held_out]
    lists = lists_of(corpus, taught, tokenizer, [small, large], cache, seed)
    train(network, tokens_of(taught, tokenizer, large, cache), lists, Training(), cache / "small.pt")
    network.mix(before, KEPT)
    finish(network, spec, folder)
    (cache / "zrank-small.json").write_text(
        json.dumps(expected(network, spec), indent=2, ensure_ascii=False) + "\n", "utf-8"
    )


def start(teacher: Teacher, entries: list[str], tokenizer: Tokenizer, corpus: list[Passage]) -> PairNetwork:
    """The network before training: MiniLM's weights, the words already rounded as the file will hold them."""
    known = teacher.tokenizer_json["model"]["vocab"]
    passages = [encoding.ids for encoding in tokenizer.encode_batch([p.text for p in corpus[:IDF_PASSAGES]])]
    network = from_minilm(teacher.weights(), [known[e] for e in entries], idf_of(passages, len(entries)), SHAPE)
    values, scale = pair_export.quantize_words(network.words.detach().numpy())
    network.words.data = torch.tensor(values * scale)
    return network


def lists_of(
    corpus: list[Passage], groups: list[Group], tokenizer: Tokenizer, teachers: list[Teacher], cache: Path, seed: int
) -> list[Lists]:
    """Of the titles of the first TITLES passages that have one of at least two words, and of the groups' questions."""
    chosen = [p for p in corpus if len(p.title.split()) > 1][:TITLES]
    titles = Pairs.of(
        [p.title for p in chosen],
        [p.text for p in chosen],
        tokenizer,
        teachers,
        (TITLE_TOKENS, TEXT_TOKENS),
        cache,
    )
    questions = Pairs.of(
        [q for g in groups for q in g.questions],
        [p for g in groups for p in g.passages],
        tokenizer,
        teachers,
        (QUESTION_TOKENS, PASSAGE_TOKENS),
        cache,
    )
    size = tokenizer.get_vocab_size()
    return [Lists.of(titles, size, LEXICAL, seed), Lists.of(questions, size, 0, seed)]


def tokens_of(groups: list[Group], tokenizer: Tokenizer, teacher: Teacher, cache: Path) -> PairGroups:
    ends = np.cumsum([len(g.questions) for g in groups])[:-1]
    questions = teacher.encode_cached([q for g in groups for q in g.questions], QUESTION_TOKENS, cache)
    passages = teacher.encode_cached([p for g in groups for p in g.passages], PASSAGE_TOKENS, cache)
    both = zip(np.split(questions.astype(np.float32), ends), np.split(passages.astype(np.float32), ends))
    return PairGroups(
        [segments(tokenizer, g.questions, QUESTION_TOKENS) for g in groups],
        [segments(tokenizer, g.passages, PASSAGE_TOKENS) for g in groups],
        [g.symmetric for g in groups],
        [asked @ given.T for asked, given in both],
    )


def finish(network: PairNetwork, spec: dict, folder: Path) -> None:
    """Calibrates the trained network and writes its folder."""
    network.eval()
    scorer = Scorer(network, Tokenizer.from_str(json.dumps(spec)))
    network.rescale(*calibrate(scorer))
    print(f"held-out groups: {held_out_choices(scorer):.3f}", flush=True)
    pair_export.write(network, spec, folder)


PAIRS = [
    ("how do I keep bread fresh", "Keep bread in a paper bag."),
    ("how do I keep bread fresh", "A tax on sugar."),
    ("how do I keep bread fresh", "Bake bread at 230 °C."),
    ("undo the last commit but keep the changes", "git reset --soft HEAD~1 leaves the changes staged. " * 8),
    ("undo the last commit but keep the changes", "git reset --hard HEAD~1 throws the changes away."),
    ("", "Bread without a question."),
    ("an empty document", ""),
    ("Müller's café 漢字", "the café of Müller"),
]


@torch.inference_mode()
def expected(network: PairNetwork, spec: dict) -> dict:
    """Logits of a few pairs as torch computes them in fp32 with the weights as the file gives them back."""
    kept = copy.deepcopy(network).eval()
    values = kept.state_dict()
    for name, value in pair_export.quantized(network).items():
        values[name].copy_(torch.tensor(value))
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    sides = ([Texts.of(segments(tokenizer, [text], POSITIONS)) for text in pair] for pair in PAIRS)
    return {"pairs": PAIRS, "logits": [float(kept(*side)) for side in sides]}
