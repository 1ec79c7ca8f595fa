"""Makes the models: python make.py --out ../../models (see README.md)."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

import formula
import reranker
import small
from corpus import load_corpus
from encoder import Encoder
from groups import load_groups
from layout import reranker_tokenizer, write_reranker, write_retriever
from retriever import Fit, fit, initial_table, projection, token_ids
from teacher import minilm, mpnet
from training import Taught, TaughtGroups, Training, train
from vocabulary import build_vocabulary, count_words, make_tokenizer_json

SEED = 1
TITLE_TOKENS, TEXT_TOKENS = 40, 80


@dataclass(frozen=True)
class Recipe:
    """How a vocabulary and its table are made."""

    size: int
    form_similarity: float | None
    new_words: int
    fit: Fit


# The retriever gains from split forms and a target with lexical overlap; the reranker, which has a lexical part of its
# own, from whole words and a target that is the teacher's alone (figures in README.md).
RETRIEVER = Recipe(15_500, 0.6, 4_000, Fit(sif=1e-4, steps=1800, imitation=1.0, lexical=0.3))
RERANKER = Recipe(15_500, None, 0, Fit(sif=1e-3, steps=900, imitation=0.3, lexical=0.0))
HEADS, POOLING_HEADS, ENCODER_UNITS = 2, 3, reranker.UNITS - reranker.PRODUCT_UNITS
THREADS = 2  # of the encoder's training; the number decides the order of summation


class Lessons:
    """The corpus and the teacher's vectors of it."""

    def __init__(self, cache: Path) -> None:
        corpus = load_corpus(cache, SEED)
        self.titles, self.texts = [p.title for p in corpus], [p.text for p in corpus]
        self.teacher = minilm()
        self.words = count_words(corpus, self.teacher.tokenizer)
        print(f"encoding {len(corpus)} titles and passages with the teacher", flush=True)
        self.title_vectors = self.teacher.encode_cached(self.titles, TITLE_TOKENS, cache).astype(np.float32)
        self.text_vectors = self.teacher.encode_cached(self.texts, TEXT_TOKENS, cache).astype(np.float32)


@dataclass(frozen=True)
class Table:
    """A tokenizer, a vector for each of its tokens, and how many passages hold each token."""

    tokenizer: dict  # tokenizer.json
    vectors: np.ndarray  # fp16
    frequency: np.ndarray


def make_table(lessons: Lessons, recipe: Recipe) -> Table:
    entries = build_vocabulary(lessons.teacher, lessons.words, recipe.size, recipe.form_similarity, recipe.new_words)
    spec = make_tokenizer_json(lessons.teacher, entries)
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    titles, texts = token_ids(tokenizer, lessons.titles), token_ids(tokenizer, lessons.texts)
    uses = np.bincount(np.concatenate(titles + texts), minlength=len(entries)) + 1
    frequency = np.bincount(np.concatenate([np.unique(ids) for ids in texts]), minlength=len(entries))
    idf = np.log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
    basis = projection(lessons.text_vectors, recipe.fit.dimension)
    start = initial_table(lessons.teacher, entries, uses, basis, recipe.fit.sif)
    vectors = fit(start, titles, texts, lessons.title_vectors @ basis, lessons.text_vectors @ basis, idf, recipe.fit)
    return Table(spec, vectors.astype(np.float16), frequency)


def make_encoder(lessons: Lessons, table: Table, cache: Path) -> Encoder:
    """The encoder on the table, trained."""
    tokenizer = Tokenizer.from_str(json.dumps(table.tokenizer))
    basis = projection(lessons.text_vectors, table.vectors.shape[1])
    silent = np.zeros(len(table.vectors), bool)
    silent[[tokenizer.token_to_id(word) for word in reranker.TEMPLATE_WORDS]] = True
    groups = [g for g in load_groups() if not g.held_out]
    settings = Training()

    def taught(texts: list[str], vectors: np.ndarray, most_tokens: int) -> Taught:
        return Taught.of(token_ids(tokenizer, texts), vectors @ basis, most_tokens)

    def encoded(texts: list[str]) -> Taught:
        return taught(texts, lessons.teacher.encode_cached(texts, TEXT_TOKENS, cache).astype(np.float32), TEXT_TOKENS)

    titles = taught(lessons.titles, lessons.title_vectors, settings.title_tokens)
    texts = taught(lessons.texts, lessons.text_vectors, settings.passage_tokens)
    questions, passages = (
        encoded([q for g in groups for q in g.questions]),
        encoded([p for g in groups for p in g.passages]),
    )
    torch.manual_seed(SEED)
    encoder = Encoder(table.vectors.astype(np.float32), silent, HEADS, POOLING_HEADS, ENCODER_UNITS)
    torch.set_num_threads(THREADS)
    train(
        encoder,
        titles,
        texts,
        TaughtGroups(questions, passages, [len(g.questions) for g in groups], [g.symmetric for g in groups]),
        settings,
    )
    return encoder


def make_reranker(table: Table, encoder: Encoder, passages: int, folder: Path) -> None:
    constants = formula.Settings()
    tokenizer = reranker_tokenizer(table.tokenizer)
    vocabulary = tokenizer["model"]["vocab"]
    is_word = np.array([entry.removeprefix("##").isalnum() for entry in vocabulary])
    weights = formula.token_weights(table.vectors.astype(np.float32), table.frequency, passages, is_word, constants)
    named, shape = reranker.construct(encoder, weights, vocabulary, constants)
    write_reranker(folder, tokenizer, named, shape)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("models"), help="folder for the model folders")
    arguments.add_argument("--cache", type=Path, default=Path(".cache"), help="folder for packages and teacher vectors")
    arguments.add_argument("--models", nargs="+", choices=["tiny", "small"], default=["tiny", "small"])
    options = arguments.parse_args()
    made = []
    if "tiny" in options.models:
        made += make_tiny(options.out, options.cache)
    if "small" in options.models:
        made.append(options.out / "zrank-small")
        small.make(load_corpus(options.cache, SEED), minilm(), mpnet(options.cache), made[-1], options.cache, SEED)
    for folder in made:
        shutil.copy(Path(__file__).with_name("NOTICE.txt"), folder)
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".safetensors", ".json", ".jinja", ".onnx"):
                print(hashlib.sha256(file.read_bytes()).hexdigest(), file.relative_to(options.out))


def make_tiny(out: Path, cache: Path) -> list[Path]:
    """The retriever and the Qwen3-shaped reranker; returns their folders."""
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # one order of summation, whatever the machine

    lessons = Lessons(cache)
    retriever, matcher = out / "zrank-tiny-retriever", out / "zrank-tiny"
    print("fitting the retriever's table", flush=True)
    table = make_table(lessons, RETRIEVER)
    write_retriever(retriever, table.tokenizer, table.vectors)
    print("fitting the reranker's table", flush=True)
    table = make_table(lessons, RERANKER)
    print("training the reranker's encoder", flush=True)
    make_reranker(table, make_encoder(lessons, table, cache), len(lessons.texts), matcher)
    torch.use_deterministic_algorithms(False)
    return [retriever, matcher]


if __name__ == "__main__":
    main()
