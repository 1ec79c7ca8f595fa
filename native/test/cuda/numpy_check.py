"""The CUDA kernels against numpy, in shapes drawn at random: numpy_check.py [--gpu] [--cases N] [--seed N] [--program PATH]

zrank_emulate runs the kernels, emulated or with --gpu on the first GPU, and keeps their buffers; what should have come
is computed here in double precision from its definition in transformers (modeling_qwen3.py). Prints a line for each
kernel and type: the largest error, the largest that is let pass, and the error of the exact result rounded to the type,
which is the least there can be. Errors are relative: of gated units to each unit, of rotated heads to the length of the
pair that is rotated, of attention to the largest of the values attended to. Exit code 1: one is too large.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
PRECISION = {"fp16": 2.0**-11, "bf16": 2.0**-8}  # half a unit in the last place
EPSILON = 1e-6  # kernel_cases.cc


def widened(raw, element):
    if element == "fp16":
        return np.frombuffer(raw, np.float16).astype(np.float64)
    return (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def rounded(values, element):
    with np.errstate(over="ignore"):
        if element == "fp16":
            return values.astype(np.float16).astype(np.float64)
        bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(np.float64)


def rotate(heads, norm, cos, sin):
    """Heads [..., dim]: RMSNorm where there is one, then rotation by the tables [..., dim / 2]."""
    if norm.size > 0:
        heads = heads / np.sqrt(np.mean(heads**2, -1, keepdims=True) + EPSILON) * norm
    half = heads.shape[-1] // 2
    low, high = heads[..., :half], heads[..., half:]
    return np.concatenate([low * cos - high * sin, high * cos + low * sin], -1)


class Kept:
    """The buffers that zrank_emulate kept of one kernel."""

    def __init__(self, folder, element):
        self.folder, self.element = folder, element

    def of(self, name, *shape):
        values = widened((self.folder / name).read_bytes(), self.element)
        return values.reshape(shape) if shape and values.size > 0 else values

    def table(self, name, dim):
        return np.frombuffer((self.folder / f"{name}.in").read_bytes(), np.float32).astype(np.float64).reshape(-1, dim // 2)

    def integers(self, name, *shape):
        return np.frombuffer((self.folder / f"{name}.in").read_bytes(), np.int32).reshape(shape)


def gated_units(random, element, run):
    way = random.choice(["", "--in-place", "--merged"])
    rows, columns = 1, random.integers(1, 20_000)
    if way == "--merged":
        rows, columns = random.integers(1, 20), 8 * random.integers(1, 500)
    scale = random.choice([1, 2.0**5])
    kept = run(["--rows", rows, "--columns", columns, "--scale", scale] + [way] * (way != ""))
    gate = kept.of("y.in" if way == "--in-place" else "gate.in", rows, -1)[:, :columns]
    up, y = kept.of("up.in", rows, columns), kept.of("y.out", rows, columns)
    with np.errstate(over="ignore"):
        exact = scale * gate / (1 + np.exp(-scale * gate)) * up
    # The exponential is infinite in fp32 long before it is here, and the unit zero.
    exact[scale * gate < -np.log(np.finfo(np.float32).max)] = 0
    least = 2.0**-14 if element == "fp16" else 2.0**-126
    return y, exact, np.maximum(abs(exact), least), 1.05 * PRECISION[element]


def rotate_heads(random, element, run):
    dim, heads, tokens = random.choice([32, 64, 96, 128]), random.integers(1, 13), random.integers(1, 100)
    has_norm, in_place = (random.random(2) < 0.5).tolist()
    first = 0 if in_place else 8 * random.integers(20)
    options = ["--head-dim", dim, "--heads", heads, "--tokens", tokens, "--first", first]
    kept = run(options + ["--no-norm"] * (not has_norm) + ["--in-place"] * in_place)
    x = kept.of("y.in" if in_place else "x.in", tokens, -1)[:, first:].reshape(tokens, heads, dim)
    cos, sin = (kept.table(name, dim)[kept.integers("positions", tokens)][:, None] for name in ("cos", "sin"))
    exact = rotate(x, kept.of("norm.in"), cos, sin)
    pairs = np.hypot(exact[..., : dim // 2], exact[..., dim // 2 :])
    return kept.of("y.out", tokens, heads, dim), exact, np.concatenate([pairs, pairs], -1), 1.05 * PRECISION[element]


def attention(random, element, run):
    dim, key_value_heads, group = random.choice([32, 64, 96, 128]), random.integers(1, 4), random.integers(1, 9)
    heads, sharpness = key_value_heads * group, random.choice([1, 4])
    lengths = random.integers(1, 150, random.integers(1, 7))
    has_norm, is_padded, only_last = (random.random(3) < 0.5).tolist()
    options = ["--head-dim", dim, "--heads", heads, "--key-value-heads", key_value_heads, "--sharpness", sharpness]
    first = 8 * random.integers(20)
    options += ["--shared", random.integers(0, 150), "--lengths", ",".join(map(str, lengths)), "--first", first]
    kept = run(options + ["--no-norm"] * (not has_norm) + ["--padded"] * is_padded + ["--last"] * only_last)
    out, k = kept.of("out.out", -1, heads, dim), kept.of("k.in", -1, key_value_heads, dim)
    q, v = (
        kept.of(name, -1, first + count * dim)[:, first:].reshape(-1, count, dim)
        for name, count in (("q.in", heads), ("v.in", key_value_heads))
    )
    cos, sin, norm = kept.table("cos", dim), kept.table("sin", dim), kept.of("q_norm.in")
    expand = kept.integers("expand", -1, len(cos))
    exact, scale = np.full_like(out, np.nan), np.full_like(out, np.nan)
    for first, count, sequence, position in kept.integers("tiles", -1, 4):
        for row, at in zip(range(first, first + count), range(position, position + count)):
            keys = expand[sequence, : at + 1]
            # As the kernel multiplies them, in 16 bits.
            queries = rounded(rotate(q[row], norm, cos[at], sin[at]), element)
            scores = np.einsum("hd,khd->hk", queries, np.repeat(k[keys], group, 1)) / np.sqrt(dim)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            exact[row] = np.einsum("hk,khd->hd", weights, np.repeat(v[keys], group, 1))
            scale[row] = np.repeat(abs(v[keys]).max((0, 2)), group)[:, None]
    # A row of no tile is no number here, and is found wrong.
    return out, exact, scale, 2 * PRECISION[element] + 1e-5 * sharpness


def relative(values, exact, scale):
    """The largest error; infinite where either is no number."""
    with np.errstate(invalid="ignore"):
        errors = np.where(values == exact, 0, abs(values - exact) / scale)
    return np.nan_to_num(errors, nan=np.inf).max()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--cases", type=int, default=20, help="of each kernel in each type")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default=ROOT / "build/zrank_emulate")
    args = parser.parse_args()
    random = np.random.default_rng(args.seed)
    is_right = True
    for kernel in (gated_units, rotate_heads, attention):
        name = kernel.__name__.replace("_", "-")
        for element in PRECISION:
            worst, least, share = 0.0, 0.0, 0.0
            for _ in range(args.cases):
                with tempfile.TemporaryDirectory() as folder:

                    def run(options):
                        options = [*options, "--element", element, "--seed", random.integers(1_000_000), "--keep", folder]
                        command = [args.program, name, *map(str, options), *["--gpu"] * args.gpu]
                        # 1 is zrank_emulate's own finding that the kernel is wrong.
                        result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
                        if result.returncode > 1 or not list(Path(folder).glob("*.out")):
                            raise SystemExit(f"{' '.join(map(str, command))}: {result.stdout}")
                        return Kept(Path(folder), element)

                    values, exact, scale, bound = kernel(random, element, run)
                # Beyond the type's range the exact result is infinite too.
                nearest = rounded(exact, element)
                exact = np.where(np.isinf(nearest), nearest, exact)
                error = relative(values, exact, scale)
                worst, least = max(worst, error), max(least, relative(nearest, exact, scale))
                share = max(share, error / bound)
            is_right &= share <= 1
            print(f"{name:12} {element}: {args.cases} cases, off by {worst:.3g} at most, rounding alone {least:.3g}, "
                  f"{share:.0%} of what may be", flush=True)
    sys.exit(not is_right)


main()
