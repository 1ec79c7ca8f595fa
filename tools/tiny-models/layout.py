"""The two model folders: files in the layouts of sentence-transformers 6.2, the reranker's exactly as zerank-2's."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

MARKERS = {"[PAD]": "<|endoftext|>", "[CLS]": "<|im_start|>", "[SEP]": "<|im_end|>", "[MASK]": "Yes"}
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

_VERSIONS = {"pytorch": "2.13.0+cpu", "sentence_transformers": "6.2.0", "transformers": "5.23.0"}
_CHAT_TEMPLATE = """\
{%- set query = messages | selectattr("role", "eq", "query") | map(attribute="content") | first -%}
{%- set document = messages | selectattr("role", "eq", "document") | map(attribute="content") | first -%}
{{- "<|im_start|>system\\n" + query + "<|im_end|>\\n" -}}
{{- "<|im_start|>user\\n" + document + "<|im_end|>\\n" -}}
{%- if add_generation_prompt -%}
{{- "<|im_start|>assistant\\n" -}}
{%- endif -%}
"""


def _write(folder: Path, files: dict[str, object]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _write_tokenizer(folder: Path, spec: dict) -> None:
    (folder / "tokenizer.json").write_text(json.dumps(spec, ensure_ascii=False, separators=(",", ":")), "utf-8")


def write_retriever(folder: Path, tokenizer: dict, table: np.ndarray) -> None:
    """StaticEmbedding (fp16) and Normalize."""
    modules = (
        "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding",
        "sentence_transformers.base.modules.normalize.Normalize",
    )
    files = {
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": modules[0]},
            {"idx": 1, "name": "1", "path": "1_Normalize", "type": modules[1]},
        ],
        "1_Normalize/config.json": {
            "module_input_name": "sentence_embedding",
            "module_output_name": "sentence_embedding",
        },
        "config_sentence_transformers.json": {
            "__version__": _VERSIONS,
            "default_prompt_name": None,
            "model_type": "SentenceTransformer",
            "prompts": {"document": "", "query": ""},
            "similarity_fn_name": "cosine",
        },
    }
    _write(folder, files)
    _write_tokenizer(folder, tokenizer)
    save_file(
        {"embedding.weight": torch.tensor(table, dtype=torch.float16)},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )


def reranker_tokenizer(tokenizer: dict) -> dict:
    """The retriever's tokenizer, with the chat markers in the places of BERT's special tokens. "Yes" stands in that of
    [MASK] and is no added token: lower-casing cannot produce it from a text, so it is the scoring row and nothing else.
    """
    spec = copy.deepcopy(tokenizer)
    vocabulary = spec["model"]["vocab"] = {MARKERS.get(entry, entry): i for entry, i in spec["model"]["vocab"].items()}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    spec["added_tokens"] = [{"id": vocabulary[marker], "content": marker, **flags} for marker in SPECIAL]
    return spec


def write_reranker(folder: Path, tokenizer: dict, weights: dict[str, torch.Tensor], shape: dict) -> None:
    """Qwen3ForCausalLM (bf16) and LogitScore of "Yes". `shape`: the fields of config.json that the construction
    decides."""
    vocabulary = tokenizer["model"]["vocab"]
    start, end, pad = vocabulary["<|im_start|>"], vocabulary["<|im_end|>"], vocabulary["<|endoftext|>"]
    words = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": "[UNK]"}
    markers = {"additional_special_tokens": ["<|im_start|>", "<|im_end|>"], **words}
    positions = shape["max_position_embeddings"]
    decoder = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in tokenizer["added_tokens"]}
    forward = {"method": "forward", "method_output_name": "logits"}
    modules = (
        "sentence_transformers.base.modules.transformer.Transformer",
        "sentence_transformers.cross_encoder.modules.logit_score.LogitScore",
    )
    files = {
        "config.json": {
            "architectures": ["Qwen3ForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": start,
            "eos_token_id": end,
            "pad_token_id": pad,
            "hidden_act": "silu",
            "initializer_range": 0.02,
            "max_window_layers": shape["num_hidden_layers"],
            "model_type": "qwen3",
            "rms_norm_eps": 1e-6,
            "rope_scaling": None,
            "sliding_window": None,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "transformers_version": "4.57.1",
            "use_cache": True,
            "use_sliding_window": False,
            "vocab_size": len(vocabulary),
            **shape,
        },
        "tokenizer_config.json": {
            "added_tokens_decoder": decoder,
            "bos_token": None,
            "clean_up_tokenization_spaces": False,
            "model_max_length": positions,
            "tokenizer_class": "PreTrainedTokenizerFast",
            **markers,
        },
        "special_tokens_map.json": markers,
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": modules[0]},
            {"idx": 1, "name": "1", "path": "1_LogitScore", "type": modules[1]},
        ],
        "1_LogitScore/config.json": {
            "true_token_id": vocabulary["Yes"],
            "false_token_id": None,
            "module_input_name": "causal_logits",
        },
        "config_sentence_transformers.json": {
            "__version__": _VERSIONS,
            "activation_fn": "torch.nn.modules.linear.Identity",
            "default_prompt_name": None,
            "model_type": "CrossEncoder",
            "prompts": {},
        },
        "sentence_bert_config.json": {
            "transformer_task": "text-generation",
            "modality_config": {"text": forward, "message": {**forward, "format": "flat"}},
            "module_output_name": "causal_logits",
            "processing_kwargs": {"chat_template": {"add_generation_prompt": True}},
        },
    }
    _write(folder, files)
    _write_tokenizer(folder, tokenizer)
    (folder / "chat_template.jinja").write_text(_CHAT_TEMPLATE, "utf-8")
    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in weights.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
