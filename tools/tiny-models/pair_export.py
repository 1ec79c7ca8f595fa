"""zrank-small's folder: an ONNX file of the network in plain operators, its tokenizer and the files that describe it.

Weights are int8 with a scale for each output (of the positions: for each row), cast and multiplied in the graph: ONNX
Runtime folds both when it loads the file and computes in fp32, so a score does not depend on its batch as it would with
activations in int8. Words are two int4 values a byte with a scale for each row, taken apart after a token's row has been
looked up.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pair_network import HEADS, LAYERS, NORM_EPSILON, POSITIONS, WIDTH, PairNetwork

OPSET = 20  # Gelu


def quantize(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 values and the scale of each row of [rows, columns]."""
    scale = np.maximum(np.abs(weight).max(1, keepdims=True) / 127, 1e-12).astype(np.float32)
    return np.rint(weight / scale).astype(np.int8), scale


def quantize_words(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values from -7 to 7 and the scale of each row, by which the row's squared error is least: up to half of the row's
    largest value is cut off. What it gives back, quantized again, comes out the same."""
    largest = np.maximum(np.abs(weight).max(1, keepdims=True) / 7, 1e-12).astype(np.float32)
    values, scale, least = np.zeros(weight.shape, np.int8), largest, np.full(largest.shape, np.inf)
    for share in np.linspace(1, 0.5, 21, dtype=np.float32):
        tried = largest * share
        rounded = np.clip(np.rint(weight / tried), -7, 7)
        error = ((rounded * tried - weight) ** 2).sum(1, keepdims=True)
        better = error < least
        values, scale = np.where(better, rounded, values).astype(np.int8), np.where(better, tried, scale)
        least = np.minimum(error, least)
    return values, scale


def quantized(network: PairNetwork) -> dict[str, np.ndarray]:
    """The names of the matrices that the file holds in int8 or int4, with their values as the file gives them back."""
    found = {}
    for name, value in network.state_dict().items():
        if value.dim() == 2 and (name in ("words", "positions") or name.startswith("layers")):
            values, scale = (quantize_words if name == "words" else quantize)(value.numpy())
            found[name] = values * scale
    return found


class Graph:
    """Nodes and initializers under construction."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._constants: dict[tuple, str] = {}

    def add(self, operator: str, *inputs: str, **attributes) -> str:
        """The name of the node's one output."""
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def tensor(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def constant(self, value, kind=np.float32) -> str:
        """A number or a list of numbers, stored once."""
        key = (str(value), np.dtype(kind).name)
        if key not in self._constants:
            self._constants[key] = self.tensor(f"constant_{len(self._constants)}", np.array(value, kind))
        return self._constants[key]

    def integers(self, *values: int) -> str:
        return self.constant(list(values), np.int64)

    def matrix(self, name: str, value: np.ndarray, transpose: bool) -> str:
        """An int8 matrix with its scales; `transpose` makes rows of outputs the columns that MatMul wants."""
        values, scale = quantize(value)
        if transpose:
            values, scale = values.T, scale.T
        floats = self.add("Cast", self.tensor(name, values), to=TensorProto.FLOAT)
        return self.add("Mul", floats, self.tensor(f"{name}.scale", scale))

    def looked_up(self, name: str, value: np.ndarray, ids: str) -> str:
        """Rows of an int4 matrix: the first half of a row is in the low halves of its bytes."""
        values, scale = quantize_words(value)
        first, second = np.split((values + 8).astype(np.uint8), 2, axis=1)
        packed = self.add("Gather", self.tensor(name, first + second * 16), ids)
        packed = self.add("Cast", packed, to=TensorProto.FLOAT)
        high = self.add("Floor", self.add("Div", packed, self.constant(16)))
        low = self.add("Sub", packed, self.add("Mul", high, self.constant(16)))
        row = self.add("Sub", self.add("Concat", low, high, axis=-1), self.constant(8))
        return self.add("Mul", row, self.add("Gather", self.tensor(f"{name}.scale", scale), ids))


def build(network: PairNetwork) -> onnx.ModelProto:
    """The network from input_ids, attention_mask and token_type_ids, int64 [batch, tokens], to logits [batch, 1]."""
    weights = {name: value.detach().float().numpy() for name, value in network.state_dict().items()}
    shape, graph = network.shape, Graph()
    add, constant = graph.add, graph.constant
    axis = graph.integers

    def linear(x: str, name: str) -> str:
        weight = graph.matrix(f"{name}.weight", weights[f"{name}.weight"], transpose=True)
        return add("Add", add("MatMul", x, weight), graph.tensor(f"{name}.bias", weights[f"{name}.bias"]))

    def norm(x: str, name: str) -> str:
        scale, shift = (graph.tensor(f"{name}.{end}", weights[f"{name}.{end}"]) for end in ("weight", "bias"))
        return add("LayerNormalization", x, scale, shift, axis=-1, epsilon=NORM_EPSILON)

    ids = "input_ids"
    mask = add("Cast", "attention_mask", to=TensorProto.FLOAT)
    kind = add("Cast", "token_type_ids", to=TensorProto.FLOAT)
    in_document = add("Mul", mask, kind)
    in_query = add("Sub", mask, in_document)
    query_tokens = add("ReduceSum", in_query, axis(1), keepdims=1)

    # Each segment's positions start at 0: the document's are behind the query's tokens.
    running = add("CumSum", mask, constant(1, np.int64))
    place = add("Sub", add("Sub", running, constant(1)), add("Mul", kind, query_tokens))
    place = add("Clip", place, constant(0), constant(POSITIONS - 1))
    words = graph.looked_up("words", weights["words"], ids)
    positions = graph.matrix("positions", weights["positions"], transpose=False)
    x = add("Add", words, add("Gather", positions, add("Cast", place, to=TensorProto.INT64)))
    x = norm(x, "norm")

    # [batch, tokens, tokens]: 1 where two tokens are of different segments.
    rows, columns = add("Unsqueeze", kind, axis(2)), add("Unsqueeze", kind, axis(1))
    crossing = add("Unsqueeze", add("Abs", add("Sub", rows, columns)), axis(1))
    closed = add("Mul", add("Sub", constant(1), mask), constant(-1e4))
    padding = add("Unsqueeze", closed, axis(1, 2))
    apart = add("Add", padding, add("Mul", crossing, constant(-1e4)))

    for number in range(LAYERS):
        name, joined = f"layers.{number}", number - shape.apart
        if joined == 0:
            first, second = weights["segments"]
            x = add("Add", x, graph.tensor("segments.query", first))
            step = graph.tensor("segments.document_minus_query", second - first)
            x = add("Add", x, add("Mul", add("Unsqueeze", kind, axis(2)), step))
        bias = apart
        if joined >= 0:
            between = graph.tensor(f"between.{joined}", weights["between"][joined].reshape(1, HEADS, 1, 1))
            bias = add("Add", padding, add("Mul", crossing, between))
        qkv = add("Reshape", linear(x, f"{name}.qkv"), axis(0, 0, 3, HEADS, WIDTH // HEADS))
        parts = add("Transpose", qkv, perm=[2, 0, 3, 1, 4])
        q, k, v = (add("Gather", parts, constant(part, np.int64), axis=0) for part in range(3))
        logits = add("Add", add("MatMul", q, add("Transpose", k, perm=[0, 1, 3, 2])), bias)
        mixed = add("Transpose", add("MatMul", add("Softmax", logits, axis=-1), v), perm=[0, 2, 1, 3])
        mixed = add("Reshape", mixed, axis(0, 0, WIDTH))
        x = norm(add("Add", x, linear(mixed, f"{name}.o")), f"{name}.after_attention")
        inner = add("Gelu", linear(x, f"{name}.up"), approximate="none")
        x = norm(add("Add", x, linear(inner, f"{name}.down")), f"{name}.after_inner")

    def mean(weight: str) -> str:
        """The unit vector of a segment's tokens, [batch, WIDTH]."""
        total = add("ReduceSum", add("Mul", x, add("Unsqueeze", weight, axis(2))), axis(1), keepdims=0)
        return add("Div", total, add("Max", add("ReduceL2", total, axis(1), keepdims=1), constant(1e-12)))

    def head(part: str, features: str) -> str:
        """A matrix of the head, in fp32."""
        weight = graph.tensor(f"{part}.weight", weights[f"{part}.weight"].T)
        return add("Add", add("MatMul", features, weight), graph.tensor(f"{part}.bias", weights[f"{part}.bias"]))

    # Word matching: how often each token of the query stands in the document.
    equal = add("Equal", add("Unsqueeze", ids, axis(2)), add("Unsqueeze", ids, axis(1)))
    equal = add("Mul", add("Cast", equal, to=TensorProto.FLOAT), add("Unsqueeze", in_document, axis(1)))
    count = add("ReduceSum", equal, axis(2), keepdims=0)
    lengths = add("ReduceSum", in_document, axis(1), keepdims=1)
    slope = shape.saturation * shape.length_share / shape.length
    half = add("Add", add("Mul", lengths, constant(slope)), constant(shape.saturation * (1 - shape.length_share)))
    weight = add("Mul", add("Gather", graph.tensor("idf", weights["idf"]), ids), in_query)
    covered = add("Mul", weight, add("Div", count, add("Add", count, half)))
    total = add("Add", add("ReduceSum", weight, axis(1), keepdims=1), constant(1e-6))
    matching = add("Div", add("ReduceSum", covered, axis(1), keepdims=1), total)

    u, v = mean(in_query), mean(in_document)
    product = add("Mul", u, v)
    cosine = add("ReduceSum", product, axis(1), keepdims=1)
    apartness = add("Mul", add("Abs", add("Sub", u, v)), constant(4))
    scaled = add("Mul", product, constant(WIDTH**0.5))
    features = add("Concat", scaled, apartness, cosine, matching, axis=1)
    extra = head("head_out", add("Gelu", head("head_in", features), approximate="none"))
    a, b, c = weights["scales"].tolist()
    score = add(
        "Add", add("Mul", cosine, constant(a * shape.cosine)), add("Mul", matching, constant(b * shape.matching))
    )
    score = add("Add", add("Add", score, constant(c)), extra)
    graph.nodes.append(helper.make_node("Identity", [score], ["logits"], "logits"))

    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])
    body = helper.make_graph(graph.nodes, "zrank-small", inputs, [output], graph.initializers)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def write(network: PairNetwork, tokenizer: dict, folder: Path) -> None:
    """The model's folder. config.json says what zrank needs; transformers cannot load it, as the head is no BERT's."""
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    onnx.save(build(network), folder / "onnx" / "model.onnx")
    config = {
        "architectures": ["ZrankPairForSequenceClassification"],
        "model_type": "bert",
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": POSITIONS,
        "pad_token_id": 0,
        "vocab_size": len(network.words),
        "num_labels": 1,
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    spec = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(spec, "utf-8")
    # BertTokenizer would put its own template in the place of tokenizer.json's.
    kinds = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": POSITIONS}
    marks = {"cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "unk": "[UNK]", "mask": "[MASK]"}
    kinds |= {f"{name}_token": mark for name, mark in marks.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps(kinds, indent=2) + "\n", "utf-8")
