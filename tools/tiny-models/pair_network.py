"""zrank-small's network: all-MiniLM-L6-v2's six layers, of which the last ones let query and document see each other.

A pair is [CLS] query [SEP] [CLS] document [SEP], each segment with MiniLM's positions from 0. The first `apart` layers
attend within a segment only; in the others a learned bias for each head is added to the attention logits between the
segments. The logit is a cosine of the mean tokens of both segments, a share of idf weight that the document's equal
tokens cover, and a small network on both. Before training it is MiniLM's cosine plus word matching: training starts
from there and not from chance.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS, WIDTH, INNER, LAYERS, POSITIONS = 12, 384, 1536, 6, 512
NORM_EPSILON = 1e-12
DROPOUT = 0.1  # of what attention and the inner layer add, while training


@dataclass(frozen=True)
class Shape:
    """What is fixed before training."""

    apart: int = 3  # layers without attention between the segments
    shut: float = -1.5  # where the biases between the segments start
    hidden: int = 64  # units of the head's small network
    cosine: float = 20.0  # logits a unit of cosine
    matching: float = 4.0  # logits for a document with all of the query's words
    saturation: float = 0.5  # occurrences at which a word counts half
    length: float = 100.0  # tokens of a document of usual length
    length_share: float = 0.5  # how far a longer document's occurrences count less

    def as_json(self) -> dict:
        return asdict(self)


class Layer(nn.Module):
    """A BERT layer; `q` holds the scale of the logits already."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.o = nn.Linear(WIDTH, WIDTH)
        self.after_attention = nn.LayerNorm(WIDTH, NORM_EPSILON)
        self.up = nn.Linear(WIDTH, INNER)
        self.down = nn.Linear(INNER, WIDTH)
        self.after_inner = nn.LayerNorm(WIDTH, NORM_EPSILON)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x: [pairs, tokens, WIDTH]; bias: [pairs, HEADS or 1, tokens, tokens]."""
        pairs, tokens, _ = x.shape
        q, k, v = self.qkv(x).view(pairs, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(2, 3) + bias).softmax(-1)
        mixed = (weights.to(v.dtype) @ v).transpose(1, 2).reshape(pairs, tokens, WIDTH)
        x = self.after_attention(x + self._dropped(self.o(mixed)))
        return self.after_inner(x + self._dropped(self.down(F.gelu(self.up(x)))))

    def _dropped(self, x: Tensor) -> Tensor:
        return F.dropout(x, DROPOUT, self.training)


@dataclass
class Texts:
    """A batch of padded texts, [CLS] and [SEP] included: ids and mask are [texts, tokens], the mask of 0 and 1."""

    ids: Tensor
    mask: Tensor

    @classmethod
    def of(cls, sequences: list[list[int]]) -> Texts:
        ids = torch.zeros(len(sequences), max(map(len, sequences)), dtype=torch.long)
        mask = torch.zeros(ids.shape)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.tensor(sequence)
            mask[row, : len(sequence)] = 1
        return cls(ids, mask)

    def rows(self, rows: Tensor) -> Texts:
        return Texts(self.ids[rows], self.mask[rows])


class PairNetwork(nn.Module):
    """`idf`: a token's weight in word matching, [vocabulary]; 0 for [CLS] and [SEP]."""

    def __init__(self, vocabulary: int, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.words = nn.Parameter(torch.zeros(vocabulary, WIDTH))
        self.positions = nn.Parameter(torch.zeros(POSITIONS, WIDTH))  # the type's embedding included
        self.norm = nn.LayerNorm(WIDTH, NORM_EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.between = nn.Parameter(torch.full((LAYERS - shape.apart, HEADS), shape.shut))
        self.segments = nn.Parameter(torch.zeros(2, WIDTH))  # added before the first layer that joins
        self.head_in = nn.Linear(2 * WIDTH + 2, shape.hidden)
        self.head_out = nn.Linear(shape.hidden, 1)
        self.scales = nn.Parameter(torch.tensor([1.0, 0.25, 0.0]))  # of the cosine, of matching, and the constant
        self.register_buffer("idf", torch.zeros(vocabulary))
        nn.init.zeros_(self.head_out.weight)
        nn.init.zeros_(self.head_out.bias)

    def apart(self, texts: Texts) -> Tensor:
        """The texts after the layers without attention between segments, [texts, tokens, WIDTH]."""
        x = self.norm(self.words[texts.ids] + self.positions[: texts.ids.shape[1]])
        bias = (1 - texts.mask)[:, None, None] * -1e4
        for layer in self.layers[: self.shape.apart]:
            x = layer(x, bias)
        return x

    def joined(self, query: Tensor, queries: Texts, document: Tensor, documents: Texts) -> Tensor:
        """Logits of pairs from what apart() gave, [pairs]."""
        x = torch.cat([query + self.segments[0], document + self.segments[1]], 1).float()
        mask = torch.cat([queries.mask, documents.mask], 1)
        kind = torch.cat([torch.zeros_like(queries.mask), torch.ones_like(documents.mask)], 1)
        crossing = (kind[:, :, None] != kind[:, None]).float()[:, None]
        padding = (1 - mask)[:, None, None] * -1e4
        for layer, between in zip(self.layers[self.shape.apart :], self.between):
            x = layer(x, padding + crossing * between[:, None, None])
        tokens = queries.ids.shape[1]
        u, v = _mean(x[:, :tokens], queries.mask), _mean(x[:, tokens:], documents.mask)
        cosine, matching = (u * v).sum(-1), self.matching(queries, documents)
        features = torch.cat([u * v * WIDTH**0.5, (u - v).abs() * 4, cosine[:, None], matching[:, None]], 1)
        with torch.autocast("cpu", enabled=False):
            extra = self.head_out(F.gelu(self.head_in(features.float())))[:, 0]
        a, b, c = self.scales
        return a * self.shape.cosine * cosine + b * self.shape.matching * matching + c + extra

    def matching(self, queries: Texts, documents: Texts) -> Tensor:
        """The share of the query's idf weight that the document covers, 0 to 1, [pairs]."""
        shape = self.shape
        equal = (queries.ids[:, :, None] == documents.ids[:, None]).float() * documents.mask[:, None]
        count = equal.sum(2)
        lengths = documents.mask.sum(1, keepdim=True) / shape.length
        half = shape.saturation * (1 - shape.length_share + shape.length_share * lengths)
        weight = self.idf[queries.ids] * queries.mask
        return (weight * count / (count + half)).sum(1) / (weight.sum(1) + 1e-6)

    @torch.no_grad()
    def rescale(self, scale: float, shift: float) -> None:
        """Changes the weights so that every logit x becomes scale * x + shift."""
        self.scales *= scale
        self.scales[2] += shift
        self.head_out.weight *= scale
        self.head_out.bias *= scale

    @torch.no_grad()
    def mix(self, start: PairNetwork, share: float) -> None:
        """Moves the weights to start + share * (self - start)."""
        for own, before in zip(self.parameters(), start.parameters()):
            own.lerp_(before, 1 - share)

    def forward(self, queries: Texts, documents: Texts) -> Tensor:
        return self.joined(self.apart(queries), queries, self.apart(documents), documents)


def _mean(x: Tensor, mask: Tensor) -> Tensor:
    return F.normalize((x.float() * mask[..., None]).sum(1), dim=-1)


def from_minilm(weights: dict[str, Tensor], rows: list[int], idf: np.ndarray, shape: Shape) -> PairNetwork:
    """The network before training. `rows`: MiniLM's row for each token of the vocabulary."""
    network = PairNetwork(len(rows), shape)
    w = {name.removeprefix("bert."): value.float() for name, value in weights.items()}
    named = {
        "words": w["embeddings.word_embeddings.weight"][rows],
        "positions": w["embeddings.position_embeddings.weight"] + w["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": w["embeddings.LayerNorm.weight"],
        "norm.bias": w["embeddings.LayerNorm.bias"],
        "idf": torch.tensor(idf, dtype=torch.float32),
    }
    for number in range(LAYERS):
        place, ours = f"encoder.layer.{number}", f"layers.{number}"
        for end in ("weight", "bias"):
            q, k, v = (w[f"{place}.attention.self.{part}.{end}"] for part in ("query", "key", "value"))
            named[f"{ours}.qkv.{end}"] = torch.cat([q * (WIDTH // HEADS) ** -0.5, k, v])
            named[f"{ours}.o.{end}"] = w[f"{place}.attention.output.dense.{end}"]
            named[f"{ours}.after_attention.{end}"] = w[f"{place}.attention.output.LayerNorm.{end}"]
            named[f"{ours}.up.{end}"] = w[f"{place}.intermediate.dense.{end}"]
            named[f"{ours}.down.{end}"] = w[f"{place}.output.dense.{end}"]
            named[f"{ours}.after_inner.{end}"] = w[f"{place}.output.LayerNorm.{end}"]
    unknown = network.load_state_dict(named, strict=False).unexpected_keys
    if unknown:
        raise ValueError(f"no such weights: {unknown}")
    return network
