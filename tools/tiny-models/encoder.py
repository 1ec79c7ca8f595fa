"""The trained part of the reranker: a text encoder of one contextual layer and one pooling layer, in the terms of
Qwen3.

Each text stands between the markers that the prompt puts round it: IM_START, the role's word, the tokens, IM_END.
Tokens enter as their table vectors; markers and role words have none. In the contextual layer tokens attend to the text
before them, then pass a SwiGLU; in the pooling layer IM_END attends to all of them and passes another. The text's
vector is what IM_END then holds, of unit length. `reranker.py` writes these matrices into a Qwen3 checkpoint, so
everything here is what that forward pass computes:

- Queries and keys have unit length (per-head norms) and turn with positions (RoPE). MAIN of their channels are trained;
  the others hold the flags FLAG (equal in both, so that a text's tokens see only that text) and SINK (1 in IM_START's
  key).
- The residual stream has squared length SQUARED_NORM beside the content, by which RMSNorm divides.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HEAD, ROPE_THETA, QK_NORM = 128, 1e18, 2.0
TOP = QK_NORM**2 * math.sqrt(HEAD)  # the attention score of two equal directions
SQUARED_NORM = 1024.0
POOLED = 1024.0  # size of a pooled vector, so that its length is nearly all of the stream's
INNER = 1 / 8  # then RMSNorm gives it a length of sqrt(SQUARED_NORM)
# Channels within a head. Pair (i, i + 64) turns slower the higher i is: flags sit on the slowest pairs.
OTHER_FLAG, FLAG, SINK = 63, 127, 126
MAIN = [i for i in range(HEAD) if i not in (OTHER_FLAG, FLAG, SINK)]
CONSTANT, START, END = 0, 1, 2  # columns after the content: 1 everywhere, at IM_START, at IM_END


class Texts:
    """A padded batch of token ids with its markers."""

    def __init__(self, texts: list[np.ndarray], silent: np.ndarray, queries: bool) -> None:
        """`silent`: True for ids without content (the role words), shape [vocabulary]. `queries`: whether the texts
        stand first in the prompt."""
        rows, width = len(texts), max(map(len, texts)) + 3
        ids, content = np.zeros((rows, width), np.int64), np.zeros((rows, width, 1), np.float32)
        flags, seen = np.zeros((rows, width, 3), np.float32), np.zeros((rows, 1, 1, width), bool)
        flags[:, :, CONSTANT] = flags[:, 0, START] = 1
        end = np.array([2 + len(text) for text in texts])
        for row, text in enumerate(texts):
            ids[row, 2 : end[row]] = text
            content[row, 2 : end[row], 0] = ~silent[text]
            seen[row, ..., : end[row]] = True
        flags[np.arange(rows), end, END] = 1
        self.ids, self.content, self.flags, self.seen, self.end = map(
            torch.from_numpy, (ids, content, flags, seen, end)
        )
        self.live = torch.maximum(self.content, self.flags[:, :, END:])
        # Counting markers cannot tell the query's IM_END from the document's: it looks with the document's flag at keys
        # that have the query's.
        self.other = self.flags[:, :, END] * queries


class Block(nn.Module):
    """The trained heads and units of one decoder layer; content [batch, tokens, width] in and out."""

    def __init__(self, width: int, heads: int, units: int, size: float = 1.0, inner: float = 1.0) -> None:
        """`size`, `inner`: what the outputs and the SwiGLU's inputs are multiplied with."""
        super().__init__()

        def random(rows: int, columns: int, deviation: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(rows, columns) * deviation)

        self.heads, self.size, self.inner = heads, size, inner
        self.q, self.k = (random(heads * len(MAIN), width + 3, 0.1 / math.sqrt(len(MAIN))) for _ in range(2))
        self.v, self.o = random(heads * HEAD, width, width**-0.5), nn.Parameter(torch.zeros(width, heads * HEAD))
        self.gate, self.up = random(units, width + 3, 0.2), random(units, width + 3, 0.2)
        self.down = nn.Parameter(torch.zeros(width, units))

    def forward(self, content, flags, live, other, mask, turns, at=None) -> torch.Tensor:
        """`at`: the one position of each row to compute; all where None."""
        nothing = torch.zeros_like(other)
        key = _turn(self._unit(torch.cat((content, flags), -1) @ self.k.T, nothing, flags[..., START]), *turns)
        value = self._split((content * _norm(content)) @ self.v.T, HEAD)
        if at is not None:
            rows = torch.arange(len(content))
            content, flags, live, other, nothing = (
                x[rows, at][:, None] for x in (content, flags, live, other, nothing)
            )
            turns = tuple(x[at][:, None, None] for x in turns)
        query = _turn(self._unit(torch.cat((content, flags), -1) @ self.q.T, other, nothing), *turns)
        found = F.scaled_dot_product_attention(
            query, key, value.to(query.dtype), attn_mask=mask.to(query.dtype), scale=TOP
        )
        content = content + self.size * live * (found.transpose(1, 2).flatten(2) @ self.o.T)
        x = torch.cat((content, flags), -1) * (_norm(content) * self.inner)
        return content + self.size * live * ((F.silu(x @ self.gate.T) * (x @ self.up.T)) @ self.down.T)

    def _split(self, x: torch.Tensor, width: int) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, width)).transpose(1, 2)

    def _unit(self, x: torch.Tensor, other: torch.Tensor, sink: torch.Tensor) -> torch.Tensor:
        """Unit vectors [batch, heads, tokens, HEAD] from the trained channels of all heads and the flags [batch,
        tokens]."""
        main = self._split(x, len(MAIN))
        other, sink, own = (flag[:, None, :, None].expand_as(main[..., :1]) for flag in (other, sink, 1 - other))
        return F.normalize(torch.cat((main[..., :OTHER_FLAG], other, main[..., OTHER_FLAG:], sink, own), -1), dim=-1)


