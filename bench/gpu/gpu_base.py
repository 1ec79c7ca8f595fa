"""What PyTorch alone finds on this machine: gpu_base.py STATE [--dry-run] [--stage NAME]...

STATE is a folder that gpu_zrank.mjs --prepare made: settings.json, texts.json and `checkpoint`, a folder without
weights. Each stage prints one JSON line, {"stage", "seconds", ...}, which STATE/base.jsonl gets too; one that fails
has "error" and the next one runs. Exit code 1: a stage failed.
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from pathlib import Path

import torch

parser = argparse.ArgumentParser()
parser.add_argument("state", type=Path)
parser.add_argument("--dry-run", action="store_true", help="on the CPU")
parser.add_argument("--stage", action="append", default=[])
args = parser.parse_args()
STATE = args.state
DEVICE = "cpu" if args.dry_run else "cuda"
settings = json.loads((STATE / "settings.json").read_text())
texts = json.loads((STATE / "texts.json").read_text())
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def synchronize():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def machine():
    import sentence_transformers
    import transformers

    versions = {module.__name__: module.__version__ for module in (torch, transformers, sentence_transformers)}
    gpu = None
    if DEVICE == "cuda":
        free, total = torch.cuda.mem_get_info()
        gpu = {"name": torch.cuda.get_device_name(), "free": free, "total": total, "cuda": torch.version.cuda}
    free_disk = {str(path): shutil.disk_usage(path).free for path in (STATE, Path("/dev/shm")) if path.exists()}
    return {"gpu": gpu, "versions": versions, "node": shutil.which("node"), "freeDisk": free_disk}


def checkpoint():
    """One random model, rounded to bf16, and the same in fp16: zrank converts nothing."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(settings["seed"])
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(DEVICE):
            model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(STATE / "checkpoint"))
    finally:
        torch.set_default_dtype(torch.float32)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    for name in ("bf16", "fp16"):
        model.to(DTYPES[name]).save_pretrained(STATE / name, max_shard_size="5GB")
        # Last, so that config.json and the others are those of the checkpoint, whatever transformers writes.
        shutil.copytree(STATE / "checkpoint", STATE / name, dirs_exist_ok=True)
    config = json.loads((STATE / "checkpoint" / "config.json").read_text())
    (STATE / "fp16" / "config.json").write_text(json.dumps({**config, "torch_dtype": "float16", "dtype": "float16"}))
    return {"parameters": parameters}


def median_seconds(call):
    call()
    synchronize()
    times = []
    begin = time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < settings["gemm"]["seconds"]:
        start = time.perf_counter()
        # Several launches a measurement: one alone would be timed with its launch.
        for _ in range(8):
            call()
        synchronize()
        times.append((time.perf_counter() - start) / 8)
    return statistics.median(times)


def layer_shapes(merged):
    """[in, out] of a layer's products; `merged`: q|k|v and gate|up as one product each."""
    config = json.loads((STATE / "checkpoint" / "config.json").read_text())
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    heads = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    rest = {"o": (heads, hidden), "down": (wide, hidden)}
    if merged:
        return {"qkv": (hidden, heads + 2 * keys), "gate_up": (hidden, 2 * wide), **rest}
    return {"q": (hidden, heads), "k": (hidden, keys), "v": (hidden, keys), "gate": (hidden, wide), "up": (hidden, wide), **rest}


def gemm():
    """Operations a second over the products of one layer: the ceiling that zrank's throughput is held against."""
    result = {}
    for name in ("fp16", "bf16"):
        for rows in settings["gemm"]["rows"]:
            for merged in (False, True):
                flops, seconds = 0, 0.0
                for inner, outer in layer_shapes(merged).values():
                    x = torch.randn(rows, inner, device=DEVICE).to(DTYPES[name])
                    w = torch.randn(outer, inner, device=DEVICE).to(DTYPES[name])
                    flops += 2 * rows * inner * outer
                    seconds += median_seconds(lambda x=x, w=w: torch.nn.functional.linear(x, w))
                result[f"{name} {rows}{' merged' if merged else ''}"] = flops / seconds
    return {"flopsPerSecond": result, "ceiling": {n: max(v for k, v in result.items() if k.startswith(n)) for n in ("fp16", "bf16")}}


def fp32():
    """Logits of the parity pairs, each prompt alone, no TF32."""
    from transformers import AutoModelForCausalLM

    torch.backends.cuda.matmul.allow_tf32 = False
    model = AutoModelForCausalLM.from_pretrained(STATE / "bf16", dtype=torch.float32, attn_implementation="sdpa").to(DEVICE).eval()
    with torch.inference_mode():
        logits = [model(torch.tensor([ids], device=DEVICE), logits_to_keep=1).logits[0, -1, texts["trueTokenId"]].item() for ids in texts["ids"]]
    return {"logits": logits, "spread": statistics.pstdev(logits)}


def sentence_transformers_bf16():
    from sentence_transformers import CrossEncoder

    kwargs = {"dtype": torch.bfloat16, "attn_implementation": "sdpa"}
    model = CrossEncoder(str(STATE / "bf16"), device=DEVICE, model_kwargs=kwargs, local_files_only=True)

    def predict(pairs, size):
        return model.predict(pairs, batch_size=size, activation_fn=torch.nn.Identity(), show_progress_bar=False)

    logits = [float(logit) for logit in predict([tuple(pair) for pair in texts["pairs"]], 8)]
    rates = {}
    for name, requests in texts["requests"].items():
        calls = [[(request["query"], document) for document in request["documents"]] for request in requests]
        warmups = settings["warmups"]
        for call in calls[:warmups]:
            predict(call, 32)
        times = []
        for call in calls[warmups : warmups + settings["baseCalls"]]:
            start = time.perf_counter()
            predict(call, 32)
            synchronize()
            times.append(time.perf_counter() - start)
        rates[name] = len(calls[0]) / statistics.median(times)
    return {"logits": logits, "pairsPerSecond": rates}


STAGES = {
    "machine": machine,
    "checkpoint": checkpoint,
    "gemm": gemm,
    "fp32": fp32,
    "sentence-transformers": sentence_transformers_bf16,
}

failed = False
for name, stage in STAGES.items():
    if args.stage and name not in args.stage:
        continue
    start = time.perf_counter()
    try:
        line = {"stage": name, **stage()}
    except Exception as error:  # noqa: BLE001: whatever it is, the next stage runs
        failed = True
        line = {"stage": name, "error": f"{type(error).__name__}: {error}"}
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
    line["seconds"] = time.perf_counter() - start
    text = json.dumps(line)
    print(text, flush=True)
    with (STATE / "base.jsonl").open("a") as file:
        file.write(text + "\n")
sys.exit(failed)
