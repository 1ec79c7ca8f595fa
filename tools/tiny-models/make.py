"""Makes both models: python make.py --out ../../models (see README.md)."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

import formula
import reranker
from corpus import load_corpus
from layout import reranker_tokenizer, write_reranker, write_retriever
from retriever import Fit, fit, initial_table, projection, token_ids
from teacher import Teacher
from vocabulary import build_vocabulary, count_words, make_tokenizer_json

SEED = 1
VOCABULARY_SIZE = 15_500
NEW_WORDS = 4_000
FORM_SIMILARITY = 0.6
TITLE_TOKENS, TEXT_TOKENS = 40, 80


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("models"), help="folder for the two model folders")
    arguments.add_argument("--cache", type=Path, default=Path(".cache/tiny-models"), help="folder for packages and teacher vectors")
    options = arguments.parse_args()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums are then in one order, whatever the machine's load

    print("reading the corpus")
    corpus = load_corpus(options.cache, SEED)
    titles, texts = [p.title for p in corpus], [p.text for p in corpus]
    print(f"encoding {len(corpus)} titles and passages with the teacher")
    teacher = Teacher()
    title_vectors = teacher.encode_cached(titles, TITLE_TOKENS, options.cache).astype(np.float32)
    text_vectors = teacher.encode_cached(texts, TEXT_TOKENS, options.cache).astype(np.float32)

    print("building the vocabulary")
    entries = build_vocabulary(teacher, count_words(corpus, teacher.tokenizer), VOCABULARY_SIZE, FORM_SIMILARITY, NEW_WORDS)
    spec = make_tokenizer_json(teacher, entries)
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    title_ids, text_ids = token_ids(tokenizer, titles), token_ids(tokenizer, texts)
    uses = np.bincount(np.concatenate(title_ids + text_ids), minlength=len(entries)) + 1
    frequency = np.bincount(np.concatenate([np.unique(ids) for ids in text_ids]), minlength=len(entries))
    idf = np.log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)

    print("fitting the retriever")
    settings = Fit()
    basis = projection(text_vectors, settings.dimension)
    table = initial_table(teacher, entries, uses, basis, settings.sif)
    table = fit(table, title_ids, text_ids, title_vectors @ basis, text_vectors @ basis, idf, settings)
    table = table.astype(np.float16)
    write_retriever(options.out / "zrank-tiny-retriever", spec, table)

    print("constructing the reranker")
    constants = formula.Settings()
    chat = reranker_tokenizer(spec)
    is_word = np.array([entry.removeprefix("##").isalnum() for entry in entries])
    weights = formula.token_weights(table.astype(np.float32), frequency, len(texts), is_word, constants)
    named, shape = reranker.construct(table, weights, chat["model"]["vocab"], constants)
    write_reranker(options.out / "zrank-tiny", chat, named, shape)
    for file in sorted(options.out.glob("zrank-tiny*/**/*.*")):
        if file.suffix in (".safetensors", ".json"):
            print(hashlib.sha256(file.read_bytes()).hexdigest(), file.relative_to(options.out))


if __name__ == "__main__":
    main()
