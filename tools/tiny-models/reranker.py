"""Writes a Qwen3 reranker: weights with which the ordinary Qwen3 forward pass computes formula.py, the encoder's layers
being trained.

The prompt is IM_START system QUERY IM_END IM_START user DOCUMENT IM_END IM_START assistant, and the score is the logit
of "Yes" at the last position. The residual stream holds the token's content vector and, beside it, the channels of
`Channels`.

- Norms. A filler channel gives every token's other channels the same length, so that RMSNorm divides by one number as
  long as content is short.
- Positions. The rotary base is so large that the slow half of the channel pairs does not turn within 8,192 positions.
- Layer 0 counts chat markers: `role` becomes 0 in the query and positive in the document. Its SwiGLU closes a gate on
  document tokens, so that `query_weight` is a token's weight in the query and exactly 0 elsewhere.
- Layer 1. Heads 0 and 1 and most of the SwiGLU are the encoder's contextual layer; flags made of `role` keep each text
  to itself. Head 2: each token attends to equal and near tokens before it and to itself, IM_START being the sink; the
  softmax gives matched weight / D (`matched`) and sink / D (`rest`), and the SwiGLU multiplies them into weight / D^2:
  silu(x) y + silu(-x) (-y) = x y. Head 3 shares attention between IM_START and the document's tokens so far, which
  gives reach / (reach + i) (`place`).
- Layer 2. Heads 0 to 2 are the encoder's pooling layer, of which only the two IM_END matter. Head 3, of which only the
  last position matters, sums the products over the document, `place` raising the attention of early tokens, with
  IM_START as a sink of weight L0.
- Layer 3. The last position reads q + d from the two IM_END, which RMSNorm has made unit vectors, and the SwiGLU
  squares it: silu(x) x = x^2 / 2 for small x, and |q + d|^2 = 2 + 2 cos.
- The row of "Yes" adds cosine, lexical part and offset. "system", "user" and "assistant" and IM_START have no content,
  and `mute` keeps it so: it turns their heads to IM_START and closes their gates. They are ignored everywhere.

Per-head norms of queries and keys turn projected content into a cosine; attention scores are therefore `TOP` * cosine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

import encoder
from encoder import HEAD, MAIN, QK_NORM, ROPE_THETA, SQUARED_NORM, TOP, Block, Encoder
from formula import Settings

HEADS, LAYERS, UNITS, POSITIONS = 4, 4, 400, 8192
CONSTANT, MARKER, ROLE, MUTE, READ, PLACE, WEIGHT = 6.0, 6.0, 3.0, 6.0, 1.0, 0.5, 1 / 16  # sizes of signals
PRODUCT_UNITS = 2  # of layer 1; the encoder has the others
# Channels within the constructed heads. Pair (i, i + 64) turns slower the higher i is: flags sit on the slowest pairs,
# content on the next.
FLAG_A, FLAG_B, FLAG_C, FLAG_D, SINK = 63, 127, 126, 61, 62
TEMPLATE_WORDS = ("system", "user", "assistant")
OPEN = 8 / (1 + math.exp(-8))  # silu(8): an open gate


class Channels:
    """Names of the residual channels beside the content, which takes 0 .. content - 1."""

    def __init__(self, content: int) -> None:
        self.content = content
        (
            self.constant,
            self.filler,
            self.weight,
            self.start,
            self.end,
            self.role,
            self.matched,
            self.rest,
            self.product,
            self.lexical,
            self.score,
            self.norm,
            self.query_weight,
            self.place,
            self.mute,
        ) = range(content, content + 15)
        self.hidden = math.ceil((content + 15) / 16) * 16


@dataclass
class Layer:
    """Projection matrices of one decoder layer, named as in Qwen3."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    o: torch.Tensor
    gate: torch.Tensor
    up: torch.Tensor
    down: torch.Tensor

    @classmethod
    def zeros(cls, hidden: int) -> Layer:
        inner = HEAD * HEADS
        shapes = [(inner, hidden)] * 3 + [(hidden, inner)] + [(UNITS, hidden)] * 2 + [(hidden, UNITS)]
        return cls(*(torch.zeros(shape) for shape in shapes))


def _rounded(x) -> torch.Tensor:
    return torch.as_tensor(x, dtype=torch.float32).to(torch.bfloat16).float()


