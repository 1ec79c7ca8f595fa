#!/usr/bin/env bash
# Checks zrank on a GPU beside PyTorch (docs/gpu.md): gpu_base.py, then gpu_zrank.mjs.
usage='Usage: bench/gpu/check.sh [--dry-run] [--prepare] [--state FOLDER] [--python PATH]

Each stage prints one line of JSON, which STATE/base.jsonl or STATE/zrank.jsonl gets too. One that fails has an `error`
and does not stop the others. Exit codes: 0 no stage failed, 1 one failed, 2 wrong usage.

  --dry-run       on the CPU, with a tiny network: shows that the stages work, their figures mean nothing
  --prepare       only fill the state folder with what needs no GPU: settings, texts, a checkpoint without weights
  --state FOLDER  (default: .cache/gpu-check or .cache/gpu-check-dry-run); what is prepared there is kept
  --python PATH   with torch and sentence-transformers (default: ZRANK_PYTHON, else python3)'
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

wrong() { echo "check: $1" >&2; echo "$usage" >&2; exit 2; }

dry=() prepare= state= python=${ZRANK_PYTHON:-python3}
while (($# > 0)); do
  case $1 in
    --dry-run) dry=(--dry-run) ;;
    --prepare) prepare=1 ;;
    --help | -h) echo "$usage"; exit 0 ;;
    --state | --python)
      (($# > 1)) || wrong "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift ;;
    *) wrong "there is no option $1" ;;
  esac
  shift
done
state=${state:-.cache/gpu-check${dry[0]:+-dry-run}}

if [[ ! -e $state/texts.json ]]; then
  node bench/gpu/gpu_zrank.mjs "$state" ${dry[@]+"${dry[@]}"} --prepare || exit 1
fi
[[ -z $prepare ]] || exit 0
failed=0
if command -v "$python" >/dev/null; then
  "$python" bench/gpu/gpu_base.py "$state" ${dry[@]+"${dry[@]}"} || failed=1
else
  echo "check: there is no $python: no checkpoint is made" >&2
  failed=1
fi
node bench/gpu/gpu_zrank.mjs "$state" ${dry[@]+"${dry[@]}"} || failed=1
exit $failed
