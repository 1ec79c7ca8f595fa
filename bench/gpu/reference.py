"""Step: logits of the parity pairs in PyTorch, by transformers in fp32 from the token ids, and by
sentence-transformers.

The first is what all others are compared with. sentence-transformers in fp32 must agree with it: it then reads the same
prompts and scores the token that 1_LogitScore names.
"""

import json
import math
import sys
from pathlib import Path

STATE = Path(sys.argv[1])
settings = json.loads((STATE / "settings.json").read_text())
try:
    import torch
    import transformers
    import sentence_transformers
except ImportError as error:
    sys.stderr.write(f"{sys.executable} cannot import torch, transformers and sentence-transformers: {error}\n")
    sys.exit(3)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def step(name):
    return json.loads((STATE / f"{name}.json").read_text())


def reference(folder, device, ids, token):
    """Each prompt alone, so that no padding and no batch can matter; the last position's logit of `token`."""
    model = (
        transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
        .to(device)
        .eval()
    )
    with torch.inference_mode():
        return [
            model(torch.tensor([sequence], device=device), logits_to_keep=1).logits[0, -1, token].item()
            for sequence in ids
        ]


def cross_encoder(folder, device, pairs, dtype):
    model = sentence_transformers.CrossEncoder(
        folder, device=device, model_kwargs={"dtype": dtype, "attn_implementation": "sdpa"}, local_files_only=True
    )
    # The longest pairs are of thousands of tokens, and it computes the whole vocabulary for each.
    logits = model.predict(pairs, batch_size=8, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    return [float(logit) if math.isfinite(logit) else None for logit in logits]


def main():
    # fp32 means fp32.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_num_threads(settings["threads"] or torch.get_num_threads())
    device = settings["device"].split(",")[0] if settings["device"].startswith("cuda") else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        sys.stderr.write("torch sees no CUDA device\n")
        sys.exit(3)
    folder = step("checkpoint")["folder"]
    parity = step("texts")
    result = {
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "sentence-transformers": sentence_transformers.__version__,
        },
        "fp32": reference(folder, device, parity["ids"], parity["trueTokenId"]),
        "sentenceTransformers": {
            name: cross_encoder(folder, device, [tuple(pair) for pair in parity["pairs"]], dtype)
            for name, dtype in DTYPES.items()
        },
    }
    print(json.dumps(result))


main()