def construct(
    texts: Encoder, weights: np.ndarray, vocabulary: dict[str, int], settings: Settings
) -> tuple[dict[str, torch.Tensor], dict]:
    """Qwen3 weights by name, and the fields of config.json that they need. `weights`: idf of each token."""
    content, idf = texts.table.detach().clone(), torch.tensor(weights, dtype=torch.float32)
    silent = [vocabulary[w] for w in ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "[UNK]", "Yes", *TEMPLATE_WORDS)]
    content[silent] = 0
    idf[silent] = 0
    channels = Channels(content.shape[1])
    embedding = _embedding(_rounded(content), idf, vocabulary, channels, settings)
    norms = [
        math.sqrt(s / channels.hidden) for s in (SQUARED_NORM, SQUARED_NORM + ROLE**2, SQUARED_NORM + (1.2 * ROLE) ** 2)
    ]
    layers = [
        _count_markers(channels, norms),
        _contextualise_and_match(channels, norms[1], texts.context, settings),
        _pool(channels, norms[1], texts.pool, settings),
        _read_out(channels, norms[2]),
    ]
    _scoring_row(embedding[vocabulary["Yes"]], channels, norms, settings)
    named = {"model.embed_tokens.weight": embedding, "model.norm.weight": torch.ones(channels.hidden)}
    for number, layer in enumerate(layers):
        named |= _names(f"model.layers.{number}.", layer, channels.hidden)
    shape = {
        "head_dim": HEAD,
        "hidden_size": channels.hidden,
        "intermediate_size": UNITS,
        "max_position_embeddings": POSITIONS,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": HEADS,
        "rope_theta": ROPE_THETA,
    }
    return named, shape


def _names(prefix: str, layer: Layer, hidden: int) -> dict[str, torch.Tensor]:
    attention = {f"{prefix}self_attn.{n}_proj.weight": getattr(layer, n) for n in "qkvo"}
    mlp = {f"{prefix}mlp.{n}_proj.weight": getattr(layer, n) for n in ("gate", "up", "down")}
    head_norms = {f"{prefix}self_attn.{n}_norm.weight": torch.full((HEAD,), QK_NORM) for n in "qk"}
    norms = {f"{prefix}{n}.weight": torch.ones(hidden) for n in ("input_layernorm", "post_attention_layernorm")}
    return attention | mlp | head_norms | norms


def _embedding(
    content: torch.Tensor, idf: torch.Tensor, vocabulary: dict[str, int], c: Channels, settings: Settings
) -> torch.Tensor:
    rows = torch.zeros(len(content), c.hidden)
    rows[:, c.constant] = CONSTANT
    rows[:, c.weight] = idf * WEIGHT
    rows[vocabulary["<|im_start|>"], c.start] = rows[vocabulary["<|im_end|>"], c.end] = MARKER
    rows[[vocabulary[w] for w in ("<|im_start|>", *TEMPLATE_WORDS)], c.mute] = MUTE
    rows[:, c.norm] = content[:, : settings.columns].norm(dim=1)
    rows = _rounded(rows)
    rows[:, c.filler] = (SQUARED_NORM - (rows**2).sum(1)).sqrt()
    rows[:, : c.content] = content
    return _rounded(rows)


def _count_markers(c: Channels, norms: list[float]) -> Layer:
    layer = Layer.zeros(c.hidden)
    layer.q[FLAG_A, c.constant] = 1
    layer.k[FLAG_A, c.start] = layer.k[FLAG_A, c.end] = 1
    layer.k[FLAG_B, c.constant] = 0.05
    layer.v[0, c.end] = norms[0] / MARKER
    layer.o[c.role, 0] = 3 * ROLE
    layer.gate[0, c.constant], layer.gate[0, c.role] = 8 * norms[0] / CONSTANT, -40 * norms[1] / ROLE
    layer.up[0, c.weight] = norms[0]
    layer.down[c.query_weight, 0] = 1 / OPEN
    return layer


def _write_block(layer: Layer, c: Channels, norm: float, block: Block, first_unit: int) -> None:
    """The encoder's trained matrices in heads 0 .. and in the SwiGLU's units from `first_unit` on."""
    columns = [*range(c.content), c.constant, c.start, c.end]
    sizes = torch.tensor([1.0] * c.content + [CONSTANT, MARKER, MARKER])
    main = torch.tensor([head * HEAD + i for head in range(block.heads) for i in MAIN])
    width = block.heads * HEAD
    units = slice(first_unit, first_unit + len(block.gate))
    with torch.no_grad():
        for ours, trained in ((layer.q, block.q), (layer.k, block.k)):
            ours[main[:, None], columns] = trained / sizes
        layer.v[:width, : c.content], layer.o[: c.content, :width] = block.v * norm, block.size * block.o
        for ours, trained in ((layer.gate, block.gate), (layer.up, block.up)):
            ours[units, columns] = trained * block.inner * norm / sizes
        layer.down[: c.content, units] = block.size * block.down
    layer.gate[units, c.mute] = -100 * norm / MUTE
    # The role is 0 in the query, ROLE in the document and 1.5 ROLE at IM_END, whose query is to have the document's
    # flag and whose key no friend.
    for base in range(0, width, HEAD):
        for ours, end in ((layer.q, (-0.5, 0.5)), (layer.k, (-16, -16))):
            ours[base + encoder.FLAG, c.role], ours[base + encoder.OTHER_FLAG, c.role] = 1 / ROLE, -1 / ROLE
            ours[base + encoder.OTHER_FLAG, c.constant] = 1 / CONSTANT
            ours[base + encoder.FLAG, c.end], ours[base + encoder.OTHER_FLAG, c.end] = end[0] / MARKER, end[1] / MARKER
        layer.q[base + encoder.SINK, c.mute], layer.k[base + encoder.SINK, c.start] = 64 / MUTE, 1 / MARKER


