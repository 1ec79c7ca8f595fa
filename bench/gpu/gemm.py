"""Step: what PyTorch's matrix products reach on this device, over the shapes of one layer of the checkpoint.

A figure is operations over the time of all of the layer's products, each the median of repeats; the ceiling is the
best.
"""

import json
import statistics
import sys
import time
from pathlib import Path

STATE = Path(sys.argv[1])
settings = json.loads((STATE / "settings.json").read_text())
try:
    import torch
except ImportError as error:
    sys.stderr.write(f"{sys.executable} cannot import torch: {error}\n")
    sys.exit(3)


def shapes(config):
    """[in, out] of a layer's products."""
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    heads = config["num_attention_heads"] * config["head_dim"]
    key_value_heads = config["num_key_value_heads"] * config["head_dim"]
    return {
        "q": (hidden, heads), "k": (hidden, key_value_heads), "v": (hidden, key_value_heads), "o": (heads, hidden),
        "gate": (hidden, wide), "up": (hidden, wide), "down": (wide, hidden),
    }  # fmt: skip


def seconds(rows, inner, outer, dtype, device):
    """Of x [rows, inner] times w [outer, inner] transposed, as a linear layer stores it."""
    x = torch.randn(rows, inner, device=device).to(dtype)
    w = torch.randn(outer, inner, device=device).to(dtype)
    synchronize = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    times = []
    begin = time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < settings["gemm"]["seconds"]:
        # Several launches a measurement: one alone would be timed with its launch.
        synchronize()
        start = time.perf_counter()
        for _ in range(8):
            torch.nn.functional.linear(x, w)
        synchronize()
        times.append((time.perf_counter() - start) / 8)
    return statistics.median(times[1:])


def main():
    device = settings["device"].split(",")[0] if settings["device"].startswith("cuda") else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        sys.stderr.write("torch sees no CUDA device\n")
        sys.exit(3)
    torch.set_num_threads(settings["threads"] or torch.get_num_threads())
    folder = Path(json.loads((STATE / "checkpoint.json").read_text())["folder"])
    layer = shapes(json.loads((folder / "config.json").read_text()))
    result = {
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "torch": torch.__version__,
    }
    for name, dtype in (("fp16", torch.float16), ("bf16", torch.bfloat16)):
        by_rows = {}
        for rows in settings["gemm"]["rows"]:
            flops = {key: 2 * rows * inner * outer for key, (inner, outer) in layer.items()}
            times = {key: seconds(rows, inner, outer, dtype, device) for key, (inner, outer) in layer.items()}
            by_rows[rows] = {
                "layer": sum(flops.values()) / sum(times.values()),
                **{key: flops[key] / times[key] for key in layer},
            }
        result[name] = {"ceiling": max(figures["layer"] for figures in by_rows.values()), "flopsByRows": by_rows}
    print(json.dumps(result))


main()
