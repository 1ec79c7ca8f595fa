"""Peer: sentence-transformers' CrossEncoder.predict, in fp32, bf16 or fp16, on the CPU or a CUDA GPU.

Install: pip install sentence-transformers (5.4 or later, with torch and transformers), and name the interpreter
with --python or ZRANK_PYTHON.
"""

import json
import math
import os
import sys
import time

settings = json.loads(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(settings["threads"])
os.environ["TOKENIZERS_PARALLELISM"] = "true"
# Libraries that print must not end up between the replies.
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def say(message):
    replies.write(json.dumps(message) + "\n")
    replies.flush()


try:
    import sentence_transformers
    import torch
    import transformers
    from sentence_transformers import CrossEncoder
except ImportError as error:
    say({"unavailable": f"{sys.executable} has no sentence-transformers ({error}); pip install sentence-transformers"})
    sys.exit(0)

torch.set_num_threads(settings["threads"])
device = settings["device"].split(",")[0] if settings["device"].startswith("cuda") else "cpu"
dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings["precision"]]
model_kwargs = {"dtype": dtype, "attn_implementation": "sdpa"}
try:
    model = CrossEncoder(settings["model"], device=device, model_kwargs=model_kwargs, local_files_only=True)
except Exception as error:
    say({"unavailable": f"it cannot load the model: {error}"})
    sys.exit(0)
say(
    {
        "ready": {
            "sentence-transformers": sentence_transformers.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }
    }
)

identity = torch.nn.Identity()
for line in sys.stdin:
    pairs = [tuple(pair) for pair in json.loads(line)["pairs"]]
    try:
        start = time.perf_counter()
        logits = model.predict(pairs, activation_fn=identity, show_progress_bar=False, convert_to_numpy=True)
        seconds = time.perf_counter() - start
        say({"seconds": seconds, "logits": [float(logit) if math.isfinite(logit) else None for logit in logits]})
    except Exception as error:
        say({"error": str(error)})