def _norm(content: torch.Tensor) -> torch.Tensor:
    """RMSNorm's divisor beside the one of the bare stream."""
    return torch.rsqrt(1 + content.float().square().sum(-1, keepdim=True) / SQUARED_NORM)


def _turn(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, -1)
    return x * cosine + torch.cat((-b, a), -1) * sine


class Encoder(nn.Module):
    """Texts (token ids) to vectors [texts, width], of nearly unit length."""

    def __init__(self, table: np.ndarray, silent: np.ndarray, heads: int, pooling_heads: int, units: int) -> None:
        """The vectors are at first nearly those of the table's mean. `silent`: as in Texts."""
        super().__init__()
        width = table.shape[1]
        self.silent = silent
        self.table = nn.Parameter(torch.tensor(table, dtype=torch.float32))
        self.context, self.pool = Block(width, heads, units), Block(width, pooling_heads, units, POOLED, INNER)
        with torch.no_grad():
            self.pool.v[:width] = self.pool.o[:, :width] = torch.eye(width)

    def forward(self, texts: list[np.ndarray], queries: bool) -> torch.Tensor:
        batch = Texts(texts, self.silent, queries)
        content = F.embedding(batch.ids, self.table) * batch.content
        tokens = content.shape[1]
        angles = torch.arange(tokens)[:, None] * ROPE_THETA ** (-torch.arange(HEAD // 2) / (HEAD // 2))
        turns = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
        seen = torch.zeros(batch.seen.shape).masked_fill(~batch.seen, -1e4)
        before = torch.full((tokens, tokens), -1e4).triu(1)
        content = self.context(content, batch.flags, batch.live, batch.other, seen + before, turns)
        pooled = self.pool(content, batch.flags, batch.live, batch.other, seen, turns, batch.end)[:, 0].float()
        return pooled * torch.rsqrt(pooled.square().sum(-1, keepdim=True) + SQUARED_NORM)
