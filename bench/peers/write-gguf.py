"""Writes a Qwen3 reranker as GGUF, as llama.cpp reads one: python write-gguf.py MODEL_FOLDER OUT.gguf fp32|fp16|bf16|int8

int8 is Q8_0. llama.cpp scores such a model by the softmax of two classes (llm_graph_context::build_pooling); the rows
here are that of the true token and that of the false token, or zeros where the folder has none, so that the first
class' probability is the sigmoid of the logit. Install: pip install gguf jinja2
"""

import json
import sys
from pathlib import Path

import gguf
import jinja2
import numpy as np
from gguf.utility import SafetensorsLocal

folder, out, precision = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
TYPES = {
    "fp32": gguf.GGMLQuantizationType.F32,
    "fp16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "int8": gguf.GGMLQuantizationType.Q8_0,
}


def read_json(name):
    path = folder / name
    return json.loads(path.read_text()) if path.exists() else {}


def widen(tensor):
    """The numbers of a tensor of safetensors, in fp32."""
    data = tensor.mmap_bytes()
    if tensor.dtype == "BF16":
        return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(tensor.shape)
    return data.view({"F32": np.float32, "F16": np.float16}[tensor.dtype]).astype(np.float32).reshape(tensor.shape)


config, head = read_json("config.json"), read_json("1_LogitScore/config.json")
if config["model_type"] != "qwen3" or head.get("true_token_id") is None:
    sys.exit("not a Qwen3 reranker with 1_LogitScore")
tensors = {}
for path in sorted(folder.glob("*.safetensors")):
    tensors |= {name.removeprefix("model."): tensor for name, tensor in SafetensorsLocal(path).tensors.items()}

writer = gguf.GGUFWriter(out, "qwen3", use_temp_file=True)
writer.add_block_count(config["num_hidden_layers"])
writer.add_context_length(config["max_position_embeddings"])
writer.add_embedding_length(config["hidden_size"])
writer.add_feed_forward_length(config["intermediate_size"])
writer.add_head_count(config["num_attention_heads"])
writer.add_head_count_kv(config["num_key_value_heads"])
writer.add_key_length(config["head_dim"])
writer.add_value_length(config["head_dim"])
writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
writer.add_rope_freq_base(float(config.get("rope_theta") or config["rope_parameters"]["rope_theta"]))
writer.add_pooling_type(gguf.PoolingType.RANK)
writer.add_classifier_output_labels(["yes", "no"])

tokenizer = read_json("tokenizer.json")
vocabulary = {index: token for token, index in tokenizer["model"]["vocab"].items()}
added = {token["id"]: token for token in tokenizer["added_tokens"]}
tokens, types = [], []
for index in range(config["vocab_size"]):
    if index in added:
        tokens.append(added[index]["content"])
        types.append(gguf.TokenType.CONTROL if added[index]["special"] else gguf.TokenType.USER_DEFINED)
    else:
        tokens.append(vocabulary.get(index, f"[PAD{index}]"))
        types.append(gguf.TokenType.NORMAL if index in vocabulary else gguf.TokenType.UNUSED)
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("qwen2")
writer.add_token_list(tokens)
writer.add_token_types(types)
writer.add_token_merges([" ".join(merge) if isinstance(merge, list) else merge for merge in tokenizer["model"]["merges"]])
writer.add_add_bos_token(False)
writer.add_add_eos_token(False)
for token in added.values():
    if token["content"] == "<|im_end|>":
        writer.add_eos_token_id(token["id"])
template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(
    (folder / "chat_template.jinja").read_text()
)
keywords = read_json("sentence_bert_config.json").get("processing_kwargs", {}).get("chat_template", {})
messages = [{"role": "query", "content": "{query}"}, {"role": "document", "content": "{document}"}]
writer.add_string("tokenizer.chat_template.rerank", template.render(messages=messages, **keywords))

names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config["num_hidden_layers"])
for name, tensor in tensors.items():
    to = names.get_name("model." + name, try_suffixes=(".weight",))
    if to is None or name.startswith("lm_head"):
        continue
    # Norms stay as they are, as in llama.cpp's own converter.
    kind = TYPES[precision] if len(tensor.shape) == 2 else gguf.GGMLQuantizationType.F32
    writer.add_tensor(to, gguf.quants.quantize(widen(tensor), kind), raw_dtype=kind)
rows = widen(tensors.get("lm_head.weight", tensors["embed_tokens.weight"]))
classes = np.zeros((2, config["hidden_size"]), np.float32)
classes[0] = rows[head["true_token_id"]]
if head.get("false_token_id") is not None:
    classes[1] = rows[head["false_token_id"]]
writer.add_tensor("cls.output.weight", classes)

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
