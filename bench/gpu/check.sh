#!/usr/bin/env bash
# Checks zrank on a GPU beside PyTorch: parity, throughput, GEMM ceiling, latency, where the time goes (docs/gpu.md).
usage='Usage: bench/gpu/check.sh [options]

Each step leaves its result in the state folder and is not run again; one that failed, or for which this machine lacks
something, is tried again. Paths are relative to the repository. Exit codes: 0 no step failed, 1 one failed, 2 wrong
usage.

  --list          name the steps and how they stand
  --step NAME     run this step, also if it was done; may be repeated (default: all that are not done)
  --table         print the table of what was measured, run nothing
  --dry-run       on the CPU, with a tiny network: shows that every step works, its figures mean nothing
  --device NAME   (default: cuda; dry run: cpu)
  --precision NAME[,NAME...]  of zrank, the one for throughput first (default: fp16,bf16; dry run: bf16,fp32)
  --shape NAME    of the random weights, as in zrank-bench (default: zerank-2; dry run: tiny)
  --python PATH   with torch and sentence-transformers (default: ZRANK_PYTHON, else python3)
  --state FOLDER  (default: .cache/gpu-check or .cache/gpu-check-dry-run)
  --out FOLDER    of the result (default: bench/results; dry run: the state folder)
  --limit SECONDS of a step (default: 570)'
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
here=bench/gpu
steps=(checkpoint texts reference scores gemm rerank-short rerank-long attention batch-tokens latency trace kernels)

say() { echo "check: $*" >&2; }
wrong() { say "$1"; echo "$usage" >&2; exit 2; }

mode=full action=run device='' precision='' shape='' state='' out='' limit=570 python=${ZRANK_PYTHON:-python3} chosen=()
while (($# > 0)); do
  case $1 in
    --dry-run) mode=dry-run ;;
    --list | --table) action=${1#--} ;;
    --help | -h) echo "$usage"; exit 0 ;;
    --step | --device | --precision | --shape | --python | --state | --out | --limit)
      (($# > 1)) || wrong "$1 needs a value"
      if [[ $1 == --step ]]; then chosen+=("$2"); else printf -v "${1#--}" %s "$2"; fi
      shift ;;
    *) wrong "there is no option $1" ;;
  esac
  shift
done
for name in ${chosen[@]+"${chosen[@]}"}; do
  [[ " ${steps[*]} " == *" $name "* ]] || wrong "there is no step $name; the steps are ${steps[*]}"
done
[[ $limit =~ ^[0-9]+$ ]] || wrong "expected --limit in seconds but received $limit"
if [[ $mode == dry-run ]]; then suffix=-dry-run; else suffix=; fi
state=${state:-.cache/gpu-check$suffix}
[[ -n $out ]] || { if [[ $mode == dry-run ]]; then out=$state; else out=bench/results; fi; }
export ZRANK_PYTHON=$python

mkdir -p "$state" || exit 2
[[ $action != run && -e $state/settings.json ]] ||
  node $here/settings.mjs "$state" "$mode" "$device" "$precision" "$shape" || exit 2

standing() {
  if [[ -e $state/$1.json ]]; then
    echo done
  elif [[ -e $state/$1.status ]]; then
    cat "$state/$1.status"
  else
    echo 'not run'
  fi
}

# What a program that failed said last about it: Node.js ends with its version, behind the error.
last_error() { { grep -E '[Ee]rror: ' "$1" || cat "$1"; } | tail -n 1; }

# run NAME COMMAND...: its stdout is the result. Exit code 3 says that this machine lacks something; the last line of
# stderr, what.
run() {
  local name=$1 code
  shift
  rm -f "$state/$name".{json,partial.json,status}
  say "$name"
  timeout --kill-after=10 "$limit" "$@" 2>&1 >"$state/$name.part" | tee "$state/$name.log" >&2
  code=${PIPESTATUS[0]}
  case $code in
    0) mv "$state/$name.part" "$state/$name.json"; say "$name: done"; return ;;
    3) echo "missing: $(tail -n 1 "$state/$name.log")" >"$state/$name.status" ;;
    124 | 137) echo "failed: it took longer than $limit s" >"$state/$name.status" ;;
    *) echo "failed: $(last_error "$state/$name.log")" >"$state/$name.status" ;;
  esac
  mv "$state/$name.part" "$state/$name.partial.json"
  say "$name: $(standing "$name")"
}

in_python() {
  if command -v "$python" >/dev/null; then "$python" "$@"; else echo "there is no $python" >&2; return 3; fi
}
export -f in_python
export python

step() {
  case $1 in
    reference | gemm) run "$1" bash -c 'in_python "$@"' - $here/"$1".py "$state" ;;
    rerank-* | attention | batch-tokens) run "$1" node $here/rerank.mjs "$state" "$1" ;;
    # A launch that returns when the kernel has ended makes an operator's time its kernels' time.
    kernels) run "$1" env CUDA_LAUNCH_BLOCKING=1 node $here/kernels.mjs "$state" ;;
    *) run "$1" node "$here/$1.mjs" "$state" ;;
  esac
}

case $action in
  list) for name in "${steps[@]}"; do echo "$name: $(standing "$name")"; done; exit 0 ;;
  table) exec node $here/report.mjs "$state" "${steps[@]}" ;;
esac
if ((${#chosen[@]} > 0)); then
  for name in "${chosen[@]}"; do step "$name"; done
else
  for name in "${steps[@]}"; do
    if [[ -e $state/$name.json ]]; then say "$name: done before"; else step "$name"; fi
  done
fi
node $here/report.mjs "$state" --out "$out" "${steps[@]}" || exit 1
! grep -qs '^failed' "$state"/*.status