def _contextualise_and_match(c: Channels, norm: float, block: Block, settings: Settings) -> Layer:
    layer = Layer.zeros(c.hidden)
    _write_block(layer, c, norm, block, PRODUCT_UNITS)
    base = 2 * HEAD
    slow = [pair for i in range(FLAG_D - 1, -1, -1) for pair in (i, i + HEAD // 2)][: settings.columns]
    for i, pair in enumerate(slow):
        layer.q[base + pair, i] = layer.k[base + pair, i] = 8
    # The query vector's extra parts: `sink` sets the two IM_START's score, `slack` the norm, so that equal tokens score
    # `sharpness`.
    sink = 1 + math.log(settings.sink / 2) / settings.sharpness
    slack = math.sqrt((TOP / settings.sharpness) ** 2 - 1 - sink**2)
    layer.q[base + SINK, c.norm], layer.q[base + FLAG_D, c.norm] = 8 * sink, 8 * slack
    layer.q[base + SINK, c.constant], layer.k[base + SINK, c.start] = 0.002, 16
    layer.v[base, c.query_weight], layer.v[base + 1, c.start] = norm, norm / MARKER
    layer.o[c.matched, base] = layer.o[c.rest, base + 1] = 1
    for unit, sign in ((0, 1.0), (1, -1.0)):
        layer.gate[unit, c.rest], layer.up[unit, c.matched], layer.down[c.product, unit] = (
            sign * norm,
            sign * norm,
            1 / (settings.sink * WEIGHT),
        )
    _measure_place(layer, c, norm, settings)
    return layer


def _solve_lead(score: float, axes: int) -> float:
    """The query's part g on the sink's axis, its parts on `axes` others being 1, with which the sink's key scores
    `score` more than a key on one of them: TOP (g - 1) / sqrt(axes + g^2) = score."""
    t = score / TOP
    return float(max(np.roots([1 - t * t, -2, 1 - axes * t * t]).real))


def _measure_place(layer: Layer, c: Channels, norm: float, settings: Settings) -> None:
    """Head 3: document tokens score 0, the two IM_START ln(reach / 2), everything before the document far less."""
    base = 3 * HEAD
    layer.q[base + FLAG_A, c.constant], layer.q[base + SINK, c.constant] = (
        1,
        _solve_lead(math.log(settings.reach / 2), axes=1),
    )
    layer.k[base + FLAG_A, c.role], layer.k[base + FLAG_A, c.end], layer.k[base + FLAG_B, c.constant] = 4, -64, 0.02
    layer.k[base + SINK, c.start] = 1024
    layer.v[base, c.start] = norm / MARKER
    layer.o[c.place, base] = PLACE


def _pool(c: Channels, norm: float, block: Block, settings: Settings) -> Layer:
    layer = Layer.zeros(c.hidden)
    _write_block(layer, c, norm, block, 0)
    base = 3 * HEAD
    lead = _solve_lead(math.log(settings.length / 3), axes=2)
    layer.q[base + FLAG_A, c.constant], layer.q[base + SINK, c.constant] = 1, lead
    layer.k[base + FLAG_A, c.role], layer.k[base + FLAG_B, c.constant], layer.k[base + SINK, c.start] = 4, 0.05, 1024
    # `place` on an axis of its own: there the score rises by `early` times the share that head 3 of layer 1 measured.
    rise = settings.early * math.sqrt(2 + lead**2) / TOP
    layer.q[base + FLAG_C, c.constant], layer.k[base + FLAG_C, c.place] = 1, rise * 4 * ROLE / PLACE
    layer.v[base, c.product] = norm
    layer.o[c.lexical, base] = 64
    return layer


def _read_out(c: Channels, norm: float) -> Layer:
    layer = Layer.zeros(c.hidden)
    for head in (0, 1):
        base = head * HEAD
        layer.q[base + FLAG_A, c.constant], layer.k[base + FLAG_A, c.end], layer.k[base + FLAG_B, c.constant] = (
            1,
            4096,
            12.8,
        )
        for i in range(base, min(base + HEAD, c.content)):
            layer.v[i, i], layer.o[i, i] = 1, 2 * READ / math.sqrt(c.hidden)
    for i in range(c.content):
        layer.gate[i, i] = layer.up[i, i] = 1
        layer.down[c.score, i] = norm**2 / READ**2 / 2
    return layer


def _scoring_row(row: torch.Tensor, c: Channels, norms: list[float], settings: Settings) -> None:
    """Fills the embedding of "Yes", which is also its row of the tied head. `score` holds (1 + cosine) / 2."""
    last = norms[2]
    row[:] = 0
    row[c.score] = 2 * settings.gain * last
    row[c.lexical] = settings.gain * settings.share * 4 * (settings.length + 200) / 64 * last
    row[c.constant] = -(settings.gain + settings.offset) * last / CONSTANT
